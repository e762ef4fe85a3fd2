"""What the fuzzer has programs do with services, in some of its runs.

Drawn from chance of its own, so that a seed without services means the run that it
meant before there were any. Hosts may be in any trouble meanwhile: a program then
finds nobody who takes its word, and its host registers nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from gossipd.services.definition import STATUSES
from gossipd_sim.document import Table
from gossipd_sim.random_faults import Draft
from gossipd_sim.selectors import join_names

SHARE = 0.4
"""Of all runs that have services."""
SHARE_MIXED = 0.3
"""Of those, how many have hosts without a catalog, as Serf's agents are."""
SERVICES = ("web", "db", "cache")
DOINGS_MAX = 30
COUNTS = (1, 1, 1, 2, 3)


class _Doings(Draft):
    """A draft that knows which services the run has."""

    def __init__(self, random: Random, nodes: int, begin: float, end: float) -> None:
        super().__init__(random, nodes, begin, end, "")
        self.services = random.sample(SERVICES, random.randint(1, len(SERVICES)))

    def which(self) -> Table:
        """Return a service and how many instances of a host are meant."""
        return {"service": self.random.choice(self.services), "count": self.random.choice(COUNTS)}

    def few(self) -> str:
        """Return a selector of hosts, more often few than many."""
        most = self.random.choice((1, 2, len(self.names)))
        return join(self.random.sample(self.names, min(most, len(self.names))))


def join(names: list[str]) -> str:
    """Return a selector of exactly these."""
    return join_names(sorted(names))


def add_services(document: Table, random: Random, nodes: int, calm_from: float) -> None:
    """Add services to ``document``, or not, as chance has it."""
    if random.random() >= SHARE:
        return
    doings = _Doings(random, nodes, 1.0, calm_from - 1)
    doings.add("register", doings.between(1.0, 20.0), hosts=doings.few(), **doings.which())
    kinds = random.sample(KINDS, random.randint(2, len(KINDS)))
    for _ in range(random.randint(1, DOINGS_MAX)):
        random.choice(kinds)(doings)
    document["catalog"] = {"enabled": True, **_settings(random)}
    if random.random() < SHARE_MIXED:
        others = join(random.sample(doings.names, random.randint(1, len(doings.names) - 1)))
        special = document.setdefault("special", [])
        assert isinstance(special, list)
        special.append({"hosts": others, "catalog": {"enabled": False}})
    faults = document["faults"]
    assert isinstance(faults, list)
    document["faults"] = sorted([*faults, *doings.faults], key=lambda fault: float(fault["at"]))


def _settings(random: Random) -> Table:
    found: Table = {}
    if random.random() < 0.2:
        found["tombstone_timeout"] = random.choice((300.0, 1000.0))
    if random.random() < 0.2:
        found["output_interval"] = random.choice((1.0, 10.0))
    if random.random() < 0.2:
        found["changes_per_second"] = random.choice((1.0, 5.0))
    return found


# -- doings --------------------------------------------------------------------------


def _register(doings: _Doings) -> None:
    at = doings.moment()
    more: Table = {}
    if doings.random.random() < 0.3:
        more["lasts"] = doings.duration(at, 60.0)
    if doings.random.random() < 0.5:
        # a long one fills packets to the brim, and some do not fit at all
        note = "x" * doings.random.choice((0, 30, 700, 3000))
        more["meta"] = {"turn": str(doings.random.randrange(1000)), "note": note}
    doings.add("register", at, hosts=doings.few(), **doings.which(), **more)


def _deregister(doings: _Doings) -> None:
    doings.add("deregister", doings.moment(), hosts=doings.few(), **doings.which())


def _report(doings: _Doings) -> None:
    at, random = doings.moment(), doings.random
    more: Table = {"lasts": doings.duration(at, 60.0)} if random.random() < 0.4 else {}
    if random.random() < 0.3:
        more["output"] = f"said at {at}"
    status = random.choice(STATUSES)
    doings.add("report", at, hosts=doings.few(), status=status, **doings.which(), **more)


def _flap(doings: _Doings) -> None:
    at, random = doings.moment(), doings.random
    every = round(random.choice((0.05, 0.5, 3.0)), 3)
    times = random.randint(2, 12)
    at = max(doings.begin, min(at, doings.end - times * every))
    doings.add("flap", round(at, 3), hosts=doings.few(), times=times, every=every, **doings.which())


def _load(doings: _Doings) -> None:
    load = round(doings.random.random(), 2)
    doings.add("load", doings.moment(), hosts=doings.few(), load=load, **doings.which())


def _maintenance(doings: _Doings) -> None:
    at = doings.moment()
    about = doings.which() if doings.random.random() < 0.6 else {}
    more: Table = {"lasts": doings.duration(at, 60.0)} if doings.random.random() < 0.6 else {}
    doings.add("maintenance", at, hosts=doings.few(), **about, **more)


def _drain(doings: _Doings) -> None:
    at = doings.moment()
    about = doings.which() if doings.random.random() < 0.8 else {}
    seconds = doings.random.choice((0.0, 1.0, 5.0, 20.0))
    doings.add("drain", at, hosts=doings.few(), seconds=seconds, **about)


KINDS: tuple[Callable[[_Doings], None], ...] = (
    _register,
    _register,
    _deregister,
    _report,
    _flap,
    _load,
    _maintenance,
    _drain,
)
"""One entry adds one doing; what is twice here is done twice as often."""
