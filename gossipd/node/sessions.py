"""Stream sessions: push/pull both ways, fallback pings, user streams (gossip.md, section 6).

Each stream carries one request and at most one reply. This room keeps their
state, bounds and deadlines; it writes the effects that the driver carries
out and tells the node what came in.

A large state is decoded and merged in portions. What is left is due at once:
the driver comes back for it after everybody else had a turn, so that no peer's
state, however large, keeps us from answering probes.
"""

from __future__ import annotations

from collections import Counter, deque

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.node.effects import CloseStream, NodeEffect, OpenStream, WriteStream
from gossipd.node.events import (
    InputDropped,
    NodeEvent,
    OperationFinished,
    PayloadLost,
    SyncFinished,
)
from gossipd.node.exchange import Exchange, Work
from gossipd.node.purposes import Accepted, PayloadCall, PingCall, Purpose, PushPullCall
from gossipd.node.unsealed import StateSnapshot, UnsealedStream
from gossipd.outbox import Outbox
from gossipd.timers import Handle, Timers
from gossipd.wire.messages import (
    Ack,
    ErrorReply,
    Ping,
    PushPull,
    StreamMessage,
    UserPayload,
)
from gossipd.wire.packet import PacketLayers
from gossipd.wire.stream import (
    MORE,
    NEED_DATA,
    StreamDecoder,
    StreamError,
    encode_stream_message,
)

HELD_BYTES_MAX = 64 * 2**20
"""Memory for what all streams together received and what became of it.

One state of a full table (65,536 members) needs some 46 MiB; every stream alone may
announce 40 MiB, and without this 127 of them could be filled by some megabytes.
"""
PAYLOAD_CALLS_MAX = 64
"""Streams that carry a user message out at the same time."""
STREAM_ACCEPTED, STREAM_OPENED = "stream-accepted", "stream-opened"
"""Counted: streams of peers, and those of ours that were connected."""
EXCHANGE = "exchange"
"""Measured: seconds from the begin of our own push/pull until the peer's state was here."""
ACCEPTED = "accepted"
_CAUSES = {PushPullCall: "push-pull", PingCall: "ping", PayloadCall: "payload"}
"""What bytes on streams are counted under; those of peers' streams are ``ACCEPTED``."""
PEER_TEXT_MAX = 256
"""Characters of a peer's error that are passed on."""


class Session:
    """One open stream."""

    __slots__ = (
        "began_at", "deadline", "decoder", "has_ended", "has_input", "held_bytes", "is_decoding",
        "purpose",
    )  # fmt: skip

    def __init__(self, purpose: Purpose, decoder: StreamDecoder, deadline: Handle[int]) -> None:
        self.purpose = purpose
        self.decoder = decoder
        self.deadline = deadline
        self.began_at = 0.0
        """When a push/pull of ours began, seconds."""
        self.has_input = False
        self.has_ended = False
        self.held_bytes = 0
        self.is_decoding = False


