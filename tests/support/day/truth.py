"""``Truth``: what the test has done to the cluster, and so what may be said of it when.

Bounds say how long news may take: ``NEWS`` for what a node that is up tells, ``DEATH`` until
a silent node must have been declared failed, ``HEAL`` until one that is back must be seen.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final

from support.day.records import ALIVE, FAILED, GONE, LEAVING, Host, Record, Sight
from support.day.spans import Spans

NEWS: Final = 30.0
DEATH: Final = 330.0
HEAL: Final = 240.0
DOUBT: Final = 200.0
"""Until its suspicions of others have run out, and they have refuted what came of them."""
KEPT: Final = 1200.0
"""Seconds for which the past is remembered: no answer takes as long."""
Key = tuple[str, str]
"""Node and id of an instance."""


class Change:
    """Something was changed: topics may move from ``at`` until ``until``."""

    __slots__ = ("at", "topics", "until")

    def __init__(self, topics: frozenset[tuple[str, str]], at: float, until: float) -> None:
        self.topics = topics
        self.at = at
        self.until = until


class Truth:
    """All nodes and instances there are, were, or may be taken for.

    Args:
        eyes: the node that is asked: what it registers itself is seen at once.
    """

    def __init__(self, eyes: Host, now: float) -> None:
        self.eyes = eyes.name
        self.hosts: dict[str, Spans[Host]] = {eyes.name: Spans(eyes)}
        self.standings: dict[str, Spans[str]] = {eyes.name: Spans(ALIVE)}
        self.records: dict[Key, Spans[Record | None]] = {}
        self.changes: deque[Change] = deque()
        self.blind_until = now
        """The agent that is asked began anew and need not know others until then."""

    # -- what is done -------------------------------------------------------------

    def node_up(self, host: Host, now: float, bound: float = NEWS) -> None:
        """A node begins, or begins anew: what it registered in a former life is gone."""
        if host.name not in self.standings:
            self.hosts[host.name] = Spans(host)
            self.standings[host.name] = Spans(GONE)
        elif self.hosts[host.name].current != host:
            self.hosts[host.name].set(host, now, bound)
        for key, spans in self.records.items():
            if key[0] == host.name and spans.current is not None:
                spans.set(None, now, bound)
        self._stand(host.name, ALIVE, now, bound)

    def node_back(self, name: str, now: float) -> None:
        """A node that was cut off is heard again; it may be held for failed for a while yet.

        It suspected all others and says what came of it, which they refute.
        """
        self._stand(name, ALIVE, now, HEAL)
        for other, standings in self.standings.items():
            if other not in (name, self.eyes) and standings.current == ALIVE:
                standings.allow(FAILED, now, DOUBT)
                self._note(other, {("nodes", ""), ("checks", ""), ("names", "")}, now, DOUBT)

    def node_silent(self, name: str, now: float) -> None:
        """A node was killed or cut off."""
        self._stand(name, FAILED, now, DEATH)

    def node_leaves(self, name: str, now: float) -> None:
        """A node says good-bye."""
        self.standings[name].allow(LEAVING, now, NEWS)
        self._stand(name, GONE, now, NEWS)

    def node_tells(self, host: Host, now: float) -> None:
        """A node says other things of itself."""
        self.hosts[host.name].set(host, now, NEWS)
        self._note(host.name, {("nodes", "")}, now, NEWS)

    def _stand(self, name: str, standing: str, now: float, bound: float) -> None:
        self.standings[name].set(standing, now, bound)
        self._note(name, {("nodes", ""), ("checks", ""), ("names", "")}, now, bound)

    def record(self, node: str, record: Record, now: float) -> None:
        """An instance is registered, or is otherwise from now on."""
        spans = self.records.get((node, record.id))
        bound = self._bound(node, now)
        if spans is None:
            spans = self.records[node, record.id] = Spans(None)
        before = spans.current
        spans.set(record, now, bound)
        self._note_record(node, (before, record), now, bound)

    def expect(self, node: str, id: str, record: Record | None, now: float) -> None:
        """An instance is about to be so: others may be told before who says so is."""
        spans = self.records.setdefault((node, id), Spans(None))
        spans.allow(record, now, 0.0)
        self._note_record(node, (spans.current, record), now, 0.0)

    def no_record(self, node: str, id: str, now: float) -> None:
        """An instance is taken back."""
        spans = self.records[node, id]
        before, bound = spans.current, self._bound(node, now)
        spans.set(None, now, bound)
        self._note_record(node, (before,), now, bound)

    def eyes_anew(self, now: float, bound: float) -> None:
        """The agent that is asked begins anew: it knows nobody, and what it had is gone."""
        self.blind_until = now + bound
        for (node, id), spans in list(self.records.items()):
            if node == self.eyes:
                if spans.current is not None:
                    self.no_record(node, id, now)
            elif spans.current is not None:
                spans.allow(None, now, bound)
        for name, standing in self.standings.items():
            if standing.current == FAILED:  # others need not tell of it any more
                standing.allow(GONE, now, math.inf)
                standing.allow(ALIVE, now, DEATH)
            elif name != self.eyes and standing.current != GONE:
                standing.allow(GONE, now, bound)
        for name in self.standings:
            self._note(name, {("nodes", ""), ("checks", ""), ("names", "")}, now, bound)

    # -- what may be seen ---------------------------------------------------------

    def sights(self, key: Key, begin: float, end: float) -> Iterator[Sight | None]:
        """Yield all ways in which an instance may be seen; ``None`` is not at all."""
        for standing in self.standings[key[0]].allowed(begin, end):
            for record in self.records[key].allowed(begin, end):
                if standing == GONE or record is None:
                    yield None
                    continue
                for host in self.hosts[key[0]].allowed(begin, end):
                    yield Sight(host, standing, record)

    def current(self, key: Key) -> Record | None:
        """Return an instance as its provider has it."""
        spans = self.records.get(key)
        return None if spans is None else spans.current

    def of_node(self, node: str) -> dict[str, Record]:
        """Return what a node registers, by id."""
        return {
            id: spans.current
            for (owner, id), spans in self.records.items()
            if owner == node and spans.current is not None
        }

    def is_settled(self, node: str, now: float) -> bool:
        """Return whether nobody can be in doubt of how a node stands."""
        return self.standings[node].settled_at() < now

    def may_move(self, topics: frozenset[tuple[str, str]], begin: float, end: float) -> bool:
        """Return whether one of ``topics`` may have moved in between."""
        return any(
            change.at <= end and change.until >= begin and change.topics & topics
            for change in self.changes
        )

    def forget(self, now: float) -> None:
        """Forget what lies so far back that no answer can hold it."""
        before = now - KEPT
        for hosts in self.hosts.values():
            hosts.forget(before)
        for standings in self.standings.values():
            standings.forget(before)
        for key, records in list(self.records.items()):
            records.forget(before)
            if records.current is None and records.allowed(before, now) == [None]:
                del self.records[key]
        while self.changes and self.changes[0].at < before - max(NEWS, DEATH, HEAL):
            self.changes.popleft()

    def _bound(self, node: str, now: float) -> float:
        """Return how long what a node registers may take: nobody listens to one held for dead."""
        if node == self.eyes:
            return 0.0
        return NEWS + max(0.0, self.standings[node].settled_at() - now)

    # -- topics -------------------------------------------------------------------

    def _note(self, node: str, topics: set[tuple[str, str]], now: float, bound: float) -> None:
        """Note that a node changed, and with it each service that it may be seen to have."""
        touched = topics | {("node", node)}
        for (owner, _), spans in self.records.items():
            if owner == node:
                for record in spans.allowed(now - NEWS, now + bound):
                    if record is not None:
                        touched.add(("service", record.name))
        self.changes.append(Change(frozenset(touched), now, now + bound))

    def _note_record(
        self, node: str, records: tuple[Record | None, ...], now: float, bound: float
    ) -> None:
        topics = {("node", node), ("checks", ""), ("names", "")}
        topics |= {("service", record.name) for record in records if record is not None}
        if node == self.eyes:
            topics.add(("own", ""))
        self.changes.append(Change(frozenset(topics), now, now + bound))
