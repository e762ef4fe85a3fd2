"""How news reaches everybody: the catalog's own transmit-limited queue, eager and by ticks.

As claims are gossiped (gossip.md, section 11), but to gossipd nodes only, so in
packets of its own. A change is encoded once. News goes out at once to a few
peers, who do the same, so a hop costs the network's latency; a budget bounds how
often that may run ahead of the ticks (``swim/haste.py``).
"""

from __future__ import annotations

from random import Random

from gossipd.catalog.effects import CatalogEffect, TellPeer
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.owners import Owners
from gossipd.catalog.timers import CatalogTimer, SpreadTick
from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim.dissemination import BroadcastQueue
from gossipd.swim.haste import Haste
from gossipd.swim.scaling import retransmit_limit
from gossipd.timers import Timers
from gossipd.wire.catalog_messages import News

PART_OVERHEAD = 3
"""Bytes that a message costs inside a packet: its length, and the type of user messages."""
PACKETS_MAX = 4
"""To one peer at once."""
TIMES_MIN = 10
"""A message is sent so often by each node, less only among few. Up to nine members memberlist's
four would leave out one node in a hundred, until the next push/pull."""
QUEUE_MAX = 2048
"""Messages that wait; the most transmitted are dropped above it, repair brings them."""
BYTES_NEWS = "catalog-bytes-news"
"""Counted: bytes of what was gossiped."""


class Spreading:
    """The queue of one node.

    Args:
        config: interval, fanout and retransmits are those of gossip.
        owners: whom it can tell.
        packet_bytes: what fits into one packet.
    """

    __slots__ = (
        "_config", "_haste", "_is_armed", "_is_blocked", "_is_new", "_is_wanted", "_origin",
        "_outbox", "_owners", "_packet_bytes", "_queue", "_random", "_timers",
    )  # fmt: skip

    def __init__(
        self,
        config: SwimConfig,
        owners: Owners,
        random: Random,
        timers: Timers[CatalogTimer],
        outbox: Outbox[CatalogEffect, CatalogEvent],
        packet_bytes: int,
    ) -> None:
        self._config = config
        self._owners = owners
        self._random = random
        self._timers = timers
        self._outbox = outbox
        self._packet_bytes = packet_bytes
        self._queue = BroadcastQueue()
        self._haste = Haste(config.gossip_interval)
        self._origin = random.random() * config.gossip_interval
        self._is_armed = False
        self._is_blocked = False
        self._is_new = False
        self._is_wanted = False

    @property
    def depth(self) -> int:
        """Messages that wait."""
        return self._queue.length

    def fits(self, payload: bytes) -> bool:
        """Say whether ``payload`` can be gossiped at all."""
        return len(payload) + PART_OVERHEAD <= self._packet_bytes

    def tell(self, payload: bytes, name: str) -> None:
        """Queue ``payload``, in the place of what waits under ``name``; see ``flush``."""
        self._queue.enqueue(payload, name)
        if self._queue.length > QUEUE_MAX:
            self._queue.prune(QUEUE_MAX)
        self._is_new = True

    def may_hurry(self, now: float) -> bool:
        """Say whether what is new may go out now, and count that it does; or have a tick come."""
        if not self._owners.peers:
            return False
        if self._config.eager_gossip and not self._is_blocked and self._haste.take(now):
            return True
        self._is_wanted = True
        self.arm(now)
        return False

    def flush(self, now: float, *, may_hurry: bool = False) -> None:
        """Send what is new at once, if that was not done too often; the rest at ticks."""
        if not self._is_new or not self._owners.peers:
            return
        self._is_new = False
        if may_hurry or self.may_hurry(now):
            self._send()
        self.arm(now)

    def on_tick(self, now: float) -> None:
        """Tell a few peers what waits."""
        self._is_armed = self._is_wanted = self._is_new = False
        if not self._is_blocked:
            self._send()
            self.arm(now)

    def arm(self, now: float) -> None:
        """Make sure that a tick comes while anything waits and there is somebody to tell."""
        if self._is_armed or self._is_blocked or not self._owners.peers:
            return
        if not (self._queue.length or self._is_wanted):
            return
        interval = self._config.gossip_interval
        ticks = int((now - self._origin) / interval) + 1
        due = self._origin + ticks * interval
        self._timers.set(due if due > now else due + interval, SpreadTick())
        self._is_armed = True

    def sending_blocked(self) -> None:
        """Send nothing until further notice."""
        self._is_blocked = True

    def sending_unblocked(self, now: float) -> None:
        """Go on with what waits."""
        self._is_blocked = False
        self.arm(now)

    def _send(self) -> None:
        config, queue = self._config, self._queue
        peers = self._owners.peers
        times = max(retransmit_limit(config.retransmit_mult, peers + 1), min(TIMES_MIN, 2 * peers))
        for peer in self._owners.choose(max(1, config.gossip_nodes), self._random):
            payloads = queue.take(PACKETS_MAX * self._packet_bytes, PART_OVERHEAD, times)
            if not payloads:
                return
            self._outbox.ledger.count(BYTES_NEWS, sum(map(len, payloads)))
            self._outbox.effects.append(TellPeer(peer.address, tuple(payloads)))


def queue_name(news: News) -> str:
    """Return under which name news waits: what it replaces has the same."""
    record = news.record
    part = "d" if record.service_version else "s" if record.state_version else "o"
    return f"{news.owner}\0{'r' if record.removed else part}{record.id}"
