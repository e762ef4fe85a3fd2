"""``gossipd tags``: show or change the tags of this node."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Command, Option, as_pairs
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def _run(values: Mapping[str, Any]) -> int:
    changes = as_pairs(values["set"])
    delete = values["delete"]
    with connect(values) as client:
        if changes or delete:
            client.set_tags(changes, delete=delete)
            if not values["json"]:
                sys.stdout.write("Successfully updated agent tags\n")
                return exits.DONE
        tags = dict(sorted(client.tags().items()))
    if values["json"]:
        sys.stdout.write(as_json(tags))
    else:
        sys.stdout.write("".join([printable(f"{key}={tags[key]}") + "\n" for key in tags]))
    return exits.DONE


TAGS = Command(
    "tags",
    _run,
    help="""Show the tags of this node, or change them.

    Deletions are made first. All tags together take at most 512 bytes.
    """,
    options=(
        Option(
            "--set", help="Create or change a tag; repeatable.", kind="pairs", metavar="KEY=VALUE"
        ),
        Option("--delete", help="Remove a tag; repeatable.", kind="repeat", metavar="KEY"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)
