"""``gossipd members``: who is in the cluster, once or as it changes."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option, as_pairs
from gossipd_cli.render import as_json, as_json_line, member_json, member_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.client.blocking import Client
    from gossipd.query.records import MemberRecord

MEMBER_EVENTS = "member-join,member-leave,member-failed,member-update,member-reap"


def _run(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        if values["watch"]:
            return _watch(client, values)
        members = _matching(client, values)
        if values["json"]:
            sys.stdout.write(as_json({"members": [member_json(member) for member in members]}))
        else:
            sys.stdout.write(member_table(members, detailed=values["detailed"]))
    return exits.DONE


def _matching(client: Client, values: Mapping[str, Any]) -> list[MemberRecord]:
    return client.members_filtered(
        name=values["name"] or "",
        status=values["status"] or "",
        tags=as_pairs(values["tag"]),
    )


def _watch(client: Client, values: Mapping[str, Any]) -> int:
    """Print the matching members, and again whenever that changes, until Ctrl-C.

    The list is asked for afresh after each event, so it is right even when
    events were lost, and the filters mean what they mean without ``--watch``.
    """
    is_terminal = sys.stdout.isatty()
    shown: str | None = None
    from gossipd_cli.reader import end_with_reader  # a list that is printed once ends anyway

    end_with_reader()
    try:
        events = client.stream(MEMBER_EVENTS, immediate=True, never_answers=True)
        while True:
            members = _matching(client, values)
            if values["json"]:
                text = as_json_line({"members": [member_json(member) for member in members]})
            else:
                text = member_table(members, detailed=values["detailed"]) or "no members match\n"
            if text != shown:
                if is_terminal and not values["json"]:
                    sys.stdout.write("\x1b[2J\x1b[H")
                elif shown is not None and not values["json"]:
                    sys.stdout.write("\n")
                sys.stdout.write(text)
                sys.stdout.flush()
                shown = text
            next(events)
            events.skip_ready()
    except KeyboardInterrupt:
        return exits.DONE


MEMBERS = Command(
    "members",
    _run,
    help="""List the members of the cluster, sorted by name.

    Patterns are RE2 and must match the whole value; a tag that a member does
    not have counts as empty.
    """,
    options=(
        Option("--status", help="Only members whose status matches.", metavar="REGEX"),
        Option("--name", help="Only members whose name matches.", metavar="REGEX"),
        Option(
            "--tag",
            help="Only members whose tag KEY matches; repeatable, all must match.",
            kind="pairs",
            metavar="KEY=REGEX",
        ),
        Option("--detailed", help="Also show protocol versions.", kind="flag"),
        Option("--watch", help="Print again whenever the list changes.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
