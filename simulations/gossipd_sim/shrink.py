"""A smaller scenario in which the same checker still complains.

Works on documents (``document.py``): cuts time, nodes, faults and settings,
one after another, and keeps each change after which a run still fails in the
same way. A candidate that cannot be run at all (it restarts a host whose
crash is gone) simply does not complain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gossipd.value import Value
from gossipd_sim.document import Table
from gossipd_sim.errors import ScenarioError
from gossipd_sim.selectors import host_name, host_names, join_names, plain_names

NODES_MIN = 2
ROUNDS_MAX = 8
"""Passes over all kinds of changes; each but the last made the document smaller."""
KEPT = ("name", "description", "nodes", "horizon", "settle", "faults", "checkers")
"""What is no setting that could be left out."""
SELECTORS = ("hosts", "sources", "targets", "to", "of", "target")


class Failure(Value):
    """A run that fails; ``at``: when the checker complained first, in virtual seconds."""

    document: Table
    seed: int
    at: float


class Shrinker:
    """Looks for smaller documents until none of its changes keeps the complaint.

    Args:
        complains: runs a document with a seed; returns when the same checker complains
            first, in virtual seconds, or ``None``.
        start: the failing run to begin with.
        runs_max: after so many runs the best so far has to do.
    """

    def __init__(
        self, complains: Callable[[Table, int], float | None], start: Failure, *, runs_max: int
    ) -> None:
        self._complains = complains
        self._runs_max = runs_max
        self._told: Callable[[str], None] = lambda note: None
        self.best = start
        self.runs = 0

    @property
    def is_spent(self) -> bool:
        """No run is left."""
        return self.runs >= self._runs_max

    def shrink(self, told: Callable[[str], None] | None = None) -> Failure:
        """Return the smallest found; ``best`` holds it at any time, also after an interrupt.

        Args:
            told: called after each run with the size of the best so far.
        """
        self._told = told or self._told
        for _ in range(ROUNDS_MAX):
            before = self.best
            self._try_each(less_time)  # first what makes the runs that follow cheap
            self._try_each(fewer_nodes)
            self._drop_faults()
            self._try_each(fewer_settings)
            if self.best == before or self.is_spent:
                break
        return self.best

    def _drop_faults(self) -> None:
        """Remove faults in runs of halving length (delta debugging)."""
        length = len(faults_of(self.best.document))
        while length >= 1:
            begin = 0
            while begin < len(faults := faults_of(self.best.document)):
                kept = faults[:begin] + faults[begin + length :]
                if not self._keeps({**self.best.document, "faults": kept}):
                    begin += length
            length //= 2

    def _try_each(self, changes: Callable[[Failure], Iterator[Table]]) -> None:
        """Take the first change that keeps the complaint, and begin again from there."""
        found = True
        while found and not self.is_spent:
            found = any(self._keeps(candidate) for candidate in changes(self.best))

    def _keeps(self, document: Table) -> bool:
        """Adopt ``document`` if it still fails; what is smaller runs otherwise, so try seeds."""
        if document == self.best.document:
            return False
        for seed in dict.fromkeys((self.best.seed, 0, 1)):
            if self.is_spent:
                return False
            self.runs += 1
            at = self._complains(document, seed)
            if at is not None:
                self.best = Failure(document, seed, at)
            self._told(size_of(self.best.document))
            if at is not None:
                return True
        return False


def size_of(document: Table) -> str:
    """Return how large a document is, for people."""
    horizon = number_of(document["horizon"])
    return f"{document['nodes']} nodes, {len(faults_of(document))} faults, {horizon:g} s"


def faults_of(document: Table) -> list[Table]:
    """Return the faults of a document, as they are in it."""
    faults = document.get("faults", [])
    assert isinstance(faults, list)
    return faults


def number_of(value: object) -> float:
    """Return a number of a document."""
    assert isinstance(value, int | float)
    return float(value)


# -- changes -----------------------------------------------------------------------


def less_time(failure: Failure) -> Iterator[Table]:
    """Yield the document with an earlier end, a shorter rest, and faults that come earlier."""
    document = failure.document
    horizon, settle = number_of(document["horizon"]), number_of(document.get("settle", 60.0))
    begins = [number_of(fault["at"]) for fault in faults_of(document)]
    first, last = min(begins, default=0.0), max(begins, default=0.0)
    calm = horizon - settle
    if failure.at < horizon - 1.5:
        yield _cut(document, failure.at + 0.5, 0.5)
        yield _cut(document, min(failure.at, calm), settle)
    for end in (last + 0.5, (first + calm) / 2, calm - 5.0):
        if 1.0 <= end < calm - 0.4:
            yield _cut(document, end, settle)
    if settle > 2.0:
        yield _cut(document, calm, settle / 2)
    for early in (5.0, first / 2):
        if first - early > 1.0:
            yield _earlier(document, first - early)


def _cut(document: Table, calm: float, settle: float) -> Table:
    """Return the document with all faults over at ``calm``, and ``settle`` seconds after that."""
    faults = []
    for fault in faults_of(document):
        left = calm - number_of(fault["at"])
        lasts = number_of(fault.get("lasts", 0.0))
        if left >= 0.1:
            faults.append({**fault, "lasts": round(min(lasts, left), 3)} if lasts else fault)
    end = {"horizon": round(calm + settle, 3), "settle": round(settle, 3)}
    return {**document, **end, "faults": faults}


def _earlier(document: Table, seconds: float) -> Table:
    faults = [
        {**fault, "at": round(number_of(fault["at"]) - seconds, 3)} for fault in faults_of(document)
    ]
    horizon = round(number_of(document["horizon"]) - seconds, 3)
    return {**document, "horizon": horizon, "faults": faults}


def fewer_nodes(failure: Failure) -> Iterator[Table]:
    """Yield the document with fewer nodes; those that few faults name are left out first."""
    document = failure.document
    nodes = document["nodes"]
    assert isinstance(nodes, int)
    for fewer in dict.fromkeys((NODES_MIN, 3, nodes // 4, nodes // 2, nodes * 3 // 4, nodes - 1)):
        if NODES_MIN <= fewer < nodes:
            yield _with_nodes(document, nodes, fewer)


def _with_nodes(document: Table, nodes: int, fewer: int) -> Table:
    """Return the document with ``fewer`` hosts; faults of nobody are left out."""
    ranked: dict[str, None] = {host_name(0): None}
    for fault in faults_of(document):
        for key in SELECTORS:
            hosts = _names(fault.get(key))
            if len(hosts) <= max(3, nodes // 4):  # wide ones say little about who matters
                ranked |= dict.fromkeys(hosts)
    ranked |= dict.fromkeys(host_names(nodes))
    kept = sorted(list(ranked)[:fewer])
    renamed = dict(zip(kept, host_names(fewer), strict=True))
    changed: Table = {**document, "nodes": fewer}
    late = _renamed(document.get("late"), renamed)
    if "late" in changed:
        del changed["late"]
        if late:
            changed["late"] = late
    special = document.get("special", [])
    assert isinstance(special, list)
    kept_special = [_fault_with(one, renamed) for one in special]
    if special:
        changed["special"] = [one for one in kept_special if one is not None]
    changed["faults"] = [
        fault
        for fault in (_fault_with(fault, renamed) for fault in faults_of(document))
        if fault is not None
    ]
    return changed


def _fault_with(fault: Table, renamed: dict[str, str]) -> Table | None:
    changed = dict(fault)
    for key in SELECTORS:
        if key in fault:
            changed[key] = hosts = _renamed(fault[key], renamed)
            if not hosts:
                return None
    if "groups" in fault:
        groups = fault["groups"]
        assert isinstance(groups, list)
        changed["groups"] = left = [
            hosts for group in groups if (hosts := _renamed(group, renamed))
        ]
        if len(left) < 2:
            return None
    return changed


def _renamed(selector: object, renamed: dict[str, str]) -> object:
    """Return the hosts that stay under their new names; chance and groups stay as they are."""
    names = _names(selector)
    if not names:
        return selector
    return join_names(sorted(renamed[name] for name in names if name in renamed))


def _names(selector: object) -> tuple[str, ...]:
    """Return the hosts of a selector that names them outright, or none."""
    if not isinstance(selector, str):
        return ()
    try:
        return plain_names(selector)
    except ScenarioError:
        return ()


def fewer_settings(failure: Failure) -> Iterator[Table]:
    """Yield the document without one of its settings, or without one key of a table."""
    document = failure.document
    for key, value in document.items():
        if key in KEPT:
            continue
        yield {other: kept for other, kept in document.items() if other != key}
        if isinstance(value, dict) and len(value) > 1:
            for inner in value:
                yield {**document, key: {k: v for k, v in value.items() if k != inner}}
