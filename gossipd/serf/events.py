"""What Serf's layer has to tell: changes of members, and warnings for the log."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

from gossipd.address import Address
from gossipd.serf.question import KeyCommand, KeyReport
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


class LeaveNoted(Value):
    """``node`` is leaving by its word, or is not any more; not told to applications."""

    node: str


class MemberChange(Value):
    """``kind`` happened to ``member`` (shown as it is now).

    ``forced`` marks a leave or reap that an operator's force-leave caused.
    """

    kind: ChangeKind
    member: SerfMember
    forced: bool = False


class MembersChanged(Value):
    """``kind`` happened to ``members``, each shown as it was when it happened last.

    What applications are told: one for each ``MemberChange``, or for several that came
    close together (section 16, coalescing).
    """

    kind: ChangeKind
    members: tuple[SerfMember, ...]


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


class UserEventReceived(Value):
    """An application's event, to be delivered once (section 16).

    ``sender`` is the node that sent it, empty if it did not say (only gossipd does);
    ``is_own`` tells that we sent it ourselves.
    """

    ltime: int
    name: str
    payload: bytes | None
    may_coalesce: bool
    sender: str = ""
    is_own: bool = False


class QueryReceived(Value):
    """A query that an application may answer once, until ``deadline`` (seconds, monotonic).

    ``number`` is what ``respond`` wants, counted from 1 on this node; ``sender`` the
    node that asks.
    """

    number: int
    ltime: int
    name: str
    payload: bytes | None
    sender: str
    deadline: float


class QueryAcked(Value):
    """``node`` acknowledged our own query numbered ``query``."""

    query: int
    node: str


class QueryAnswered(Value):
    """``node`` answered our own query numbered ``query``; one answer a node."""

    query: int
    node: str
    payload: bytes | None


class KeysAnswered(Value):
    """The key query that the command ``operation`` began is over."""

    operation: int
    report: KeyReport


class NameVerdict(enum.Enum):
    """How a vote about our own name ended (section 18.2)."""

    MAJORITY = "most members know us"
    OUTVOTED = "most members know the other"
    OLDER = "no majority, and we started first"
    YOUNGER = "no majority, and the other started first"
    UNDECIDED = "no majority, and the other does not say when it started"


class NameVoted(Value):
    """``rival`` bears our name too, and the members were asked whose it is.

    ``ours`` of them have our address under it, ``others`` another one, of
    ``responses`` in all.
    """

    rival: Address
    ours: int
    others: int
    responses: int
    verdict: NameVerdict

    @property
    def must_end(self) -> bool:
        """Whether this node gives up the name: it ends, without a leave in that name."""
        return self.verdict in (NameVerdict.OUTVOTED, NameVerdict.YOUNGER)


class KeyringChanged(Value):
    """Our keys were changed as ``sender`` asked all members to; ``keys`` are installed now."""

    command: KeyCommand
    sender: str
    keys: int


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
    | UserEventReceived
    | QueryReceived
    | QueryAcked
    | QueryAnswered
    | KeysAnswered
    | KeyringChanged
    | NameVoted
    | QueryClosed
    | LeaveNoted
)

ApplicationEvent: TypeAlias = MembersChanged | UserEventReceived | QueryReceived
"""What applications are told: streams, handlers and programs that hold the agent."""
