"""Answers about services, against a model that looks at everything after every step."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.catalog.events import GuardChanged, ServiceChanged
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import CheckState, NodeState, Service, ServiceState
from gossipd.services.instance import Instance, ServiceView, worst
from support.catalog_bench import FIRST_INDEX, CatalogBench

OWNERS = ("a", "b", "c", "d", "e", "f")
IDS = ("1", "2")
NAMES = ("web", "db")
WINDOW = 30.0
MAINTENANCE, WARNING_NODE = (
    ServiceState(maintenance="x"),
    NodeState(checks=(CheckState("disk", "", "ttl", "warning"),)),
)

owners, ids, names = st.sampled_from(OWNERS), st.sampled_from(IDS), st.sampled_from(NAMES)
standings = st.sampled_from(("alive", "alive", "suspect", "leaving", "failed", "failed"))
Key: TypeAlias = tuple[str, str]
Shown: TypeAlias = tuple[str, bool, str]
"""Status, whether it is doubtful, standing of the owner."""
Step: TypeAlias = tuple[str, str, object, object]
steps = st.one_of(
    st.tuples(st.just("stand"), owners, standings, st.sampled_from((1, 1, 1, 2, None))),
    st.tuples(st.just("part"), owners, st.none(), st.none()),
    st.tuples(st.just("say"), owners, ids, names),
    st.tuples(st.just("state"), owners, ids, st.sampled_from((ServiceState(), MAINTENANCE))),
    st.tuples(st.just("remove"), owners, ids, st.none()),
    st.tuples(st.just("node"), owners, st.sampled_from((NodeState(), WARNING_NODE)), st.none()),
    st.tuples(st.just("wait"), owners, st.sampled_from((1.0, 20.0, 100.0)), st.none()),
)


def _many(first: int, count: int, standing: str) -> list[Step]:
    """Return that ``count`` owners come to stand so, one after the other."""
    chosen = [OWNERS[(first + place) % len(OWNERS)] for place in range(count)]
    return [("stand", owner, standing, 1) for owner in chosen]


masses = st.builds(
    _many, st.integers(0, 5), st.integers(3, 6), st.sampled_from(("failed", "failed", "alive"))
)
histories = st.lists(st.one_of(steps.map(lambda step: [step]), masses), max_size=50).map(
    lambda parts: [step for part in parts for step in part]
)


class Model:
    """What is so, and what each service lost; works out all of it anew after every step."""

    def __init__(self) -> None:
        self.standings: dict[str, tuple[str, int | None]] = {}
        self.names: dict[Key, str] = {}
        self.states: dict[Key, ServiceState] = {}
        self.nodes: dict[str, NodeState] = {}
        self.lost: dict[str, dict[Key, float]] = {name: {} for name in NAMES}
        self.holds = dict.fromkeys(NAMES, False)
        self.shown: dict[str, dict[Key, Shown]] = {name: {} for name in NAMES}

    def by_record(self, key: Key) -> str:
        if self.states.get(key, ServiceState()).maintenance:
            return "critical"
        return worst(tuple(c.status for c in self.nodes.get(key[0], NodeState()).checks))

    def counts(self, key: Key) -> bool:
        return key[0] in self.standings and self.standings[key[0]][1] == 1

    def look(self, name: str, now: float) -> None:
        """Work out what is shown of a service: status and doubt by owner and id."""
        there = [key for key in self.names if self.names[key] == name and self.counts(key)]
        lost, before = self.lost[name], self.shown[name]
        candidates = [
            key
            for key in there
            if self.standings[key[0]][0] == "failed" and self.by_record(key) == "passing"
        ]
        for key in tuple(lost):
            if key not in candidates:
                del lost[key]
        for key in candidates:
            was = before.get(key)
            if key not in lost and was is not None and was[0] == "passing" and was[2] != "failed":
                lost[key] = now
        sound = sum(
            self.by_record(key) == "passing" and self.standings[key[0]][0] in ("alive", "suspect")
            for key in there
        )
        if not self.holds[name]:
            for key, at in tuple(lost.items()):
                if at < now - WINDOW:
                    del lost[key]
            is_much = len(lost) >= 3 and len(lost) > (sound + len(lost)) / 2
            self.holds[name] = is_much and len({owner for owner, _ in lost}) > 1
        elif len(lost) <= (sound + len(lost)) / 4:
            self.holds[name] = False
            lost.clear()
        shown: dict[Key, Shown] = {}
        for key in there:
            standing, status = self.standings[key[0]][0], self.by_record(key)
            is_kept = self.holds[name] and key in lost
            if standing == "failed" and not is_kept:
                status = "critical"
            elif standing == "leaving":
                status = worst((status, "warning"))
            shown[key] = (status, is_kept or standing == "suspect", standing)
        self.shown[name] = shown


class Pair:
    """The real thing and the model, told the same; and a watcher of each service."""

    def __init__(self) -> None:
        self.bench = CatalogBench(CatalogConfig(guard_window=WINDOW))
        self.model = Model()
        self.now = 0.0
        self.watched: dict[str, dict[Key, Instance]] = {name: {} for name in NAMES}
        self.index = dict.fromkeys(NAMES, FIRST_INDEX)
        for owner in OWNERS:
            self.step(("stand", owner, "alive", 1))
            self.step(("say", owner, "1", "web"))

    def step(self, step: Step) -> None:
        bench, model = self.bench, self.model
        kind, owner, first, second = step
        key = (owner, str(first))
        views = {name: bench.view(name) for name in NAMES}
        bench.outbox.take_events()
        if kind == "stand":
            assert isinstance(first, str)
            assert isinstance(second, int | None)
            model.standings[owner] = (first, second)
            since = 1.0 if first == "suspect" else None
            bench.join(owner, self.now, status=first, suspected_at=since, epoch=second)
        elif kind == "part":
            model.standings.pop(owner, None)
            bench.part(owner, self.now)
        elif kind == "say":
            model.names[key] = str(second)
            bench.hear(owner, Service(id=str(first), name=str(second)), now=self.now)
        elif kind == "state" and key in model.names:
            assert isinstance(second, ServiceState)
            model.states[key] = second
            bench.hear_state(owner, str(first), second, self.now)
        elif kind == "remove" and key in model.names:
            del model.names[key]
            model.states.pop(key, None)
            bench.hear_gone(owner, str(first), self.now)
        elif kind == "node":
            assert isinstance(first, NodeState)
            model.nodes[owner] = first
            bench.hear_node(owner, first, self.now)
        elif kind == "wait":
            assert isinstance(first, float)
            self.now += first
            return
        self.check(views, _touched(step, model, views))

    def check(self, views: dict[str, ServiceView], touched: set[str]) -> None:
        events = self.bench.outbox.take_events()
        told = [event.name for event in events if isinstance(event, ServiceChanged)]
        guards = {event.service: event.holds for event in events if isinstance(event, GuardChanged)}
        for name in NAMES:
            was_held = self.model.holds[name]
            # a guard looks at the clock only when its service is touched
            if name in touched:
                self.model.look(name, self.now)
            view = self.bench.view(name)
            shown = {
                one.key: (one.status, one.is_doubtful, one.owner_status) for one in view.instances
            }
            assert shown == self.model.shown[name]
            assert view.is_guarded == self.model.holds[name]
            assert [one.key for one in view.instances] == sorted(shown)
            assert guards.get(name, was_held) == self.model.holds[name]
            assert (name in told) == (view.instances != views[name].instances)
            assert name in told or view.is_guarded == was_held
            self.follow(name)
        assert len(told) == len(set(told))
        self.check_summaries()

    def follow(self, name: str) -> None:
        changes = self.bench.shelves.changes(name, self.index[name])
        assert changes is not None
        known = self.watched[name]
        for change in changes:
            assert change.index > self.index[name]
            self.index[name] = change.index
            assert (change.instance.key in known) == (change.kind != "up")
            if change.kind == "down":
                assert known.pop(change.instance.key) == change.instance
            else:
                assert known.get(change.instance.key) != change.instance
                known[change.instance.key] = change.instance
        view = self.bench.view(name)
        assert sorted(known.items()) == [(one.key, one) for one in view.instances]
        assert view.index <= self.bench.shelves.index

    def check_summaries(self) -> None:
        summaries = self.bench.shelves.summaries()
        views = [self.bench.view(name) for name in sorted(NAMES)]
        assert [one.name for one in summaries] == [view.name for view in views if view.instances]
        for one in summaries:
            statuses = [each.status for each in self.bench.view(one.name).instances]
            counts = [statuses.count(status) for status in ("passing", "warning", "critical")]
            assert [one.passing, one.warning, one.critical] == counts
        for owner in OWNERS:
            for instance in self.bench.shelves.of_owner(owner):
                assert instance in self.bench.view(instance.service.name).instances


def _touched(step: Step, model: Model, views: dict[str, ServiceView]) -> set[str]:
    """Return the services in which the step's owner had or has an instance."""
    owner = step[1]
    had = {name for name, view in views.items() if any(o.owner == owner for o in view.instances)}
    return had | {name for key, name in model.names.items() if key[0] == owner}


