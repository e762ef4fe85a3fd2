"""Clients that break off, send nonsense, read too slowly or never: none may cost anything."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Final

import trio

from support.day.clients import Clients
from support.day.oracle import Wrong
from support.day.records import Check, Record
from support.day.wire import Ended, Wire, request

GARBAGE: Final = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    b"GET /v1/catalog/nodes HTTP/1.1\r\n\r\n",  # no host
    b"PUT /v1/agent/service/register HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\n\r\n\x00\x01",
    b"PUT /v1/agent/leave HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 20_000,
)
REFUSED: Final = (
    ("GET", "/v1/kv/a", 501),
    ("GET", "/v1/nowhere", 404),
    ("DELETE", "/v1/catalog/nodes", 405),
    ("GET", "/v1/health/service/web?wait=10&index=1", 400),
    ("GET", "/v1/health/service/web?index=-1", 400),
    ("GET", "/v1/health/service/web?filter=Nonsense", 400),
    ("GET", "/v1/health/service/web?dc=elsewhere", 500),
    ("GET", "/v1/health/state/unwell", 400),
    ("PUT", "/v1/agent/check/pass/nobody", 404),
    ("PUT", "/v1/agent/service/deregister/nobody", 404),
    ("PUT", "/v1/agent/service/register", 400),
)
HEAVY: Final = request("/v1/gossipd/state?instances=all")


class Rude:
    """Clients without manners, each deed over a connection of its own.

    Attributes:
        done: deeds by kind.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        """Go on until cancelled."""
        random = self._clients.stream()
        deeds = (
            self.half_a_head, self.half_a_body, self.never_ends, self.held, self.held, self.held,
            self.pipelines, self.unread, self.stream, self.garbage, self.refused, self.wrote,
        )  # fmt: skip
        while True:
            await self._clients.pause(random)
            deed = random.choice(deeds)
            async with self._clients.connected() as wire:
                lives = self._clients.eyes.lives
                try:
                    await deed(wire, random)
                except Ended:
                    is_same = self._clients.eyes.is_in(lives)
                    if is_same and deed in (self.held, self.stream, self.refused, self.wrote):
                        raise Wrong(f"the agent hung up: {deed.__name__}") from None
            self.done[deed.__name__] += 1

    async def half_a_head(self, wire: Wire, random: Random) -> None:
        """Hang up within the head."""
        raw = request("/v1/catalog/nodes")
        await wire.send(raw[: random.randrange(1, len(raw))])
        await trio.sleep(random.uniform(0.0, 3.0))

    async def half_a_body(self, wire: Wire, random: Random) -> None:
        """Hang up within the body; nothing of it may be done."""
        raw = request("/v1/agent/service/register", "PUT", {"Name": "never", "Port": 1})
        await wire.send(raw[: -random.randrange(1, 20)])
        await trio.sleep(random.uniform(0.0, 3.0))

    async def never_ends(self, wire: Wire, random: Random) -> None:
        """Begin a request and say no more: the server is to say so, and hang up."""
        raw = request("/v1/agent/service/register", "PUT", {"Name": "never", "Port": 1})
        await wire.send(raw[: -random.randrange(1, len(raw) - 1)])
        began = trio.current_time()
        told = await wire.until_closed()
        if not self._clients.eyes.is_up or b"HTTP/1.1 408 " in told:
            return
        if told or trio.current_time() - began > 15.0:
            raise Wrong(f"half a request was answered with {told[:200]!r}")

    async def held(self, wire: Wire, random: Random) -> None:
        """Hang up while the request is held."""
        reading = self._clients.readings.any_of(random)
        answer = await wire.ask(reading.target)
        await wire.send(request(reading.held_by(answer.index, 600.0)))
        wire.is_waiting = True
        with trio.move_on_after(random.choice((0.0, 1.0, 60.0, 400.0))):
            await wire.head()

    async def pipelines(self, wire: Wire, random: Random) -> None:
        """Ask many things at once, and hang up while they are answered."""
        await wire.send(request("/v1/health/service/web") * random.randrange(2, 100))
        if random.random() < 0.5:
            await wire.head()

    async def unread(self, wire: Wire, random: Random) -> None:
        """Ask for much and read nothing, until the server has had enough."""
        wire.is_deaf = True
        with trio.move_on_after(5.0):
            await wire.send(HEAVY * 200)
        await trio.sleep(random.choice((1.0, 20.0, 100.0)))

    async def stream(self, wire: Wire, random: Random) -> None:
        """Hang up on a stream of events."""
        wire.is_streaming = True
        await wire.send(request("/v1/gossipd/events" + random.choice(("", "?state"))))
        with trio.move_on_after(random.choice((0.0, 0.01, 7.0, 60.0))):
            while True:
                await wire.more()

    async def garbage(self, wire: Wire, random: Random) -> None:
        """Send what is no request; it is refused, and the connection ended."""
        await wire.send(random.choice(GARBAGE))
        told = await wire.until_closed()
        if self._clients.eyes.is_up and not told.startswith(b"HTTP/1.1 4"):
            raise Wrong(f"garbage was answered with {told[:200]!r}")

    async def refused(self, wire: Wire, random: Random) -> None:
        """Ask for what is not there."""
        for method, target, status in random.sample(REFUSED, 3):
            answer = await wire.ask(target, method, {} if method == "PUT" else None)
            self._clients.judged("refused", answer, status)
            if len(answer.body) >= 100 or not answer.headers["content-type"].startswith("text/"):
                raise Wrong(f"{method} {target}: {answer.headers} {answer.body!r}")

    async def wrote(self, wire: Wire, random: Random) -> None:
        """Hang up without reading what came of a write: it is done all the same."""
        id, port = "own-rude", random.randrange(1, 65536)
        check = {"TTL": "720h", "Status": "passing"}
        body = {"ID": id, "Name": "web", "Port": port, "Check": check}
        await wire.send(request("/v1/agent/service/register", "PUT", body))
        seen = Check(f"service:{id}", "Service 'web' check", "passing", "")
        truth = self._clients.truth
        truth.record(truth.eyes, Record(id, "web", port, checks=(seen,)), trio.current_time())
