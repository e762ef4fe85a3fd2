"""``gossipd rtt``: round trips between members, estimated from their coordinates."""

from __future__ import annotations

import sys

from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gossipd.query.replies import CoordinateReply

TABLE_MAX = 200
"""Members in a table of all pairs; more would be no table that anybody reads."""


def _rtt(values: Mapping[str, Any]) -> int:
    names: tuple[str, ...] = values["nodes"]
    if values["all"] and names:
        raise UsageError("give the names of two nodes or --all, not both")
    with connect(values) as client:
        if len(names) == 1:
            names = (names[0], client.stats()["agent"]["name"])
        is_pair = bool(names)
        if not is_pair:
            names = tuple([m.name for m in client.members() if m.status == "alive"])
            if len(names) > TABLE_MAX:
                raise UsageError(
                    f"{len(names)} live members are too many for all pairs (at most"
                    f" {TABLE_MAX}): name two"
                )
        places = {name: client.coordinate(name) for name in names}
    unknown = [name for name in names if places[name] is None]
    if values["json"]:
        sys.stdout.write(as_json(_as_json(names, places, is_pair)))
    elif not is_pair:
        sys.stdout.write(_as_table(names, places))
    elif not unknown:
        a, b = names
        shown = f"{printable(a)} <-> {printable(b)}"
        sys.stdout.write(f"Estimated {shown} rtt: {_milliseconds(places, a, b)} ms\n")
    for name in dict.fromkeys(unknown):
        exits.complain(
            f'Could not find a coordinate for node "{printable(name)}" (is it a member, have'
            " probes reached it yet, and are coordinates on, there and here?)"
        )
    return exits.FAILED if unknown and is_pair else exits.DONE


def _milliseconds(places: Mapping[str, CoordinateReply | None], a: str, b: str) -> str:
    here, there = places[a], places[b]
    return "-" if here is None or there is None else f"{here.rtt(there) * 1e3:.3f}"


def _as_table(names: Sequence[str], places: Mapping[str, CoordinateReply | None]) -> str:
    """Return a table of milliseconds, one row and one column for each node."""
    rows = [["ms", *[printable(name) for name in names]]]
    for a in names:
        row = [printable(a)]
        row += ["" if a == b else _milliseconds(places, a, b) for b in names]
        rows.append(row)
    return table(rows)


def _as_json(
    names: Sequence[str], places: Mapping[str, CoordinateReply | None], is_pair: bool
) -> dict[str, Any]:
    pairs = []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            here, there = places[a], places[b]
            known = here is not None and there is not None
            pairs.append({"a": a, "b": b, "seconds": here.rtt(there) if known else None})  # type: ignore[union-attr, arg-type]
    coordinates = {name: _place_json(place) for name, place in places.items()}
    return {"rtt": pairs, "coordinates": coordinates}


def _place_json(place: CoordinateReply | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {
        "vec": list(place.vec),
        "height": place.height,
        "adjustment": place.adjustment,
        "error": place.error,
    }


RTT = Command(
    "rtt",
    _rtt,
    help="""Estimate the round trip between two nodes, or between all.

    With one name: between that node and this one. Without names: a table of
    all live members, in milliseconds. --json also shows the coordinates.
    Exit code 1 if a named node's coordinate is not known.
    """,
    options=(
        Option("--all", help="All pairs of live members (as without names).", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("nodes", "[NODE [NODE]]", 0, 2),
)
