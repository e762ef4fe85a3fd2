"""The dispatcher's part that keeps house: queues of gossip, who waits for them, ticks.

Shared by everything in this layer that gossips. Like its owner it sets timers
and writes effects and events; the rules are in ``broadcasts.py`` and
``reconnect.py`` (gossip.md, sections 11.1 and 18.3).

A tick is armed only while it has something to look at, so whatever changed
members, intents or queues calls ``arm``.
"""

from __future__ import annotations

from math import inf
from random import Random

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.outbox import Outbox
from gossipd.serf.broadcasts import Broadcasts, Topic
from gossipd.serf.effects import HurryGossip, Reconnect, SerfEffect
from gossipd.serf.events import BroadcastDone, QueueTooDeep, ReconnectTried, SerfEvent
from gossipd.serf.intents import IntentBuffer
from gossipd.serf.reconnect import SPLIT_INTERVAL_MIN, choose_failed, reconnect_interval
from gossipd.serf.roster import Roster
from gossipd.serf.timers import (
    BroadcastTimeout,
    QueueCheck,
    ReapTick,
    ReconnectTick,
    SerfTimer,
    next_tick,
)
from gossipd.timers import Handle, Timers

MESSAGE_SENT, MESSAGE_RECEIVED = "message-sent", "message-received"
"""Measured: bytes of each message of this layer; sent are those that are gossiped."""
_HURRY = HurryGossip()


class Upkeep:
    """Queues and ticks of one node.

    It shares the members, the intents, the queues, the timers and the outbox with
    the ``Serf`` that owns it; reaping, which erases members, is ``Members.reap``.
    """

    __slots__ = (
        "_broadcasts",
        "_config",
        "_intents",
        "_outbox",
        "_random",
        "_reconnected_at",
        "_roster",
        "_started_at",
        "_ticks",
        "_timers",
        "_waits",
        "armed",
    )

    def __init__(
        self,
        config: SerfConfig,
        roster: Roster,
        intents: IntentBuffer,
        broadcasts: Broadcasts,
        random: Random,
        timers: Timers[SerfTimer],
        outbox: Outbox[SerfEffect, SerfEvent],
    ) -> None:
        self._config = config
        self._roster = roster
        self._intents = intents
        self._broadcasts = broadcasts
        self._random = random
        self._timers = timers
        self._outbox = outbox
        self._started_at = 0.0
        self._reconnected_at = -inf
        self._waits: dict[int, Handle[SerfTimer]] = {}
        self._ticks: dict[type[SerfTimer], Handle[SerfTimer]] = {}
        self.armed: set[type[SerfTimer]] = set()
        """Ticks that are armed; whoever takes one from the timers takes it out of here."""

    def start(self, origin: float) -> None:
        """Let the ticks keep the phase of ``origin`` (seconds, monotonic)."""
        self._started_at = origin

    def retime(self, now: float) -> None:
        """Let intents expire and ticks come by the settings that hold now."""
        self._intents.reconfigure(self._config.recent_intent_timeout)
        for tick in self._ticks.values():
            tick.cancel()
        self._ticks.clear()
        self.armed.clear()
        self.arm(now)

    # Gossip.

    def gossip(
        self,
        topic: Topic,
        payload: bytes,
        now: float,
        *,
        name: str | None = None,
        token: int | None = None,
    ) -> None:
        """Queue ``payload`` for everybody.

        Args:
            topic: which queue it waits in.
            payload: an encoded Serf message.
            now: seconds, monotonic.
            name: it takes the place of what waits under the same name.
            token: ``BroadcastDone(token)`` follows when it was sent often enough, or
                at the broadcast timeout.
        """
        if token is not None:
            timeout = BroadcastTimeout(token)
            self._waits[token] = self._timers.set(now + self._config.broadcast_timeout, timeout)
        self._broadcasts.enqueue(topic, payload, self._queue_maximum(), name=name, token=token)
        if topic is not Topic.INTENT:
            self._outbox.effects.append(_HURRY)
        self.report_finished()
        self.arm(now)

    def report_finished(self) -> None:
        """Tell who waits for a broadcast that it went out often enough; after each sending."""
        for token in self._broadcasts.take_finished():
            wait = self._waits.pop(token, None)
            if wait is not None:
                wait.cancel()
                self._outbox.events.append(BroadcastDone(token))

    def sent(self, payloads: list[bytes]) -> None:
        """Note that these messages go out by gossip now."""
        for payload in payloads:
            self._outbox.ledger.measure(MESSAGE_SENT, len(payload))
        self.report_finished()

    def received(self, payload: bytes) -> None:
        """Note that this message came."""
        self._outbox.ledger.measure(MESSAGE_RECEIVED, len(payload))

    def give_up(self, token: int) -> None:
        """The time of the broadcast ``token`` is up."""
        self._waits.pop(token, None)
        self._outbox.events.append(BroadcastDone(token, timed_out=True))

    def _queue_maximum(self) -> int:
        if self._config.min_queue_depth > 0:
            return max(self._config.min_queue_depth, 2 * len(self._roster.members))
        return self._config.max_queue_depth

    # Ticks.

    def check_queues(self) -> None:
        """Prune queues that are too deep, and tell of those that are deep."""
        reports = self._broadcasts.check_depth(
            self._config.queue_depth_warning, self._queue_maximum()
        )
        for report in reports:
            self._outbox.events.append(
                QueueTooDeep(report.queue.value, report.depth, report.dropped)
            )
        self.report_finished()

    def reconnect(self) -> None:
        """Maybe try a failed member again."""
        member = choose_failed(self._roster, self._random)
        if member is not None:
            self._outbox.effects.append(Reconnect(member.name, member.address))
            self._outbox.events.append(ReconnectTried(member))

    def pinged_by(self, node: str, source: Address, now: float) -> None:
        """Try ``node`` again at once if it has failed here and pings us from where it was.

        Others know that it is back, or it would not know us, and gossip has missed us.
        Whoever can fake that makes us dial a member, every few seconds at most.
        """
        if node not in self._roster.failed or now - self._reconnected_at < SPLIT_INTERVAL_MIN:
            return
        member = self._roster.members[node]
        if member.address == source:
            self._reconnected_at = now
            self._outbox.effects.append(Reconnect(member.name, member.address))
            self._outbox.events.append(ReconnectTried(member))

    def arm(self, now: float) -> None:
        """Arm each tick that has something to look at and is not armed yet."""
        config, roster, armed = self._config, self._roster, self.armed
        if (roster.failed or roster.left or len(self._intents)) and ReapTick not in armed:
            self._arm(ReapTick(), config.reap_interval, now)
        if roster.failed:
            interval = reconnect_interval(config.reconnect_interval, roster, now)
            tick = self._ticks.get(ReconnectTick)
            if ReconnectTick not in armed:
                self._arm(ReconnectTick(), interval, now)
            elif tick is not None and tick.deadline > now + interval:
                tick.cancel()  # many are lost since it was armed
                self._arm(ReconnectTick(), interval, now)
        if QueueCheck not in armed and not self._broadcasts.is_empty:
            self._arm(QueueCheck(), config.queue_check_interval, now)

    def _arm(
        self, tick: ReapTick | ReconnectTick | QueueCheck, interval: float, now: float
    ) -> None:
        self.armed.add(type(tick))
        due = next_tick(self._started_at, interval, now)
        self._ticks[type(tick)] = self._timers.set(due, tick)
