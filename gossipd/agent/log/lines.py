"""Events as log lines, in the words that tools match on (agent.md, section 5).

The spelled beginning of a line is memberlist's or Serf's; behind it stands
what operators ask next: who said so, how often it was confirmed, how long it
took. Events that are not worth a line have no entry in ``DESCRIBED``.
"""

from __future__ import annotations

from collections.abc import Callable

from gossipd.node.events import (
    InputDropped,
    MemberDegraded,
    MemberRecovered,
    NodeEvent,
    PayloadLost,
    SyncFinished,
)
from gossipd.serf.events import (
    ChangeKind,
    KeyringChanged,
    LeaveIntentRefuted,
    MemberChange,
    MessageIgnored,
    NameVerdict,
    NameVoted,
    QueryReceived,
    QueueTooDeep,
    ReconnectTried,
    UserEventReceived,
)
from gossipd.swim.events import (
    AccusationRefuted,
    MemberFailed,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MergeRefused,
    NameConflict,
    PingMisdirected,
    SuspicionConfirmed,
    UdpUnreachable,
)

PIECE = 900
"""Characters of a long text in one line: as UTF-8 they fit into every output."""


def escaped(text: str) -> str:
    """Return ``text`` with what cannot be printed escaped: it cannot forge or break a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def pieces(text: str) -> list[str]:
    """Return ``text`` escaped, in pieces of which each fits into a line of the log."""
    shown = escaped(text)
    return [shown[at : at + PIECE] for at in range(0, len(shown), PIECE)]


Describe = Callable[..., str]
"""Takes the event, our own name and the time it happened; returns part and text.

That of ``MemberChange`` takes its cause as well.
"""

CAUSES = frozenset({MemberFailed, MemberJoined, MemberLeft})
"""Events that tell why the change of a member's status follows."""

_CHANGES = {
    ChangeKind.JOIN: "EventMemberJoin",
    ChangeKind.LEAVE: "EventMemberLeave",
    ChangeKind.FAILED: "EventMemberFailed",
    ChangeKind.UPDATE: "EventMemberUpdate",
    ChangeKind.REAP: "EventMemberReap",
}
_WITH_ADDRESS = (ChangeKind.JOIN, ChangeKind.LEAVE, ChangeKind.FAILED)


def _member_change(event: MemberChange, us: str, now: float, cause: NodeEvent | None) -> str:
    forced = " (forced)" if event.forced else ""
    address = f" {event.member.address.host}" if event.kind in _WITH_ADDRESS else ""
    why = _why(event, us, now, cause)
    behind = f" ({why})" if why else ""
    return f"serf: {_CHANGES[event.kind]}{forced}: {event.member.name}{address}{behind}"


def _why(event: MemberChange, us: str, now: float, cause: NodeEvent | None) -> str:
    """Return who said so, in the words of an operator; empty if nobody else had to.

    Of an update it is what the member says of itself now, of a member that is
    forgotten or forced to leave how long it has been away.
    """
    if event.kind is ChangeKind.UPDATE:
        tags = ", ".join(f"{tag}={text}" for tag, text in sorted(event.member.tags.items()))
        return f"tags: {tags}" if tags else "no tags"
    if event.member.name == us:
        return ""
    away = away_for(event, now)
    if away is not None:
        return f"gone for {away:.1f}s"
    if isinstance(cause, MemberFailed):
        who = "no acks to us" if cause.accuser == us else f"accused by {cause.accuser}"
        if cause.suspected_for is None:
            return who
        count = cause.confirmations
        return f"{who}, {count} confirmed, suspected for {cause.suspected_for:.1f}s"
    if isinstance(cause, MemberJoined | MemberLeft) and not event.forced:
        return _through(cause)
    return ""


def away_for(event: MemberChange, now: float) -> float | None:
    """Return for how many seconds a member was away that is forgotten or forced to leave."""
    if event.member.left_at is None or not (event.forced or event.kind is ChangeKind.REAP):
        return None
    return now - event.member.left_at


def _through(cause: MemberJoined | MemberLeft) -> str:
    own_word = "its own word, " if isinstance(cause, MemberLeft) else ""
    if cause.through is None:
        return f"{own_word}by push/pull"
    if cause.through == cause.member.address:
        return f"{own_word}from itself"
    return f"{own_word}gossip from {cause.through}"


def _user_event(event: UserEventReceived, _us: str, _now: float) -> str:
    return f"agent: Received event: user-event: {event.name}"


