"""``gossipd info`` and ``reachability``: how the daemon and its cluster are."""

from __future__ import annotations

import sys
import time

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def _info(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        stats = client.stats()
    ordered = {section: dict(sorted(stats[section].items())) for section in sorted(stats)}
    if values["json"]:
        sys.stdout.write(as_json(ordered))
        return exits.DONE
    lines = []
    for section, entries in ordered.items():
        lines.append(f"{section}:\n")
        lines += [f"\t{printable(key)} = {printable(entries[key])}\n" for key in entries]
    sys.stdout.write("".join(lines))
    return exits.DONE


def _reachability(values: Mapping[str, Any]) -> int:
    is_text = not values["json"]
    acks: dict[str, float] = {}
    repeated: list[str] = []
    with connect(values) as client:
        members = client.members()
        live = [member.name for member in members if member.status == "alive"]
        if is_text:
            sys.stdout.write(f"Total members: {len(members)}, live members: {len(live)}\n")
            sys.stdout.write("Starting reachability test...\n")
            sys.stdout.flush()
        started = time.monotonic()
        for name in client.reachability(values["timeout"]):
            if name in acks:
                repeated.append(name)
            acks.setdefault(name, time.monotonic() - started)
            if is_text and values["verbose"]:
                sys.stdout.write(f"\tAck from '{printable(name)}'\n")
                sys.stdout.flush()
        seconds = time.monotonic() - started
    silent = sorted(set(live) - set(acks))
    if not is_text:
        _print_json(len(members), live, acks, silent, seconds)
    else:
        if values["verbose"]:
            last = max(acks.values(), default=0.0)
            sys.stdout.write(
                f"Query time: {seconds:.2f} sec, time to last response: {last:.2f} sec\n"
            )
        _print_result(acks, live, silent, repeated)
    return exits.FAILED if silent or repeated else exits.DONE


def _print_json(
    total: int, live: list[str], acks: dict[str, float], silent: list[str], seconds: float
) -> None:
    sys.stdout.write(
        as_json(
            {
                "members": total,
                "live": len(live),
                "acks": {name: round(acks[name], 4) for name in sorted(acks)},
                "silent": silent,
                "seconds": round(seconds, 4),
                "reachable": not silent,
            }
        )
    )


def _print_result(
    acks: dict[str, float], live: list[str], silent: list[str], repeated: list[str]
) -> None:
    if not silent and not repeated:
        sys.stdout.write("Successfully contacted all live nodes\n")
    if silent:
        names = ", ".join([printable(name) for name in silent])
        sys.stdout.flush()
        exits.complain(
            f"{len(silent)} of {len(live)} live members did not answer: {names}"
            " (is UDP blocked on the way, or have they just failed?)"
        )
    if repeated:
        names = ", ".join([printable(name) for name in sorted(set(repeated))])
        sys.stdout.flush()
        exits.complain(f"more than one answer as: {names} (is a name used twice?)")


INFO = Command(
    "info",
    _info,
    help="Show the daemon's numbers: Serf's sections, and gossipd's own.",
    options=(JSON_OPTION, *SOCKET_OPTIONS),
)

REACHABILITY = Command(
    "reachability",
    _reachability,
    help="""Ask every member for a sign of life.

    Exit code 1 if a live member does not answer. Ends as soon as all have answered.
    """,
    options=(
        Option("-v", "--verbose", help="Show each answer as it comes.", kind="flag"),
        Option(
            "--timeout",
            help="Seconds to wait (default: the cluster's query timeout).",
            kind="number",
            metavar="SECONDS",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
