from __future__ import annotations

from gossipd.serf.broadcasts import Broadcasts, QueueReport, Topic


def test_what_no_packet_could_hold_is_not_queued() -> None:
    broadcasts = Broadcasts(payload_bytes_max=10)
    broadcasts.enqueue(Topic.EVENT, b"x" * 11, 100)
    broadcasts.enqueue(Topic.INTENT, b"x" * 10, 100, token=1)
    assert len(broadcasts) == 1


def test_each_packet_takes_intents_then_queries_then_events_within_its_room() -> None:
    broadcasts = Broadcasts(100)
    for topic, payload in (
        (Topic.EVENT, b"e" * 5),
        (Topic.QUERY, b"q" * 5),
        (Topic.INTENT, b"i" * 5),
    ):
        broadcasts.enqueue(topic, payload, 100)
    assert broadcasts.take(16, 3, 4) == [b"iiiii", b"qqqqq"]
    assert broadcasts.take(24, 3, 4) == [b"iiiii", b"qqqqq", b"eeeee"]


def test_tokens_come_back_when_sent_often_enough_or_pruned() -> None:
    broadcasts = Broadcasts(100)
    broadcasts.enqueue(Topic.INTENT, b"a", 100, token=1)
    broadcasts.take(50, 3, 1)
    assert broadcasts.take_finished() == [1]
    broadcasts.enqueue(Topic.INTENT, b"b", 100, token=2)
    assert broadcasts.check_depth(1, 0) == [QueueReport(Topic.INTENT, 1, 1)]
    assert broadcasts.take_finished() == [2]


def test_a_named_entry_replaces_the_one_before() -> None:
    broadcasts = Broadcasts(100)
    broadcasts.enqueue(Topic.INTENT, b"old", 100, name="own join")
    broadcasts.enqueue(Topic.INTENT, b"new", 100, name="own join")
    assert broadcasts.take(50, 3, 4) == [b"new"]


def test_a_queue_is_pruned_to_the_maximum_when_twice_as_long() -> None:
    broadcasts = Broadcasts(100)
    for number in range(21):
        broadcasts.enqueue(Topic.QUERY, b"%d" % number, 10)
    assert broadcasts.depth(Topic.QUERY) == 10
