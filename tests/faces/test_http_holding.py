"""Requests that are held: asked again after news, answered when their time is over."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gossipd.rest.transport.holding import (
    LET_IN,
    TICKS,
    Alarms,
    Door,
    Held,
    Keys,
    Waker,
    Wakes,
    noticing,
    without_condition,
)
from gossipd.rest.values import Reply, Request, Route
from support.http_face import facing, get

KEYS: Keys = (("service", "web"), ("node", "a"))


class News:
    """What tells of changes, and a handler that waits for them."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.seconds = seconds
        self.index = 5
        self.wakers: dict[Wakes, Keys] = {}
        self.asked = 0
        self.obeys = True

    def watch(self, keys: Keys, waker: Wakes) -> None:
        self.wakers[waker] = keys

    def forget(self, keys: Keys, waker: Wakes) -> None:
        self.wakers.pop(waker, None)

    def tell(self) -> None:
        for waker in list(self.wakers):
            waker.set()

    async def answer(self, request: Request, desk: object) -> Reply:
        self.asked += 1
        if request.first("index") == str(self.index) or not self.obeys:
            raise Held(self, KEYS, self.seconds)
        return Reply(body=b"[%d]" % self.index)

    def route(self, *, waits: bool = True) -> Route:
        return Route(method="GET", pattern="/v1/x", handler=self.answer, waits=waits)


async def test_who_asks_for_another_index_is_answered_at_once() -> None:
    news = News()
    async with facing(news.route()) as face:
        client = face.connect()
        assert (await client.ask(get("/v1/x"))).text == "[5]"
        assert (await client.ask(get("/v1/x?index=4"))).text == "[5]"
        assert news.asked == 2
        assert face.counted("waits.begun") == 0


async def test_who_has_the_newest_is_answered_after_a_change(
    autojump_clock: trio.testing.MockClock,
) -> None:
    news = News()
    async with facing(news.route()) as face:
        client = face.connect()
        await client.send(get("/v1/x?index=5&wait=10s"))
        await trio.sleep(3)
        assert list(news.wakers.values()) == [KEYS]
        news.tell()  # of what this answer does not hold
        await trio.sleep(3)
        assert news.asked == 2
        assert len(news.wakers) == 1
        news.index = 6
        news.tell()
        began = trio.current_time()
        assert (await client.read()).text == "[6]"
        assert trio.current_time() == began
        assert news.asked == 3
        assert news.wakers == {}


async def test_a_wait_is_over_in_its_time_whatever_happened_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    news = News(seconds=10.0)
    async with facing(news.route()) as face:
        client = face.connect()
        began = trio.current_time()
        await client.send(get("/v1/x?index=5&wait=10s"))
        for _ in range(4):
            await trio.sleep(2)
            news.tell()
        assert (await client.read()).text == "[5]"
        assert 10 <= trio.current_time() - began <= 10 + 1 / TICKS
        assert news.wakers == {}


async def test_who_hangs_up_is_watched_no_longer(autojump_clock: trio.testing.MockClock) -> None:
    news = News()
    async with facing(news.route()) as face:
        client = face.connect()
        await client.send(get("/v1/x?index=5"))
        await trio.sleep(1)
        assert len(news.wakers) == 1
        client.socket.close()
        await trio.sleep(1)
        assert (news.wakers, face.ended) == ({}, 1)
        await trio.sleep(20)
        assert news.asked == 1
        assert face.counted("waits.gone") == 1


async def test_those_whom_one_change_wakes_leave_others_their_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    news, turns, seen = News(), 0, []

    async def answer(request: Request, desk: object) -> Reply:
        reply = await news.answer(request, desk)
        seen.append(turns)
        return reply

    route = Route(method="GET", pattern="/v1/x", handler=answer, waits=True)
    async with facing(route) as face:
        clients = [face.connect() for _ in range(10 * LET_IN)]
        for client in clients:
            await client.send(get("/v1/x?index=5"))
        await trio.sleep(1)
        assert len(news.wakers) == len(clients)
        news.index = 6
        news.tell()
        for client in clients[:5]:  # woken or not, they are gone
            client.socket.close()
        while len(seen) < len(clients) - 5:
            turns += 1
            await trio.lowlevel.checkpoint()
        assert max(seen.count(turn) for turn in range(turns + 1)) <= 2 * LET_IN
        for client in clients[5:]:
            assert (await client.read()).text == "[6]"
        assert news.wakers == {}


async def test_a_handler_that_waits_for_ever_is_a_defect(
    autojump_clock: trio.testing.MockClock,
) -> None:
    news = News()
    news.obeys = False
    async with facing(news.route()) as face:
        answer = await face.connect().ask(get("/v1/x?index=5"))
        assert (answer.status, trio.current_time()) == (500, 10)
        assert face.counted("handler-failures") == 1


async def test_the_steps_of_what_is_awaited_are_passed_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    noticed: list[float] = []

    async def work(seconds: float, error: Exception | None = None) -> str:
        if seconds:
            await trio.sleep(seconds)
            try:
                with trio.move_on_after(1):
                    await trio.sleep_forever()
            finally:
                await trio.lowlevel.checkpoint()
        if error is not None:
            raise error
        return "done"

    def note() -> None:
        noticed.append(trio.current_time())

    assert await noticing(work(0), note) == "done"
    with pytest.raises(KeyError):
        await noticing(work(0, KeyError()), note)
    assert noticed == []
    assert await noticing(work(2), note) == "done"
    assert noticed == [0]
    with pytest.raises(KeyError):
        await noticing(work(2, KeyError()), note)
    with trio.move_on_after(1) as scope:
        await noticing(work(5), note)
    assert scope.cancelled_caught
    assert noticed == [0, 3, 6]


async def test_only_a_route_that_says_so_may_wait() -> None:
    async with facing(News().route(waits=False)) as face:
        assert (await face.connect().ask(get("/v1/x?index=5"))).status == 500
        assert face.counted("handler-failures") == 1


def test_what_a_client_has_is_left_away() -> None:
    request = Request(
        method="GET", path="/v1/x", query={"index": ("5",), "hash": ("a",), "tag": ("b", "c")}
    )
    assert without_condition(request).query == {"tag": ("b", "c")}


async def test_alarms_come_in_their_order_and_not_too_early(
    autojump_clock: trio.testing.MockClock,
) -> None:
    alarms, door = Alarms(), Door()
    woken: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float, gives_up: float = 1e9) -> None:
        waker = Waker(door)
        tick = alarms.add(waker, trio.current_time() + seconds)
        try:
            with trio.move_on_after(gives_up):
                await trio.lowlevel.wait_task_rescheduled(waker.abort)
                woken.append((name, trio.current_time()))
        finally:
            alarms.remove(waker, tick)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        nursery.start_soon(door.run)
        nursery.start_soon(wait, "late", 7.0)
        nursery.start_soon(wait, "first", 2.0)
        nursery.start_soon(wait, "gone", 3.0, 1.0)
        nursery.start_soon(wait, "gone too", 2.0, 1.0)
        await trio.sleep(1)
        nursery.start_soon(wait, "second", 2.5)
        nursery.start_soon(wait, "again", 1.0)
        await trio.sleep(8)
        nursery.start_soon(wait, "at last", 0.03)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert [name for name, _ in woken] == ["first", "again", "second", "late", "at last"] or [
        name for name, _ in woken
    ] == ["again", "first", "second", "late", "at last"]
    due = {"first": 2.0, "again": 2.0, "second": 3.5, "late": 7.0, "at last": 9.03}
    assert all(due[name] <= at <= due[name] + 1 / TICKS for name, at in woken)