class Sessions:
    """All open streams of a node.

    Args:
        timeout: seconds for connecting and, again, for the exchange itself.
        inbound_max: inbound exchanges served at once; the one that reaches
            this number is closed without a reply (section 6.1).
        seals: write bytes; otherwise what they stand for (``unsealed.py``).
    """

    def __init__(
        self,
        layers: PacketLayers,
        outbox: Outbox[NodeEffect, NodeEvent],
        exchange: Exchange,
        *,
        timeout: float,
        inbound_max: int,
        seals: bool = True,
    ) -> None:
        self._seals = seals
        self._layers = layers
        self._outbox = outbox
        self._exchange = exchange
        self._timeout = timeout
        self._inbound_max = inbound_max
        self._held_bytes = 0
        self._sessions: dict[int, Session] = {}
        self.timers: Timers[int] = Timers()
        self._last_stream = 0
        self._inbound_busy = 0
        self._payload_calls = 0
        self.waiting_work: deque[Work] = deque()
        """Always the same one; long work that waits for its next portion."""
        self._work_since = 0.0
        self._merging = 0
        """States held in memory until they are merged."""
        self.dropped: Counter[str] = Counter()
        self.bytes_sent = 0
        self.bytes_received = 0
        self.sent_by: Counter[str] = Counter()
        self.received_by: Counter[str] = Counter()

    # -- what the node starts -------------------------------------------------

    def push_pull(self, call: PushPullCall, now: float) -> None:
        """Dial ``call.to`` and exchange full states; ends in ``SyncFinished``."""
        data = self._state(is_join=call.is_join, is_dialer=True)
        self._dial(call, call.to, data, self._timeout, now + 2 * self._timeout)
        self._sessions[self._last_stream].began_at = now

    def ping(self, to: Address, ping: Ping, deadline: float, now: float) -> None:
        """Ask for a sign of life over a stream until ``deadline`` (section 6.3).

        After a pause of the process that may have passed; then there is no point in asking.
        """
        if deadline <= now:
            return
        data = self._sealed(ping, is_dialer=True)
        self._dial(PingCall(to, ping.seq), to, data, deadline - now, deadline)

    def send_payload(self, to: Address, payload: bytes, now: float) -> None:
        """Send a user message over a stream; when that fails ``PayloadLost`` tells."""
        if self._payload_calls >= PAYLOAD_CALLS_MAX:
            self.dropped["payload-not-sent"] += 1
            reason = f"{PAYLOAD_CALLS_MAX} others are being sent"
            self._outbox.events.append(PayloadLost(to, reason))
            return
        self._payload_calls += 1
        data = self._sealed(UserPayload(payload), is_dialer=True)
        self._dial(PayloadCall(to), to, data, self._timeout, now + self._timeout)

    # -- what the driver reports ----------------------------------------------

    def accepted(self, stream: int, source: Address, now: float) -> None:
        """Take in a stream that a peer opened."""
        self._outbox.ledger.count(STREAM_ACCEPTED)
        self._add(stream, Accepted(source), now + self._timeout, is_dialer=False)

    def opened(self, stream: int, now: float) -> None:
        """An outbound stream is connected: the exchange has ``timeout`` from now."""
        session = self._sessions.get(stream)
        self._outbox.ledger.count(STREAM_OPENED)
        if session is not None and isinstance(session.purpose, PushPullCall):
            self._rearm(stream, session, now + self._timeout)
        elif session is not None and isinstance(session.purpose, PayloadCall):
            self._close(stream)  # after what is written, which is all there is to say

    def received(self, stream: int, data: bytes | UnsealedStream, now: float) -> None:
        """Take bytes that arrived; unknown streams (already closed) are ignored."""
        session = self._sessions.get(stream)
        if session is None or not data:
            return
        size = data.size if isinstance(data, UnsealedStream) else len(data)
        self.bytes_received += size
        self.received_by[_CAUSES.get(type(session.purpose), ACCEPTED)] += size
        if not session.has_input:
            session.has_input = True
            if isinstance(session.purpose, Accepted):
                self._inbound_busy += 1
                if self._inbound_busy + self._merging >= self._inbound_max:
                    self._drop("too-many-streams", "", session)
                    self._close(stream)
                    return
        if isinstance(data, UnsealedStream):
            if data.fits(self._layers):
                self._handle(stream, session, data.message, now)
                return
            data = bytes(data)
        try:
            session.decoder.feed(data)
        except StreamError as error:
            self._refuse(stream, session, error)
            return
        if not self._account(stream, session):
            return
        if not session.is_decoding:
            session.is_decoding = True
            self._begin(self._decode(stream, session, now), now)

    def ended(self, stream: int, now: float) -> None:
        """The peer will send no more: a message that is not whole by now never will be."""
        session = self._sessions.get(stream)
        if session is None:
            return
        session.has_ended = True
        if session.is_decoding:
            return  # what came is not decoded yet; it may be whole
        try:
            session.decoder.end()
        except StreamError as error:
            self._refuse(stream, session, error)
            return
        self._close(stream)
        self._finish(session, "the peer closed the stream without an answer")

    def failed(self, stream: int, reason: str, now: float) -> None:
        """The stream could not be opened or broke."""
        session = self._sessions.pop(stream, None)
        if session is None:
            return
        self._forget(session)
        self._finish(session, reason)

    def next_deadline(self) -> float | None:
        """Return when the next stream runs out of time, or since when there is work left."""
        return self._work_since if self.waiting_work else self.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Close the streams whose time is up, and do one portion of what is left to do."""
        while (stream := self.timers.pop_due(now)) is not None:
            session = self._sessions.get(stream)
            if session is None:
                continue
            if isinstance(session.purpose, Accepted):
                self._drop("stream-timeout", "", session)
            self._close(stream)
            self._finish(session, "timed out")
        self.work(now)

    def work(self, now: float) -> None:
        """Do one portion of what is left to do."""
        if self.waiting_work:
            work = self.waiting_work.popleft()
            try:
                work.send(now)
            except StopIteration:
                return
            self.waiting_work.append(work)

    @property
    def open_count(self) -> int:
        """How many streams are open."""
        return len(self._sessions)

    # -- long work, in portions -----------------------------------------------

    def _begin(self, work: Work, now: float) -> None:
        """Do the first portion now, and the others when they are due."""
        for _ in work:
            if not self.waiting_work:
                self._work_since = now
            self.waiting_work.append(work)
            return

    def _decode(self, stream: int, session: Session, now: float) -> Work:
        while True:
            try:
                message = session.decoder.next_message()
            except StreamError as error:
                self._refuse(stream, session, error)
                return ""
            if not self._account(stream, session):
                return ""
            if message is not MORE:
                break
            now = yield
            if self._sessions.get(stream) is not session:
                return ""  # closed meanwhile
        session.is_decoding = False
        if message is not NEED_DATA:
            self._handle(stream, session, message, now)
        elif session.has_ended:
            self.ended(stream, now)
        return ""

    def _merge(
        self, session: Session, state: PushPull | StateSnapshot, ignore_old: bool, now: float
    ) -> Work:
        self._merging += 1
        self._held_bytes += session.held_bytes
        is_ours, refusal = isinstance(session.purpose, PushPullCall), ""
        merge = self._exchange.merge(state, now, ignore_old=ignore_old, is_ours=is_ours)
        try:
            refusal = yield from merge
        except WireError as error:
            self._drop(f"catalog-{error.reason}", error.detail, session)
        self._held_bytes -= session.held_bytes
        self._merging -= 1
        self._finish(session, refusal)
        return ""

    # -- one whole message ----------------------------------------------------

    def _handle(
        self, stream: int, session: Session, message: StreamMessage | StateSnapshot, now: float
    ) -> None:
        purpose = session.purpose
        match purpose:
            case Accepted():
                self._serve(stream, session, purpose, message, now)
            case PushPullCall():
                self._close(stream)
                self._finish_push_pull(session, purpose, message, now)
            case PingCall():
                self._close(stream)
                if isinstance(message, Ack) and message.seq == purpose.seq:
                    self._exchange.ping_answered(purpose.seq, now)
            case PayloadCall():
                self._close(stream)

    def _serve(
        self,
        stream: int,
        session: Session,
        purpose: Accepted,
        message: StreamMessage | StateSnapshot,
        now: float,
    ) -> None:
        match message:
            case Ping():
                ack = self._exchange.answer_ping(message)
                if ack is not None:
                    self._write(stream, self._sealed(ack, is_dialer=False))
                self._close(stream)
            case PushPull() | StateSnapshot():
                # the reply holds our state from before the merge (section 6.1 step 2)
                self._write(stream, self._state(is_join=message.is_join, is_dialer=False))
                self._close(stream)
                self._begin(self._merge(session, message, False, now), now)
            case UserPayload():
                self._close(stream)
                self._exchange.take_payload(message, purpose.source, now)
            case Ack() | ErrorReply():
                self._drop("unexpected-kind", type(message).__name__, session)
                self._close(stream)

    def _finish_push_pull(
        self,
        session: Session,
        call: PushPullCall,
        message: StreamMessage | StateSnapshot,
        now: float,
    ) -> None:
        match message:
            case PushPull() | StateSnapshot():
                self._outbox.ledger.measure(EXCHANGE, now - session.began_at)
                self._begin(self._merge(session, message, call.ignore_old, now), now)
            case ErrorReply():
                self._finish(session, _in_one_line(message.text))
            case Ping() | Ack() | UserPayload():
                self._drop("unexpected-kind", type(message).__name__, session)
                self._finish(session, "the peer answered with something else than its state")

    # -- bookkeeping ----------------------------------------------------------

    def _dial(
        self,
        purpose: Purpose,
        to: Address,
        data: bytes | UnsealedStream,
        timeout: float,
        deadline: float,
    ) -> None:
        self._last_stream += 1
        stream = self._last_stream
        self._add(stream, purpose, deadline, is_dialer=True)
        self._count_sent(data, _CAUSES.get(type(purpose), ACCEPTED))
        self._outbox.effects.append(OpenStream(stream, to, data, timeout))

    def _add(self, stream: int, purpose: Purpose, deadline: float, *, is_dialer: bool) -> None:
        decoder = StreamDecoder(self._layers, is_dialer=is_dialer)
        self._sessions[stream] = Session(purpose, decoder, self.timers.set(deadline, stream))

    def _rearm(self, stream: int, session: Session, deadline: float) -> None:
        session.deadline.cancel()
        session.deadline = self.timers.set(deadline, stream)

    def _write(self, stream: int, data: bytes | UnsealedStream) -> None:
        self._count_sent(data, ACCEPTED)
        self._outbox.effects.append(WriteStream(stream, data))

    def _count_sent(self, data: bytes | UnsealedStream, cause: str) -> None:
        size = data.size if isinstance(data, UnsealedStream) else len(data)
        self.bytes_sent += size
        self.sent_by[cause] += size

    def _state(self, *, is_join: bool, is_dialer: bool) -> bytes | UnsealedStream:
        """Return our whole state as it goes on a stream."""
        if self._seals:
            state = self._exchange.local_state(is_join=is_join)
            return self._layers.seal_stream(state, is_dialer=is_dialer)
        snapshot, size = self._exchange.snapshot(is_join=is_join)
        return UnsealedStream(snapshot, size, self._layers, is_dialer=is_dialer)

    def _sealed(
        self, message: Ping | Ack | ErrorReply | UserPayload, *, is_dialer: bool
    ) -> bytes | UnsealedStream:
        """Return a small message as it goes on a stream."""
        encoded = encode_stream_message(message)
        if self._seals:
            return self._layers.seal_stream(encoded, is_dialer=is_dialer)
        return UnsealedStream(message, len(encoded), self._layers, is_dialer=is_dialer)

    def _close(self, stream: int) -> None:
        self._forget(self._sessions.pop(stream))
        self._outbox.effects.append(CloseStream(stream))

    def _account(self, stream: int, session: Session) -> bool:
        """Note what a stream holds now; returns whether it is still open.

        When all of them hold too much the largest is closed, so that a peer who
        hoards does not keep others from exchanging small states.
        """
        held = session.decoder.held_bytes
        self._held_bytes += held - session.held_bytes
        session.held_bytes = held
        while self._held_bytes > HELD_BYTES_MAX:
            largest = max(self._sessions, key=lambda number: self._sessions[number].held_bytes)
            error = StreamError("too-much-held", f"all streams hold over {HELD_BYTES_MAX} bytes")
            self._refuse(largest, self._sessions[largest], error)
        return self._sessions.get(stream) is session

    def _forget(self, session: Session) -> None:
        self._held_bytes -= session.held_bytes
        session.decoder.discard()  # work that is waiting for its turn still knows the session
        session.deadline.cancel()
        if session.has_input and isinstance(session.purpose, Accepted):
            self._inbound_busy -= 1
        if isinstance(session.purpose, PayloadCall):
            self._payload_calls -= 1

    def _refuse(self, stream: int, session: Session, error: StreamError) -> None:
        self._drop(error.reason, error.detail, session)
        if error.is_reply_owed:
            reply = ErrorReply(error.detail or error.reason)
            self._write(stream, self._sealed(reply, is_dialer=False))
        self._close(stream)
        self._finish(session, f"{error.reason}: {error.detail}" if error.detail else error.reason)

    def _drop(self, reason: str, detail: str, session: Session) -> None:
        self.dropped[reason] += 1
        purpose = session.purpose
        source = purpose.source if isinstance(purpose, Accepted) else purpose.to
        self._outbox.events.append(InputDropped(reason, detail, source, "tcp"))

    def _finish(self, session: Session, error: str) -> None:
        call = session.purpose
        if isinstance(call, PushPullCall):
            self._outbox.events.append(SyncFinished(call.node, call.to, call.is_join, error))
            if call.operation is not None:
                self._outbox.events.append(OperationFinished(call.operation, error))
        elif isinstance(call, PayloadCall):
            self.dropped["payload-not-sent"] += 1
            self._outbox.events.append(PayloadLost(call.to, error))


def _in_one_line(text: str) -> str:
    """Return a peer's words as they may stand in a log or on an operator's terminal."""
    return "".join(c if c.isprintable() else " " for c in text[:PEER_TEXT_MAX])
