"""What happens to the peers in the course of a day, and telling the truth of it.

Every step is drawn from one seeded stream. A node is killed or cut off only when all it has
told has had time to be heard: what is lost on the way is no matter of the API.
"""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Final

import trio

from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT
from support.day.cluster import Agent
from support.day.readings import NAMES, TAGS, ZONES
from support.day.records import OF_PEERS, Check, Host, Record
from support.day.truth import NEWS, Truth

OUT_MAX: Final = 2
"""Nodes that are down or cut off at a time: with one instance of a service each, too few for
the guard against mass loss to keep the dead passing."""
NEVER: Final = 30 * 86400.0
"""The TTL of checks that nobody lets run out."""
WEIGHTS: Final = {
    "turn": 40, "register": 14, "edit": 14, "deregister": 8, "maintain": 8, "retag": 2,
    "kill": 4, "cut_off": 4, "leave": 2,
}  # fmt: skip
STATUSES: Final = ("passing", "passing", "warning", "critical")


class Workload:
    """Does things to peers.

    Args:
        gap: mean seconds between two events.
    """

    def __init__(
        self, peers: list[Agent], truth: Truth, random: Random, gap: float, nursery: trio.Nursery
    ) -> None:
        self._peers = peers
        self._truth = truth
        self._random = random
        self._gap = gap
        self._nursery = nursery
        self._out: set[str] = set()
        self._told_at: dict[str, float] = {}
        self._turns = 0
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        """Go on until cancelled."""
        random = self._random
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        while True:
            await trio.sleep(random.expovariate(1 / self._gap))
            (kind,) = random.choices(kinds, weights)
            peer = random.choice(self._peers)
            if peer.name not in self._out:
                await self._do(kind, peer)

    async def _do(self, kind: str, peer: Agent) -> None:
        match kind:
            case "kill" | "cut_off" | "leave":
                if not self._may_go(peer.name):
                    return
                self._out.add(peer.name)
                self._nursery.start_soon(getattr(self, f"_{kind}"), peer)
            case "retag":
                await self._retag(peer)
            case "register":
                self._register(peer, self._random.choice(NAMES))
            case _:
                own = self._truth.of_node(peer.name)
                if not own:
                    return
                getattr(self, f"_{kind}")(peer, own[self._random.choice(sorted(own))])
        self.done[kind] += 1

    def _may_go(self, name: str) -> bool:
        now = trio.current_time()
        is_heard = now - self._told_at.get(name, -math.inf) > NEWS
        return is_heard and self._truth.is_settled(name, now) and len(self._out) < OUT_MAX

    def _tell(self, peer: Agent, record: Record) -> None:
        now = self._told_at[peer.name] = trio.current_time()
        self._truth.record(peer.name, record, now)

    # -- services -----------------------------------------------------------------

    def _register(self, peer: Agent, name: str) -> None:
        id = f"{name}-1"
        if self._truth.current((peer.name, id)) is None:
            checks = (Check(f"{id}{OF_PEERS}", "answers", "passing", ""),)
            self._put(peer, self._drawn(Record(id, name, 0, checks=checks)))

    def _drawn(self, record: Record) -> Record:
        random = self._random
        return Record(
            id=record.id,
            name=record.name,
            port=random.randrange(1, 65536),
            address=random.choice(("", "", "192.0.2.7")),
            tags=tuple(random.sample(TAGS, random.randrange(3))),
            meta=(("zone", random.choice(ZONES)),),
            checks=record.checks,
            maintenance=record.maintenance,
        )

    def _put(self, peer: Agent, record: Record) -> None:
        checks = tuple(
            CheckDefinition(id=one.id, name=one.name, ttl=NEVER, status="passing")
            for one in record.checks
        )
        service = Service(
            id=record.id,
            name=record.name,
            port=record.port,
            address=record.address,
            tags=record.tags,
            meta=dict(record.meta),
            checks=checks,
        )
        peer.node.register_service(service, FROM_CLIENT)
        self._tell(peer, record)

    def _edit(self, peer: Agent, record: Record) -> None:
        self._put(peer, self._drawn(record))

    def _turn(self, peer: Agent, record: Record) -> None:
        self._turns += 1
        status, output = self._random.choice(STATUSES), f"turn {self._turns}"
        (check,) = record.checks
        if status == check.status:
            return  # an output alone is told when there is time
        peer.node.report_check(check.id, status, output)
        turned = Check(check.id, check.name, status, output)
        self._tell(peer, _with(record, checks=(turned,)))

    def _maintain(self, peer: Agent, record: Record) -> None:
        reason = "" if record.maintenance else f"upgrade {self._random.randrange(100)}"
        peer.node.set_maintenance(record.id, reason or None)
        self._tell(peer, _with(record, maintenance=reason))

    def _deregister(self, peer: Agent, record: Record) -> None:
        peer.node.deregister_service(record.id)
        now = self._told_at[peer.name] = trio.current_time()
        self._truth.no_record(peer.name, record.id, now)

    # -- nodes --------------------------------------------------------------------

    async def _retag(self, peer: Agent) -> None:
        zone = self._random.choice(ZONES)
        peer.host = Host(peer.name, peer.host.address, (("zone", zone),))
        now = self._told_at[peer.name] = trio.current_time()
        self._truth.node_tells(peer.host, now)
        await peer.node.set_tags({"zone": zone}, ())

    async def _kill(self, peer: Agent) -> None:
        await peer.kill()
        self._truth.node_silent(peer.name, trio.current_time())
        await self._come_back(peer)

    async def _leave(self, peer: Agent) -> None:
        self._truth.node_leaves(peer.name, trio.current_time())
        await peer.leave()
        await self._come_back(peer)

    async def _come_back(self, peer: Agent) -> None:
        """Begin a new life after a second to half an hour, with most of its services."""
        random, truth = self._random, self._truth
        had = truth.of_node(peer.name)
        await trio.sleep(math.exp(random.uniform(0.0, 7.5)))
        await peer.start(self._nursery)
        truth.node_up(peer.host, trio.current_time())
        await trio.sleep(random.uniform(0.0, 20.0))
        for record in had.values():
            if random.random() < 0.8:
                checks = tuple(Check(one.id, one.name, "passing", "") for one in record.checks)
                self._put(peer, _with(record, checks=checks, maintenance=""))
        self._out.discard(peer.name)

    async def _cut_off(self, peer: Agent) -> None:
        """Freeze it for a second to half an hour."""
        peer.cut_off()
        self._truth.node_silent(peer.name, trio.current_time())
        await trio.sleep(math.exp(self._random.uniform(0.0, 7.5)))
        peer.let_go_on()
        self._truth.node_back(peer.name, trio.current_time())
        await trio.sleep(NEWS)
        self._out.discard(peer.name)


def _with(
    record: Record, checks: tuple[Check, ...] | None = None, maintenance: str | None = None
) -> Record:
    return Record(
        id=record.id,
        name=record.name,
        port=record.port,
        address=record.address,
        tags=record.tags,
        meta=record.meta,
        checks=record.checks if checks is None else checks,
        maintenance=record.maintenance if maintenance is None else maintenance,
    )
