"""``gossipd top``: members, services and traffic, drawn again every second."""

from __future__ import annotations

import sys
import time

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.looking.picture import SORTS, Photographer
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option
from gossipd_cli.render import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SORT_KEYS = {sort[0]: sort for sort in SORTS}
WIDTH_WITHOUT_TERMINAL = 120


def _top(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        photographer = Photographer(client)
        if values["json"] or values["once"] or not _has_terminal():
            photographer.take()
            time.sleep(values["interval"])  # rates are of two moments
            picture = photographer.take()
            if values["json"]:
                sys.stdout.write(as_json(picture.as_json(values["sort"])))
            else:
                from rich.console import Console

                from gossipd_cli.looking.screen import draw

                width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
                console = Console(file=sys.stdout, width=width, highlight=False)
                console.print(draw(picture, values["sort"], None, with_keys=False))
            return exits.DONE
        try:
            _follow(photographer, values["sort"], values["interval"])
        except KeyboardInterrupt:
            return exits.DONE
    return exits.DONE


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _follow(photographer: Photographer, sort: str, interval: float) -> None:
    """Draw until somebody presses q."""
    from rich.console import Console
    from rich.live import Live

    from gossipd_cli.looking.keys import Keys
    from gossipd_cli.looking.screen import draw

    console = Console(highlight=False)
    with (
        Keys(sys.stdin.fileno()) as keys,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            picture = photographer.take()
            shown_until = time.monotonic() + interval
            while (left := shown_until - time.monotonic()) > 0:
                live.update(draw(picture, sort, console.height, with_keys=True), refresh=True)
                key = keys.wait(left)
                if key == "q":
                    return
                sort = SORT_KEYS.get(key, sort)


TOP = Command(
    "top",
    _top,
    help="""Show members, services, health and traffic, again every second.

    Keys: q quits; s, n and r sort members by status, name and round trip. Without a
    terminal, or with --once, it shows them once. Rates are those of the last interval.
    """,
    options=(
        Option(
            "--sort",
            help=f"Order of the members: {', '.join(SORTS)}.",
            metavar="KEY",
            default="status",
            choices=SORTS,
        ),
        Option(
            "--interval",
            help="Between two pictures.",
            kind="number",
            metavar="SECONDS",
            default=1.0,
        ),
        Option("--once", help="Show one picture and end.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
