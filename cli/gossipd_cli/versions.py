"""``gossipd version``: the program's version and the protocols it speaks."""

from __future__ import annotations

import sys

from gossipd.version import __version__
from gossipd_cli import exits
from gossipd_cli.plain import JSON_OPTION, Command
from gossipd_cli.render import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SERF_PROTOCOL = 5
SERF_PROTOCOL_MIN = 2


def _version(values: Mapping[str, Any]) -> int:
    if values["json"]:
        shown = {
            "version": __version__,
            "serf_protocol": SERF_PROTOCOL,
            "serf_protocol_min": SERF_PROTOCOL_MIN,
        }
        sys.stdout.write(as_json(shown))
    else:
        sys.stdout.write(
            f"gossipd {__version__}\n"
            f"Agent Protocol: {SERF_PROTOCOL} (Understands back to: {SERF_PROTOCOL_MIN})\n"
        )
    return exits.DONE


VERSION = Command(
    "version", _version, help="Print the version and the protocols spoken.", options=(JSON_OPTION,)
)
