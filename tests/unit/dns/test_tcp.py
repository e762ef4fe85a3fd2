"""DNS by TCP on streams in memory: many queries on one, in any portions, and no patience."""

from __future__ import annotations

import dns.message
import pytest
import trio
import trio.testing

from gossipd.dns.answering import DROPPED
from gossipd.dns.defects import LOGGED_EVERY, Defects
from gossipd.dns.tcp import (
    CONNECTIONS_ABROAD_MAX,
    CONNECTIONS_MAX,
    CONNECTIONS_PER_SOURCE_MAX,
    IDLE_TIMEOUT,
    Connections,
)
from support.dns_face import DnsFace, make_query, texts


class Talk:
    """A client of one connection; ``ended`` when the server is through with it."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.face = DnsFace()
        self.face.show("a", port=80)
        self.log: list[str] = []
        ledger = self.face.ledger
        defects = Defects(ledger, lambda level, text: self.log.append(text), trio.current_time)
        connections = Connections(self.face.answering, None, ledger, defects)
        self.stream, theirs = trio.testing.memory_stream_pair()
        self.theirs = theirs
        self.ended = trio.Event()

        async def run() -> None:
            async with theirs:
                await connections.converse(theirs, "127.0.0.1")
            self.ended.set()

        nursery.start_soon(run)

    async def read(self) -> dns.message.Message:
        length = int.from_bytes(await self._exactly(2))
        return dns.message.from_wire(await self._exactly(length))

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = await self.stream.receive_some(count - len(data))
            assert more
            data += more
        return data


def framed(name: str) -> bytes:
    data = make_query(name, "SRV").to_wire()
    return len(data).to_bytes(2) + data


class Crowd:
    """Clients of many hosts that only hold their connections."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.face = DnsFace()
        ledger = self.face.ledger
        defects = Defects(ledger, lambda level, text: None, trio.current_time)
        self._connections = Connections(self.face.answering, None, ledger, defects)
        self._nursery = nursery
        self.open = 0

    async def come(self, host: str) -> bool:
        """Return whether one more of ``host`` is let in."""
        _ours, theirs = trio.testing.memory_stream_pair()
        before = self.open
        self._nursery.start_soon(self._take, theirs, host)
        await trio.testing.wait_all_tasks_blocked()
        return self.open > before

    async def _take(self, theirs: trio.abc.Stream, host: str) -> None:
        self.open += 1
        try:
            await self._connections.take(theirs, host)
        finally:
            self.open -= 1


async def test_other_hosts_cannot_take_all_connections(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    crowd = Crowd(nursery)
    for number in range(CONNECTIONS_PER_SOURCE_MAX):
        assert await crowd.come(f"2001:db8::{number:x}")
    assert not await crowd.come("2001:db8::ffff")  # another address of the same /64
    for number in range(CONNECTIONS_PER_SOURCE_MAX, CONNECTIONS_ABROAD_MAX):
        assert await crowd.come(f"203.0.113.{number}")
    assert not await crowd.come("198.51.100.1")
    for _ in range(CONNECTIONS_ABROAD_MAX, CONNECTIONS_MAX):
        assert await crowd.come("127.0.0.1")
    assert not await crowd.come("127.0.0.1")
    assert crowd.face.ledger.counts[DROPPED + "connections"] == 3
    await trio.sleep(IDLE_TIMEOUT + 1.0)
    assert crowd.open == 0
    assert await crowd.come("198.51.100.1")


async def test_several_queries_are_answered_in_turn(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    talk = Talk(nursery)
    await talk.stream.send_all(framed("web.service.consul") + framed("nope.service.consul"))
    assert len(texts(await talk.read())) == 1
    assert not texts(await talk.read())
    await talk.stream.send_all(framed("web.service.consul"))
    assert len(texts(await talk.read())) == 1
    await talk.stream.send_eof()
    await talk.ended.wait()


async def test_a_query_may_come_byte_by_byte(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    talk = Talk(nursery)
    for byte in framed("web.service.consul"):
        await talk.stream.send_all(bytes((byte,)))
        await trio.testing.wait_all_tasks_blocked()
    assert len(texts(await talk.read())) == 1


@pytest.mark.parametrize("before", [b"", b"\x00", b"\xff\xff" + b"x" * 100])
async def test_who_says_nothing_more_is_left(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, before: bytes
) -> None:
    talk = Talk(nursery)
    began = trio.current_time()
    if before:
        await talk.stream.send_all(before)
    await talk.ended.wait()
    assert trio.current_time() - began == pytest.approx(IDLE_TIMEOUT)


async def test_a_trickle_is_no_sign_of_life(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    talk = Talk(nursery)
    began = trio.current_time()

    async def trickle() -> None:
        for byte in framed("web.service.consul"):
            await talk.stream.send_all(bytes((byte,)))
            await trio.sleep(1.0)

    with pytest.raises(trio.BrokenResourceError):
        await trickle()
    assert trio.current_time() - began <= IDLE_TIMEOUT + 1.0


async def test_who_takes_no_reply_is_left(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    talk = Talk(nursery)
    full = trio.Event()

    async def stuck() -> None:
        full.set()
        await trio.sleep_forever()

    talk.theirs.send_stream.send_all_hook = stuck
    await talk.stream.send_all(framed("web.service.consul"))
    await full.wait()
    await talk.ended.wait()


@pytest.mark.parametrize("nonsense", [b"\0\x04abcd", b"\0\0", b"\0\x0c" + b"\0\0\x80" + b"\0" * 9])
async def test_what_gets_no_answer_ends_the_connection(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, nonsense: bytes
) -> None:
    talk = Talk(nursery)
    began = trio.current_time()
    await talk.stream.send_all(nonsense)
    await talk.ended.wait()
    assert trio.current_time() == began


async def test_a_bad_query_gets_its_code_and_the_next_is_answered(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    talk = Talk(nursery)
    await talk.stream.send_all(
        b"\0\x0c" + b"\0\7\0\0\0\2" + b"\0" * 6 + framed("web.service.consul")
    )
    assert (await talk.read()).rcode() == dns.rcode.FORMERR
    assert len(texts(await talk.read())) == 1


async def test_a_defect_of_ours_is_logged_now_and_then_and_ends_nothing(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = Talk(nursery)

    def broken(data: bytes, host: str) -> bytes:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr(talk.face.answering, "message", broken)
    for logged, pause in ((1, 0.0), (1, LOGGED_EVERY), (2, 0.0)):
        await talk.stream.send_all(framed("web.service.consul"))
        assert (await talk.read()).rcode() == dns.rcode.SERVFAIL
        assert len(talk.log) == logged
        await trio.sleep(pause)
    assert "KeyError: 'nobody thought of it'" in talk.log[0]
    assert talk.face.ledger.counts["gossipd.dns.dropped.defect"] == 3
