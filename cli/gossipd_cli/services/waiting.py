"""Waiting for services: ``gossipd wait --service``, and ``gossipd run --needs``."""

from __future__ import annotations

import sys
import time

from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.render import as_json, printable
from gossipd_cli.services.following import Following
from gossipd_cli.services.known import Known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OF_MEMBERS = ("members", "alive", "node", "status")


def wait_for_service(values: Mapping[str, Any]) -> int:
    """Do ``gossipd wait --service``: follow a watch until enough instances pass."""
    given = [key for key in OF_MEMBERS if values[key] is not None]
    if given:
        raise UsageError(f"--service and --{given[0]}: wait for members and services in two calls")
    name, wanted = values["service"], values["passing"]
    wanted = 1 if wanted is None else wanted
    started = time.monotonic()
    timeout: float | None = values["timeout"]
    passing, is_there = follow_until(values, name, wanted, timeout)
    reached = is_there and passing >= wanted
    missing = [] if reached else [f"{passing} of {wanted} passing instances of {printable(name)}"]
    if not is_there:
        exits.complain("no daemon could be reached in time")
        return exits.UNREACHABLE
    if values["json"]:
        shown = {
            "reached": reached,
            "missing": missing,
            "service": name,
            "passing": passing,
            "seconds": round(time.monotonic() - started, 4),
        }
        sys.stdout.write(as_json(shown))
    elif reached:
        sys.stdout.write(f"{printable(name)}: {passing} passing\n")
    if not reached:
        exits.complain(f"the time is up: {'; '.join(missing)}")
        return exits.TIMED_OUT
    return exits.DONE


def follow_until(
    values: Mapping[str, Any], name: str, wanted: int, timeout: float | None
) -> tuple[int, bool]:
    """Wait until ``wanted`` instances pass, or for ``timeout`` seconds.

    Returns:
        How many pass, and whether the daemon was there in the end.

    Raises:
        DaemonUnreachable: nobody answers, and there is no timeout.
    """
    known = Known(lambda instance: instance.is_usable)
    # what a daemon that came back does not know yet does not count
    following = Following(values, name, known, patience=0.0)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        if timeout is None:
            following.connect()
        while True:
            remaining = None if deadline is None else deadline - time.monotonic()
            batch = following.next_batch(remaining)
            if not following.is_connected:
                return 0, False
            if batch is None or len(known.instances) >= wanted:
                return len(known.instances), True
    finally:
        following.close()
