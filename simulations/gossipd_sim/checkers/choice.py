"""All checkers by name, and those that a scenario wants made ready for a run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from gossipd_sim.checkers.alternation import Alternation
from gossipd_sim.checkers.applications import Applications
from gossipd_sim.checkers.calm_deaths import CalmDeaths
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.checkers.datagrams import Datagrams
from gossipd_sim.checkers.decoding import Decoding
from gossipd_sim.checkers.incarnations import Incarnations
from gossipd_sim.checkers.inspector import Inspector
from gossipd_sim.checkers.own_entry import OwnEntry
from gossipd_sim.checkers.precedence import Precedence
from gossipd_sim.checkers.probing import Probing
from gossipd_sim.checkers.queues import Queues
from gossipd_sim.checkers.refutations import Refutations
from gossipd_sim.checkers.rest import Rest
from gossipd_sim.checkers.service_changes import ServiceChanges
from gossipd_sim.checkers.service_records import ServiceRecords
from gossipd_sim.checkers.service_rest import ServiceRest
from gossipd_sim.checkers.suspicions import Suspicions
from gossipd_sim.checkers.transmits import Transmits
from gossipd_sim.checkers.visits import Visits
from gossipd_sim.observer import Violation
from gossipd_sim.truth import Truth

DECODING = "decoding"
_ALONE: dict[str, Callable[[Complain], object]] = {
    "incarnations": Incarnations,
    "precedence": Precedence,
    "refutations": Refutations,
    "alternation": Alternation,
    "own-entry": OwnEntry,
    "datagrams": Datagrams,
    "visits": Visits,
    "queues": Queues,
    "service-changes": ServiceChanges,
}
_WITH_TRUTH = (
    *("transmits", "suspicions", "probing", "calm-deaths", "rest", "applications"),
    *("service-records", "service-rest"),
)
NAMES: tuple[str, ...] = (DECODING, *_ALONE, *_WITH_TRUTH)
"""Every checker there is, in the order in which they are asked."""
NONE = "none"
"""Instead of names: nobody checks."""
_WANT_MESSAGES = ("transmits", "visits", "probing", "rest")
COMPLAINTS_MAX = 100
"""Violations collected of one checker in one run: a broken rule breaks at every step."""


class Complaints:
    """The violations of one run, in the order in which they were found."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self._counts: dict[str, int] = {}

    def of(self, checker: str) -> Complain:
        """Return how ``checker`` complains."""
        return partial(self._take, checker)

    def _take(self, checker: str, host: str, now: float, text: str) -> None:
        count = self._counts[checker] = self._counts.get(checker, 0) + 1
        if count <= COMPLAINTS_MAX:
            self.violations.append(Violation(checker, host, now, text))


def make_inspector(
    wanted: Collection[str],
    complaints: Complaints,
    truth: Truth,
    calm_from: float,
    *listeners: object,
    by_wire: bool = True,
) -> Inspector:
    """Return the observer that asks the checkers of those names.

    Args:
        wanted: names out of ``NAMES``; none is all.
        complaints: where violations go.
        truth: the oracle; it must observe the run before the inspector does.
        calm_from: when faults are over, in seconds since the start.
        listeners: others that want the hooks of ``inspector.py``, as the measures do.
        by_wire: whether datagrams travel sealed, and are to be opened.
    """
    names = [name for name in NAMES if not wanted or name in wanted]
    checkers = [make(complaints.of(name)) for name, make in _ALONE.items() if name in names]
    if "transmits" in names:
        checkers.append(Transmits(complaints.of("transmits"), truth))
    if "suspicions" in names:
        checkers.append(Suspicions(complaints.of("suspicions"), truth))
    if "probing" in names:
        checkers.append(Probing(complaints.of("probing"), truth))
    if "calm-deaths" in names:
        checkers.append(CalmDeaths(complaints.of("calm-deaths"), truth))
    if "rest" in names:
        checkers.append(Rest(complaints.of("rest"), truth, calm_from))
    if "applications" in names:
        checkers.append(Applications(complaints.of("applications"), truth))
    if "service-records" in names:
        checkers.append(ServiceRecords(complaints.of("service-records"), truth))
    if "service-rest" in names:
        checkers.append(ServiceRest(complaints.of("service-rest"), truth, calm_from))
    checkers += listeners
    decoding = None
    if listeners or DECODING in names or any(name in names for name in _WANT_MESSAGES):
        decoding = Decoding(
            complaints.of(DECODING) if DECODING in names else _say_nothing, by_wire=by_wire
        )
    return Inspector(checkers, decoding)


def _say_nothing(host: str, now: float, text: str) -> None:
    """Complain of nothing: the messages are wanted, not the check."""
