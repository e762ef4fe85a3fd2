"""The index clock: what stamps which topic, who is woken, what is remembered of the gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gossipd.catalog.events import ServiceChanged
from gossipd.external_node import EXTERNAL_NODE
from gossipd.rest import topics as topics_module
from gossipd.rest.topics import (
    CHECKS,
    DEFINITIONS,
    NAMES,
    NODES,
    Topic,
    Topics,
    node_topic,
    service_topic,
)
from gossipd.serf.events import ChangeKind, LeaveNoted, MemberChange, SerfMember
from gossipd.services.definition import CheckState
from gossipd.services.instance import Instance
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import Clock

WEB, DB = service_topic("web"), service_topic("db")
A, B = node_topic("a"), node_topic("b")
ALL = (NODES, NAMES, DEFINITIONS, CHECKS, WEB, DB, A, B)


class Picture:
    """A node whose picture changes by hand, and the topics of it."""

    def __init__(self) -> None:
        self.handle = FakeHandle(make_view(make_member("a"), make_member("b")))
        self.wall = Clock()
        self.calls: list[Callable[[], None]] = []
        self.handle.show(make_instance("a", "web", tags=("x",)))
        self.handle.show(make_instance("b", "db"))
        self.topics = Topics(self.handle, self.wall, self.calls.append)

    def show(self, instance: Instance) -> None:
        self.handle.show(instance)
        self.handle.happen(ServiceChanged(instance.service.name, self.handle.index))

    def hide(self, owner: str, name: str) -> None:
        self.handle.hide(owner, name)
        self.handle.happen(ServiceChanged(name, self.handle.index))

    def member(self, kind: ChangeKind, member: SerfMember) -> None:
        self.handle.change(kind, member)
        self.handle.happen(MemberChange(kind, member))

    def stamps(self) -> dict[Topic, int]:
        return {topic: self.topics.index(topic) for topic in ALL}

    def stamped_by(self, change: Callable[[], None]) -> set[Topic]:
        before = self.stamps()
        change()
        after = self.stamps()
        assert all(after[topic] >= before[topic] for topic in ALL)
        return {topic for topic in ALL if after[topic] > before[topic]}


@pytest.fixture
def picture() -> Picture:
    return Picture()


def test_an_index_is_above_any_of_a_life_before_and_grows_when_the_calendar_does_not(
    picture: Picture,
) -> None:
    start = int(picture.wall() * 1000)
    assert set(picture.stamps().values()) == {start}
    picture.show(make_instance("a", "web", "web-2"))
    assert picture.topics.index(WEB) == start + 1
    picture.wall.seconds -= 3600
    picture.show(make_instance("a", "web", "web-3"))
    assert picture.topics.index(WEB) == start + 2


def test_a_new_instance_concerns_its_service_its_node_and_the_lists(picture: Picture) -> None:
    new = make_instance("a", "web", "web-2", tags=("y",))
    assert picture.stamped_by(lambda: picture.show(new)) == {NAMES, DEFINITIONS, CHECKS, WEB, A}


def test_a_status_concerns_its_service_and_no_other(picture: Picture) -> None:
    sick = make_instance("a", "web", status="critical", tags=("x",))
    assert picture.stamped_by(lambda: picture.show(sick)) == {CHECKS, WEB, A}


def test_what_no_client_sees_changes_no_index(picture: Picture) -> None:
    check = CheckState("c", "c", "http", "passing", "200 OK in 3 ms")
    shown = make_instance("a", "web", tags=("x",), checks=(check,))
    picture.show(shown)
    picture.stamps()
    words = replace(shown, checks=(replace(check, output="200 OK in 4 ms"),))
    doubted = replace(words, owner_status="suspect", suspected_at=3.0, is_doubtful=True)
    for instance in (words, doubted, shown):
        assert picture.stamped_by(lambda instance=instance: picture.show(instance)) == set()  # type: ignore[misc]


def test_weights_maintenance_and_a_lost_owner_are_seen(picture: Picture) -> None:
    shown = make_instance("a", "web", tags=("x",))
    for change in (
        {"weight": 7},
        {"weight": 0, "is_draining": True},
        {"maintenance": "disk", "status": "critical"},
        {"maintenance": "disk", "status": "critical", "owner_status": "failed"},
    ):
        changed = replace(shown, **change)
        stamped = picture.stamped_by(lambda changed=changed: picture.show(changed))  # type: ignore[misc]
        assert stamped == {CHECKS, WEB, A}


def test_a_service_that_went_keeps_its_index(picture: Picture) -> None:
    assert picture.stamped_by(lambda: picture.hide("b", "db")) == {
        NAMES, DEFINITIONS, CHECKS, DB, B,
    }  # fmt: skip
    gone = picture.topics.index(DB)
    picture.show(make_instance("a", "web", "web-2", tags=("z",)))
    assert picture.topics.index(DB) == gone
    picture.show(make_instance("b", "db"))
    assert picture.topics.index(DB) > gone


def test_a_service_never_seen_has_the_index_of_the_list_and_keeps_it(picture: Picture) -> None:
    cache = service_topic("cache")
    picture.show(make_instance("a", "web", "web-2", tags=("y",)))
    first = picture.topics.index(cache)
    assert first == picture.topics.index(NAMES)
    picture.show(make_instance("a", "queue"))
    assert picture.topics.index(cache) == first
    picture.show(make_instance("a", "cache"))
    assert picture.topics.index(cache) > picture.topics.index(NAMES) - 1 > first


def test_names_that_nothing_can_have_are_not_remembered(picture: Picture) -> None:
    long = service_topic("x" * (topics_module.NAME_ADOPTED_MAX + 1))
    before = picture.topics.index(long)
    assert before == picture.topics.index(NAMES)
    picture.show(make_instance("b", "new"))
    assert picture.topics.index(long) == picture.topics.index(NAMES) > before


def test_what_is_gone_is_forgotten_in_the_end_and_its_index_does_not_fall(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics_module, "EMPTY_KEPT", 4)
    picture.hide("b", "db")
    gone = picture.topics.index(DB)
    for place in range(20):
        picture.topics.index(service_topic(f"never-{place}"))
    assert len(picture.topics._empty) == 4
    assert DB not in picture.topics._stamps
    assert picture.topics.index(DB) >= gone


def test_a_node_without_an_agent_that_came_back_is_not_forgotten_with_the_gone(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics_module, "EMPTY_KEPT", 2)
    outside = make_instance("a", "ext", "e/ext", meta={EXTERNAL_NODE: "e"})
    picture.show(outside)
    assert picture.topics.index(node_topic("e")) > 0
    picture.handle.hide("a", "ext", "e/ext")
    picture.handle.happen(ServiceChanged("ext", picture.handle.index))
    picture.topics.look()
    picture.show(outside)
    back = picture.topics.index(node_topic("e"))
    for name in ("x", "y", "z"):
        picture.topics.index(service_topic(name))
    assert picture.topics.index(node_topic("e")) == back


def test_members_concern_the_nodes_and_what_runs_on_them(picture: Picture) -> None:
    new = make_member("c", "127.0.0.9")
    assert picture.stamped_by(lambda: picture.member(ChangeKind.JOIN, new)) == {NODES, CHECKS}
    lost = replace(make_member("a"), status=MemberStatus.FAILED)
    assert picture.stamped_by(lambda: picture.member(ChangeKind.FAILED, lost)) == {CHECKS, A, WEB}
    tagged = replace(lost, tags={"rack": "r1"})
    assert picture.stamped_by(lambda: picture.member(ChangeKind.UPDATE, tagged)) == {NODES, A, WEB}
    left = replace(tagged, status=MemberStatus.LEFT)
    assert picture.stamped_by(lambda: picture.member(ChangeKind.LEAVE, left)) == {
        NODES, CHECKS, A, WEB,
    }  # fmt: skip
    assert picture.stamped_by(lambda: picture.member(ChangeKind.REAP, left)) == set()


def test_a_leave_that_begins_is_seen(picture: Picture) -> None:
    def leave() -> None:
        member = replace(make_member("b"), status=MemberStatus.LEAVING)
        picture.handle.current = make_view(make_member("a"), member)
        picture.handle.happen(LeaveNoted("b"))

    assert picture.stamped_by(leave) == {CHECKS, B, DB}


def test_nobody_is_woken_for_another_service(picture: Picture) -> None:
    web, db = trio.Event(), trio.Event()
    picture.topics.watch((WEB,), web)
    picture.topics.watch((DB,), db)
    picture.show(make_instance("a", "web", status="warning", tags=("x",)))
    assert len(picture.calls) == 1
    picture.calls.pop()()
    assert (web.is_set(), db.is_set(), picture.topics.woken) == (True, False, 1)
    picture.topics.forget((WEB, DB), db)
    assert picture.topics.waiting == 0
    picture.show(make_instance("b", "db", status="warning"))
    assert picture.calls == []


def test_a_step_with_many_changes_wakes_once(picture: Picture) -> None:
    event = trio.Event()
    picture.topics.watch((WEB, CHECKS), event)
    for place in range(50):
        picture.show(make_instance("a", "web", f"web-{place}"))
    assert len(picture.calls) == 1
    picture.calls.pop()()
    assert picture.topics.woken == 1
    assert picture.topics.index(WEB) == picture.topics.index(CHECKS)


def test_a_face_that_ends_observes_no_more(picture: Picture) -> None:
    picture.topics.close()
    assert picture.handle.observers == []


STATUSES = st.sampled_from(["passing", "warning", "critical"])
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["show", "hide", "ask", "back"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["web", "db", "cache"]),
        STATUSES,
        st.sampled_from([(), ("x",), ("x", "y")]),
    ),
    max_size=40,
)


@given(CHANGES)
def test_an_index_never_falls_and_never_repeats_for_other_contents(
    changes: list[tuple[str, str, str, str, tuple[str, ...]]],
) -> None:
    picture = Picture()
    keys = [NAMES, DEFINITIONS, CHECKS, *map(service_topic, ("web", "db", "cache"))]
    seen: dict[tuple[Topic, int], object] = {}
    last = dict.fromkeys(keys, 0)

    def contents(topic: Topic) -> object:
        handle = picture.handle
        kind, name = topic
        every = [one for s in ("web", "db", "cache") for one in handle.service(s).instances]
        if kind == "service":
            return handle.service(name).instances
        if kind == "names":
            return [(s.name, s.tags) for s in handle.services()]
        if kind == "definitions":
            return [(one.owner, one.service) for one in every]
        return [(one.key, one.status) for one in every]

    for act, owner, name, status, tags in changes:
        held = {one.key for one in picture.handle.service(name).instances}
        if act == "show":
            picture.show(make_instance(owner, name, status=status, tags=tags))
        elif act == "hide" and (owner, name) in held:
            picture.hide(owner, name)
        elif act == "back":
            picture.wall.seconds -= 10
        for topic in keys:
            index = picture.topics.index(topic)
            assert index >= last[topic]
            last[topic] = index
            assert seen.setdefault((topic, index), contents(topic)) == contents(topic)
