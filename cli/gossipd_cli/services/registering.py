"""``gossipd register`` and ``deregister``: services that stay until they are taken back."""

from __future__ import annotations

import sys

from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, printable
from gossipd_cli.services.defining import DEFINING_OPTIONS, read_definition, read_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.services.definition import Service


def _register(values: Mapping[str, Any]) -> int:
    services = _described(values)
    done = []
    with connect(values) as client:
        for service in services:
            warnings = tuple(client.register_service(service))
            done.append({"id": service.id, "name": service.name, "warnings": list(warnings)})
            for warning in warnings:
                exits.complain(f"warning: {warning}")
            if not values["json"]:
                words = f"{service.name} is registered"
                words += f" as {service.id}" if service.id != service.name else ""
                sys.stdout.write(f"{printable(words)}\n")
    if values["json"]:
        sys.stdout.write(as_json({"registered": done}))
    return exits.DONE


def _described(values: Mapping[str, Any]) -> list[Service]:
    if values["file"] is None:
        return [read_definition(values, values["name"])]
    given = [
        option.names[-1] for option in DEFINING_OPTIONS if values[option.key] not in (None, ())
    ]
    if values["name"] or given:
        raise UsageError(f"--file says it all: leave {given[0] if given else values['name']} out")
    return read_files(values["file"])


def _deregister(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        client.deregister(values["id"])
    if values["json"]:
        sys.stdout.write(as_json({"deregistered": values["id"]}))
    else:
        sys.stdout.write(f"{printable(values['id'])} is deregistered\n")
    return exits.DONE


REGISTER = Command(
    "register",
    _register,
    help="""Register the service NAME on this node, or replace the one of its id.

    It stays until it is deregistered, also over restarts of a daemon with a
    data directory. For a service that is to live as long as a program does, see
    'gossipd run'.
    """,
    options=(
        *DEFINING_OPTIONS,
        Option(
            "--file",
            help="Services of a TOML or JSON file instead, - for standard input.",
            metavar="FILE",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("name", "[NAME]", 0, 1),
)

DEREGISTER = Command(
    "deregister",
    _deregister,
    help="""Take back the service ID of this node.

    Exit code 1 if this node registers none of that id.
    """,
    options=(JSON_OPTION, *SOCKET_OPTIONS),
    argument=Argument("id", "ID", offers="own services"),
)
