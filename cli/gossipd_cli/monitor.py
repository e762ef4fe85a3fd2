"""``gossipd monitor``: the daemon's log and its events, as they come."""

from __future__ import annotations

import sys

from gossipd.errors import UsageError
from gossipd.query.records import EventRecord, LogRecord
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.payload import payload_json, payload_text
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option
from gossipd_cli.reader import end_with_reader
from gossipd_cli.render import as_json_line, member_json, member_table, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gossipd.client.blocking import Client

LEVELS = ("trace", "debug", "info", "warn", "err")


def _run(values: Mapping[str, Any]) -> int:
    show = _as_json if values["json"] else _as_text
    if values["no_log"] and values["no_events"]:
        raise UsageError("--no-log and --no-events leave nothing to follow")
    with connect(values) as client:
        end_with_reader()
        try:
            for record in _records(client, values):
                sys.stdout.write(show(record))
                sys.stdout.flush()
        except KeyboardInterrupt:
            return exits.DONE
    return exits.DONE


def _records(client: Client, values: Mapping[str, Any]) -> Iterator[EventRecord | LogRecord]:
    filters, level, immediate = values["event"], values["log_level"], values["immediate"]
    if values["no_log"]:
        return client.stream(filters, immediate=immediate, never_answers=True)
    if values["no_events"]:
        return client.monitor(level)
    return client.follow(filters, level, immediate=immediate)


def _as_text(record: EventRecord | LogRecord) -> str:
    if record.lost:
        what = "events" if isinstance(record, EventRecord) else "log lines"
        return f"({record.lost} {what} lost: read too slowly)\n"
    if isinstance(record, LogRecord):
        return "\n".join([printable(line) for line in record.text.split("\n")]) + "\n"
    if record.members:
        rows = member_table(record.members).splitlines()
        return "".join([f"{record.kind}: {row}\n" for row in rows])
    about = [f"ltime {record.ltime}"]
    if record.sender:
        about.insert(0, f"from {printable(record.sender)}")
    lines = [printable(line) for line in payload_text(record.payload).split("\n")]
    head = f"{record.kind}: {printable(record.name)} ({', '.join(about)})"
    return f"{head}: " + "\n".join(lines) + "\n" if record.payload else f"{head}\n"


def _as_json(record: EventRecord | LogRecord) -> str:
    if record.lost:
        of = "events" if isinstance(record, EventRecord) else "log"
        return as_json_line({"lost": record.lost, "of": of})
    if isinstance(record, LogRecord):
        return as_json_line({"level": record.level, "log": record.text})
    shown: dict[str, Any] = {"event": record.kind}
    if record.kind in ("user", "query"):
        shown |= {"name": record.name, "ltime": record.ltime, "sender": record.sender or None}
        if record.kind == "user":
            shown["coalesce"] = record.may_coalesce
        shown |= payload_json(record.payload)
    else:
        shown["members"] = [member_json(member) for member in record.members]
    return as_json_line(shown)


MONITOR = Command(
    "monitor",
    _run,
    help="""Follow the daemon's log and the cluster's events until Ctrl-C.

    Begins with the last log lines that the daemon keeps. With --json each
    line is one JSON object: a log line has "log", an event "event"; what
    could not be read in time is counted in "lost". A payload is text, or
    "payload_base64" where it is none.
    """,
    options=(
        Option(
            "--log-level",
            help="Lowest level of log lines, whatever the daemon itself logs.",
            metavar="LEVEL",
            default="info",
            choices=LEVELS,
        ),
        Option(
            "--event",
            help="Comma separated events: *, member-join, member-failed, user:NAME ...",
            metavar="FILTER",
            default="*",
        ),
        Option("--no-log", help="Only events.", kind="flag"),
        Option("--no-events", help="Only the log.", kind="flag"),
        Option(
            "--immediate",
            help="Each event at once and alone, instead of gathered for a moment.",
            kind="flag",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
