"""Streams: bounded, carried both ways, closed only after what was written went out."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from gossipd.address import Address, address_from_host
from gossipd.agent.streams import INBOUND_MAX, OUTBOUND_MAX, Streams
from gossipd.node.effects import OpenStream
from support.memory_network import MemoryMachine, MemoryNetwork

PEER = address_from_host("10.0.0.9", 5)


class Events:
    """Notes what happened; answers each received portion with ``reply`` and closes."""

    def __init__(self) -> None:
        self.noted: list[tuple[object, ...]] = []
        self.streams: Streams | None = None
        self.reply = b""
        self.first = trio.Event()

    def accepted(self, stream: int, source: Address) -> None:
        self.first.set()
        self.noted.append(("accepted", stream, source))

    def opened(self, stream: int) -> None:
        self.noted.append(("opened", stream))

    def received(self, stream: int, data: bytes) -> None:
        self.noted.append(("received", stream, data))
        if self.reply and self.streams is not None:
            self.streams.write(stream, self.reply)
            self.streams.close(stream)

    def ended(self, stream: int) -> None:
        self.noted.append(("ended", stream))

    def failed(self, stream: int, reason: str) -> None:
        self.noted.append(("failed", stream, reason))


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Streams, Events, MemoryMachine, MemoryNetwork]]:
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery)
        machine, events = network.machine("10.0.0.1"), Events()
        streams = Streams(machine.streams, events, close_timeout=10.0)
        events.streams = streams
        await nursery.start(streams.run)
        yield streams, events, machine, network
        nursery.cancel_scope.cancel()


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(data) async for data in stream])


async def test_an_accepted_stream_is_answered_whole_before_it_is_closed(
    autojump_clock: object,
) -> None:
    async with running() as (_, events, machine, _):
        events.reply = b"r" * 300_000
        peer = machine.streams.connect(PEER)
        await peer.send_all(b"question")
        assert await read_all(peer) == events.reply
        assert events.noted == [("accepted", -1, PEER), ("received", -1, b"question")]


async def test_streams_are_numbered_downwards_and_the_peers_end_is_told(
    autojump_clock: object,
) -> None:
    async with running() as (_, events, machine, _):
        for _ in range(2):
            await machine.streams.connect(PEER).send_eof()
        await trio.testing.wait_all_tasks_blocked()
        assert events.noted == [
            ("accepted", -1, PEER),
            ("accepted", -2, PEER),
            ("ended", -1),
            ("ended", -2),
        ]


async def test_a_dialled_stream_sends_its_first_bytes_when_connected(
    autojump_clock: object,
) -> None:
    async with running() as (streams, events, _, network):
        other = network.machine("10.0.0.2")
        assert streams.open(OpenStream(stream=1, to=other.bound, data=b"hello", timeout=5.0))
        inbound, _ = await other.streams.accept()
        assert await inbound.receive_some() == b"hello"
        await inbound.send_all(b"answer")
        await trio.testing.wait_all_tasks_blocked()
        streams.close(1)
        assert await inbound.receive_some() == b""
        assert events.noted == [("opened", 1), ("received", 1, b"answer")]


async def test_a_refused_dial_fails_with_the_systems_words(autojump_clock: object) -> None:
    async with running() as (streams, events, _, _):
        streams.open(OpenStream(stream=1, to=PEER, data=b"", timeout=5.0))
        await trio.sleep(1)
        reason = "dial tcp 10.0.0.9:5: connect: connection refused"
        assert events.noted == [("failed", 1, reason)]


async def test_a_dial_that_hangs_fails_at_its_timeout(autojump_clock: object) -> None:
    async with running() as (streams, events, _, network):
        network.silent.add(PEER)
        streams.open(OpenStream(stream=1, to=PEER, data=b"", timeout=5.0))
        await trio.sleep(4.9)
        assert events.noted == []
        await trio.sleep(0.2)
        assert events.noted == [("failed", 1, "dial tcp 10.0.0.9:5: i/o timeout after 5s")]


async def test_a_dial_that_the_node_gives_up_is_abandoned_without_a_word(
    autojump_clock: object,
) -> None:
    async with running() as (streams, events, _, network):
        network.silent.add(PEER)
        streams.open(OpenStream(stream=1, to=PEER, data=b"", timeout=5.0))
        await trio.testing.wait_all_tasks_blocked()
        streams.close(1)
        await trio.testing.wait_all_tasks_blocked()
        assert not streams._lines
        assert events.noted == []


async def test_a_broken_stream_is_told_once(autojump_clock: object) -> None:
    async with running() as (streams, events, machine, _):
        peer = machine.streams.connect(PEER)
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(peer, trio.StapledStream)
        await trio.aclose_forcefully(peer)
        await trio.testing.wait_all_tasks_blocked()
        streams.write(-1, b"into the void")
        await trio.testing.wait_all_tasks_blocked()
        told = [note[0] for note in events.noted]
        assert told == ["accepted", "ended", "failed"]
        assert not streams._lines


async def test_a_peer_that_never_reads_is_dropped_at_the_close_timeout(
    autojump_clock: object,
) -> None:
    async with running() as (streams, _, machine, _):
        peer = machine.streams.connect(PEER)
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(peer, trio.StapledStream)
        (line,) = streams._lines.values()
        streams.write(-1, b"x")
        streams.close(-1)
        # our end lingers for the peer's last words, but not for ever
        await trio.sleep(11)
        assert line.closing
        assert not streams._lines


async def test_too_many_inbound_streams_are_closed_unread(autojump_clock: object) -> None:
    async with running() as (streams, events, machine, _):
        for _ in range(INBOUND_MAX + 3):
            machine.streams.connect(PEER)
        await trio.testing.wait_all_tasks_blocked()
        assert len(events.noted) == INBOUND_MAX
        assert streams.lost["streams-refused"] == 3


async def test_too_many_outbound_streams_are_not_begun(autojump_clock: object) -> None:
    async with running() as (streams, _, _, network):
        network.silent.add(PEER)
        for number in range(OUTBOUND_MAX):
            assert streams.open(OpenStream(stream=number, to=PEER, data=b"", timeout=5.0))
        assert not streams.open(OpenStream(stream=999, to=PEER, data=b"", timeout=5.0))
        await trio.sleep(6)
        assert streams.open(OpenStream(stream=1000, to=PEER, data=b"", timeout=5.0))


async def test_accept_errors_back_off_from_five_milliseconds_to_one_second(
    autojump_clock: object,
) -> None:
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery)
        machine, events = network.machine("10.0.0.1"), Events()
        machine.streams.accept_errors = [OSError(errno.EMFILE, "full") for _ in range(10)]
        machine.streams.connect(PEER)
        streams = Streams(machine.streams, events, close_timeout=10.0)
        start = trio.current_time()
        await nursery.start(streams.run)
        await events.first.wait()
        waited = trio.current_time() - start
        # 5 + 10 + 20 + ... + 640 ms, then twice a second
        assert 3.27 <= waited <= 3.3
        nursery.cancel_scope.cancel()


async def test_cancelling_closes_every_stream(autojump_clock: object) -> None:
    async with running() as (_, _, machine, _):
        peer = machine.streams.connect(PEER)
        await trio.testing.wait_all_tasks_blocked()
    assert await read_all(peer) == b""
