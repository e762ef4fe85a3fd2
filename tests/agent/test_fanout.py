"""Bounded subscribers: a slow one is told where it lost how much, and delays nobody."""

from __future__ import annotations

import trio
import trio.testing

from gossipd.agent.fanout import Fanout
from gossipd.node.handle import Lost


async def test_a_slow_reader_is_told_at_the_gap_how_much_it_lost(autojump_clock: object) -> None:
    fanout: Fanout[int] = Fanout()
    with fanout.subscribe(2) as slow, fanout.subscribe(10) as quick:
        for item in range(5):
            fanout.publish(item)
        assert await anext(slow) == 0
        fanout.publish(5)
        fanout.close()
        assert [item async for item in slow] == [1, Lost(3), 5]
        assert [item async for item in quick] == [0, 1, 2, 3, 4, 5]


async def test_a_loss_at_the_very_end_is_told_too(autojump_clock: object) -> None:
    fanout: Fanout[int] = Fanout()
    with fanout.subscribe(1) as slow:
        for item in range(3):
            fanout.publish(item)
        fanout.close()
        assert [item async for item in slow] == [0, Lost(2)]


async def test_a_reader_waits_for_the_next_item(autojump_clock: object) -> None:
    fanout: Fanout[str] = Fanout()
    with fanout.subscribe(1) as reader:
        async with trio.open_nursery() as nursery:

            async def later() -> None:
                await trio.sleep(5)
                fanout.publish("x")

            nursery.start_soon(later)
            assert await anext(reader) == "x"


async def test_unwanted_items_take_no_room(autojump_clock: object) -> None:
    fanout: Fanout[int] = Fanout()
    with fanout.subscribe(1, lambda item: item == 9) as reader:
        for item in range(10):
            fanout.publish(item)
        fanout.close()
        assert [item async for item in reader] == [9]


async def test_a_cancelled_reader_leaves_nothing_behind(autojump_clock: object) -> None:
    fanout: Fanout[int] = Fanout()
    with trio.move_on_after(1), fanout.subscribe(1) as reader:
        await anext(reader)
    assert len(fanout) == 0
    fanout.publish(1)
