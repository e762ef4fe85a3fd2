"""``Happening``: one line of the timeline, and what an event of the node is in words.

Pure. What happened is a sentence, why it happened another; both are plain text for
people, beside fields for programs. Names and outputs in them are the word of peers.
Changes of services are told in ``services.py``, because an event says only
that there are some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossipd.catalog.events import CheckChanged, GuardChanged, ServiceEnded
from gossipd.node.events import MemberDegraded, MemberRecovered, NodeEvent, SyncFinished
from gossipd.serf.events import (
    ChangeKind,
    KeyringChanged,
    MemberChange,
    NameVoted,
    QueueTooDeep,
    UserEventReceived,
)
from gossipd.services.definition import CRITICAL, PASSING, WARNING
from gossipd.swim.events import (
    AccusationRefuted,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MergeRefused,
    NameConflict,
    SuspicionConfirmed,
    UdpUnreachable,
)
from gossipd.value import Value

GOOD, INFO, WARN, BAD = "good", "info", "warn", "bad"
LEVELS = (GOOD, INFO, WARN, BAD)
"""How an operator feels about it."""
OUTPUT_SHOWN = 300
"""Characters of a check's output, or of an event's payload."""

JOINED, UPDATED, LEAVING, LEFT, FORGOTTEN = "joined", "updated", "leaving", "left", "forgotten"
SUSPECTED, CONFIRMED, REFUTED, FAILED = "suspected", "confirmed", "refuted", "failed"
ACCUSED, CONFLICT, VOTE, UNREACHABLE = "accused", "conflict", "vote", "unreachable"
SERVICE_UP, SERVICE_CHANGED, SERVICE_DOWN = "service-up", "service-changed", "service-down"
CHECK, SERVICE_ENDED, GUARD = "check", "service-ended", "guard"
EVENT, HEALTH, DEGRADED, RECOVERED = "event", "health", "degraded", "recovered"
SYNC, KEYS, QUEUE, WITHHELD = "sync", "keys", "queue", "withheld"
KINDS = (
    *(JOINED, UPDATED, LEAVING, LEFT, FORGOTTEN),
    *(SUSPECTED, CONFIRMED, REFUTED, FAILED),
    *(ACCUSED, CONFLICT, VOTE, UNREACHABLE),
    *(SERVICE_UP, SERVICE_CHANGED, SERVICE_DOWN, CHECK, SERVICE_ENDED, GUARD),
    *(EVENT, HEALTH, DEGRADED, RECOVERED, SYNC, KEYS, QUEUE, WITHHELD),
)
"""What can happen."""


class Told(Value, kw_only=True):
    """What happened, before it has a place in the timeline."""

    kind: str
    level: str = INFO
    node: str = ""
    service: str = ""
    text: str
    why: str = ""
    detail: Mapping[str, object] = {}
    """Further fields of this kind, as JSON has them."""


class Happening(Value, kw_only=True):
    """One line of the timeline: ``number`` counts from 1, ``at`` is seconds since 1970."""

    number: int
    at: float
    told: Told

    def record(self) -> dict[str, object]:
        """Return it as JSON shows it."""
        told = self.told
        record: dict[str, object] = {
            "number": self.number,
            "at": round(self.at, 3),
            "kind": told.kind,
            "level": told.level,
            "text": told.text,
        }
        for key in ("node", "service", "why"):
            if value := getattr(told, key):
                record[key] = value
        if told.detail:
            record["detail"] = dict(told.detail)
        return record


CAUSES = (MemberFailed, MemberJoined, MemberLeft)
"""Events that tell why the change of a member's status follows."""


def tell_change(
    event: MemberChange, us: str, cause: NodeEvent | None, away_for: float | None
) -> Told:
    """Return what the change of a member is in words.

    Args:
        event: the change.
        us: name of this node.
        cause: what the failure detector said of the member just before, if anything.
        away_for: seconds since it failed or left, ``None`` if it was not away.
    """
    name = event.member.name
    detail: dict[str, object] = {}
    if away_for is not None:
        detail["away_for"] = round(away_for, 1)
    match event.kind:
        case ChangeKind.JOIN:
            text = f"{name} joined" if away_for is None else f"{name} is back"
            why = "" if away_for is None else f"it was away for {away_for:.1f} s"
            if isinstance(cause, MemberJoined):
                detail["incarnation"] = cause.member.incarnation
                why = "; ".join(filter(None, (why, _through(cause, name == us))))
            return Told(kind=JOINED, level=GOOD, node=name, text=text, why=why, detail=detail)
        case ChangeKind.FAILED:
            return _failed(name, us, cause)
        case ChangeKind.LEAVE:
            why = "somebody forced it to" if event.forced else "it said so itself"
            return Told(kind=LEFT, node=name, text=f"{name} left", why=why, detail=detail)
        case ChangeKind.REAP:
            gone = "" if away_for is None else f"it was gone for {away_for:.1f} s"
            why = "somebody asked to prune it" if event.forced else gone
            return Told(
                kind=FORGOTTEN, node=name, text=f"{name} is forgotten", why=why, detail=detail
            )
        case _:
            tags = dict(sorted(event.member.tags.items()))
            shown = ", ".join(f"{key}={value}" for key, value in tags.items()) or "none"
            return Told(
                kind=UPDATED,
                node=name,
                text=f"{name} changed its tags",
                why=f"they are now: {shown}",
                detail={"tags": tags},
            )


