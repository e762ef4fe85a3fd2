"""Sinks on connections in the test's hand: what is sent when, what is lost, what is logged."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from itertools import pairwise

import pytest
import trio
import trio.testing

from gossipd.metrics.interval import Count, Interval
from gossipd.metrics.sinks import (
    BACKLOG_MAX,
    COMPLAINT_PAUSE,
    RETRY_MAX,
    SEND_TIMEOUT,
    Connection,
    Sending,
    Stream,
)

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def interval(number: int) -> Interval:
    """Return an interval of one line that has the number in it."""
    return Interval(number, {}, {"n": Count(number, number)}, {})


def line(number: int) -> bytes:
    return b"serf-agent.n:%d.000000|c\n" % number


class Peer:
    """What is connected to: accepts or refuses, takes or breaks."""

    def __init__(self) -> None:
        self.refusal: OSError | None = None
        self.breaks: Exception | None = None
        self.hangs = False
        self.connections = 0
        self.tries: list[float] = []
        self.got: list[bytes] = []
        self.gone = trio.Event()
        self.closed = 0

    async def connect(self, host: str, port: int) -> Connection:
        assert (host, port) == ("sink", 8125)
        self.tries.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise self.refusal
        self.connections += 1
        return self

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        if self.breaks is not None:
            raise self.breaks
        self.got.append(data)

    async def wait_until_gone(self) -> None:
        await self.gone.wait()

    async def aclose(self) -> None:
        self.closed += 1
        await trio.lowlevel.checkpoint()


class Sunk:
    """A running sink with its peer and its log."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.peer = Peer()
        self.said: list[tuple[str, str]] = []
        self.sending = Sending(
            "statsd",
            "sink:8125",
            "h",
            list,
            self.peer.connect,
            lambda *line: self.said.append(line),
        )
        nursery.start_soon(self.sending.run)

    def _say(self, level: str, text: str) -> None:
        self.said.append((level, text))

    def take(self, *numbers: int) -> None:
        for number in numbers:
            self.sending.take(interval(number))


@pytest.fixture
def sunk(nursery: trio.Nursery) -> Sunk:
    return Sunk(nursery)


async def test_intervals_are_sent_in_order_over_one_connection(
    sunk: Sunk, autojump_clock: object
) -> None:
    await trio.sleep(100)
    assert sunk.peer.connections == 0  # nothing to send, nobody to bother
    sunk.take(1, 2)
    await trio.sleep(1)
    sunk.take(3)
    await trio.sleep(1)
    assert sunk.peer.got == [line(1), line(2), line(3)]
    assert sunk.peer.connections == 1
    assert sunk.sending.lost == {}
    assert sunk.said == []


async def test_a_sink_that_is_away_gets_the_last_minute_when_it_comes(
    sunk: Sunk, autojump_clock: object
) -> None:
    sunk.peer.refusal = REFUSED
    sunk.take(*range(1, BACKLOG_MAX + 3))
    await trio.sleep(100)
    pauses = [b - a for a, b in pairwise(sunk.peer.tries)]
    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, RETRY_MAX]
    assert set(pauses[5:]) == {RETRY_MAX}
    assert sunk.sending.lost == {"statsd-lines": 2}
    assert sunk.said == [("WARN", "agent: statsd sink:8125: Connection refused; metrics are lost")]
    sunk.peer.refusal = None
    await trio.sleep(RETRY_MAX)
    assert sunk.peer.got == [line(number) for number in range(3, BACKLOG_MAX + 3)]
    assert sunk.sending.lost == {"statsd-lines": 2}


async def test_a_complaint_is_repeated_after_ten_minutes(
    sunk: Sunk, autojump_clock: object
) -> None:
    sunk.peer.refusal = REFUSED
    sunk.take(1)
    await trio.sleep(COMPLAINT_PAUSE - 2 * RETRY_MAX)
    assert len(sunk.said) == 1
    await trio.sleep(4 * RETRY_MAX)
    assert len(sunk.said) == 2


