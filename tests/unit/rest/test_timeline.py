"""The timeline: what is told of events, in which order, and what is left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gossipd.address import Address
from gossipd.catalog.events import CheckChanged, GuardChanged, ServiceChanged, ServiceEnded
from gossipd.node.events import MemberDegraded, MemberRecovered, NodeEvent, SyncFinished
from gossipd.rest.happening.timeline import PROVOKED_MAX, Timeline
from gossipd.rest.happening.words import Told
from gossipd.serf.events import (
    ChangeKind,
    LeaveNoted,
    MemberChange,
    UserEventReceived,
)
from gossipd.services.definition import CheckState
from gossipd.swim.events import (
    AccusationRefuted,
    AckObserved,
    MemberFailed,
    MemberJoined,
    MemberRefuted,
    MemberSuspected,
    NameConflict,
    SuspicionConfirmed,
)
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.own_desk import WALL, swim_member


class Later:
    """Calls that wait for trio's next pass; here, for the test."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def __call__(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def run(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


def make_timeline(handle: FakeHandle, kept: int = 100) -> tuple[Timeline, Later]:
    later = Later()
    return Timeline(handle, lambda: WALL, kept=kept, soon=later), later


def told(timeline: Timeline) -> list[Told]:
    return [line.told for line in timeline.after(0)]


def happen(*events: NodeEvent) -> list[Told]:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle)
    for event in events:
        handle.happen(event)
    return told(timeline)


def change(kind: ChangeKind, name: str = "b", **more: bool) -> MemberChange:
    return MemberChange(kind, make_member(name), **more)


def test_a_failure_tells_who_accused_how_often_it_was_confirmed_and_for_how_long() -> None:
    b = swim_member("b")
    lines = happen(
        MemberSuspected(b, "c", 108.0),
        SuspicionConfirmed(b, "d", 1, 104.0),
        MemberFailed(b, "c", 1, 3.25),
        change(ChangeKind.FAILED),
    )
    assert [line.kind for line in lines] == ["suspected", "confirmed", "failed"]
    assert lines[0].why == "c got no answer; it has 8.0 s to refute"
    assert lines[2].why == "c accused it; one other confirmed, and it did not refute within 3.2 s"
    assert lines[2].detail == {"accuser": "c", "confirmations": 1, "suspected_for": 3.25}
    assert {line.node for line in lines} == {"b"}


def test_our_own_accusation_is_told_as_ours() -> None:
    b = swim_member("b")
    lines = happen(MemberSuspected(b, "a", 104.0), MemberFailed(b, "a", 0, 4.0))
    lines += happen(MemberFailed(b, "a", 0, 4.0), change(ChangeKind.FAILED))
    assert lines[0].why.startswith("it did not answer us")
    assert lines[-1].why.startswith("it did not answer us; nobody else confirmed")


def test_a_refutation_says_after_how_long() -> None:
    (line,) = happen(MemberRefuted(swim_member("b", incarnation=7), 1.5))
    assert (line.kind, line.level) == ("refuted", "good")
    assert line.why == "after 1.5 s, with incarnation 7"


def test_who_comes_back_was_away_for_some_time() -> None:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle)
    handle.happen(change(ChangeKind.FAILED))
    handle.clock += 42
    handle.happen(MemberJoined(swim_member("b")))
    handle.happen(change(ChangeKind.JOIN))
    line = told(timeline)[-1]
    assert line.text == "b is back"
    assert line.why == "it was away for 42.0 s; learned by a push/pull"


@pytest.mark.parametrize(
    ("event", "kind", "text"),
    [
        (change(ChangeKind.JOIN), "joined", "b joined"),
        (change(ChangeKind.LEAVE), "left", "b left"),
        (change(ChangeKind.LEAVE, forced=True), "left", "b left"),
        (change(ChangeKind.REAP), "forgotten", "b is forgotten"),
        (change(ChangeKind.UPDATE), "updated", "b changed its tags"),
        (LeaveNoted("b"), "leaving", "b stays after all"),
        (AccusationRefuted("suspect", "c", 5), "accused", "we refuted an accusation"),
        (
            NameConflict(swim_member("b"), Address(b"\x0a\x00\x00\x09", 1)),
            "conflict",
            "two nodes are called b",
        ),
        (
            CheckChanged("web:1", "web", "passing", "critical", "boom"),
            "check",
            "check web:1 of service web is critical, was passing",
        ),
        (ServiceEnded("web", "drained"), "service-ended", "service web deregistered itself"),
        (GuardChanged("web", True, 3, 4), "guard", "the guard of web holds"),
        (
            SyncFinished("b", Address(b"\x0a\x00\x00\x09", 1), False, "refused"),
            "sync",
            "a push/pull with b failed",
        ),
        (
            UserEventReceived(3, "deploy", b"v2", True, sender="c"),
            "event",
            "event deploy from c",
        ),
    ],
)
def test_each_kind_has_its_words(event: NodeEvent, kind: str, text: str) -> None:
    (line,) = happen(event)
    assert (line.kind, line.text) == (kind, text)


def test_syncs_that_went_well_and_acks_are_not_told() -> None:
    address = Address(b"\x0a\x00\x00\x09", 1)
    assert happen(SyncFinished("b", address, True), AckObserved(swim_member("b"), 0.01, None)) == []


