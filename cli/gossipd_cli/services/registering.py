"""``gossipd register`` and ``deregister``: services that stay until they are taken back."""

from __future__ import annotations

import sys
import time

from gossipd.client.connection import RequestRefused
from gossipd.errors import GossipdError, UsageError
from gossipd.services.definition import TOO_OFTEN
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, printable
from gossipd_cli.services.defining import DEFINING_OPTIONS, read_definition, read_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.client.blocking import Client
    from gossipd.services.definition import Service

RETRY_SECONDS = 0.1
PATIENCE_SECONDS = 30.0
"""How long one service of many may wait until the daemon takes more of them."""


def _register(values: Mapping[str, Any]) -> int:
    services = _described(values)
    done = []
    is_one = len(services) == 1
    try:
        with connect(values) as client:
            for service in services:
                warnings = _register_in_turn(client, service)
                done.append({"id": service.id, "name": service.name, "warnings": list(warnings)})
                for warning in warnings:
                    exits.complain(f"warning: {'' if is_one else f'{service.id}: '}{warning}")
                if not values["json"]:
                    words = f"{service.name} is registered"
                    words += f" as {service.id}" if service.id != service.name else ""
                    sys.stdout.write(f"{printable(words)}\n")
    except GossipdError:
        if not is_one:
            what = services[len(done)].id
            exits.complain(
                f"{len(done)} of {len(services)} services are registered, {what} is not:"
            )
        raise
    finally:
        if values["json"] and done:
            sys.stdout.write(as_json({"registered": done}))
    return exits.DONE


def _register_in_turn(client: Client, service: Service) -> tuple[str, ...]:
    """Register one of perhaps many; return warnings.

    A node takes only so many in a second: a long list waits for its turn.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return tuple(client.register_service(service))
        except RequestRefused as error:
            if not str(error).startswith(TOO_OFTEN) or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_SECONDS)


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
