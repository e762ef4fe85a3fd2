"""``gossipd run``: a program that is a service for exactly as long as it runs."""

from __future__ import annotations

import os
import time

from gossipd.client.connection import DaemonUnreachable
from gossipd.client.endpoint import AUTH_VARIABLE, SOCKET_VARIABLE
from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.services.defining import DEFINING_OPTIONS, read_definition
from gossipd_cli.services.waiting import follow_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.services.definition import Service
    from gossipd_cli.services.holding import Holding

WORDS_MAX = 10_000
AT_ONCE_SECONDS = 0.3
"""A need that passes within this time is not worth a word."""
RETRY_SECONDS = 0.2


class _TimeIsUp(Exception):
    """A need did not pass in time."""


def _run(values: Mapping[str, Any]) -> int:
    from gossipd_cli.services.holding import Holding
    from gossipd_cli.services.supervising import Foreground, NotStarted

    if not values["service"]:
        raise UsageError("--service: say the name of the service")
    service = read_definition(values, values["service"])
    _wait_for_daemon(values)
    try:
        for need in values["needs"]:
            _wait_for_need(values, service, need)
    except _TimeIsUp as error:
        exits.complain(str(error))
        return exits.TIMED_OUT
    foreground = Foreground()
    holding = Holding(values, service)
    try:
        holding.start()
        foreground.start(values["command"], _environment(values, service))
        return foreground.run(lambda: _withdraw(holding, values["drain"] or 0.0))
    except NotStarted as error:
        exits.complain(str(error))
        return error.code
    finally:
        holding.release()
        foreground.close()


def _wait_for_daemon(values: Mapping[str, Any]) -> None:
    """Return when the daemon answers.

    Raises:
        DaemonUnreachable: it does not within the time of ``--wait``.
    """
    deadline = time.monotonic() + (values["wait"] or 0.0)
    is_told = False
    while True:
        try:
            connect(values).close()
        except DaemonUnreachable:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        if not is_told:
            exits.complain("waiting for the daemon")
            is_told = True
        time.sleep(RETRY_SECONDS)


def _wait_for_need(values: Mapping[str, Any], service: Service, need: str) -> None:
    """Return when an instance of ``need`` passes.

    Raises:
        _TimeIsUp: none does within the time of ``--needs-timeout``.
    """
    limit: float | None = values["needs_timeout"]
    at_once = AT_ONCE_SECONDS if limit is None else min(limit, AT_ONCE_SECONDS)
    if follow_until(values, need, 1, at_once)[0]:
        return
    exits.complain(f"{service.name} waits until {need} passes")
    if not follow_until(values, need, 1, None if limit is None else limit - at_once)[0]:
        raise _TimeIsUp(f"the time is up: no instance of {need} passes")
    exits.complain(f"{need} passes")


def _withdraw(holding: Holding, seconds: float) -> float:
    """Let consumers turn away; return how long the program is still to serve them."""
    if seconds > 0 and holding.drain(seconds):
        return seconds
    holding.release()
    return 0.0


def _environment(values: Mapping[str, Any], service: Service) -> dict[str, str]:
    """Return the program's environment: ours, and what it may want to know of itself."""
    told = {"GOSSIPD_SERVICE": service.name, "GOSSIPD_SERVICE_ID": service.id}
    if service.address:
        told["GOSSIPD_SERVICE_ADDRESS"] = service.address
    if service.port:
        told["GOSSIPD_SERVICE_PORT"] = str(service.port)
    if values["socket"]:
        told[SOCKET_VARIABLE] = values["socket"]
    if values["rpc_auth"]:
        told[AUTH_VARIABLE] = values["rpc_auth"]
    return os.environ | told


RUN = Command(
    "run",
    _run,
    help="""Run CMD in the foreground as a service that lives exactly as long as it does.

    Waits until what it --needs passes, registers the service and starts CMD.
    Signals go to CMD; at SIGTERM consumers are first given the time of --drain
    to turn away. The service is deregistered when CMD ends, and the exit code is
    CMD's, or 128 + n if signal n ended it. The registration survives restarts of
    the daemon and commands of others, but for a drain, and ends at once if this
    command is killed.
    """,
    options=(
        Option("--service", help="Name of the service.", metavar="NAME"),
        *DEFINING_OPTIONS,
        Option(
            "--needs-timeout",
            help="Give up when a need does not pass in time (exit code 4; default: never).",
            kind="number",
            metavar="SECONDS",
        ),
        Option(
            "--drain",
            help="At SIGTERM serve so long before CMD gets it (default: not at all).",
            kind="number",
            metavar="SECONDS",
        ),
        Option(
            "--wait",
            help="Wait so long for the daemon at the start (default: not at all).",
            kind="number",
            metavar="SECONDS",
        ),
        *SOCKET_OPTIONS,
    ),
    argument=Argument("command", "-- CMD...", 1, WORDS_MAX),
)