@pytest.mark.parametrize("error", [REFUSED, trio.BrokenResourceError()])
async def test_what_a_broken_connection_did_not_take_is_lost_and_not_sent_twice(
    sunk: Sunk, error: Exception, autojump_clock: object
) -> None:
    sunk.peer.breaks = error
    sunk.take(1)
    await trio.sleep(0.5)
    sunk.peer.breaks = None
    sunk.take(2)
    await trio.sleep(5)
    assert sunk.peer.got == [line(2)]
    assert sunk.sending.lost == {"statsd-lines": 1}
    assert (sunk.peer.connections, sunk.peer.closed) == (2, 1)
    assert len(sunk.said) == 1


async def test_a_sink_that_does_not_read_is_given_up_on(sunk: Sunk, autojump_clock: object) -> None:
    sunk.peer.hangs = True
    sunk.take(1)
    await trio.sleep(SEND_TIMEOUT + 0.5)
    assert sunk.sending.lost == {"statsd-lines": 1}
    assert "reads too slowly" in sunk.said[0][1]
    sunk.peer.hangs = False
    sunk.take(2)
    await trio.sleep(5)
    assert sunk.peer.got == [line(2)]


async def test_a_sink_that_closed_is_connected_anew_before_anything_is_lost(
    sunk: Sunk, autojump_clock: object
) -> None:
    sunk.take(1)
    await trio.sleep(1)
    sunk.peer.gone.set()
    await trio.sleep(5)
    assert sunk.peer.closed == 1
    sunk.peer.gone = trio.Event()
    sunk.take(2)
    await trio.sleep(5)
    assert sunk.peer.got == [line(1), line(2)]
    assert sunk.peer.connections == 2
    assert sunk.sending.lost == {}


async def test_finishing_waits_for_what_is_sent_but_not_for_who_is_away(
    sunk: Sunk, autojump_clock: object
) -> None:
    await sunk.sending.finish()
    sunk.take(1, 2)
    await sunk.sending.finish()
    assert sunk.peer.got == [line(1), line(2)]
    sunk.peer.hangs = True
    sunk.take(3)
    with trio.move_on_after(1) as scope:
        await sunk.sending.finish()
    assert scope.cancelled_caught
    sunk.peer.refusal = REFUSED
    sunk.take(4)
    with trio.fail_after(2 * SEND_TIMEOUT):
        await sunk.sending.finish()
    assert sunk.peer.got == [line(1), line(2)]


async def test_a_connection_that_takes_for_ever_is_given_up_on(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def hang(host: str, port: int) -> Connection:
        await trio.sleep_forever()
        raise AssertionError

    said: list[str] = []
    sending = Sending("statsite", "sink:1", "h", list, hang, lambda _level, text: said.append(text))
    nursery.start_soon(sending.run)
    sending.take(interval(1))
    await trio.sleep(8)
    assert said == ["agent: statsite sink:1: no connection within 5s; metrics are lost"]


async def test_a_stream_is_gone_when_the_other_side_closes_it_whatever_it_said(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = Stream(ours)
    await stream.send(b"a\n")
    assert await theirs.receive_some(10) == b"a\n"
    await theirs.send_all(b"hello")
    with trio.move_on_after(1) as scope:
        await stream.wait_until_gone()
    assert scope.cancelled_caught
    await theirs.aclose()
    await stream.wait_until_gone()
    await stream.aclose()


async def test_cancelling_closes_the_connection(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        sunk = Sunk(nursery)
        sunk.take(1)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert sunk.peer.closed == 1


def test_the_pieces_of_one_interval_are_what_split_makes() -> None:
    def split(lines: Iterable[bytes]) -> Iterable[bytes]:
        return (b"".join(lines),)

    async def run() -> None:
        peer = Peer()
        sending = Sending("statsite", "sink:8125", "h", split, peer.connect, lambda *_: None)
        sending.take(Interval(1, {"g": 2.0}, {"n": Count(1, 1)}, {}))
        with trio.move_on_after(1):
            await sending.run()
        assert peer.got == [b"serf-agent.h.g:2.000000|g\n" + line(1)]

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
