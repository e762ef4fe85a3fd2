"""What happened in the cluster, as seen by the failure detector.

Serf's layer lives on ``MemberJoined``, ``MemberFailed``, ``MemberLeft``,
``MemberUpdated`` and ``PayloadReceived``; the rest is told to operators, who
want to know who accused whom, how often that was confirmed and how long it
took.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from gossipd.address import Address
from gossipd.swim.member import Member


class MemberJoined(msgspec.Struct, frozen=True):
    """A node is alive that was unknown, dead or left (section 8.1 step 11)."""

    member: Member


class MemberUpdated(msgspec.Struct, frozen=True):
    """An alive node changed its meta."""

    member: Member


class MemberSuspected(msgspec.Struct, frozen=True):
    """``accuser`` got no answer from ``member``; it has until ``deadline`` to refute."""

    member: Member
    accuser: str
    deadline: float


class SuspicionConfirmed(msgspec.Struct, frozen=True):
    """Another accuser agreed, which moved the ``deadline`` (LHA-Suspicion)."""

    member: Member
    accuser: str
    confirmations: int
    deadline: float


class MemberRefuted(msgspec.Struct, frozen=True):
    """A suspect proved to be alive after ``suspected_for`` seconds."""

    member: Member
    suspected_for: float


class MemberFailed(msgspec.Struct, frozen=True):
    """A node is dead: suspicion ran out here, or somebody said so.

    ``suspected_for`` is ``None`` when this node never suspected it itself.
    """

    member: Member
    accuser: str
    confirmations: int
    suspected_for: float | None


class MemberLeft(msgspec.Struct, frozen=True):
    """A node said of itself that it leaves (dead with accuser = node)."""

    member: Member


class AccusationRefuted(msgspec.Struct, frozen=True):
    """Somebody called *us* ``kind`` (suspect, dead or alive); we answered above it."""

    kind: str
    accuser: str
    incarnation: int


class NameConflict(msgspec.Struct, frozen=True):
    """Two addresses claim one name; the known one was kept (section 8.1 step 5)."""

    member: Member
    claimed: Address


class UdpUnreachable(msgspec.Struct, frozen=True):
    """``member`` answered over TCP though UDP probes failed (section 9 step 8)."""

    member: Member


class PingMisdirected(msgspec.Struct, frozen=True):
    """A ping for ``node`` came to us from ``source`` (section 3.1)."""

    node: str
    source: Address


class AckObserved(msgspec.Struct, frozen=True):
    """A direct UDP ack to our own probe, with its round trip in seconds."""

    member: Member
    rtt: float
    payload: bytes | None


class PayloadReceived(msgspec.Struct, frozen=True):
    """A user message for the layers above."""

    payload: bytes
    source: Address


class BroadcastFinished(msgspec.Struct, frozen=True):
    """The broadcast queued with ``token`` was sent as often as it will be, or replaced."""

    token: int


class MergeRefused(msgspec.Struct, frozen=True):
    """A push/pull state was refused as a whole (section 6.2), nothing was merged."""

    reason: str


class MemberForgotten(msgspec.Struct, frozen=True):
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
    | AckObserved
    | PayloadReceived
    | BroadcastFinished
    | MergeRefused
    | MemberForgotten
)
