"""Events about services as log lines: level, words, and fields of JSON lines.

Beside ``lines.py`` because a daemon without services never has such an event and
should not hold what describes it.
"""

from __future__ import annotations

from gossipd.catalog.events import CheckChanged, GuardChanged, RecordIgnored, ServiceEnded
from gossipd.services.definition import PASSING

OUTPUT_SHOWN = 200
"""Characters of a check's output in a line."""
DRAINED = "drained"
"""Why a service ends that somebody wanted to end."""


def level_of(event: object) -> str | None:
    """Return the level of the event's line, or ``None`` when it gets none."""
    match event:
        case CheckChanged(after=after):
            return "INFO" if after == PASSING else "WARN"
        case ServiceEnded(reason=reason):
            return "INFO" if reason == DRAINED else "WARN"
        case GuardChanged(holds=holds):
            return "WARN" if holds else "INFO"
        case RecordIgnored():
            return "DEBUG"
        case _:
            return None


def describe(event: object) -> str:
    """Return part and text of the event's line; only for events that have a level."""
    match event:
        case CheckChanged():
            whose = f"service '{event.service}'" if event.service else "this node"
            said = f": {_shown(event.output)}" if event.output else ""
            return (
                f"agent: check '{event.check}' of {whose} is {event.after},"
                f" was {event.before}{said}"
            )
        case ServiceEnded():
            return f"agent: service '{event.service}' is deregistered: {event.reason}"
        case GuardChanged(holds=True):
            return (
                f"catalog: {event.lost} of {event.total} instances of '{event.service}' are on"
                " nodes that failed together: they are kept and shown as doubtful"
            )
        case GuardChanged():
            return (
                f"catalog: instances of '{event.service}' are trusted again:"
                f" {event.lost} of {event.total} are on nodes that failed"
            )
        case RecordIgnored():
            detail = f" {event.detail}" if event.detail else ""
            return f"catalog: Ignored records of {event.owner}: {event.reason}{detail}"
        case _:
            raise AssertionError(event)


def fields_of_event(event: object) -> dict[str, object]:
    """Return the fields of the event's line in JSON."""
    match event:
        case CheckChanged():
            return {
                "event": "check-changed",
                "check": event.check,
                "service": event.service,
                "before": event.before,
                "after": event.after,
                "output": event.output[:OUTPUT_SHOWN],
            }
        case ServiceEnded():
            return {"event": "service-ended", "service": event.service, "reason": event.reason}
        case GuardChanged():
            return {
                "event": "guard",
                "service": event.service,
                "holds": event.holds,
                "lost": event.lost,
                "total": event.total,
            }
        case RecordIgnored():
            return {
                "event": "record-ignored",
                "owner": event.owner,
                "reason": event.reason,
                "detail": event.detail,
            }
        case _:
            return {"event": type(event).__name__}


def _shown(output: str) -> str:
    """Return the beginning of an output, in one line."""
    words = " ".join(output[: 2 * OUTPUT_SHOWN].split())
    return words if len(words) <= OUTPUT_SHOWN else f"{words[:OUTPUT_SHOWN]}..."
