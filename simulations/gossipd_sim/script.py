"""``Scenario``: a rehearsal as a value: who takes part, under which laws, and what goes wrong.

``scenario.py`` reads one from text, ``schedule.py`` turns one into the boots
and faults of a single run. Selectors (``selectors.py``) name the hosts
throughout; times are virtual seconds since the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.value import Value
from gossipd_sim.faults import Fault
from gossipd_sim.laws import Laws
from gossipd_sim.service_faults import ServiceFault
from gossipd_sim.workload import Churn

ONE_SEED, AT_ONCE, STAGGERED, FORMED = "one seed", "at once", "staggered", "formed"
BOOTSTRAPS = (ONE_SEED, AT_ONCE, STAGGERED, FORMED)


class Bootstrap(Value, kw_only=True):
    """How the cluster comes up.

    ``kind``: ``one seed``: the first host, and within ``over`` seconds at random
    moments all others, which join it; ``at once``: all at time 0, each joining
    ``seeds`` others; ``staggered``: one after another, evenly over ``over`` seconds;
    ``formed``: all at time 0, and each knows all others already.
    """

    kind: str = ONE_SEED
    over: float = 1.0
    seeds: int = 1


class LinkRule(Value, kw_only=True):
    """The laws of some links that differ from those of the whole network.

    ``both``: also in the other direction. ``laws``: the laws that differ, by name.
    """

    sources: str
    targets: str
    both: bool = True
    laws: Mapping[str, object]


class Special(Value, kw_only=True):
    """Hosts that are configured unlike the others; sections hold what differs."""

    hosts: str
    profile: str = ""
    swim: Mapping[str, object] = {}
    serf: Mapping[str, object] = {}
    wire: Mapping[str, object] = {}
    catalog: Mapping[str, object] = {}
    tags: Mapping[str, str] = {}


class Scenario(Value, kw_only=True):
    """All of a rehearsal but the seed.

    ``horizon``: how long it runs. ``settle``: so many seconds before that,
    whatever still lasts is undone, and from then on there are no faults: the
    members have this long to agree (the liveness phase; 0 is none).
    ``late``: hosts that wait for a ``start`` fault. ``checkers``: names of those
    that watch; empty is all, ``none`` is nobody. ``by_wire``: every packet and
    stream is sealed and opened again, as daemons do; the run is the same, slower,
    and errors of the wire are seen. ``catalog``: settings of services; without them, and
    without anybody who registers, hosts have no catalog and say nothing of one.
    """

    name: str
    description: str = ""
    nodes: int
    horizon: float
    settle: float = 60.0
    bootstrap: Bootstrap = Bootstrap()
    late: str = ""
    profile: str = "lan"
    swim: Mapping[str, object] = {}
    serf: Mapping[str, object] = {}
    wire: Mapping[str, object] = {}
    catalog: Mapping[str, object] = {}
    keys: tuple[bytes, ...] = ()
    laws: Laws = Laws()
    links: tuple[LinkRule, ...] = ()
    special: tuple[Special, ...] = ()
    groups: Mapping[str, str] = {}
    churn: tuple[Churn, ...] = ()
    faults: tuple[Fault, ...] = ()
    checkers: tuple[str, ...] = ()
    by_wire: bool = False

    @property
    def has_services(self) -> bool:
        """Whether hosts take part in the catalog: if anything is said of it, or registered."""
        return bool(self.catalog) or any(isinstance(one, ServiceFault) for one in self.faults)

    @property
    def calm_from(self) -> float:
        """When faults are over, in seconds since the start."""
        return self.horizon - self.settle
