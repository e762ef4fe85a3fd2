"""``gossipd services`` and ``gossipd service``: what runs where, and how it is."""

from __future__ import annotations

import sys

from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option, as_pairs
from gossipd_cli.render import as_json, printable
from gossipd_cli.services.showing import (
    instance_json,
    instance_table,
    summary_json,
    summary_table,
    view_json,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.services.instance import ServiceView

HERE = "_agent"
"""As ``--near``: the daemon's own node."""


def _services(values: Mapping[str, Any]) -> int:
    if values["graph"] or values["dot"] or values["svg"]:
        from gossipd_cli.services.graphing import show_graph  # few calls need it

        if values["node"] is not None:
            raise UsageError("--node lists instances: leave it out of a graph")
        return show_graph(values)
    if values["node"] is not None:
        return _services_of(values)
    with connect(values) as client:
        summaries = client.services()
    if values["json"]:
        sys.stdout.write(as_json({"services": [summary_json(one) for one in summaries]}))
    else:
        sys.stdout.write(summary_table(summaries))
    return exits.DONE


def _services_of(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        instances = client.services_of(values["node"])
    if values["json"]:
        sys.stdout.write(as_json({"instances": [instance_json(one) for one in instances]}))
    else:
        sys.stdout.write(instance_table(instances))
    return exits.DONE


def _service(values: Mapping[str, Any]) -> int:
    with connect(values) as client:
        view = client.service(
            values["name"],
            tags=values["tag"],
            meta=as_pairs(values["meta"]),
            zone=values["zone"] or "",
            passing=values["passing"],
            near=values["near"] or "",
        )
    if values["json"]:
        sys.stdout.write(as_json(view_json(view)))
    else:
        sys.stdout.write(instance_table(view.instances))
    if view.is_guarded:
        exits.complain(guard_words(view))
    return exits.DONE


def guard_words(view: ServiceView) -> str:
    """Return what a consumer should know while the mass-loss guard holds."""
    doubtful = sum([instance.is_doubtful for instance in view.instances])
    return (
        f"so many instances of {printable(view.name)} were lost at once that the fault may be"
        f" here: {doubtful} are kept and doubtful"
    )


SERVICES = Command(
    "services",
    _services,
    help="""List the services of the cluster, or draw which needs which.

    A line for each service: how many instances are in which status, all
    tags, and what it needs. --graph draws the dependencies as text, --dot as
    Graphviz reads them, --svg as a picture (with Graphviz's dot).
    """,
    options=(
        Option(
            "--node",
            help="Instances that the node NAME registered.",
            metavar="NAME",
            offers="members",
        ),
        Option("--graph", help="Draw which service needs which.", kind="flag"),
        Option("--dot", help="The same for Graphviz.", kind="flag"),
        Option("--svg", help="The same as SVG, drawn by Graphviz's dot.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
)

SERVICE = Command(
    "service",
    _service,
    help="""Show the instances of the service NAME.

    Columns: node, id, address, status, weight, when this daemon learned of
    it, tags, and why it is not passing or doubtful. Nothing is printed if there are none.
    """,
    options=(
        Option("--tag", help="Only with this tag; repeatable.", kind="repeat", metavar="TAG"),
        Option("--meta", help="Only with this; repeatable.", kind="pairs", metavar="KEY=VALUE"),
        Option("--zone", help="Only there.", metavar="ZONE"),
        Option("--passing", help="Only those that pass and take part.", kind="flag"),
        Option(
            "--near",
            help=f"Nearest to NODE first, by round trip; {HERE} is this node.",
            metavar="NODE",
            offers="members",
        ),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("name", "NAME", offers="services"),
)