def _query(event: QueryReceived, _us: str, _now: float) -> str:
    return f"agent: Received event: query: {event.name}"


def _suspected(event: MemberSuspected, us: str, now: float) -> str:
    wait = f"it has {event.deadline - now:.1f}s to refute"
    if event.accuser == us:
        return f"memberlist: Suspect {event.member.name} has failed, no acks received ({wait})"
    return f"memberlist: Suspect {event.member.name} has failed, says {event.accuser} ({wait})"


def _confirmed(event: SuspicionConfirmed, _us: str, now: float) -> str:
    return (
        f"memberlist: Suspicion of {event.member.name} confirmed by {event.accuser}"
        f" ({event.confirmations} peer confirmations, {event.deadline - now:.1f}s left)"
    )


def _refuted(event: MemberRefuted, _us: str, _now: float) -> str:
    return (
        f"memberlist: {event.member.name} refuted the suspicion"
        f" after {event.suspected_for:.1f}s (incarnation {event.member.incarnation})"
    )


def _failed(event: MemberFailed, us: str, _now: float) -> str:
    how_long = "" if event.suspected_for is None else f" after {event.suspected_for:.1f}s"
    if event.accuser == us:
        return (
            f"memberlist: Marking {event.member.name} as failed, suspect timeout reached"
            f" ({event.confirmations} peer confirmations){how_long}"
        )
    return f"memberlist: {event.member.name} is dead, says {event.accuser}{how_long}"


def _accusation(event: AccusationRefuted, _us: str, _now: float) -> str:
    if event.kind == "alive":  # these do not say who sent them
        return (
            "memberlist: Refuting an alive message about us that is not ours"
            f" with incarnation {event.incarnation}"
        )
    return (
        f"memberlist: Refuting a {event.kind} message (from: {event.accuser})"
        f" with incarnation {event.incarnation}"
    )


def _conflict(event: NameConflict, _us: str, _now: float) -> str:
    return (
        f"memberlist: Conflicting address for {event.member.name}."
        f" Mine: {event.member.address} Theirs: {event.claimed}"
        f" Old state: {event.member.state.name.lower()}"
    )


def _udp_unreachable(event: UdpUnreachable, _us: str, _now: float) -> str:
    return (
        f"memberlist: Was able to connect to {event.member.name} over TCP"
        " but UDP probes failed, network may be misconfigured"
    )


def _misdirected(event: PingMisdirected, _us: str, _now: float) -> str:
    return f"memberlist: Got ping for unexpected node '{event.node}' from={event.source}"


def _merge_refused(event: MergeRefused, _us: str, _now: float) -> str:
    return f"memberlist: Failed push/pull merge: {event.reason}"


def _forgotten(event: MemberForgotten, _us: str, _now: float) -> str:
    return f"memberlist: Forgot {event.member.name}, {event.member.state.name.lower()}"


def _dropped(event: InputDropped, _us: str, _now: float) -> str:
    source = "unknown" if event.source is None else str(event.source)
    detail = f" {event.detail}" if event.detail else ""
    return f"memberlist: Dropped {event.transport} input: {event.reason}{detail} from={source}"


def _sync(event: SyncFinished, _us: str, _now: float) -> str:
    if event.is_join:
        if event.error:
            return f"memberlist: Failed to join {event.to}: {event.error}"
        return f"memberlist: Joined through {event.to}"
    if event.error:
        return f"memberlist: Push/Pull with {event.node} failed: {event.error}"
    return f"memberlist: Finished push/pull sync with: {event.node} {event.to}"


def _payload_lost(event: PayloadLost, _us: str, _now: float) -> str:
    return f"serf: Failed to send a large response to {event.to} over TCP: {event.error}"


def _degraded(event: MemberDegraded, _us: str, _now: float) -> str:
    return f"agent: Member degraded: {event.name}: {event.reason}"


def _recovered(event: MemberRecovered, _us: str, _now: float) -> str:
    return f"agent: Member no longer degraded: {event.name} (after {event.degraded_for:.0f}s)"


def _queue(event: QueueTooDeep, _us: str, _now: float) -> str:
    if event.dropped:
        limit = event.depth - event.dropped
        return (
            f"serf: {event.queue} queue depth ({event.depth}) exceeds limit ({limit}),"
            " dropping messages!"
        )
    return f"serf: {event.queue} queue depth: {event.depth}"


