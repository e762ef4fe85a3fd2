"""What a recorder keeps of one member: packets with their fate, probe rounds, beliefs.

Plain records: ``provenance.py`` fills them while a run goes on, ``explain.py``
reads them afterwards.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from gossipd.swim.events import (
    MemberFailed,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
    SuspicionConfirmed,
)
from gossipd.value import Value
from gossipd.wire.messages import Alive, Dead, PacketMessage, Suspect
from gossipd_sim.network import Datagram

NOWHERE = "nowhere"
"""The sender of forged packets."""


class Flight:
    """One packet on its way, as far as it concerns the member; times in virtual seconds."""

    __slots__ = (
        "arrived_at", "data", "due_at", "found", "is_damaged",
        "lost", "messages", "sender", "sent_at", "target",
    )  # fmt: skip

    def __init__(
        self, sender: str, target: str, messages: tuple[PacketMessage, ...], sent_at: float
    ) -> None:
        self.sender = sender
        self.target = target
        self.messages = messages
        self.sent_at = sent_at
        self.arrived_at: float | None = None
        self.lost = ""
        """Why it did not arrive; see ``Network.lost``."""
        self.found = ""
        """What kept its receiver from handling it at once, if anything did."""
        self.due_at = 0.0
        """When it is handled, unless something holds its receiver up altogether."""
        self.is_damaged = False
        """Whether a bit of it was turned over on the way, and it is told as it arrived."""
        self.data: Datagram = b""
        """Keeps the object alive by which it is recognised."""


class Ask:
    """A ping-req to one helper: its own ping of the member, and what it answered."""

    __slots__ = ("answer", "relay", "relay_ack", "request")

    def __init__(self, request: Flight) -> None:
        self.request = request
        self.relay: Flight | None = None
        self.relay_ack: Flight | None = None
        self.answer: Flight | None = None


class Round:
    """One probe round of ``prober`` whose target is the member."""

    __slots__ = (
        "acks", "asks", "ping", "prober", "seq", "started_at",
        "stream_at", "stream_carried_at", "stream_error", "stream_found",
    )  # fmt: skip

    def __init__(self, prober: str, seq: int, ping: Flight | None, started_at: float) -> None:
        self.prober = prober
        self.seq = seq
        self.ping = ping
        """``None`` if it never left the host."""
        self.started_at = started_at
        self.acks: list[Flight] = []
        self.asks: list[Ask] = []
        self.stream_at: float | None = None
        """When the ping by TCP was dialled."""
        self.stream_carried_at: float | None = None
        self.stream_found = ""
        self.stream_error = ""


class Sync(Value):
    """A push/pull that brought the state of ``source`` at ``at`` (seconds)."""

    source: str
    at: float


class Expiry(Value):
    """A suspicion of the host's own that ran out."""


class Own(Value):
    """The host is the member: it says so itself."""


class Born(Value):
    """The host began its life knowing it: the cluster was formed already."""


Basis: TypeAlias = Flight | Sync | Round | Expiry | Own | Born | None
"""What made a host believe something; ``None`` is not known."""


class Kind(enum.StrEnum):
    """How a belief about the member changed."""

    JOINED = "alive"
    UPDATED = "updated"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    FAILED = "dead"
    LEFT = "left"
    FORGOTTEN = "forgotten"
    BLANK = "unknown"
    """The host restarted, and knows nobody any more."""


class Belief(Value, kw_only=True):
    """``host`` changed its mind about the member.

    ``deadline``: in virtual seconds, as it looked then; ``local_deadline``: by the
    host's own clock, which may jump or drift until it comes.
    ``reality``: what was really with the member at that moment.
    """

    at: float
    host: str
    life: int
    kind: Kind
    incarnation: int
    accuser: str = ""
    confirmations: int = 0
    deadline: float | None = None
    local_deadline: float | None = None
    suspected_for: float | None = None
    reality: str = ""
    basis: Basis = None


class Answer(Value, kw_only=True):
    """The member refuted an accusation, with ``incarnation``; ``basis`` brought it."""

    at: float
    host: str
    kind: str
    accuser: str
    incarnation: int
    basis: Basis = None


MemberEvent: TypeAlias = (
    MemberJoined
    | MemberUpdated
    | MemberSuspected
    | SuspicionConfirmed
    | MemberRefuted
    | MemberFailed
    | MemberLeft
    | MemberForgotten
)
KINDS: dict[type[MemberEvent], Kind] = {
    MemberJoined: Kind.JOINED,
    MemberUpdated: Kind.UPDATED,
    MemberSuspected: Kind.SUSPECTED,
    SuspicionConfirmed: Kind.CONFIRMED,
    MemberRefuted: Kind.REFUTED,
    MemberFailed: Kind.FAILED,
    MemberLeft: Kind.LEFT,
    MemberForgotten: Kind.FORGOTTEN,
}
"""What each event of the failure detector says of the member."""
CLAIMS = {
    Kind.JOINED: "alive",
    Kind.UPDATED: "alive",
    Kind.REFUTED: "alive",
    Kind.SUSPECTED: "suspect",
    Kind.CONFIRMED: "suspect",
    Kind.FAILED: "dead",
    Kind.LEFT: "dead",
}
"""What somebody has to say for a belief to change that way."""


def says(
    message: PacketMessage, claim: str, incarnation: int, accuser: str, *, or_above: bool = False
) -> bool:
    """Say whether ``message`` is that claim.

    Args:
        claim: ``alive``, ``suspect`` or ``dead``.
        accuser: of the two last; ignored for ``alive``.
        or_above: a higher incarnation does as well.
    """
    match message:
        case Alive() if claim == "alive":
            pass
        case Suspect() | Dead() if claim == type(message).__name__.lower():
            if message.accuser != accuser:
                return False
        case _:
            return False
    return message.incarnation == incarnation or (or_above and message.incarnation > incarnation)