def _through(cause: MemberJoined, is_us: bool) -> str:
    if is_us:
        return ""
    if cause.through is None:
        return "learned by a push/pull"
    if cause.through == cause.member.address:
        return "it said so itself"
    return f"gossip from {cause.through}"


def _failed(name: str, us: str, cause: NodeEvent | None) -> Told:
    detail: dict[str, object] = {}
    why = ""
    if isinstance(cause, MemberFailed):
        detail = {"accuser": cause.accuser, "confirmations": cause.confirmations}
        why = "it did not answer us" if cause.accuser == us else f"{cause.accuser} accused it"
        if cause.suspected_for is not None:
            detail["suspected_for"] = round(cause.suspected_for, 3)
            why += (
                f"; {_people(cause.confirmations)} confirmed, and it did not refute"
                f" within {cause.suspected_for:.1f} s"
            )
    return Told(kind=FAILED, level=BAD, node=name, text=f"{name} failed", why=why, detail=detail)


def _people(count: int) -> str:
    return "nobody else" if not count else "one other" if count == 1 else f"{count} others"


def _suspected(event: MemberSuspected, us: str, now: float) -> Told:
    left = event.deadline - now
    who = "it did not answer us" if event.accuser == us else f"{event.accuser} got no answer"
    return Told(
        kind=SUSPECTED,
        level=WARN,
        node=event.member.name,
        text=f"{event.member.name} is suspected",
        why=f"{who}; it has {left:.1f} s to refute",
        detail={"accuser": event.accuser, "seconds_left": round(left, 3)},
    )


def _confirmed(event: SuspicionConfirmed, _us: str, now: float) -> Told:
    left = event.deadline - now
    return Told(
        kind=CONFIRMED,
        level=WARN,
        node=event.member.name,
        text=f"{event.accuser} confirms the suspicion of {event.member.name}",
        why=f"confirmation {event.confirmations}; {left:.1f} s left to refute",
        detail={
            "accuser": event.accuser,
            "confirmations": event.confirmations,
            "seconds_left": round(left, 3),
        },
    )


def _refuted(event: MemberRefuted, _us: str, _now: float) -> Told:
    return Told(
        kind=REFUTED,
        level=GOOD,
        node=event.member.name,
        text=f"{event.member.name} refuted the suspicion",
        why=f"after {event.suspected_for:.1f} s, with incarnation {event.member.incarnation}",
        detail={
            "suspected_for": round(event.suspected_for, 3),
            "incarnation": event.member.incarnation,
        },
    )


def _accused(event: AccusationRefuted, us: str, _now: float) -> Told:
    who = f"{event.accuser} called us {event.kind}" if event.accuser else "an alive was not ours"
    return Told(
        kind=ACCUSED,
        level=WARN,
        node=us,
        text="we refuted an accusation",
        why=f"{who}; our incarnation is {event.incarnation} now",
        detail={
            "accuser": event.accuser,
            "claim": event.kind,
            "incarnation": event.incarnation,
        },
    )


def _conflict(event: NameConflict, _us: str, _now: float) -> Told:
    return Told(
        kind=CONFLICT,
        level=BAD,
        node=event.member.name,
        text=f"two nodes are called {event.member.name}",
        why=f"known at {event.member.address}, claimed by {event.claimed}",
        detail={"known": str(event.member.address), "claimed": str(event.claimed)},
    )


def _vote(event: NameVoted, us: str, _now: float) -> Told:
    end = "this node ends" if event.must_end else "this node stays"
    return Told(
        kind=VOTE,
        level=BAD,
        node=us,
        text=f"the members were asked who is {us}: {end}",
        why=f"{event.verdict.value} ({event.ours} of {event.responses}); also so: {event.rival}",
        detail={"ours": event.ours, "responses": event.responses},
    )


def _unreachable(event: UdpUnreachable, _us: str, _now: float) -> Told:
    return Told(
        kind=UNREACHABLE,
        level=WARN,
        node=event.member.name,
        text=f"{event.member.name} answers over TCP but not over UDP",
        why="something on the way drops datagrams",
    )


def tell_leaving(name: str, is_leaving: bool) -> Told:
    """Return that a member announces to leave, or that it does so no longer."""
    text = f"{name} is leaving" if is_leaving else f"{name} stays after all"
    return Told(kind=LEAVING, node=name, text=text, why="it said so itself")


