"""What a log line says of an event as values, for JSON lines: who, what and why."""

from __future__ import annotations

from gossipd.agent.log.lines import SERVICE_EVENTS, away_for
from gossipd.node.events import (
    InputDropped,
    MemberDegraded,
    MemberRecovered,
    NodeEvent,
    SyncFinished,
)
from gossipd.serf.events import ChangeKind, MemberChange, QueryReceived, UserEventReceived
from gossipd.swim.events import (
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    SuspicionConfirmed,
)


def fields_of_event(
    event: NodeEvent, us: str, now: float, cause: NodeEvent | None
) -> dict[str, object]:
    """Return the fields of the event's line; durations are in seconds.

    Args:
        event: what happened.
        us: our own node's name.
        now: when it happened, on the clock of the event's deadlines.
        cause: of a change of status, what the failure detector said before, if it did.
    """
    match event:
        case MemberChange(kind=kind, member=member, forced=forced):
            fields = _of_member(kind.value, member.name, str(member.address))
            fields["status"] = member.status.name.lower()
            fields["forced"] = forced
            if kind in (ChangeKind.JOIN, ChangeKind.UPDATE):
                fields["tags"] = dict(member.tags)
            away = away_for(event, now)
            if away is not None:
                fields["gone_for"] = _seconds(away)
            return fields | _why(us, cause, forced=forced or member.name == us)
        case MemberSuspected(member=member, accuser=accuser, deadline=deadline):
            fields = _of_member("member-suspected", member.name, str(member.address))
            return fields | {"accuser": accuser, "refute_within": _seconds(deadline - now)}
        case SuspicionConfirmed():
            fields = _of_member("suspicion-confirmed", event.member.name, str(event.member.address))
            return fields | {
                "accuser": event.accuser,
                "confirmations": event.confirmations,
                "refute_within": _seconds(event.deadline - now),
            }
        case MemberRefuted(member=member, suspected_for=suspected_for):
            fields = _of_member("member-refuted", member.name, str(member.address))
            return fields | {"suspected_for": _seconds(suspected_for)}
        case MemberFailed(member=member):
            fields = _of_member("member-dead", member.name, str(member.address))
            return fields | _why(us, event, forced=False)
        case UserEventReceived(name=name, ltime=ltime, sender=sender):
            return {"event": "user", "name": name, "ltime": ltime, "sender": sender}
        case QueryReceived(name=name, ltime=ltime, sender=sender):
            return {"event": "query", "name": name, "ltime": ltime, "sender": sender}
        case SyncFinished():
            fields = _of_member("push-pull", event.node, str(event.to))
            return fields | {"is_join": event.is_join, "error": event.error}
        case InputDropped(reason=reason, source=source):
            return {"event": "input-dropped", "reason": reason, "source": str(source or "")}
        case MemberDegraded(name=name, reason=reason):
            return {"event": "member-degraded", "member": name, "reason": reason}
        case MemberRecovered(name=name, degraded_for=seconds):
            fields = {"event": "member-recovered", "member": name}
            return fields | {"degraded_for": _seconds(seconds)}
        case _ if type(event).__module__ == SERVICE_EVENTS:
            from gossipd.agent.log import service_lines  # its events are known by then

            return service_lines.fields_of_event(event)
        case _:
            return {"event": type(event).__name__}


def _of_member(event: str, name: str, address: str) -> dict[str, object]:
    return {"event": event, "member": name, "address": address}


def _why(us: str, cause: NodeEvent | None, *, forced: bool) -> dict[str, object]:
    if isinstance(cause, MemberFailed):
        why: dict[str, object] = {
            "accuser": cause.accuser,
            "confirmations": cause.confirmations,
        }
        if cause.suspected_for is not None:
            why["suspected_for"] = _seconds(cause.suspected_for)
        return why
    if isinstance(cause, MemberJoined | MemberLeft) and not forced:
        return {"through": "push/pull" if cause.through is None else str(cause.through)}
    return {}


def _seconds(value: float) -> float:
    return round(value, 3)
