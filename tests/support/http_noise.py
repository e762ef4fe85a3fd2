"""Random requests over many connections at a time: pipelined, spoiled, dripping, given up.

Against a face in this process or a real daemon, ``make bench-http`` sends a hundred thousand.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from random import Random

import trio

from gossipd.config.faces import HttpConfig
from gossipd.rest.table import all_routes
from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.values import Route
from support.http_desk import vector_handle
from support.http_face import Face
from support.http_fuzz import Fuzzer, Report, count, judge

Connect = Callable[[], Awaitable[trio.socket.SocketType]]
END_SECONDS = 60.0
"""Whatever a client sent, and then ended its side: after this time it is over."""
SETTLED_SECONDS = 60.0
INDEX_EVERY = 50
GONE = (BrokenPipeError, ConnectionResetError)
_INDEX = re.compile(rb"X-Consul-Index: (\d+)")
WEB = b"GET /v1/health/service/web HTTP/1.1\r\nHost: a\r\n\r\n"


class Noise:
    """Clients that send whatever comes to them.

    Args:
        connect: returns a new connection.
        routes: what they ask for, more or less.
        report: what became of it.
        patience: seconds for which a client that stopped halfway looks for an answer.
    """

    def __init__(
        self, connect: Connect, routes: tuple[Route, ...], report: Report, patience: float
    ) -> None:
        self._connect = connect
        self._routes = routes
        self._report = report
        self._patience = patience
        self._index = 1
        self._ways: tuple[tuple[int, str, Callable[[Fuzzer, Random], Awaitable[int]]], ...] = (
            (60, "pipelined or spoiled", self._ask),
            (10, "garbage", self._send_garbage),
            (10, "in chunks", self._send_chunks),
            (8, "held", self._wait),
            (6, "slow", self._drip),
            (3, "stopped halfway", self._stop),
            (3, "reset", self._reset),
        )

    async def send(self, seed: int, count: int, connections: int) -> None:
        """Send at least ``count`` requests; the same seed sends the same ones."""
        async with trio.open_nursery() as nursery:
            for number in range(connections):
                nursery.start_soon(self._work, f"{seed}/{number}", count // connections + 1)

    async def _work(self, seed: str, count: int) -> None:
        draw = Random(seed)
        fuzzer = Fuzzer(draw.getrandbits(64), self._routes)
        weights = [weight for weight, _, _ in self._ways]
        sent = turns = 0
        while sent < count:
            if turns % INDEX_EVERY == 0:
                await self._look()
            turns += 1
            ((_, name, way),) = draw.choices(self._ways, weights)
            requests = await way(fuzzer, draw)
            sent += requests
            self._report.sent += requests
            self._report.kinds[name] += requests

    async def _look(self) -> None:
        """Ask as everybody does; the index is what those are held with that wait."""
        found = _INDEX.search(await self._talk([WEB]))
        if found is None:
            self._report.failures.append("no answer to a client like any other")
        else:
            self._index = int(found[1])

    # -- ways to send -------------------------------------------------------------

    async def _ask(self, fuzzer: Fuzzer, draw: Random) -> int:
        raw = fuzzer.requests()
        judge(raw, await self._talk([raw]), self._report)
        return max(1, raw.count(b" HTTP/1."))

    async def _send_garbage(self, fuzzer: Fuzzer, draw: Random) -> int:
        raw = fuzzer.garbage()
        judge(raw, await self._talk([raw]), self._report)
        return 1

    async def _send_chunks(self, fuzzer: Fuzzer, draw: Random) -> int:
        raw = fuzzer.chunked()
        judge(raw, await self._talk([raw]), self._report)
        return 1

    async def _drip(self, fuzzer: Fuzzer, draw: Random) -> int:
        raw = fuzzer.requests()[:2000]
        size = max(1, len(raw) // draw.choice((2, 5, 20)))
        portions = [raw[at : at + size] for at in range(0, len(raw), size)]
        judge(raw, await self._talk(portions, pause=draw.choice((0.001, 0.01))), self._report)
        return max(1, raw.count(b" HTTP/1."))

    async def _wait(self, fuzzer: Fuzzer, draw: Random) -> int:
        """Be held, and go away after a moment."""
        raw = fuzzer.waiting(self._index)
        seconds = draw.choice((0.0, 0.02, 0.1))
        count(await self._talk([raw], stays=seconds), self._report)
        return 1

    async def _stop(self, fuzzer: Fuzzer, draw: Random) -> int:
        raw = draw.choice((fuzzer.requests, fuzzer.chunked))()
        raw = raw[: draw.randrange(len(raw) + 1)] or b"G"
        count(await self._talk([raw], stays=self._patience), self._report)
        return 1

    async def _reset(self, fuzzer: Fuzzer, draw: Random) -> int:
        raw = draw.choice((fuzzer.requests(), fuzzer.waiting(self._index), WEB * 100))
        client = await self._connect()
        with contextlib.suppress(*GONE):
            await client.send(raw)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        return 1

    # -- connections --------------------------------------------------------------

    async def _talk(
        self, portions: list[bytes], *, pause: float = 0.0, stays: float | None = None
    ) -> bytes:
        """Return all that comes; who ``stays`` does not end its side, but hang up in the end."""
        client = await self._connect()
        received = bytearray()
        try:
            with trio.move_on_after(END_SECONDS) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_read, client, received, nursery.cancel_scope)
                    for portion in portions:
                        await _send(client, portion)
                        if pause:
                            await trio.sleep(pause)
                    if stays is None:
                        with contextlib.suppress(OSError):
                            client.shutdown(socket.SHUT_WR)
                    else:
                        await trio.sleep(stays)
                        nursery.cancel_scope.cancel()
            if scope.cancelled_caught:
                self._report.failures.append(f"no end after {b''.join(portions)[:2000]!r}")
        finally:
            client.close()
        return bytes(received)


async def _read(
    client: trio.socket.SocketType, received: bytearray, talk: trio.CancelScope
) -> None:
    with contextlib.suppress(*GONE):
        while portion := await client.recv(65536):
            received += portion
    talk.cancel()


async def _send(client: trio.socket.SocketType, raw: bytes) -> None:
    with contextlib.suppress(*GONE):
        while raw:
            raw = raw[await client.send(raw) :]


async def fuzz(seed: int, count: int, connections: int = 8) -> Report:
    """Send at least ``count`` random requests to a face in this process; the clock must jump."""
    routes = all_routes(HttpConfig())
    report = Report()
    async with trio.open_nursery() as nursery:
        face = Face(nursery, routes, HttpLimits(), HttpConfig(), vector_handle())
        face.start()

        async def connect() -> trio.socket.SocketType:
            face.handle.calls.clear()
            face.clients.clear()
            return face.connect().socket

        await Noise(connect, routes, report, patience=30.0).send(seed, count, connections)
        await trio.sleep(SETTLED_SECONDS)
        if face.service.connections:
            report.failures.append(f"{face.service.connections} connections are still served")
        if face.service.bodies.held:
            report.failures.append(f"{face.service.bodies.held} bytes of bodies are still held")
        if face.counted("waits.begun") != face.counted("waits.ended"):
            report.failures.append("somebody who is gone still waits")
        report.failures += [line for level, line in face.lines if level == "ERR"]
        nursery.cancel_scope.cancel()
    return report
