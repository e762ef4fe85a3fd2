"""The dispatcher: announcements, waiting, gossip, our own pings, ticks."""

from __future__ import annotations

import tracemalloc

import pytest

from gossipd.config.model import SerfConfig
from gossipd.errors import Unavailable
from gossipd.serf.effects import Reconnect, SendPayload
from gossipd.serf.events import (
    BroadcastDone,
    ChangeKind,
    LeaveIntentRefuted,
    MessageIgnored,
    QueryAcked,
    QueryClosed,
    QueueTooDeep,
    ReconnectTried,
)
from gossipd.serf.queries import default_query_timeout
from gossipd.serf.question import PING_ALL
from gossipd.wire.serf_codec import decode_serf_untrusted, encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    JoinIntent,
    LeaveIntent,
    MemberStatus,
    Query,
    QueryResponse,
    Relay,
    UserEvent,
)
from support.serf_harness import SerfHarness, address_of, query_of

DAY = 86400.0


def test_case_104_a_join_intent_carries_the_clock_and_moves_it_one_above() -> None:
    serf = SerfHarness()
    serf.serf.announce_join(1.0)
    assert serf.gossiped() == [encode_serf(JoinIntent(1, "us"))]
    assert serf.serf.member_time == 2
    merged = SerfHarness()
    merged.receive(JoinIntent(39, "b"))
    merged.serf.announce_join(1.0)
    assert encode_serf(JoinIntent(40, "us")) in merged.gossiped()
    assert merged.serf.member_time == 41
    assert merged.serf.members["us"].status_ltime == 40


def test_a_leave_is_done_when_its_intent_was_sent_often_enough() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.announce_leave(7, 1.0)
    assert serf.status("us") is MemberStatus.LEAVING
    for _ in range(3):
        assert serf.gossiped() == [encode_serf(LeaveIntent(1, "us"))]
    assert serf.events() == []
    serf.gossiped()
    assert serf.events() == [BroadcastDone(7)]
    assert not serf.serf.has_payloads
    serf.depart("us", at=2.0)
    assert serf.changes() == [(ChangeKind.LEAVE, "us")]
    serf.advance(60.0)
    assert serf.events_of(BroadcastDone) == []


def test_a_leave_is_done_at_once_when_nobody_else_is_alive() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=0.5)
    serf.events()
    serf.serf.announce_leave(7, 1.0)
    assert serf.events() == [BroadcastDone(7)]
    assert not serf.serf.has_payloads


def test_a_leave_nobody_fetches_is_done_at_the_broadcast_timeout() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.announce_leave(7, 1.0)
    serf.advance(5.9)
    assert serf.events() == []
    serf.advance(6.0)
    assert serf.events() == [BroadcastDone(7, timed_out=True)]


def test_while_leaving_nothing_about_us_is_refuted() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.announce_leave(7, 1.0)
    serf.receive(LeaveIntent(50, "us"), at=2.0)
    assert serf.events_of(LeaveIntentRefuted) == []
    assert serf.serf.members["us"].status_ltime == 50


def test_force_leave_of_a_failed_an_alive_an_unknown_and_our_own_name() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    serf.die("b", at=0.5)
    serf.serf.force_leave("b", False, 1, 1.0)
    assert serf.status("b") is MemberStatus.LEFT
    serf.serf.force_leave("c", False, 2, 1.0)
    assert serf.status("c") is MemberStatus.LEAVING
    serf.rejoin("c", at=1.0)
    serf.serf.force_leave("nobody", True, 3, 1.0)
    serf.serf.force_leave("us", False, 4, 1.0)
    assert serf.status("us") is MemberStatus.ALIVE
    assert [decode_serf_untrusted(each) for each in serf.gossiped()] == [
        LeaveIntent(3, "nobody", prune=True),
        LeaveIntent(4, "us"),
        LeaveIntent(2, "c"),
        LeaveIntent(1, "b"),
        JoinIntent(5, "us"),
    ]


def test_force_leave_of_the_only_other_alive_member_is_gossiped_so_that_it_can_refute() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.force_leave("b", False, 1, 1.0)
    assert serf.events() == []
    assert serf.gossiped() == [encode_serf(LeaveIntent(1, "b"))]
    serf.receive(JoinIntent(2, "b"), at=2.0)
    assert serf.status("b") is MemberStatus.ALIVE


def test_force_leave_of_a_name_no_packet_could_hold_ends_at_the_broadcast_timeout() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.force_leave("x" * 2000, False, 1, 1.0)
    assert not serf.serf.has_payloads
    serf.advance(6.0)
    assert serf.events() == [BroadcastDone(1, timed_out=True)]


def test_intents_go_before_queries_and_queries_before_events() -> None:
    serf = SerfHarness()
    event, query, intent = UserEvent(1, "e"), query_of(), JoinIntent(5, "b")
    for message in (event, query, intent):
        serf.receive(message)
    encoded = [encode_serf(message) for message in (intent, query, event)]
    assert serf.gossiped() == encoded
    room = len(encoded[0]) + 3 + len(encoded[2]) + 3
    assert serf.serf.take_payloads(room, 3) == [encoded[0], encoded[2]]
    assert serf.serf.take_payloads(2, 3) == []
    assert (serf.serf.intent_queue, serf.serf.query_queue, serf.serf.event_queue) == (1, 1, 1)