@settings(max_examples=150, deadline=None)
@given(histories)
def test_answers_are_what_a_look_at_everything_gives(history: list[Step]) -> None:
    pair = Pair()
    for step in history:
        pair.step(step)


@settings(max_examples=50, deadline=None)
@given(histories, st.integers(0, 200))
def test_a_watch_resumed_anywhere_comes_to_the_same(history: list[Step], at: int) -> None:
    pair = Pair()
    sets: dict[int, dict[Key, Instance]] = {}
    for step in history:
        pair.step(step)
        sets[pair.bench.shelves.index] = dict(pair.watched["web"])
    if not sets:
        return
    index = sorted(sets)[at % len(sets)]
    known = sets[index]
    for change in pair.bench.shelves.changes("web", index) or ():
        if change.kind == "down":
            del known[change.instance.key]
        else:
            known[change.instance.key] = change.instance
    assert sorted(known.items()) == [(one.key, one) for one in pair.bench.view("web").instances]


@settings(max_examples=100, deadline=None)
@given(histories)
def test_the_guard_hides_nothing_that_is_certain(history: list[Step]) -> None:
    pair = Pair()
    for step in history:
        pair.step(step)
        for name in NAMES:
            for one in pair.bench.view(name).instances:
                assert pair.model.counts(one.key)
                assert pair.model.names[one.key] == name
                if one.is_usable:
                    assert pair.model.by_record(one.key) == "passing"
                if one.owner_status == "failed" and one.is_usable:
                    assert one.is_doubtful
                    assert pair.bench.view(name).is_guarded
