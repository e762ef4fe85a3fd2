"""Honest clients of the HTTP face and of DNS: each a task that asks, waits and is content.

They keep their connections as long as they are let; when the agent begins anew they connect
again. Whatever else ends a connection of theirs is a fault.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import trio

from support.day.cluster import Agent
from support.day.oracle import Oracle, Wrong
from support.day.parsing import events, grown, srv
from support.day.readings import NAMES, TAGS, ZONES, Reading, Readings
from support.day.records import Check, Record
from support.day.truth import Truth
from support.day.wire import Answer, Ended, Wire, Wires, target_of

LAG: Final = 2.0
"""Seconds that a stream may be behind."""
AWAY: Final = 1.0
"""Seconds until a client tries again when nobody listens."""
Talk = Callable[["Wire"], Awaitable[None]]


class Clients:
    """What the clients of a day share.

    Args:
        eyes: the agent that all of them ask.
        pace: mean seconds between two requests of a client.
    """

    def __init__(
        self,
        wires: Wires,
        eyes: Agent,
        truth: Truth,
        oracle: Oracle,
        readings: Readings,
        random: Random,
        pace: float,
    ) -> None:
        self.wires = wires
        self.eyes = eyes
        self.truth = truth
        self.oracle = oracle
        self.readings = readings
        self._random = random
        self._pace = pace

    def stream(self) -> Random:
        """Return a stream of chance for one client."""
        return Random(self._random.getrandbits(64))

    async def pause(self, random: Random) -> None:
        """Wait for a while, but not so long that the server gives the connection up."""
        await trio.sleep(random.uniform(0.0, min(2 * self._pace, 290.0)))

    async def stay(self, talk: Talk) -> None:
        """Have ``talk`` over one connection for ever, over a new one when the agent is new."""
        while True:
            async with self.connected() as wire:
                lives = self.eyes.lives
                try:
                    await talk(wire)
                except Ended:
                    if self.eyes.is_in(lives):
                        raise Wrong(
                            "the agent hung up on a client that keeps to the rules"
                        ) from None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Wire]:
        """Connect, as soon as somebody listens."""
        while True:
            try:
                wire = await self.wires.connect()
                break
            except OSError:
                if self.eyes.is_up:
                    raise Wrong("nobody listens, though the agent is up") from None
                await trio.sleep(AWAY)
        async with wire:
            yield wire

    def judged(self, kind: str, answer: Answer, status: int = 200) -> Any:
        """Return the JSON of an answer of that status."""
        if answer.status != status:
            raise Wrong(f"{answer.target}: {answer.status} {answer.body[:200]!r}, not {status}")
        self.oracle.judged[kind] += 1
        return answer.json() if status == 200 and answer.body else None

    # -- reads ----------------------------------------------------------------------

    async def poll(self) -> None:
        """Ask for something else each time, answered at once."""
        random = self.stream()

        async def talk(wire: Wire) -> None:
            while True:
                await self.pause(random)
                reading = self.readings.any_of(random)
                newest = self.oracle.newest(reading.target)
                answer = await wire.ask(reading.target)
                told = self.judged("read", answer)
                self.oracle.index(answer, newest)
                _judge(reading, answer, told, answer.asked_at)
                if answer.at > answer.asked_at + LAG:
                    raise Wrong(f"{reading.target} took {answer.at - answer.asked_at:.1f} s")

        await self.stay(talk)

    async def block(self) -> None:
        """Follow one question for some time by its index, then another one."""
        random = self.stream()

        async def talk(wire: Wire) -> None:
            while True:
                await self.pause(random)
                reading = self.readings.any_of(random)
                index, since, before = 0, 0.0, None
                for turn in range(random.randrange(2, 12)):
                    if turn and random.random() < 0.3:
                        await self.pause(random)  # and come back with an old index
                    wait = math.exp(random.uniform(math.log(5), math.log(600)))
                    wait = float(f"{wait:.3g}")
                    target = reading.held_by(index, wait) if index else reading.target
                    answer = await wire.ask(target, waits=True)
                    told = self.judged("held" if index else "read", answer)
                    self.oracle.index(answer, index)
                    _judge(reading, answer, told, answer.at)
                    if index:
                        self.oracle.held(
                            answer, wait=wait, index=index, since=since, before=before,
                            topics=reading.topics, judge=reading.judge,
                        )  # fmt: skip
                    index, since, before = answer.index, answer.at, told

        await self.stay(talk)

    async def block_by_hash(self) -> None:
        """Follow one service of the agent by the digest of its definition."""
        random = self.stream()

        async def talk(wire: Wire) -> None:
            known: dict[str, Any] = {}
            while True:
                await self.pause(random)
                id = f"own-{random.randrange(3)}"
                digest, before = known.get(id, ("", None))
                wait = random.choice((10, 60, 300))
                path = f"/v1/agent/service/{id}"
                query = {"hash": digest, "wait": f"{wait}s"} if digest else {}
                answer = await wire.ask(target_of(path, **query), waits=True)
                known[id] = self._judge_own(answer, id, digest, before, wait)

        await self.stay(talk)

    def _judge_own(self, answer: Answer, id: str, digest: str, before: Any, wait: float) -> Any:
        took = answer.at - answer.asked_at
        if answer.status == 404:
            self.judged("hash", answer, 404)
            self.oracle.own_one(id, None, answer.at)
            return "", None
        told = self.judged("hash", answer)
        now = answer.headers["x-consul-contenthash"]
        if told.pop("ContentHash") != now:
            raise Wrong(f"{answer.target}: another hash in the body than in the header")
        self.oracle.own_one(id, told, answer.at)
        plain = {name: value for name, value in told.items() if not name.endswith("Index")}
        if digest and (now == digest) != (plain == before):
            raise Wrong(f"{answer.target}: hash {digest} then {now}, of {before} and {plain}")
        if digest and now == digest and not wait <= took <= wait * 17 / 16 + LAG:
            raise Wrong(f"{answer.target}: answered after {took:.1f} s of {wait}, no news")
        if took > wait * 17 / 16 + LAG:
            raise Wrong(f"{answer.target}: held {took:.1f} s of {wait}")
        return now, plain

    # -- writes ---------------------------------------------------------------------

    async def write(self, number: int) -> None:
        """Register a service with the agent, say how it is, take it out and back."""
        random, id = self.stream(), f"own-{number}"
        key = self.eyes.name, id

        async def talk(wire: Wire) -> None:
            while True:
                await self.pause(random)
                now = self.truth.current(key)
                if now is None or random.random() < 0.2:
                    await self._register(wire, random, id, now)
                    continue
                match random.randrange(6):
                    case 0:
                        self.truth.expect(self.eyes.name, id, None, trio.current_time())
                        await self._put(wire, f"/v1/agent/service/deregister/{id}")
                        self.truth.no_record(self.eyes.name, id, trio.current_time())
                    case 1:
                        await self._maintain(wire, random, now)
                    case _:
                        await self._say(wire, random, now)
                await self._read_back(wire)

        await self.stay(talk)

    async def _put(self, wire: Wire, target: str, body: object = None) -> None:
        answer = await wire.ask(target, "PUT", body)
        self.judged("write", answer)
        if answer.body:
            raise Wrong(f"{target}: a body {answer.body!r}")

    async def _register(self, wire: Wire, random: Random, id: str, known: Record | None) -> None:
        check = Check(f"service:{id}", "Service 'web' check", "passing", "")
        name = "web"
        record = Record(
            id, name, random.randrange(1, 65536),
            tags=tuple(random.sample(TAGS, random.randrange(3))),
            meta=(("zone", random.choice(ZONES)),),
            checks=(check,) if known is None else known.checks,
            maintenance="" if known is None else known.maintenance,
        )  # fmt: skip
        body = {
            "ID": id, "name": name, "Port": record.port, "Tags": list(record.tags),
            "Meta": dict(record.meta), "Check": {"TTL": "720h", "Status": "passing"},
        }  # fmt: skip
        self.truth.expect(self.eyes.name, id, record, trio.current_time())
        await self._put(wire, "/v1/agent/service/register", body)
        self.truth.record(self.eyes.name, record, trio.current_time())

    async def _say(self, wire: Wire, random: Random, record: Record) -> None:
        (check,) = record.checks
        verb, status = random.choice(
            (("pass", "passing"), ("warn", "warning"), ("fail", "critical"))
        )
        # an output alone is told when there is time, and wakes nobody
        note = check.output if status == check.status else f"said {random.randrange(1000)}"
        said = Check(check.id, check.name, status, note)
        target = target_of(f"/v1/agent/check/{verb}/{check.id}", note=note)
        await self._change(wire, target, record, (said,), record.maintenance)

    async def _maintain(self, wire: Wire, random: Random, record: Record) -> None:
        reason = "" if record.maintenance else f"upgrade {random.randrange(100)}"
        query = {"enable": "true", "reason": reason} if reason else {"enable": "False"}
        target = target_of(f"/v1/agent/service/maintenance/{record.id}", **query)
        await self._change(wire, target, record, record.checks, reason)

    async def _change(
        self, wire: Wire, target: str, record: Record, checks: tuple[Check, ...], maintenance: str
    ) -> None:
        changed = Record(
            record.id, record.name, record.port, record.address, record.tags, record.meta,
            checks, maintenance,
        )  # fmt: skip
        self.truth.expect(self.eyes.name, record.id, changed, trio.current_time())
        await self._put(wire, target)
        self.truth.record(self.eyes.name, changed, trio.current_time())

    async def _read_back(self, wire: Wire) -> None:
        """What was written is read, by whoever asks next."""
        answer = await wire.ask("/v1/agent/services")
        self.oracle.own(self.judged("own", answer), answer.at, answer.at)

    # -- our own words, metrics, DNS ---------------------------------------------------

    async def monitor(self) -> None:
        """Scrape metrics and look at the whole state."""
        random = self.stream()

        async def talk(wire: Wire) -> None:
            counters: dict[str, float] = {}
            while True:
                await self.pause(random)
                answer = await wire.ask("/metrics")
                told = answer.body.decode()
                if answer.status != 200 or not told:
                    raise Wrong(f"/metrics: {answer.status}")
                self.oracle.judged["metrics"] += 1
                counters = grown(counters, told)
                answer = await wire.ask("/v1/gossipd/state")
                state = self.judged("state", answer)
                self.oracle.members(state["members"], answer.asked_at, answer.at)
                self.oracle.rows(state["services"], answer.asked_at, answer.at)

        await self.stay(talk)

    async def follow(self) -> None:
        """Read the stream of what happens for some minutes, now and then."""
        random = self.stream()
        while True:
            await trio.sleep(random.expovariate(1 / (40 * self._pace)))
            async with self.connected() as wire:
                lives = self.eyes.lives
                with trio.move_on_after(random.uniform(5.0, 300.0)):
                    try:
                        await self._read_stream(wire)
                    except Ended:
                        if self.eyes.is_in(lives):
                            raise Wrong("the agent ended a stream that was read") from None

    async def _read_stream(self, wire: Wire) -> None:
        await wire.send(b"GET /v1/gossipd/events?state HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.wires.requests += 1
        wire.is_streaming = True
        status, headers = await wire.head()
        if status != 200 or headers["content-type"] != "text/event-stream":
            raise Wrong(f"/v1/gossipd/events: {status} {headers}")
        members: dict[str, Any] = {}
        services: dict[str, Any] = {}
        number = 0
        while True:
            piece = await wire.chunk()
            self.oracle.judged["event"] += 1
            for kind, id, told in events(piece):
                if kind == "state":
                    members = {row["name"]: row for row in told["members"]}
                    services = {row["name"]: row for row in told["services"]}
                elif kind in ("member", "service"):
                    rows = members if kind == "member" else services
                    rows[told["name"]] = told
                    if told.get("gone"):
                        del rows[told["name"]]
                elif kind == "lost":
                    raise Wrong("a reader who keeps up lost events")
                elif kind == "happened":
                    newest = int(id.rpartition("-")[2])
                    if newest <= number:
                        raise Wrong(f"event {newest} after {number}")
                    number = newest
            now = trio.current_time()
            self.oracle.members(members.values(), now - LAG, now)
            self.oracle.rows(services.values(), now - LAG, now)

    async def resolve(self) -> None:
        """Ask DNS where services answer."""
        random = self.stream()
        while True:
            await self.pause(random)
            machine = self.eyes.machine
            if not self.eyes.is_up or machine is None or machine.dns is None:
                continue
            lives, name = self.eyes.lives, random.choice(NAMES)
            try:
                stream = await machine.dns.connect()
            except trio.BrokenResourceError:
                continue
            try:
                for _ in range(random.randrange(1, 4)):
                    begin = trio.current_time()
                    told = await srv(stream, f"{name}.service.consul.")
                    self.oracle.judged["dns"] += 1
                    if begin >= self.truth.blind_until:
                        self.oracle.usable(name, told, begin, trio.current_time())
            except Ended:
                if self.eyes.is_in(lives):
                    raise Wrong("DNS hung up") from None
            finally:
                await trio.aclose_forcefully(stream)


def _judge(reading: Reading, answer: Answer, told: Any, begin: float) -> None:
    try:
        reading.judge(told, begin, answer.at)
    except Wrong as wrong:
        raise Wrong(f"{answer.target}: {wrong}") from None