def test_failed_and_left_members_count_for_how_often_something_is_sent() -> None:
    serf = SerfHarness()
    names = [f"n{number}" for number in range(9)]
    serf.join(*names)
    serf.die(*names, at=1.0)
    serf.receive(JoinIntent(5, "x"), at=1.0)
    assert [len(serf.gossiped()) for _ in range(9)] == [1] * 8 + [0]


def test_ping_all_asks_everybody_and_closes_when_all_alive_members_acked() -> None:
    serf = SerfHarness()
    serf.join("b", "c", "dead")
    serf.die("dead", at=0.5)
    serf.events()
    number = serf.serf.ask(PING_ALL, 1.0)
    assert serf.events() == [QueryAcked(number, "us")]
    [payload] = serf.gossiped()
    query = decode_serf_untrusted(payload)
    assert isinstance(query, Query)
    assert (query.name, query.flags, query.timeout_ns) == ("_serf_ping", FLAG_ACK, 3_200_000_000)
    assert (query.origin, query.origin_node) == (address_of("us"), "us")
    serf.receive(payload, at=1.1)
    serf.receive(QueryResponse(query.ltime, query.id, "b", FLAG_ACK), at=1.2)
    serf.receive(QueryResponse(query.ltime, query.id, "b", FLAG_ACK), at=1.3)
    assert serf.events() == [QueryAcked(number, "b")]
    serf.receive(QueryResponse(query.ltime, query.id, "c", FLAG_ACK), at=1.4)
    assert serf.events() == [QueryAcked(number, "c"), QueryClosed(number)]
    serf.receive(QueryResponse(query.ltime, query.id, "d", FLAG_ACK), at=1.5)
    serf.advance(10.0)
    assert serf.events() == []
    assert serf.sent() == []


def test_ping_all_does_not_wait_for_a_member_that_dies_meanwhile() -> None:
    serf = SerfHarness()
    serf.join("b")
    number = serf.serf.ask(PING_ALL, 1.0)
    serf.die("b", at=2.0)
    assert serf.events_of(QueryClosed) == [QueryClosed(number)]


def test_ping_all_does_not_wait_for_a_member_that_begins_to_leave() -> None:
    serf = SerfHarness()
    serf.join("b")
    number = serf.serf.ask(PING_ALL, 1.0)
    serf.receive(LeaveIntent(5, "b"), at=1.1)
    assert serf.events_of(QueryClosed) == [QueryClosed(number)]


def test_ping_all_gives_time_by_the_number_of_members_that_are_not_gone() -> None:
    serf = SerfHarness()
    serf.join(*(f"b{number}" for number in range(12)))
    serf.die(*(f"b{number}" for number in range(9)), at=0.5)
    serf.serf.ask(PING_ALL, 1.0)
    serf.events()
    serf.advance(4.19)
    assert serf.events_of(QueryClosed) == []
    serf.advance(4.21)
    assert len(serf.events_of(QueryClosed)) == 1


def test_ping_all_alone_is_closed_at_once_and_silence_ends_at_the_timeout() -> None:
    alone = SerfHarness()
    number = alone.serf.ask(PING_ALL, 1.0)
    assert alone.events() == [QueryAcked(number, "us"), QueryClosed(number)]
    serf = SerfHarness()
    serf.join("b")
    number = serf.serf.ask(PING_ALL, 1.0)
    serf.advance(4.1)
    assert serf.events_of(QueryClosed) == []
    serf.advance(4.3)
    assert serf.events() == [QueryClosed(number)]


def test_an_ack_relayed_to_us_by_ourselves_counts_without_the_network() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.ask(PING_ALL, 1.0)
    query = decode_serf_untrusted(serf.gossiped()[0])
    assert isinstance(query, Query)
    serf.events()
    ack = encode_serf(QueryResponse(query.ltime, query.id, "b", FLAG_ACK))
    serf.receive(Relay(address_of("us"), "us", ack), at=2.0)
    assert serf.events_of(QueryAcked) == [QueryAcked(1, "b")]


def test_an_answer_to_no_query_of_ours_is_dropped_and_told() -> None:
    serf = SerfHarness()
    serf.receive(QueryResponse(7, 70, "b", FLAG_ACK))
    assert [event.reason for event in serf.events_of(MessageIgnored)] == ["unknown-query"]


def test_too_many_open_queries_are_refused() -> None:
    serf = SerfHarness()
    serf.join("b")
    for _ in range(256):
        serf.serf.ask(PING_ALL, 1.0)
    with pytest.raises(Unavailable):
        serf.serf.ask(PING_ALL, 1.0)
    serf.advance(10.0)
    serf.serf.ask(PING_ALL, 10.0)


