"""``gossipd monitor``: the daemon's log and its events, as they come."""

from __future__ import annotations

import sys

from gossipd.query.records import EventRecord, LogRecord
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option
from gossipd_cli.render import as_json_line, member_json, member_table, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LEVELS = ("trace", "debug", "info", "warn", "err")


def _run(values: Mapping[str, Any]) -> int:
    show = _as_json if values["json"] else _as_text
    with connect(values) as client:
        try:
            for record in client.follow(values["event"], values["log_level"]):
                sys.stdout.write(show(record))
                sys.stdout.flush()
        except KeyboardInterrupt:
            return exits.DONE
    return exits.DONE


def _as_text(record: EventRecord | LogRecord) -> str:
    if record.lost:
        what = "events" if isinstance(record, EventRecord) else "log lines"
        return f"({record.lost} {what} lost: read too slowly)\n"
    if isinstance(record, LogRecord):
        return "\n".join([printable(line) for line in record.text.split("\n")]) + "\n"
    if record.members:
        rows = member_table(record.members).splitlines()
        return "".join([f"{record.kind}: {row}\n" for row in rows])
    rest = {key: value for key, value in record.body.items() if key != "Event"}
    return f"{record.kind}: {as_json_line(rest)}"


def _as_json(record: EventRecord | LogRecord) -> str:
    if isinstance(record, LogRecord):
        if record.lost:
            return as_json_line({"lost_log_lines": record.lost})
        return as_json_line({"level": record.level, "log": record.text})
    if record.lost:
        return as_json_line({"lost_events": record.lost})
    if record.members:
        members = [member_json(member) for member in record.members]
        return as_json_line({"event": record.kind, "members": members})
    rest = {key.lower(): value for key, value in record.body.items() if key != "Event"}
    return as_json_line({"event": record.kind} | rest)


MONITOR = Command(
    "monitor",
    _run,
    help="""Follow the daemon's log and the cluster's events until Ctrl-C.

    Begins with the last log lines that the daemon keeps. With --json each
    line is one JSON object.
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
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
