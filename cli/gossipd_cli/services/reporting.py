"""``gossipd report``, ``load``, ``maint`` and ``drain``: what a provider says of itself."""

from __future__ import annotations

import sys

from gossipd.errors import UsageError
from gossipd.services.definition import CRITICAL, PASSING, WARNING
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

STATUS_WORDS = {
    "pass": PASSING,
    "passing": PASSING,
    "warn": WARNING,
    "warning": WARNING,
    "fail": CRITICAL,
    "critical": CRITICAL,
}


def _report(values: Mapping[str, Any]) -> int:
    check, word, *rest = values["words"]
    status = STATUS_WORDS.get(word.lower())
    if status is None:
        raise UsageError(f"{word!r} is no status: give pass, warn or fail")
    load = None if values["load"] is None else as_load(values["load"])
    with connect(values) as client:
        client.report(check, status, rest[0] if rest else "", load=load)
    return _done(values, {"check": check, "status": status, "load": load})


def _load(values: Mapping[str, Any]) -> int:
    service, text = values["words"]
    load = as_load(text)
    with connect(values) as client:
        client.report_load(service, load)
    return _done(values, {"id": service, "load": load})


def as_load(text: str) -> float:
    """Return a load as a number: 0 is idle, 1 is full; also ``75%``.

    Raises:
        UsageError: it is none.
    """
    try:
        load = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        load = -1.0
    if not 0 <= load < 1e9:
        raise UsageError(f"{text!r} is no load: give a number from 0 (idle) to 1 (full), or 75%")
    return load


def _maint(values: Mapping[str, Any]) -> int:
    word, *rest = values["words"]
    service = rest[0] if rest else ""
    if word not in ("on", "off"):
        raise UsageError(f"{word!r}: say on or off")
    is_on = word == "on"
    if values["reason"] and not is_on:
        raise UsageError("--reason is of 'maint on'")
    reason = (values["reason"] or "by an operator") if is_on else None
    with connect(values) as client:
        client.maintenance(service, reason)
    shown = {"id": service or None, "maintenance": is_on, "reason": reason}
    what = printable(service) if service else "this node"
    return _done(values, shown, f"{what} is {'' if is_on else 'no longer '}in maintenance\n")


def _drain(values: Mapping[str, Any]) -> int:
    service = values["id"] or ""
    if values["stop"] and values["for"] is not None:
        raise UsageError("--stop ends a drain; it takes no --for")
    seconds = 0.0 if values["stop"] else values["for"] or DRAIN_SECONDS
    with connect(values) as client:
        client.drain(service, seconds)
    what = printable(service) if service else "this node"
    words = f"{what} drains for {seconds:g} s\n" if seconds else f"{what} drains no longer\n"
    return _done(values, {"id": service or None, "drain_seconds": seconds}, words)


def _done(values: Mapping[str, Any], shown: dict[str, Any], words: str = "") -> int:
    if values["json"]:
        sys.stdout.write(as_json(shown))
    elif words:
        sys.stdout.write(words)
    return exits.DONE


DRAIN_SECONDS = 10.0

REPORT = Command(
    "report",
    _report,
    help="""Tell the result of a ttl check: CHECK pass, warn or fail, perhaps with text.

    A check of kind ttl is critical when nothing was reported for its time.
    Exit code 1 if this node has no such check.
    """,
    options=(
        Option("--load", help="How busy the service is, 0 to 1 or 75%.", metavar="LOAD"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("words", "CHECK pass|warn|fail [OUTPUT]", 2, 3, offers="own checks"),
)

LOAD = Command(
    "load",
    _load,
    help="""Tell how busy the service ID of this node is: 0 is idle, 1 or 100% full.

    Its weight follows within a second, down to 1.
    """,
    options=(JSON_OPTION, *SOCKET_OPTIONS),
    argument=Argument("words", "ID LOAD", 2, 2, offers="own services"),
)

MAINT = Command(
    "maint",
    _maint,
    help="""Take the service ID, or the whole node, out of passing; or back in.

    It stays so over restarts until 'maint off'.
    """,
    options=(
        Option("--reason", help="Why, for whoever asks.", metavar="TEXT"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("words", "on|off [ID]", 1, 2, words=("on", "off")),
)

DRAIN = Command(
    "drain",
    _drain,
    help="""Let consumers turn away from the service ID, or from the whole node.

    Its weight is 0 at once, after half of the time it is out of passing, and at
    the end it is deregistered; the services of a node stay, out of passing.
    """,
    options=(
        Option(
            "--for",
            help=f"How long that takes (default: {DRAIN_SECONDS:g}).",
            kind="number",
            metavar="SECONDS",
        ),
        Option("--stop", help="End a drain that runs.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("id", "[ID]", 0, 1, offers="own services"),
)