@pytest.mark.parametrize(("nodes", "seconds"), [(9, 3.2), (10, 6.4), (99, 6.4), (100, 9.6)])
def test_case_128_default_query_timeout_by_live_nodes(nodes: int, seconds: float) -> None:
    assert default_query_timeout(0.2, 16, nodes) == pytest.approx(seconds)


def test_case_134_members_gone_for_a_day_are_erased_at_the_reap_tick() -> None:
    serf = SerfHarness()
    serf.join("b", "c", "d")
    serf.die("b", at=1.0)
    serf.receive(LeaveIntent(5, "c"), at=1.0)
    serf.depart("c", at=1.0)
    serf.die("d", at=100.0)
    serf.events()
    serf.advance(DAY)
    assert serf.changes() == []
    serf.advance(DAY + 15.0)
    assert serf.changes() == [(ChangeKind.REAP, "b"), (ChangeKind.REAP, "c")]
    assert list(serf.serf.members) == ["us", "d"]


def test_case_135_a_failed_member_is_tried_again_at_the_reconnect_tick() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.events()
    serf.advance(29.9)
    assert serf.outbox.take_effects() == []
    serf.advance(30.0)
    assert serf.outbox.take_effects() == [Reconnect("b", address_of("b"))]
    assert [event.member.name for event in serf.events_of(ReconnectTried)] == ["b"]
    serf.rejoin("b", at=31.0)
    serf.advance(200.0)
    assert serf.outbox.take_effects() == []


def test_the_smaller_side_of_a_split_tries_the_lost_ones_more_often() -> None:
    serf = SerfHarness()
    names = [f"n{number}" for number in range(8)]
    serf.join(*names)
    for number, name in enumerate(names[:7]):
        serf.die(name, at=1.0 + number / 10)
    serf.outbox.take_effects()
    serf.advance(31.0)
    tried = [effect for effect in serf.outbox.take_effects() if isinstance(effect, Reconnect)]
    assert len(tried) in (9, 10)  # three seconds apart
    serf.advance(2 * 3600.0)
    serf.outbox.take_effects()
    serf.advance(2 * 3600.0 + 300.0)  # not for ever
    tried = [effect for effect in serf.outbox.take_effects() if isinstance(effect, Reconnect)]
    assert len(tried) == 10


def test_reconnects_are_throttled_by_the_share_of_failed_members() -> None:
    serf = SerfHarness()
    names = [f"n{number}" for number in range(20)]
    serf.join(*names)
    serf.die("n7", at=1.0)
    serf.advance(30.0 * 1000)
    tried = [effect for effect in serf.outbox.take_effects() if isinstance(effect, Reconnect)]
    assert 20 <= len(tried) <= 90


def test_an_idle_node_is_never_woken() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    assert serf.serf.next_deadline() is None
    serf.die("b", at=1.0)
    serf.rejoin("b", at=2.0)
    serf.advance(60.0)
    assert serf.serf.next_deadline() is None


def test_ticks_missed_while_suspended_are_not_caught_up() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.serf.handle_deadline(10_000.0)
    assert len(serf.outbox.take_effects()) == 1
    deadline = serf.serf.next_deadline()
    assert deadline is not None
    assert deadline > 10_000.0


def test_a_deep_queue_is_told_and_a_deeper_one_is_pruned() -> None:
    serf = SerfHarness(SerfConfig(max_queue_depth=150))
    for number in range(140):
        serf.receive(JoinIntent(number + 1, f"n{number}"))
    serf.events()
    serf.advance(30.0)
    assert serf.events_of(QueueTooDeep) == [QueueTooDeep("intent", 140, 0)]
    for number in range(20):
        serf.receive(JoinIntent(number + 200, f"m{number}"), at=31.0)
    serf.advance(60.0)
    assert serf.events_of(QueueTooDeep) == [QueueTooDeep("intent", 160, 10)]
    assert serf.serf.intent_queue == 150


def test_a_flood_is_cut_at_once() -> None:
    serf = SerfHarness(SerfConfig(max_queue_depth=100))
    for number in range(5000):
        serf.receive(JoinIntent(number + 1, f"n{number}"))
    assert serf.serf.intent_queue <= 200


def test_intents_with_much_behind_them_are_not_kept() -> None:
    serf = SerfHarness()
    serf.join("n")
    tracemalloc.start()
    try:
        for number in range(16):
            serf.receive(encode_serf(JoinIntent(number + 5, "n")) + bytes(2**19))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2**19
    assert serf.serf.members["n"].status_ltime == 20


def test_equal_inputs_give_equal_runs() -> None:
    def run() -> list[object]:
        serf = SerfHarness(seed=3)
        serf.join("asker", *[f"n{number}" for number in range(8)])
        serf.receive(query_of(flags=FLAG_ACK, relay_factor=3))
        serf.serf.ask(PING_ALL, 2.0)
        return [*serf.outbox.take_effects(), *serf.events(), *serf.gossiped()]

    assert run() == run()
    assert any(isinstance(item, SendPayload) for item in run())