def _degraded(event: MemberDegraded, _us: str, _now: float) -> Told:
    text = f"{event.name} behaves worse than it usually does"
    return Told(kind=DEGRADED, level=WARN, node=event.name, text=text, why=event.reason)


def _recovered(event: MemberRecovered, _us: str, _now: float) -> Told:
    text = f"{event.name} behaves as usual again"
    return Told(kind=RECOVERED, level=GOOD, node=event.name, text=text)


def _sync(event: SyncFinished, _us: str, _now: float) -> Told | None:
    if not event.error:
        return None
    whom = event.node or str(event.to)
    what = f"joining through {event.to}" if event.is_join else f"a push/pull with {whom}"
    return Told(kind=SYNC, level=WARN, node=event.node, text=f"{what} failed", why=event.error)


def _merge(event: MergeRefused, _us: str, _now: float) -> Told:
    return Told(kind=SYNC, level=WARN, text="a push/pull was refused", why=event.reason)


def _user_event(event: UserEventReceived, _us: str, _now: float) -> Told:
    payload = event.payload or b""
    shown = clipped(payload[: 4 * OUTPUT_SHOWN].decode("utf-8", "replace"))
    return Told(
        kind=EVENT,
        node=event.sender,
        text=f"event {event.name}" + (f" from {event.sender}" if event.sender else ""),
        why=shown,
        detail={"name": event.name, "ltime": event.ltime, "bytes": len(payload)},
    )


def _keys(event: KeyringChanged, _us: str, _now: float) -> Told:
    return Told(
        kind=KEYS,
        node=event.sender,
        text=f"{event.sender} asked to {event.command.replace('-', ' ')}",
        why=f"{event.keys} keys are installed here",
    )


def _queue(event: QueueTooDeep, us: str, _now: float) -> Told:
    what = f"{event.dropped} were dropped" if event.dropped else "none were dropped"
    return Told(
        kind=QUEUE,
        level=WARN,
        node=us,
        text=f"the queue of {event.queue} is {event.depth} long",
        why=what,
        detail={"queue": event.queue, "depth": event.depth, "dropped": event.dropped},
    )


_LEVEL_OF = {PASSING: GOOD, WARNING: WARN, CRITICAL: BAD}


def _check(event: CheckChanged, us: str, _now: float) -> Told:
    whose = f"service {event.service}" if event.service else us
    return Told(
        kind=CHECK,
        level=_LEVEL_OF.get(event.after, WARN),
        node=us,
        service=event.service,
        text=f"check {event.check} of {whose} is {event.after}, was {event.before}",
        why=clipped(event.output),
        detail={"check": event.check, "before": event.before, "after": event.after},
    )


def _ended(event: ServiceEnded, us: str, _now: float) -> Told:
    return Told(
        kind=SERVICE_ENDED,
        level=WARN,
        node=us,
        service=event.service,
        text=f"service {event.service} deregistered itself",
        why=event.reason,
    )


def _guard(event: GuardChanged, _us: str, _now: float) -> Told:
    text = f"the guard of {event.service} {'holds' if event.holds else 'lets go'}"
    why = f"{event.lost} of {event.total} instances are on nodes that failed"
    more = " together; they are kept and shown as doubtful" if event.holds else ""
    return Told(
        kind=GUARD,
        level=BAD if event.holds else INFO,
        service=event.service,
        text=text,
        why=why + more,
        detail={"holds": event.holds, "lost": event.lost, "total": event.total},
    )


_WORDS: Mapping[type, Callable[..., Told | None]] = {
    MemberSuspected: _suspected,
    SuspicionConfirmed: _confirmed,
    MemberRefuted: _refuted,
    AccusationRefuted: _accused,
    NameConflict: _conflict,
    NameVoted: _vote,
    UdpUnreachable: _unreachable,
    MemberDegraded: _degraded,
    MemberRecovered: _recovered,
    SyncFinished: _sync,
    MergeRefused: _merge,
    UserEventReceived: _user_event,
    KeyringChanged: _keys,
    QueueTooDeep: _queue,
    CheckChanged: _check,
    ServiceEnded: _ended,
    GuardChanged: _guard,
}

PROVOKED = frozenset(
    {AccusationRefuted, NameConflict, MergeRefused, UserEventReceived, QueueTooDeep}
)
"""Events that anybody can cause as often as they like."""


def tell(event: NodeEvent, us: str, now: float) -> Told | None:
    """Return what ``event`` is in words; ``None`` if it is not worth any.

    Args:
        event: but for ``MemberChange`` and ``LeaveNoted``, which have words of their own.
        us: name of this node.
        now: when it happened, on the clock of the event's deadlines.
    """
    words = _WORDS.get(type(event))
    return None if words is None else words(event, us, now)


def clipped(text: str) -> str:
    """Return the beginning of a text of others, in one line."""
    words = " ".join(text[: 4 * OUTPUT_SHOWN].split())
    return words if len(words) <= OUTPUT_SHOWN else f"{words[:OUTPUT_SHOWN]}..."
