"""The dispatcher's third that exchanges full states: push/pull ticks (gossip.md, section 11.3).

Beside the ticks a member makes one push/pull soon after it joined (``joined``).
"""

from __future__ import annotations

from random import Random

from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim import scaling
from gossipd.swim.effects import SwimEffect, SyncWith
from gossipd.swim.events import SwimEvent
from gossipd.swim.membership import Membership
from gossipd.swim.rotation import Rotation
from gossipd.swim.timers import LookRound, PushPullBegin, PushPullTick, SwimTimer
from gossipd.timers import Handle, Timers

LOOK_ROUND_TICKS = 10
"""Gossip intervals after a join, at least, until others are asked whom they know; twice as
many at most. By then the gossip about those who joined at the same time has died away."""


class Syncer:
    """Push/pull ticks of one node.

    It shares the table, the rotation, the timers and the outbox with the ``Swim`` that
    owns it.
    """

    __slots__ = (
        "_config",
        "_is_blocked",
        "_is_stalled",
        "_look_round",
        "_membership",
        "_outbox",
        "_random",
        "_rotation",
        "_tick",
        "_timers",
    )

    def __init__(
        self,
        config: SwimConfig,
        membership: Membership,
        rotation: Rotation,
        timers: Timers[SwimTimer],
        random: Random,
        outbox: Outbox[SwimEffect, SwimEvent],
    ) -> None:
        self._config = config
        self._membership = membership
        self._rotation = rotation
        self._timers = timers
        self._random = random
        self._outbox = outbox
        self._tick: Handle[SwimTimer] | None = None
        self._look_round: Handle[SwimTimer] | None = None
        self._is_blocked = False
        self._is_stalled = False

    def start(self, stagger: float, now: float) -> None:
        """Begin to wait for the first tick after ``stagger`` seconds."""
        if self._config.push_pull_interval > 0:
            self._tick = self._timers.set(now + stagger, PushPullBegin())

    def arm(self, now: float) -> None:
        """Set the next tick an interval from now, as long as the cluster is large by now."""
        if self._tick is not None:
            self._tick.cancel()
        interval = scaling.push_pull_interval(
            self._config.push_pull_interval, len(self._membership)
        )
        if interval > 0 and not self._is_stalled:
            self._tick = self._timers.set(now + interval, PushPullTick())

    def joined(self, now: float) -> None:
        """See to it that whoever else joins at this time is not missed for long.

        While many join at once, each is told of by members that know few and therefore
        send little: gossip alone leaves gaps in one of five bootstraps of 48, which
        memberlist keeps until the first tick, a minute later.
        """
        if self._config.push_pull_interval <= 0:
            return
        if self._look_round is not None:
            self._look_round.cancel()
        ticks = LOOK_ROUND_TICKS * (1 + self._random.random())
        at = now + ticks * self._config.gossip_interval
        self._look_round = self._timers.set(at, LookRound())

    def on_tick(self, now: float) -> None:
        """Exchange states with somebody, and wait for the next tick."""
        self._is_stalled = self._exchange() and self._is_blocked
        self.arm(now)

    def on_look_round(self) -> None:
        """Exchange states with somebody, once."""
        if not self._is_blocked:
            self._exchange()

    def sending_blocked(self) -> None:
        """Come to rest at the first tick that finds somebody, whose exchange is kept back."""
        self._is_blocked = True

    def sending_unblocked(self, now: float) -> None:
        """Go on where the ticks rest."""
        self._is_blocked = False
        if self._is_stalled:
            self._is_stalled = False
            self.arm(now)

    def _exchange(self) -> bool:
        """Return whether there is somebody to exchange states with."""
        for name in self._rotation.choose(1, self._membership.may_help):
            member = self._membership.get(name)
            if member is not None:
                self._outbox.effects.append(SyncWith(name, member.address, is_join=False))
                return True
        return False
