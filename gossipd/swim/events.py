"""What happened in the cluster, as seen by the failure detector.

Serf's layer lives on ``MemberJoined``, ``MemberFailed``, ``MemberLeft``,
``MemberUpdated`` and ``PayloadReceived``; the rest is told to operators, who
want to know who accused whom, how often that was confirmed and how long it
took.
"""

from __future__ import annotations

from typing import TypeAlias

from gossipd.address import Address
from gossipd.swim.member import Member
from gossipd.value import Value


class MemberJoined(Value):
    """A node is alive that was unknown, dead or left (section 8.1 step 11).

    ``through`` is who sent us the packet that said so, ``None`` for a push/pull.
    """

    member: Member
    through: Address | None = None


class MemberUpdated(Value):
    """An alive node changed its meta."""

    member: Member


class MemberSuspected(Value):
    """``accuser`` got no answer from ``member``; it has until ``deadline`` to refute."""

    member: Member
    accuser: str
    deadline: float


class SuspicionConfirmed(Value):
    """Another accuser agreed, which moved the ``deadline`` (LHA-Suspicion)."""

    member: Member
    accuser: str
    confirmations: int
    deadline: float


class MemberRefuted(Value):
    """A suspect proved to be alive after ``suspected_for`` seconds."""

    member: Member
    suspected_for: float


class MemberFailed(Value):
    """A node is dead: suspicion ran out here, or somebody said so.

    ``suspected_for`` is ``None`` when this node never suspected it itself.
    """

    member: Member
    accuser: str
    confirmations: int
    suspected_for: float | None


class MemberLeft(Value):
    """A node said of itself that it leaves (dead with accuser = node).

    ``through`` is who sent us the packet that said so, ``None`` for a push/pull.
    """

    member: Member
    through: Address | None = None


class AccusationRefuted(Value):
    """Somebody called *us* ``kind`` (suspect, dead or alive); we answered above it."""

    kind: str
    accuser: str
    incarnation: int


class NameConflict(Value):
    """Two addresses claim one name; the known one was kept (section 8.1 step 5)."""

    member: Member
    claimed: Address


class UdpUnreachable(Value):
    """``member`` answered over TCP though UDP probes failed (section 9 step 8)."""

    member: Member


class PingMisdirected(Value):
    """A ping for ``node`` came to us from ``source`` (section 3.1)."""

    node: str
    source: Address


class StrangerPinged(Value):
    """A ping for us came from ``source`` as ``node``, whom gossip does not reach from here.

    It is unknown, or dead for so long that nobody tells it so any more.
    """

    node: str
    source: Address


class AckObserved(Value):
    """A direct UDP ack to our own probe, with its round trip in seconds."""

    member: Member
    rtt: float
    payload: bytes | None


class AckMissed(Value):
    """No direct ack of ``member`` came in time; others are asked before it is accused."""

    member: Member


class PayloadReceived(Value):
    """A user message for the layers above."""

    payload: bytes
    source: Address


class BroadcastFinished(Value):
    """The broadcast queued with ``token`` was sent as often as it will be, or replaced."""

    token: int


class MergeRefused(Value):
    """A push/pull state was refused as a whole (section 6.2), nothing was merged."""

    reason: str


class MemberForgotten(Value):
    """A dead or left entry was dropped from the table when the probe list wrapped."""

    member: Member


SwimEvent: TypeAlias = (
    MemberJoined
    | MemberUpdated
    | MemberSuspected
    | SuspicionConfirmed
    | MemberRefuted
    | MemberFailed
    | MemberLeft
    | AccusationRefuted
    | NameConflict
    | UdpUnreachable
    | PingMisdirected
    | StrangerPinged
    | AckObserved
    | AckMissed
    | PayloadReceived
    | BroadcastFinished
    | MergeRefused
    | MemberForgotten
)
