"""The event buffer (cases 116 to 118) and forwarding."""

from __future__ import annotations

from gossipd.serf.events import MessageIgnored
from gossipd.serf.user_events import EventBuffer, EventVerdict
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import BufferedEvent, EventSlot, UserEvent
from support.serf_harness import SerfHarness, state_of

DEPLOY = BufferedEvent("deploy", b"1")


def test_case_116_an_event_counts_once_and_another_payload_is_another_event() -> None:
    serf = SerfHarness()
    first, other = UserEvent(4, "deploy", b"1"), UserEvent(4, "deploy", b"2")
    for event in (first, first, other):
        serf.receive(event)
    assert sorted(serf.gossiped()) == sorted([encode_serf(first), encode_serf(other)])
    assert serf.state().events[4] == EventSlot(4, (DEPLOY, BufferedEvent("deploy", b"2")))
    assert serf.serf.event_time == 5


def test_nil_and_empty_payloads_are_the_same_event() -> None:
    buffer = EventBuffer(512)
    assert buffer.apply(1, BufferedEvent("x", None)) is EventVerdict.NEW
    assert buffer.apply(1, BufferedEvent("x", b"")) is EventVerdict.DUPLICATE


def test_case_117_an_event_513_behind_the_clock_is_dropped() -> None:
    serf = SerfHarness()
    serf.receive(UserEvent(999, "new"))
    serf.gossiped()
    serf.events()
    serf.receive(UserEvent(1000 - 513, "old"))
    assert [event.reason for event in serf.events_of(MessageIgnored)] == ["event-too-old"]
    serf.receive(UserEvent(1000 - 512, "just in time"))
    assert serf.events_of(MessageIgnored) == []
    slots = [slot for slot in serf.state().events if slot is not None]
    assert {slot.ltime for slot in slots} == {999, 488}


def test_case_118_a_join_that_ignores_old_events_takes_none() -> None:
    events = {3: [DEPLOY], 4: [DEPLOY]}
    fresh, replaying, periodic = SerfHarness(), SerfHarness(), SerfHarness()
    state = state_of(event_ltime=5, events=events)
    fresh.serf.merge_state(state, True, True, 1.0)
    replaying.serf.merge_state(state, True, False, 1.0)
    periodic.serf.merge_state(state, False, True, 1.0)
    assert not any(fresh.state().events)
    assert len([slot for slot in replaying.state().events if slot]) == 2
    assert len([slot for slot in periodic.state().events if slot]) == 2
    assert fresh.serf.event_time == 5
    assert replaying.gossiped() == []


def test_an_event_travels_on_byte_for_byte_with_fields_and_tail_nobody_knows() -> None:
    serf = SerfHarness()
    payload = b"\x03\x85\xa2CC\xc2\xa5LTime\x04\xa4Name\xa1e\xa7Payload\xc0\xa1Z\x01tail"
    serf.receive(payload)
    assert serf.gossiped() == [payload]
    assert serf.state().events[4] == EventSlot(4, (BufferedEvent("e"),))


def test_a_newer_time_takes_over_the_slot_of_an_older_one() -> None:
    buffer = EventBuffer(4)
    buffer.apply(1, DEPLOY)
    buffer.apply(5, DEPLOY)
    assert buffer.slots() == (None, EventSlot(5, (DEPLOY,)), None, None)


def test_a_flood_of_bytes_gives_up_the_oldest_times_and_never_repeats_them() -> None:
    buffer = EventBuffer(512, bytes_max=1000)
    for ltime in range(1, 6):
        assert buffer.apply(ltime, BufferedEvent("e", b"x" * 99)) is EventVerdict.NEW
    assert [slot.ltime for slot in buffer.slots() if slot] == [3, 4, 5]
    assert buffer.apply(1, BufferedEvent("e", b"x" * 99)) is EventVerdict.BEFORE_MINIMUM
    assert buffer.apply(5, BufferedEvent("e", b"y" * 1000)) is EventVerdict.FULL


def test_too_many_events_of_one_time_are_refused() -> None:
    buffer = EventBuffer(512)
    verdicts = [buffer.apply(1, BufferedEvent(str(number))) for number in range(1025)]
    assert verdicts.count(EventVerdict.NEW) == 1024
    assert verdicts[-1] is EventVerdict.FULL


def test_a_flood_of_events_of_one_time_leaves_a_state_that_peers_can_read() -> None:
    flooded, joiner = SerfHarness(), SerfHarness()
    for number in range(5000):
        flooded.receive(UserEvent(4, f"e{number}"))
    joiner.serf.merge_state(flooded.serf.local_state(), True, False, 1.0)
    assert joiner.events_of(MessageIgnored) == []
    assert joiner.serf.event_time == 5


def test_an_event_no_packet_could_hold_is_kept_and_not_queued() -> None:
    serf = SerfHarness()
    serf.receive(UserEvent(4, "big", b"x" * 2000))
    assert not serf.serf.has_payloads
    assert serf.state().events[4] is not None
