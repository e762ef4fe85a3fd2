"""The event queue against a plain heap, and the splitting of chance."""

from __future__ import annotations

import heapq
from random import Random

import pytest

from gossipd.errors import UsageError
from gossipd_sim.queue import SPAN, EventQueue
from gossipd_sim.world import World, split_seed

FAR = SPAN / 1000 * 3
"""Seconds: well beyond the ring of the queue."""


def nothing() -> None:
    pass


def test_nothing_can_be_set_for_the_past() -> None:
    world = World(1)
    with pytest.raises(UsageError, match="cannot happen in the past"):
        world.after(-0.5, nothing)
    assert world.pending == 0


@pytest.mark.parametrize("seed", range(30))
def test_the_queue_gives_the_order_of_a_plain_heap(seed: int) -> None:
    random, queue = Random(seed), EventQueue()
    heap: list[tuple[float, int]] = []
    order, now, end = 0, 0.0, 0.0
    for _ in range(400):
        for _ in range(random.randrange(4)):
            # equal moments, the same millisecond, near ones, far ones, gaps of whole rings
            ahead = random.choice([0.0, 0.0, 1e-5, 0.001, random.random(), random.random() * FAR])
            order += 1
            queue.push(now + ahead, nothing)
            heapq.heappush(heap, (now + ahead, order))
        end = max(now, end + random.choice([0.0, 0.0005, 0.01, 1.0, FAR]))
        for entry in queue.due(end):
            assert entry[:2] == heapq.heappop(heap)
            now = entry[0]
            if random.random() < 0.3:
                break
        else:
            now = end
            assert not heap or heap[0][0] > end
        assert len(queue) == len(heap)


def test_equal_times_happen_in_the_order_in_which_they_were_set() -> None:
    world, done = World(1), list[str]()
    world.at(2.0, done.append, "first")
    world.at(1.0, world.at, 2.0, done.append, "third")
    world.at(2.0, done.append, "second")
    world.run_until(2.0)
    assert done == ["first", "second", "third"]
    assert world.events_done == 4


def test_what_is_set_for_the_past_happens_now_and_time_never_falls() -> None:
    world, seen = World(1), list[float]()

    def look() -> None:
        seen.append(world.now)

    world.at(5.0, world.at, 1.0, look)
    world.run_until(5.0)
    world.run_until(3.0)
    assert (seen, world.now) == ([5.0], 5.0)


def test_nothing_happens_beyond_the_end_of_a_run() -> None:
    world, done = World(1), list[float]()
    for when in (1.0, 1.0 + 1e-9, 2.0):
        world.at(when, done.append, when)
    world.run_until(1.0)
    assert (done, world.pending) == ([1.0], 2)
    world.run_until(1.5)
    assert done == [1.0, 1.0 + 1e-9]


def test_chance_is_split_by_purpose_and_by_nothing_else() -> None:
    alone, among_others = World(7), World(7)
    for purpose in ("a", "b", "c"):
        among_others.random(purpose).random()
    assert alone.random("x").random() == among_others.random("x").random()
    assert alone.random("x").random() != alone.random("y").random()
    assert alone.random("x").random() != World(8).random("x").random()


def test_seeds_are_the_same_on_every_machine() -> None:
    assert split_seed(1, "network") == 117347564484843493045144544419779531206
