"""``Oracle``: holds every answer against the truth.

An answer was made somewhere between its request and its arrival. Each thing in it must be
what the truth allows to be seen then, nothing may be in it that cannot be seen, and nothing
may be missing that must be seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from support.day import records
from support.day.records import ALIVE, FAILED, GONE, LEAVING, LIVENESS, Choice, Json, Sight
from support.day.truth import Key, Truth
from support.day.wire import Answer

EVERY = Choice()
LATE = 1.5
"""Seconds that a reply may be late: timers are not exact, and news are told in batches."""
Show: TypeAlias = Callable[[Sight], Json | None]
"""How an instance is shown; ``None`` is not at all."""


class Wrong(Exception):
    """An answer that cannot be."""


class Oracle:
    """Judges answers.

    Attributes:
        judged: answers by kind.
        woken, woken_in_vain: held requests that were answered before their time, and those
            of them whose answer was the same as before.
    """

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.judged: Counter[str] = Counter()
        self.items = 0
        self.woken = 0
        self.woken_in_vain = 0
        self.waited_out = 0
        self._ids: dict[str, str] = {}
        self._newest: dict[str, int] = {}

    # -- indexes ------------------------------------------------------------------

    def index(self, answer: Answer, asked_with: int) -> int:
        """Return the index of a read: it is there, and never falls."""
        now = answer.index
        self._see(now >= 1, answer, "no index")
        self._see(now >= asked_with, answer, f"the index fell from {asked_with} to {now}")
        self._newest[answer.target] = max(now, self._newest.get(answer.target, 0))
        return now

    def newest(self, target: str) -> int:
        """Return the greatest index seen of a read; a later one is not below it."""
        return self._newest.get(target, 0)

    def held(
        self,
        answer: Answer,
        *,
        wait: float,
        index: int,
        since: float,
        before: object,
        topics: frozenset[tuple[str, str]],
        judge: Callable[[object, float, float], None],
    ) -> None:
        """Judge when a held request was answered.

        Args:
            answer: its reply, which has been judged by itself.
            wait: how long it asked to be held.
            index: what it has seen.
            since: when it has seen that.
            before: the content that it has seen at that index.
            topics: what its answer is made from.
            judge: says whether content may be seen between two moments.
        """
        took = answer.at - answer.asked_at
        self._see(took <= wait * 17 / 16 + LATE, answer, f"held {took:.1f} s of {wait:g}")
        now, then = stripped(answer.json()), stripped(before)
        if "near=" in answer.target and isinstance(now, list) and isinstance(then, list):
            now.sort(key=json.dumps)  # distances drift all the time, and wake nobody
            then.sort(key=json.dumps)
        is_same = now == then
        if answer.index == index:
            self.waited_out += 1
            self._see(took >= wait, answer, f"answered after {took:.1f} s of {wait:g}, no news")
            self._see(is_same, answer, "another content under the same index")
        else:
            may = self.truth.may_move(topics, since - LATE, answer.at)
            self._see(may, answer, f"woken by what is not of {sorted(topics)}")
            if took > 0:
                self.woken += 1
                self.woken_in_vain += is_same
        if took > LATE:
            at = answer.at - LATE
            try:
                judge(before, at, at)
            except Wrong as wrong:
                raise Wrong(f"{answer.target}: held with what was no longer so: {wrong}") from None

    # -- lists of instances ---------------------------------------------------------

    def entries(
        self, name: str, choice: Choice, told: Any, begin: float, end: float
    ) -> list[tuple[str, str]]:
        """Judge ServiceEntries of a service; returns whose they are, in their order."""

        def show(sight: Sight) -> Json | None:
            return records.entry(sight) if choice.takes(sight) else None

        def key(item: Json) -> Key:
            return item["Node"]["Node"], item["Service"]["ID"]

        return self._instances(name, told, key, show, begin, end)

    def catalog(
        self, name: str, choice: Choice, told: Any, begin: float, end: float
    ) -> list[tuple[str, str]]:
        """Judge CatalogServices of a service."""

        def show(sight: Sight) -> Json | None:
            return records.catalog_service(sight) if choice.takes(sight) else None

        return self._instances(
            name, told, lambda item: (item["Node"], item["ServiceID"]), show, begin, end
        )

    def _instances(
        self,
        name: str,
        told: Any,
        key_of: Callable[[Json], Key],
        show: Show,
        begin: float,
        end: float,
    ) -> list[Key]:
        items: dict[Key, Json] = {}
        for item in told:
            key = key_of(item)
            if key in items:
                raise Wrong(f"{key} is told twice")
            items[key] = self._plain(item)
        seen = list(items)
        for key in self.truth.records:
            options: list[Json | None] = []
            for sight in self.truth.sights(key, begin, end):
                is_meant = sight is not None and sight.record.name == name
                shown = show(sight) if sight is not None and is_meant else None
                if shown not in options:
                    options.append(shown)
            self._choose(key, items.pop(key, None), options)
        for key in items:
            raise Wrong(f"{key} was never registered, or is gone")
        return seen

    def _choose(self, key: object, item: object, options: list[Any]) -> None:
        self.items += item is not None
        if item in options:
            return
        if item is None:
            raise Wrong(f"{key} is missing: {json.dumps(options)}")
        raise Wrong(f"{key} is told as {json.dumps(item)}, can be {json.dumps(options)}")

    def _plain(self, item: Json) -> Json:
        """Return ``item`` without what is looked at here, indexes and ids of nodes, and late words.

        Raises:
            Wrong: an index is none, or a node has another id than before.
        """
        made: Json = {}
        for name, value in item.items():
            if name in ("CreateIndex", "ModifyIndex"):
                if type(value) is not int or value < 1:
                    raise Wrong(f"{name} is {value!r}")
            elif name == "ID" and "Node" in item:
                self._see_id(item["Node"], value)
            elif isinstance(value, dict):
                made[name] = self._plain(value)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                made[name] = [self._plain(each) for each in value]
            else:
                made[name] = value
        if records.is_told_late(made.get("CheckID", "")):
            del made["Output"]
        return made

    def _see_id(self, node: str, id: str) -> None:
        known = self._ids.setdefault(node, id)
        if known != id or len(id) != 36 or list(self._ids.values()).count(id) != 1:
            raise Wrong(f"node {node} has id {id}, had {known}")

    # -- nodes, checks and names ------------------------------------------------------

    def nodes(self, told: Any, begin: float, end: float) -> None:
        """Judge the list of nodes."""
        items = {item["Node"]: self._plain(item) for item in told}
        for name, standings in self.truth.standings.items():
            options: list[Json | None] = []
            for standing in standings.allowed(begin, end):
                if standing == GONE:
                    options.append(None)
                else:
                    options += map(records.node, self.truth.hosts[name].allowed(begin, end))
            self._choose(name, items.pop(name, None), options)
        if items:
            raise Wrong(f"nodes that never were: {sorted(items)}")

    def checks(
        self,
        told: Any,
        begin: float,
        end: float,
        *,
        state: str = "any",
        node: str = "",
        service: str = "",
    ) -> None:
        """Judge a list of HealthChecks: of one state, one node, or of one service's instances."""
        items: dict[tuple[str, str, str], Json] = {}
        for item in told:
            place = item["Node"], item["ServiceID"], item["CheckID"]
            if place in items:
                raise Wrong(f"{place} is told twice")
            items[place] = self._plain(item)

        def settle(place: tuple[str, str, str], options: list[Json | None]) -> None:
            shown = [
                option if option is None or state in ("any", option["Status"]) else None
                for option in options
            ]
            self._choose(place, items.pop(place, None), shown)

        for name, standings in self.truth.standings.items():
            if (node and name != node) or service:
                continue
            settle(
                (name, "", LIVENESS),
                [
                    None if standing == GONE else records.node_check(name, standing)
                    for standing in standings.allowed(begin, end)
                ],
            )
        for key in self.truth.records:
            if node and key[0] != node:
                continue
            ways: list[dict[str, Json]] = []
            for sight in self.truth.sights(key, begin, end):
                is_meant = sight is not None and service in ("", sight.record.name)
                made = records.checks(key[0], sight.record) if sight and is_meant else []
                ways.append({check["CheckID"]: check for check in made})
            for id in {id for way in ways for id in way}:
                settle((*key, id), [way.get(id) for way in ways])
        if items:
            raise Wrong(f"checks that cannot be: {sorted(items)}")

    def names(self, told: Mapping[str, list[str]], begin: float, end: float) -> None:
        """Judge the names of all services with their tags."""
        certain: dict[str, set[str]] = {}
        possible: dict[str, set[str]] = {}
        for key in self.truth.records:
            ways = list(self.truth.sights(key, begin, end))
            for sight in ways:
                if sight is not None:
                    possible.setdefault(sight.record.name, set()).update(sight.record.tags)
            first = ways[0]
            if first is not None and all(
                way is not None and way.record.name == first.record.name for way in ways
            ):
                shared = set.intersection(*(set(way.record.tags) for way in ways if way))
                certain.setdefault(first.record.name, set()).update(shared)
        for name, tags in certain.items():
            if name not in told:
                raise Wrong(f"service {name} is missing")
            if not tags <= set(told[name]):
                raise Wrong(f"tags of {name} are {told[name]}, {tags} are there")
        for name, listed in told.items():
            if name not in possible or not set(listed) <= possible[name]:
                raise Wrong(f"{name} has {listed}, can have {possible.get(name)}")

    # -- this agent alone --------------------------------------------------------------

    def own(self, told: Mapping[str, Json], begin: float, end: float) -> None:
        """Judge what the agent registers itself, by id."""
        left = dict(told)
        for key, spans in self.truth.records.items():
            if key[0] != self.truth.eyes:
                continue
            options = [
                None if one is None else records.own_service(one) | {"Datacenter": "dc1"}
                for one in spans.allowed(begin, end)
            ]
            item = left.pop(key[1], None)
            self._choose(key, None if item is None else self._plain(item), options)
        if left:
            raise Wrong(f"the agent never registered {sorted(left)}")

    def own_one(self, id: str, told: Json | None, at: float) -> None:
        """Judge one service of the agent, ``None`` if it said that there is none."""
        key = self.truth.eyes, id
        spans = self.truth.records.get(key)
        options: list[Json | None] = [None]
        if spans is not None:
            options = [
                None if one is None else records.own_service(one) | {"Datacenter": "dc1"}
                for one in spans.allowed(at, at)
            ]
        self._choose(key, None if told is None else self._plain(told), options)

    # -- our own words -------------------------------------------------------------------

    def members(self, told: Iterable[Json], begin: float, end: float) -> None:
        """Judge members as ``/v1/gossipd/state`` tells them."""
        statuses = {row["name"]: row["status"] for row in told}
        names = {ALIVE: ("alive", "suspect"), LEAVING: ("leaving",), FAILED: ("failed",)}
        for name, standings in self.truth.standings.items():
            may: set[str | None] = set()
            for standing in standings.allowed(begin, end):
                may.update(names.get(standing, ("left", None)))
            if statuses.get(name) not in may:
                raise Wrong(f"member {name} is {statuses.get(name)}, can be {may}")

    def rows(self, told: Iterable[Json], begin: float, end: float) -> None:
        """Judge services with their instances as ``/v1/gossipd/state`` tells them."""
        found = {
            (row["node"], row["id"]): (service["name"], row["status"], row["port"])
            for service in told
            for row in service["instances"]
        }
        for key in self.truth.records:
            options: list[object] = []
            for sight in self.truth.sights(key, begin, end):
                options.append(sight if sight is None else self._row(sight))
            if found.pop(key, None) not in options:
                raise Wrong(f"{key} cannot be {found.get(key)}: {options}")
        if found:
            raise Wrong(f"instances that cannot be: {sorted(found)}")

    def _row(self, sight: Sight) -> tuple[str, str, int]:
        for status in ("critical", "warning"):
            if status in sight.statuses:
                return sight.record.name, status, sight.record.port
        return sight.record.name, "passing", sight.record.port

    def usable(self, name: str, told: set[tuple[str, int]], begin: float, end: float) -> None:
        """Judge where DNS says that a service answers: not critical, by address and port."""
        must: set[tuple[str, int]] = set()
        may: set[tuple[str, int]] = set()
        for key in self.truth.records:
            ways: list[tuple[str, int] | None] = []
            for sight in self.truth.sights(key, begin, end):
                is_out = sight is None or "critical" in sight.statuses
                if sight is None or is_out or sight.record.name != name:
                    ways.append(None)
                else:
                    address = sight.record.address or sight.host.address
                    ways.append((address, sight.record.port))
            may.update(way for way in ways if way is not None)
            if len(set(ways)) == 1 and ways[0] is not None:
                must.add(ways[0])
        if not must <= told <= may:
            raise Wrong(f"DNS: {name} at {sorted(told)}, must be {must}, can be {may}")

    def _see(self, holds: bool, answer: Answer, text: str) -> None:
        if not holds:
            raise Wrong(f"{answer.target}: {text}")


def stripped(item: object) -> object:
    """Return JSON without indexes and outputs, which change without waking anybody."""
    if isinstance(item, dict):
        return {
            name: stripped(value)
            for name, value in item.items()
            if name not in ("CreateIndex", "ModifyIndex", "Output")
        }
    if isinstance(item, list):
        return [stripped(each) for each in item]
    return item