def _reconnect(event: ReconnectTried, _us: str, _now: float) -> str:
    return f"serf: attempting reconnect to {event.member.name} {event.member.address}"


def _leave_refuted(event: LeaveIntentRefuted, _us: str, _now: float) -> str:
    return f"serf: Refuting an older leave intent (Lamport time {event.ltime})"


def _keyring(event: KeyringChanged, _us: str, _now: float) -> str:
    return f"serf: Received {event.command} query of {event.sender}: {event.keys} keys installed"


def _name_voted(event: NameVoted, us: str, _now: float) -> str:
    side = {
        NameVerdict.MAJORITY: "majority",
        NameVerdict.OUTVOTED: "minority",
    }.get(event.verdict, "no majority")
    end = "quitting" if event.must_end else "staying"
    return (
        f"serf: {side} in name conflict resolution, {end} [{event.ours} / {event.responses}]:"
        f" {event.rival} is called {us} too; {event.verdict.value}"
    )


def _ignored(event: MessageIgnored, _us: str, _now: float) -> str:
    source = "unknown" if event.source is None else str(event.source)
    return f"serf: Ignored message: {event.reason} {event.detail} from={source}"


DESCRIBED: dict[type, tuple[str, Describe]] = {
    MemberChange: ("INFO", _member_change),
    UserEventReceived: ("INFO", _user_event),
    QueryReceived: ("INFO", _query),
    MemberSuspected: ("INFO", _suspected),
    SuspicionConfirmed: ("DEBUG", _confirmed),
    MemberRefuted: ("INFO", _refuted),
    MemberFailed: ("INFO", _failed),
    AccusationRefuted: ("WARN", _accusation),
    NameConflict: ("ERR", _conflict),
    UdpUnreachable: ("WARN", _udp_unreachable),
    PingMisdirected: ("WARN", _misdirected),
    MergeRefused: ("ERR", _merge_refused),
    MemberForgotten: ("DEBUG", _forgotten),
    InputDropped: ("DEBUG", _dropped),
    SyncFinished: ("DEBUG", _sync),
    PayloadLost: ("WARN", _payload_lost),
    MemberDegraded: ("WARN", _degraded),
    MemberRecovered: ("INFO", _recovered),
    QueueTooDeep: ("WARN", _queue),
    ReconnectTried: ("INFO", _reconnect),
    KeyringChanged: ("INFO", _keyring),
    NameVoted: ("ERR", _name_voted),
    LeaveIntentRefuted: ("DEBUG", _leave_refuted),
    MessageIgnored: ("DEBUG", _ignored),
}
"""Level and words by type of event."""

LOGGED = CAUSES.union(DESCRIBED)
"""Events that the log has a use for; most are none of them."""

PROVOKED = (
    AccusationRefuted,
    InputDropped,
    MergeRefused,
    MessageIgnored,
    NameConflict,
    PingMisdirected,
    QueryReceived,
    UserEventReceived,
)
"""Events that change nothing here and that anybody can cause as often as they like."""


SERVICE_EVENTS = "gossipd.catalog.events"
"""Where events about services are from; a daemon without services never imports it."""


def is_provoked(kind: type) -> bool:
    """Return whether peers can cause events of ``kind`` as often as they like."""
    return kind in PROVOKED or (
        kind.__module__ == SERVICE_EVENTS and kind.__name__ == "RecordIgnored"
    )


def level_of(event: NodeEvent) -> str | None:
    """Return the level of the event's line, or ``None`` when it gets none."""
    kind = type(event)
    entry = DESCRIBED.get(kind)
    if entry is None:
        if kind.__module__ != SERVICE_EVENTS:
            return None
        from gossipd.agent.log import service_lines  # its events are known by then

        return service_lines.level_of(event)
    if type(event) is SyncFinished and event.error and not event.is_join:
        return "ERR"
    return entry[0]


def describe(event: NodeEvent, us: str, now: float, cause: NodeEvent | None = None) -> str:
    """Return part and text of the event's line; only for events that have a level.

    Args:
        event: what happened.
        us: our own node's name.
        now: when it happened, on the clock of the event's deadlines.
        cause: of a change of status, what the failure detector said before, if it did.
    """
    if isinstance(event, MemberChange):
        return _member_change(event, us, now, cause)
    if type(event).__module__ == SERVICE_EVENTS:
        from gossipd.agent.log import service_lines

        return service_lines.describe(event)
    return DESCRIBED[type(event)][1](event, us, now)
