"""``Announcing``: user events of ours and of others, from the sender to applications.

gossip.md, section 16. Each event is told once, if it is for us; it is gossiped on
whomever it is for. Which are new is ``user_events.py``'s to say. A gossipd adds who it
is and may address an event to nodes by name and tags; Serfs pass that on and do not
look at it (section 22), so there everybody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.errors import Unavailable, UsageError, WireError
from gossipd.outbox import Outbox
from gossipd.pattern import Pattern
from gossipd.serf.effects import SerfEffect
from gossipd.serf.events import MessageIgnored, SerfEvent, UserEventReceived
from gossipd.serf.filters import Audience, is_addressed_untrusted
from gossipd.serf.lamport import LamportClock
from gossipd.serf.user_events import EventBuffer, EventVerdict
from gossipd.value import replace
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import (
    BufferedEvent,
    EventExtras,
    EventSlot,
    UserEvent,
)

EXPRESSIONS_PER_STATE = 256
"""Different tag expressions compiled for the events of one push/pull, each up to 1 ms."""

EVENT_TAKEN = "event"
"""Counted: user events that are new here, for whomever they are."""


class _Patterns:
    """The expressions of one push/pull, each compiled once, and no more than so many."""

    def __init__(self) -> None:
        self._known: dict[str, Pattern] = {}

    def __call__(self, expression: str) -> Pattern:
        """Return the pattern.

        Raises:
            WireError: the expression is none, or one too many.
        """
        pattern = self._known.get(expression)
        if pattern is None:
            if len(self._known) >= EXPRESSIONS_PER_STATE:
                detail = f"more than {EXPRESSIONS_PER_STATE} different expressions"
                raise WireError("too-many-filters", detail)
            pattern = self._known[expression] = Pattern(expression)
        return pattern


class Announcing:
    """The user events of one node.

    Args:
        config: limits.
        name: ours.
        own_tags: returns our tags as they are now.
        payload_bytes_max: the largest message gossip can carry.
        gossip: queues an event's bytes for everybody, with ``now``.
        outbox: that of the dispatcher.
    """

    def __init__(
        self,
        config: SerfConfig,
        name: str,
        own_tags: Callable[[], Mapping[str, str]],
        payload_bytes_max: int,
        gossip: Callable[[bytes, float], None],
        outbox: Outbox[SerfEffect, SerfEvent],
    ) -> None:
        self._config = config
        self._name = name
        self._own_tags = own_tags
        self._payload_bytes_max = payload_bytes_max
        self._gossip = gossip
        self._outbox = outbox
        self.buffer = EventBuffer(config.event_buffer)

    @property
    def clock(self) -> LamportClock:
        """The user event clock."""
        return self.buffer.clock

    def send(
        self,
        name: str,
        payload: bytes | None,
        now: float,
        *,
        may_coalesce: bool = False,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send an event to everybody, or tell only some of the gossipd nodes of it.

        Args:
            name, payload: what applications are told.
            now: seconds, monotonic.
            may_coalesce: of several of this name only the latest need be told.
            nodes: names of the nodes it is for; empty is all.
            tags: tag to RE2 expression, of the nodes it is for; all must match.

        Raises:
            UsageError: it is too large, or an expression is none; nothing was sent.
            Unavailable: the event clock is at its end, or the buffer full.
        """
        self._check_size(name, payload)
        audience = Audience(nodes, tags or {})
        extras = EventExtras(self._name, tuple(nodes), tuple((tags or {}).items()))
        event = UserEvent(self.clock.time, name, payload, may_coalesce, extras)
        encoded = self._encoded(event)
        verdict = self.buffer.apply(event.ltime, BufferedEvent(name, payload, extras))
        if verdict is not EventVerdict.NEW:
            raise Unavailable(f"user event not sent: {verdict.value} at time {event.ltime}")
        self._outbox.ledger.count(EVENT_TAKEN)
        if audience.has(self._name, self._own_tags()):
            self._tell(event, is_own=True)
        self._gossip(encoded, now)

    def _check_size(self, name: str, payload: bytes | None) -> None:
        limit = self._config.user_event_size_limit
        if len(name.encode("utf-8", "surrogateescape")) + len(payload or b"") > limit:
            raise UsageError(
                f"user event exceeds configured limit of {limit} bytes before encoding"
            )

    def _encoded(self, event: UserEvent) -> bytes:
        """Return the event's bytes; the configured limit is on what Serf would send.

        Raises:
            UsageError: it is too large.
        """
        limit = self._config.user_event_size_limit
        if len(encode_serf(replace(event, extras=None))) > limit:
            raise UsageError(
                f"encoded user event exceeds configured limit of {limit} bytes after encoding"
            )
        encoded = encode_serf(event)
        if len(encoded) > self._payload_bytes_max:
            raise UsageError(
                f"user event of {len(encoded)} bytes, its sender and whom it is for included,"
                f" exceeds limit of {self._payload_bytes_max} bytes that fit into a gossip packet"
            )
        return encoded

    def take(self, event: UserEvent, encoded: bytes, source: Address, now: float) -> None:
        """Take an event by gossip: tell it if it is new and for us, and gossip it on."""
        if self._is_new(event, source):
            self._tell_if_addressed(event, source)
            self._gossip(encoded, now)

    def replay(self, slots: Sequence[EventSlot | None]) -> None:
        """Take the events of a push/pull, which are not gossiped on (section 14.3)."""
        patterns = _Patterns()
        for slot in slots:
            if slot is None:
                continue
            for buffered in slot.events:
                event = UserEvent(
                    slot.ltime, buffered.name, buffered.payload, extras=buffered.extras
                )
                if self._is_new(event, None):
                    self._tell_if_addressed(event, None, patterns)

    def _is_new(self, event: UserEvent, source: Address | None) -> bool:
        buffered = BufferedEvent(event.name, event.payload, event.extras)
        verdict = self.buffer.apply(event.ltime, buffered)
        if verdict is EventVerdict.TOO_OLD or verdict is EventVerdict.FULL:
            detail = f"{event.name} at {event.ltime}"
            self._outbox.events.append(MessageIgnored(verdict.value, detail, source))
        if verdict is not EventVerdict.NEW:
            return False
        self._outbox.ledger.count(EVENT_TAKEN)
        return True

    def _tell_if_addressed(
        self,
        event: UserEvent,
        source: Address | None,
        pattern_of: Callable[[str], Pattern] = Pattern,
    ) -> None:
        try:
            is_for_us = event.extras is None or is_addressed_untrusted(
                event.extras, self._name, self._own_tags(), pattern_of
            )
        except WireError as error:
            self._outbox.events.append(MessageIgnored(error.reason, error.detail, source))
            return
        if is_for_us:
            self._tell(event, is_own=False)

    def _tell(self, event: UserEvent, *, is_own: bool) -> None:
        sender = event.extras.sender if event.extras else ""
        self._outbox.events.append(
            UserEventReceived(
                event.ltime, event.name, event.payload, event.may_coalesce, sender, is_own
            )
        )
