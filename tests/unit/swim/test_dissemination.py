"""The broadcast queue: order, budget, replacement, transmissions."""

from __future__ import annotations

from random import Random

from gossipd.swim.dissemination import BroadcastQueue

PLENTY = 100_000


def filled(*payloads: bytes) -> BroadcastQueue:
    queue = BroadcastQueue()
    for payload in payloads:
        queue.enqueue(payload)
    return queue


def test_case_91_fresh_entries_go_first_and_longer_ones_before_shorter_ones() -> None:
    queue = filled(b"s" * 30)
    queue.take(PLENTY, 2, 4)
    queue.enqueue(b"a" * 10)
    queue.enqueue(b"b" * 50)
    assert queue.take(PLENTY, 2, 4) == [b"b" * 50, b"a" * 10, b"s" * 30]


def test_among_equally_long_entries_the_newest_goes_first() -> None:
    assert filled(b"1", b"2", b"3").take(PLENTY, 0, 4) == [b"3", b"2", b"1"]


def test_case_92_a_new_entry_of_a_name_replaces_the_old_one_and_releases_its_waiter() -> None:
    queue = BroadcastQueue()
    queue.enqueue(b"old", "x", 7)
    queue.enqueue(b"new", "x", 8)
    assert queue.take_finished() == [7]
    assert queue.take_finished() == []
    assert queue.take(PLENTY, 2, 4) == [b"new"]
    assert len(queue) == 1


def test_unnamed_entries_are_never_replaced() -> None:
    assert len(filled(b"same", b"same")) == 2


def test_a_replaced_entry_that_was_sent_before_is_gone_as_well() -> None:
    queue = BroadcastQueue()
    queue.enqueue(b"old", "x")
    queue.take(PLENTY, 2, 4)
    queue.enqueue(b"new", "x")
    assert queue.take(PLENTY, 2, 4) == [b"new"]


def test_case_93_an_entry_is_sent_exactly_as_often_as_the_limit_says() -> None:
    queue = BroadcastQueue()
    queue.enqueue(b"claim", "x", 5)
    for _ in range(3):
        assert queue.take(PLENTY, 2, 4) == [b"claim"]
        assert queue.take_finished() == []
    assert queue.take(PLENTY, 2, 4) == [b"claim"]
    assert queue.take_finished() == [5]
    assert queue.take(PLENTY, 2, 4) == []
    assert len(queue) == 0


def test_the_limit_is_evaluated_when_sending() -> None:
    queue = filled(b"claim")
    queue.take(PLENTY, 2, 8)
    queue.take(PLENTY, 2, 8)
    assert queue.take(PLENTY, 2, 3) == [b"claim"]
    assert len(queue) == 0


def test_a_limit_of_zero_still_sends_once() -> None:
    queue = filled(b"claim")
    assert queue.take(PLENTY, 2, 0) == [b"claim"]
    assert len(queue) == 0


def test_case_94_a_smaller_later_entry_is_taken_where_the_next_one_does_not_fit() -> None:
    queue = filled(b"a" * 60, b"b" * 50, b"c" * 10)
    assert queue.take(75, 2, 4) == [b"a" * 60, b"c" * 10]


def test_case_94_the_smaller_one_may_come_from_a_later_tier() -> None:
    queue = filled(b"c" * 10)
    queue.take(PLENTY, 2, 4)
    queue.enqueue(b"a" * 60)
    queue.enqueue(b"b" * 50)
    assert queue.take(75, 2, 4) == [b"a" * 60, b"c" * 10]


def test_case_95_what_is_taken_never_exceeds_the_budget() -> None:
    random = Random(3)
    queue = BroadcastQueue()
    for _ in range(500):
        queue.enqueue(bytes(random.randrange(1, 200)))
    while queue:
        taken = queue.take(1400, 2, 3)
        assert taken
        assert sum(len(payload) + 2 for payload in taken) <= 1400


def test_an_entry_that_fits_exactly_is_taken() -> None:
    assert filled(b"x" * 10).take(12, 2, 4) == [b"x" * 10]
    assert filled(b"x" * 10).take(11, 2, 4) == []


def test_nothing_is_taken_from_no_room() -> None:
    queue = filled(b"x")
    assert queue.take(2, 2, 4) == []
    assert queue.take(-5, 2, 4) == []
    assert len(queue) == 1


def test_one_packet_never_holds_an_entry_twice() -> None:
    assert filled(b"x").take(PLENTY, 2, 10) == [b"x"]


def test_pruning_drops_the_most_transmitted_then_the_shortest_and_oldest() -> None:
    queue = filled(b"sent")
    queue.take(PLENTY, 2, 9)
    for payload, token in ((b"aa", 1), (b"bb", 2), (b"longer", 3)):
        queue.enqueue(payload, None, token)
    assert queue.prune(2) == 2
    assert queue.take_finished() == [1]
    assert queue.take(PLENTY, 2, 9) == [b"longer", b"bb"]
    assert queue.prune(5) == 0


def test_a_pruned_name_is_free_again() -> None:
    queue = BroadcastQueue()
    queue.enqueue(b"one", "x")
    queue.prune(0)
    queue.enqueue(b"two", "x")
    assert queue.take(PLENTY, 2, 4) == [b"two"]


def test_order_equals_a_plain_sort_over_many_rounds() -> None:
    random = Random(5)
    queue = BroadcastQueue()
    model: list[tuple[int, int, int, bytes]] = []
    for number in range(400):
        payload = bytes([number % 256]) * random.randrange(1, 40)
        queue.enqueue(payload)
        model.append((0, -len(payload), -number, payload))
        if number % 7 == 0:
            free, chosen = 300 - 2, []
            for entry in sorted(model):
                if free > 0 and len(entry[3]) <= free:
                    chosen.append(entry)
                    free -= len(entry[3]) + 2
            assert queue.take(300, 2, 5) == [entry[3] for entry in chosen]
            for entry in chosen:
                model.remove(entry)
                if entry[0] + 1 < 5:
                    model.append((entry[0] + 1, *entry[1:]))
    assert len(queue) == len(model)
