"""The dispatcher's half that gossips: when to tell news, and whom (gossip.md, section 11.2).

What is told is taken from the queues when a packet is packed. The ticker of a
node that has no news rests without losing its phase; news from above that
somebody waits for may run ahead of it (``haste.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim.dissemination import BroadcastQueue
from gossipd.swim.effects import Gossip, SwimEffect
from gossipd.swim.events import SwimEvent
from gossipd.swim.haste import Haste
from gossipd.swim.membership import Membership
from gossipd.swim.rotation import Rotation
from gossipd.swim.timers import GossipTick, SwimTimer, Ticker
from gossipd.timers import Timers

GOSSIP_TICK = "gossip-tick"
"""Counted: ticks, also those with nobody to tell."""


class Gossiper:
    """Gossip ticks of one node.

    It shares the table, the rotation, the queue of claims, the timers and the
    outbox with the ``Swim`` that owns it.
    """

    __slots__ = (
        "_claims",
        "_config",
        "_haste",
        "_is_armed",
        "_is_blocked",
        "_is_wanted",
        "_membership",
        "_outbox",
        "_rotation",
        "_stalled",
        "_ticker",
        "_timers",
    )

    def __init__(
        self,
        config: SwimConfig,
        membership: Membership,
        rotation: Rotation,
        claims: BroadcastQueue,
        timers: Timers[SwimTimer],
        outbox: Outbox[SwimEffect, SwimEvent],
    ) -> None:
        self._config = config
        self._membership = membership
        self._rotation = rotation
        self._claims = claims
        self._timers = timers
        self._outbox = outbox
        self._ticker: Ticker | None = None
        self._haste = Haste(config.gossip_interval)
        self._is_armed = False
        self._is_wanted = False
        self._is_blocked = False
        self._stalled: list[str] | None = None
        """Whom a tick that is stuck in its first send has still to tell."""

    @property
    def is_started(self) -> bool:
        """Whether ``start`` was called."""
        return self._ticker is not None

    def start(self, origin: float) -> None:
        """Let the ticks keep the phase of ``origin`` (seconds, monotonic), from now on."""
        self._haste = Haste(self._config.gossip_interval)
        self._ticker = Ticker(origin, self._config.gossip_interval)

    def wake(self, now: float) -> None:
        """Make sure that a tick comes: a queue above holds something."""
        self._is_wanted = True
        self.arm(now)

    def hurry(self, now: float) -> None:
        """Gossip before the next tick, unless that was done too often of late."""
        config = self._config
        if not (config.eager_gossip and config.gossip_nodes) or self._is_blocked:
            return
        if len(self._membership) >= 2 and self._haste.take(now):
            self._tell(self._choose(now))

    def on_tick(self, now: float) -> None:
        """Tell random nodes what the queues hold; also those that failed lately."""
        self._is_armed = False
        self._outbox.ledger.count(GOSSIP_TICK)
        if not self._claims and not self._is_wanted:
            return
        chosen = self._choose(now)
        may_tell = self._membership.may_gossip_to
        if not chosen and not any(may_tell(each.name, now) for each in self._membership):
            return  # nobody to tell: whoever appears next makes a claim, which wakes us
        if self._is_blocked and chosen:
            self._stalled, chosen = chosen[1:], chosen[:1]
        self._tell(chosen)
        self._is_wanted = False
        self.arm(now)

    def arm(self, now: float, grace: float = 0.0) -> None:
        """Arm the next tick if there is news and nothing is armed."""
        ticker = self._ticker
        if self._is_armed or len(self._membership) < 2 or ticker is None:
            return
        if not self._config.gossip_nodes:
            return  # nobody is told at a tick: claims ride on pings and acks
        if self._stalled is not None:
            return
        if self._claims or self._is_wanted:
            self._timers.set(ticker.next_tick(now, grace), GossipTick())
            self._is_armed = True

    def sending_blocked(self) -> None:
        """Come to rest at the first send of the next tick."""
        self._is_blocked = True

    def sending_unblocked(self, now: float) -> None:
        """Go on with whom the tick that rests has still to tell."""
        self._is_blocked = False
        rest, self._stalled = self._stalled, None
        if rest is not None:
            self._tell(rest)
            self.arm(now, grace=self._config.gossip_interval)

    def _choose(self, now: float) -> list[str]:
        may_tell = self._membership.may_gossip_to
        nodes = self._config.gossip_nodes
        return self._rotation.choose(nodes, lambda name: may_tell(name, now))

    def _tell(self, names: Sequence[str]) -> None:
        for name in names:
            member = self._membership.get(name)
            if member is not None:
                gossip = Gossip(member.address, member.versions.protocol_max)
                self._outbox.effects.append(gossip)
