"""``gossipd handlers``: the scripts that the daemon runs on events."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command
from gossipd_cli.render import as_json, printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def _handlers(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        handlers = client.stats().get("event_handlers", {})
    ordered = sorted((_filter_of(name, handlers), script) for name, script in handlers.items())
    if values["json"]:
        shown = [{"filter": name, "script": script} for name, script in ordered]
        sys.stdout.write(as_json({"handlers": shown}))
    else:
        sys.stdout.write(table([[printable(name), printable(script)] for name, script in ordered]))
    return exits.DONE


def _filter_of(key: str, keys: Mapping[str, object]) -> str:
    """Return the filter as it was written: Serf's key has a colon behind a bare kind,
    and ours a number when there was such a key before."""
    first, _, number = key.rpartition(" (")
    if first in keys and number.endswith(")"):
        key = first
    return key.removesuffix(":")


HANDLERS = Command(
    "handlers",
    _handlers,
    help="""List the scripts that the daemon runs on events, by their filter.

    They are set by event_handlers in the configuration or --event-handler.
    """,
    options=(JSON_OPTION, *SOCKET_OPTIONS),
)
