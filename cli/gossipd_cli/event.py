"""``gossipd event``: send a user event to the cluster."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.payload import PAYLOAD_FILE_OPTION, read_payload
from gossipd_cli.plain import (
    JSON_OPTION,
    SOCKET_OPTIONS,
    Argument,
    Command,
    Option,
    as_pairs,
)
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def _event(values: Mapping[str, Any]) -> int:
    name = values["words"][0]
    payload = read_payload(values["words"], values["payload_file"])
    may_coalesce = values["coalesce"]
    with connect(values) as client:
        client.event(
            name,
            payload,
            may_coalesce=may_coalesce,
            nodes=values["node"],
            tags=as_pairs(values["tag"]),
        )
    if values["json"]:
        shown = {"event": name, "payload_bytes": len(payload or b""), "coalesce": may_coalesce}
        sys.stdout.write(as_json(shown))
    else:
        shown_switch = str(may_coalesce).lower()
        sys.stdout.write(
            f"Event '{printable(name)}' dispatched! Coalescing enabled: {shown_switch}\n"
        )
    return exits.DONE


EVENT = Command(
    "event",
    _event,
    help="""Send the user event NAME, perhaps with PAYLOAD, to all members.

    A PAYLOAD of - is read from stdin. Name and payload together may take 512
    bytes by default. Of several events of one name that come close together,
    receivers are told the newest only, unless --no-coalesce. --node and --tag
    choose among gossipd nodes; Serf nodes are told of every event.
    """,
    options=(
        PAYLOAD_FILE_OPTION,
        Option(
            "--coalesce",
            help="Whether receivers may be told only the newest of several.",
            kind="switch",
            default=True,
        ),
        Option("--node", help="Only for the node NAME; repeatable.", kind="repeat", metavar="NAME"),
        Option(
            "--tag",
            help="Only for nodes whose tag KEY matches; repeatable, all must match.",
            kind="pairs",
            metavar="KEY=REGEX",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("words", "NAME [PAYLOAD]", 1, 2),
)
