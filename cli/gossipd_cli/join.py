"""``gossipd join``, ``leave`` and ``force-leave``: changes of membership by hand."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ADDRESSES_MAX = 10_000


def _join(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        contacted = client.join(values["address"], replay=values["replay"])
    asked = len(values["address"])
    if values["json"]:
        sys.stdout.write(as_json({"contacted": contacted, "asked": asked}))
    else:
        sys.stdout.write(f"Successfully joined cluster by contacting {contacted} nodes.\n")
        if contacted < asked:
            exits.complain(f"{asked - contacted} of {asked} addresses could not be contacted")
    return exits.DONE


def _leave(values: Mapping[str, Any]) -> int:
    drain: float | None = values["drain"]
    with connect(values) as client:
        if drain is None:
            client.leave()
        else:
            client.timeout = (client.timeout or 0.0) + drain
            client.leave(drain=drain)
    sys.stdout.write(as_json({"left": True}) if values["json"] else "Graceful leave complete\n")
    return exits.DONE


def _force_leave(values: Mapping[str, Any]) -> int:
    node = values["node"]
    with connect(values) as client:
        # The protocol succeeds for unknown names too; say so before it looks done.
        is_known = any(member.name == node for member in client.members())
        client.force_leave(node, prune=values["prune"])
    if values["json"]:
        sys.stdout.write(as_json({"node": node, "known": is_known, "prune": values["prune"]}))
    if not is_known:
        exits.complain(f"no member is named {node!r}")
        return exits.FAILED
    return exits.DONE


JOIN = Command(
    "join",
    _join,
    help="""Join a cluster through the addresses of some of its members.

    ADDRESS is host, host:port, [v6]:port or name/host:port. One that can be
    contacted is enough.
    """,
    options=(
        Option("--replay", help="Also deliver the cluster's old user events.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("address", "ADDRESS...", 1, ADDRESSES_MAX),
)

LEAVE = Command(
    "leave",
    _leave,
    help="""Leave the cluster gracefully; the daemon ends when the others know.

    With --drain consumers of this node's services are given that time to turn
    away first.
    """,
    options=(
        Option(
            "--drain",
            help="Drain this node's services for so long before.",
            kind="number",
            metavar="SECONDS",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)

FORCE_LEAVE = Command(
    "force-leave",
    _force_leave,
    help="""Declare that the failed member NODE has left.

    A member that is alive refutes it. Exit code 1 if there is no such member.
    """,
    options=(
        Option("--prune", help="Forget the member at once.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("node", "NODE"),
)
