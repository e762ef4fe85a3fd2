"""What Serf's layer has to tell: changes of members, and warnings for the log."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus


class SerfMember(Value):
    """A member as users see it; replaced, never changed.

    ``status_ltime`` is the Lamport time of the last intent that set the
    status; ``left_at`` when it failed or left (seconds, monotonic), else None.
    """

    name: str
    address: Address
    tags: Mapping[str, str]
    status: MemberStatus
    versions: Versions
    status_ltime: int
    left_at: float | None = None


class ChangeKind(enum.StrEnum):
    """Kinds of membership change, named as in Serf's event streams."""

    JOIN = "member-join"
    LEAVE = "member-leave"
    FAILED = "member-failed"
    UPDATE = "member-update"
    REAP = "member-reap"


class MemberChange(Value):
    """``kind`` happened to ``member`` (shown as it is now).

    ``forced`` marks a leave or reap that an operator's force-leave caused.
    """

    kind: ChangeKind
    member: SerfMember
    forced: bool = False


class LeaveIntentRefuted(Value):
    """Somebody announced that *we* leave; we said otherwise (section 15.2)."""

    ltime: int


class QueueTooDeep(Value):
    """A queue holds ``depth`` entries; ``dropped`` of them were pruned now."""

    queue: str
    depth: int
    dropped: int


class ReconnectTried(Value):
    """A failed member is tried again (section 18.3)."""

    member: SerfMember


class MessageIgnored(Value):
    """A Serf message was dropped: ``reason`` is a stable key, ``source`` who sent it."""

    reason: str
    detail: str
    source: Address | None


class BroadcastDone(Value):
    """The intent queued under ``token`` went out as often as it will.

    ``timed_out`` if it was not sent often enough within the broadcast timeout.
    """

    token: int
    timed_out: bool = False


class QueryAcked(Value):
    """``node`` acknowledged our own query numbered ``query``."""

    query: int
    node: str


class QueryClosed(Value):
    """Our own query is over: all live members answered, or its time is up."""

    query: int


SerfEvent: TypeAlias = (
    MemberChange
    | LeaveIntentRefuted
    | QueueTooDeep
    | ReconnectTried
    | MessageIgnored
    | BroadcastDone
    | QueryAcked
    | QueryClosed
)