def test_acks_are_kept_as_the_last_contact() -> None:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle)
    handle.happen(AckObserved(swim_member("b", incarnation=4), 0.012, None))
    assert (timeline.contacts["b"].at, timeline.contacts["b"].rtt) == (100.0, 0.012)
    assert timeline.known["b"].incarnation == 4


def test_accusers_of_a_suspicion_are_known_by_name_until_it_ends() -> None:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle)
    b = swim_member("b")
    handle.happen(MemberSuspected(b, "c", 108.0))
    handle.happen(SuspicionConfirmed(b, "d", 1, 104.0))
    assert timeline.accusers("b") == ("c", "d")
    handle.happen(MemberRefuted(b, 1.0))
    assert timeline.accusers("b") == ()


def test_a_member_that_leaves_is_told_by_its_status() -> None:
    handle = FakeHandle(make_view(make_member("b", status=MemberStatus.LEAVING)))
    timeline, _ = make_timeline(handle)
    handle.happen(LeaveNoted("b"))
    assert told(timeline)[0].text == "b is leaving"


def test_services_are_compared_after_the_step_and_told_together() -> None:
    handle = FakeHandle()
    handle.show(make_instance("b", "web", "w1"))
    timeline, later = make_timeline(handle)
    for name in ("w2", "w3"):
        handle.show(make_instance("b", "web", name))
        handle.happen(ServiceChanged("web", handle.index))
    assert timeline.newest == 0, "not within the node's step"
    later.run()
    (line,) = told(timeline)
    assert line.text == "2 instances of web on b are registered, passing"
    assert [each["id"] for each in line.detail["instances"]] == ["w2", "w3"]  # type: ignore[attr-defined]


def test_an_instance_turns_with_the_output_of_the_check_that_says_so() -> None:
    handle = FakeHandle()
    handle.show(make_instance("b", "web"))
    timeline, _ = make_timeline(handle)
    checks = (CheckState("c", "ping", "tcp", "critical", "connection refused"),)
    handle.show(make_instance("b", "web", status="critical", checks=checks))
    handle.happen(ServiceChanged("web", handle.index))
    (line,) = told(timeline)
    assert (line.level, line.text) == ("bad", "web on b is critical, was passing")
    assert line.why == "check ping is critical: connection refused"


def test_a_failed_node_is_why_its_services_turn() -> None:
    handle = FakeHandle()
    handle.show(make_instance("b", "web"))
    timeline, later = make_timeline(handle)
    handle.show(make_instance("b", "web", status="critical", owner_status="failed"))
    handle.happen(ServiceChanged("web", handle.index))
    later.run()
    handle.show(make_instance("b", "web"))
    handle.happen(ServiceChanged("web", handle.index))
    assert [line.why for line in told(timeline)] == ["b failed", "b is back"]


def test_what_is_over_when_we_look_is_not_told() -> None:
    handle = FakeHandle()
    before = make_instance("b", "web")
    handle.show(before)
    timeline, _ = make_timeline(handle)
    handle.show(make_instance("b", "web", status="critical"))
    handle.show(before)
    handle.happen(ServiceChanged("web", handle.index))
    assert told(timeline) == []


def test_a_doubt_or_a_load_alone_is_not_told() -> None:
    handle = FakeHandle()
    handle.show(make_instance("b", "web"))
    timeline, _ = make_timeline(handle)
    handle.show(make_instance("b", "web", owner_status="suspect", is_doubtful=True))
    handle.happen(ServiceChanged("web", handle.index))
    handle.show(make_instance("b", "web", load=0.5, weight=3))
    handle.happen(ServiceChanged("web", handle.index))
    assert told(timeline) == []


def test_what_others_can_provoke_is_counted_beyond_some_a_second() -> None:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle)
    for number in range(PROVOKED_MAX + 5):
        handle.happen(UserEventReceived(number, "noise", b"", True))
    assert timeline.newest == PROVOKED_MAX
    handle.clock += 2
    handle.happen(change(ChangeKind.JOIN))
    handle.happen(UserEventReceived(99, "noise", b"", True))
    assert [line.kind for line in told(timeline)[PROVOKED_MAX:]] == ["joined", "withheld", "event"]
    assert told(timeline)[PROVOKED_MAX + 1].text.startswith("5 more")


def test_the_ring_is_bounded_and_numbers_go_on() -> None:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle, kept=3)
    for number in range(5):
        handle.happen(change(ChangeKind.JOIN, f"n{number}"))
    assert (timeline.oldest, timeline.newest) == (3, 5)
    assert [line.number for line in timeline.after(0)] == [3, 4, 5]
    assert [line.number for line in timeline.after(4)] == [5]
    assert timeline.after(5) == ()


def test_who_is_degraded_and_recovers_is_told() -> None:
    lines = happen(MemberDegraded("b", "round trips of 40 ms"), MemberRecovered("b", 12.0))
    assert [(line.kind, line.node) for line in lines] == [("degraded", "b"), ("recovered", "b")]
    assert lines[0].why == "round trips of 40 ms"


def test_names_and_outputs_of_others_stay_of_one_line_and_bounded() -> None:
    (line,) = happen(CheckChanged("c", "", "passing", "critical", "x\n" * 5000))
    assert "\n" not in line.why
    assert len(line.why) <= 310


def test_nothing_is_told_after_closing() -> None:
    handle = FakeHandle()
    timeline, _ = make_timeline(handle)
    timeline.close()
    handle.happen(change(ChangeKind.JOIN))
    assert timeline.newest == 0
