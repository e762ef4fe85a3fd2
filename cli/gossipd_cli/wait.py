"""``gossipd wait``: for scripts, until the cluster is as it should be."""

from __future__ import annotations

import sys
import time

from gossipd.client.connection import DaemonUnreachable
from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.members import MEMBER_EVENTS
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gossipd.query.records import MemberRecord

RETRY_SECONDS = 0.1
"""Pause between tries to reach a daemon that is not there (yet)."""
ANSWER_SECONDS = 1.0
"""How long a daemon may take to answer however little time is left: it may be busy."""
STATUSES = ("alive", "leaving", "left", "failed")


class _Wish:
    """What is waited for; all that was asked must hold at the same time."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.members: int | None = values["members"]
        self.alive: int | None = values["alive"]
        self.node: str | None = values["node"]
        self.status: str = values["status"] or "alive"
        if self.node is None and values["status"]:
            raise UsageError("--status is of a node: name it with --node")
        if self.members is None and self.alive is None and self.node is None:
            raise UsageError(
                "say what to wait for: --members N, --alive N, --node NAME or --service NAME"
            )

    def missing(self, members: Sequence[MemberRecord]) -> list[str]:
        """Return what does not hold yet, in words; empty when everything does."""
        words = []
        alive = sum([member.status == "alive" for member in members])
        if self.members is not None and len(members) < self.members:
            words.append(f"{len(members)} of {self.members} members")
        if self.alive is not None and alive < self.alive:
            words.append(f"{alive} of {self.alive} alive members")
        if self.node is not None:
            status = next((m.status for m in members if m.name == self.node), "no member")
            # Nobody is told that a member is leaving, and it is so for a moment only.
            is_past = (self.status, status) == ("leaving", "left")
            if status != self.status and not is_past:
                words.append(f"{printable(self.node)} is {status}, not {self.status}")
        return words


def _wait(values: Mapping[str, Any]) -> int:
    """Wait; with a timeout also for the daemon itself, which may be starting just now."""
    if values["service"] is not None:
        from gossipd_cli.services.waiting import wait_for_service  # few calls need it

        return wait_for_service(values)
    if values["passing"] is not None:
        raise UsageError("--passing is of a service: name it with --service")
    wish = _Wish(values)
    started = time.monotonic()
    timeout: float | None = values["timeout"]
    while True:
        try:
            return _follow(values, wish, started)
        except DaemonUnreachable:
            if timeout is None or time.monotonic() - started + RETRY_SECONDS >= timeout:
                raise
        time.sleep(RETRY_SECONDS)


def _follow(values: Mapping[str, Any], wish: _Wish, started: float) -> int:
    timeout: float | None = values["timeout"]

    def patience() -> float | None:
        """How long an answer may take, so that a frozen daemon keeps nobody too long."""
        if timeout is None:
            return None
        return max(ANSWER_SECONDS, timeout - (time.monotonic() - started))

    with connect(values, timeout=patience()) as client:
        events = client.stream(MEMBER_EVENTS, immediate=True, never_answers=True)
        while True:
            if timeout is not None:
                client.timeout = patience()
            members = client.members()
            missing = wish.missing(members)
            waited = time.monotonic() - started
            if not missing:
                break
            if timeout is None:
                next(events)
            elif waited >= timeout or events.next_within(timeout - waited) is None:
                # The last look came after all that was told within the time.
                missing = wish.missing(members := client.members())
                break
            events.skip_ready()
    _report(values, members, missing, time.monotonic() - started)
    return exits.TIMED_OUT if missing else exits.DONE


def _report(
    values: Mapping[str, Any], members: Sequence[MemberRecord], missing: list[str], seconds: float
) -> None:
    alive = sum([member.status == "alive" for member in members])
    if values["json"]:
        shown = {
            "reached": not missing,
            "missing": missing,
            "members": len(members),
            "alive": alive,
            "seconds": round(seconds, 4),
        }
        sys.stdout.write(as_json(shown))
    elif not missing:
        sys.stdout.write(f"Total members: {len(members)}, live members: {alive}\n")
    if missing:
        exits.complain(f"the time is up: {'; '.join(missing)}")


WAIT = Command(
    "wait",
    _wait,
    help="""Wait until the cluster is as described, as this daemon sees it.

    Numbers are the least that will do; all conditions must hold together.
    Exit code 0 when they do, 4 when the time is up. Follows the daemon's
    events, so it neither polls nor comes late. With --timeout the daemon
    itself is waited for too; exit code 3 if it was not there in the end.
    """,
    options=(
        Option(
            "--members",
            help="So many members are known, whatever their status.",
            kind="count",
            metavar="N",
        ),
        Option("--alive", help="So many members are alive.", kind="count", metavar="N"),
        Option("--node", help="The member NAME has the status of --status.", metavar="NAME"),
        Option(
            "--status",
            help="With --node: alive (default), leaving (or already left), left, failed.",
            metavar="STATUS",
            choices=STATUSES,
        ),
        Option(
            "--service",
            help="Instances of the service NAME pass.",
            metavar="NAME",
            offers="services",
        ),
        Option(
            "--passing",
            help="With --service: so many of them (default: 1).",
            kind="count",
            metavar="N",
        ),
        Option(
            "--timeout",
            help="Seconds after which to give up (default: never).",
            kind="number",
            metavar="SECONDS",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
