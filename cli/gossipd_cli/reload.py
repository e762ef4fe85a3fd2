"""``gossipd reload``: let the daemon read its configuration again."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def _run(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        done = client.reload()
    if values["json"]:
        sys.stdout.write(
            as_json(
                {
                    "applied": list(done.applied),
                    "needs_restart": list(done.needs_restart),
                    "kept": list(done.kept),
                }
            )
        )
        return exits.DONE
    for title, keys in (
        ("Applied", done.applied),
        ("Only after a restart", done.needs_restart),
        ("Changed at run time, kept", done.kept),
    ):
        if keys:
            sys.stdout.write(f"{title}: {printable(', '.join(keys))}\n")
    if not (done.applied or done.needs_restart or done.kept):
        sys.stdout.write("Nothing changed\n")
    return exits.DONE


RELOAD = Command(
    "reload",
    _run,
    help="""Let the daemon read its configuration again, as SIGHUP does.

    Says what was applied and what waits for a restart. A configuration that is
    wrong changes nothing: exit code 1, with the complaint.
    """,
    options=(JSON_OPTION, *SOCKET_OPTIONS),
)
