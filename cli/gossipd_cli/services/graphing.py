"""``gossipd services --graph`` and ``gossipd impact``: what needs what, and who loses what."""

from __future__ import annotations

import sys

from gossipd.catalog.graph import (
    dot,
    impact_of_node,
    impact_of_service,
    needed_by,
    needs_of,
)
from gossipd.errors import GossipdError, UsageError
from gossipd.rest.own.graph_json import graph_json, impact_json
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gossipd.catalog.graph import Impact, Loss
    from gossipd.client.blocking import Client
    from gossipd.services.instance import ServiceSummary

DOT_SECONDS = 60.0
LOST_SHOWN = 10
"""Instances of a service that are named in a line; with ``--json`` all are."""


class CannotDraw(GossipdError):
    """Graphviz is not there, or it does not draw this."""


def show_graph(values: Mapping[str, Any]) -> int:
    """Do ``gossipd services --graph``, ``--dot`` and ``--svg``."""
    chosen = [name for name in ("dot", "svg", "json") if values[name]]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]}: choose one")
    with connect(values) as client:
        summaries = client.services()
    if values["dot"]:
        sys.stdout.write(dot(summaries))
    elif values["svg"]:
        sys.stdout.write(as_svg(dot(summaries)))
    elif values["json"]:
        sys.stdout.write(as_json(graph_json(summaries)))
    else:
        sys.stdout.write(graph_text(summaries))
    return exits.DONE


def as_svg(text: str) -> str:
    """Return what Graphviz makes of a graph in its language.

    Raises:
        CannotDraw: there is no Graphviz here, or it failed.
    """
    import subprocess  # only pictures need it

    try:
        done = subprocess.run(
            ["dot", "-Tsvg"],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=DOT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise CannotDraw(
            "--svg: Graphviz's dot is not installed (package graphviz); --dot prints the graph"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CannotDraw(f"--svg: dot is not done after {DOT_SECONDS:g} s") from error
    if done.returncode:
        raise CannotDraw(f"--svg: dot failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def graph_text(summaries: Sequence[ServiceSummary]) -> str:
    """Return the graph as lines: what a service needs stands below it, indented.

    A service whose needs were shown before is marked and not unfolded again.
    """
    by_name = {summary.name: summary for summary in summaries}
    needs = needs_of(summaries)
    turned = needed_by(needs)
    lines: list[str] = []
    unfolded: set[str] = set()

    def unfold(start: str) -> None:
        waiting = [(start, 0)]
        while waiting:
            name, depth = waiting.pop()
            again = name in unfolded and bool(needs[name])
            state = _state(by_name.get(name)) + ("  (see above)" if again else "")
            lines.append(f"{'  ' * depth}{printable(name)}  {state}\n")
            if name not in unfolded:
                unfolded.add(name)
                waiting += [(each, depth + 1) for each in reversed(needs[name])]

    for name in needs:
        if not turned[name]:
            unfold(name)
    for name in needs:  # circles that nobody outside of them needs
        if name not in unfolded:
            unfold(name)
    return "".join(lines)


def _state(summary: ServiceSummary | None) -> str:
    if summary is None:
        return "nobody registers it"
    return f"{summary.passing} of {summary.total} passing"


def _impact(values: Mapping[str, Any]) -> int:
    name = values["name"]
    if values["node"] and values["service"]:
        raise UsageError("--node and --service: choose one")
    with connect(values) as client:
        summaries = client.services()
        kind = _kind(client, name, summaries, values)
        needs = needs_of(summaries)
        if kind == "service":
            impact = impact_of_service(name, client.service(name).instances, needs)
        else:
            own = client.services_of(name)
            carried = dict.fromkeys(instance.service.name for instance in own)
            others = {each: client.service(each).instances for each in carried}
            impact = impact_of_node(name, own, others, needs)
    if values["json"]:
        sys.stdout.write(as_json({kind: name} | impact_json(impact)))
    else:
        sys.stdout.write(impact_text(kind, name, impact))
    return exits.DONE


class NobodyThere(GossipdError):
    """Neither a member nor a service has that name."""


def _kind(
    client: Client, name: str, summaries: Sequence[ServiceSummary], values: Mapping[str, Any]
) -> str:
    """Say whether ``name`` is a node or a service."""
    needs = needs_of(summaries)
    is_service = name in needs and not values["node"]
    is_node = not values["service"] and any(member.name == name for member in client.members())
    if is_service and is_node:
        raise UsageError(f"{name!r} is a node and a service: say --node or --service")
    if not is_service and not is_node:
        what = "node" if values["node"] else "service" if values["service"] else "node or service"
        raise NobodyThere(f"no {what} is named {name!r}")
    return "service" if is_service else "node"


def impact_text(kind: str, name: str, impact: Impact) -> str:
    """Return in words who loses what."""
    if not impact.losses:
        return f"no service loses anything without the {kind} {printable(name)}\n"
    lines = [_loss_text(loss) for loss in impact.losses]
    if impact.broken:
        lines.append(f"broken without it: {', '.join(impact.broken)}")
    return "".join([f"{printable(line)}\n" for line in lines])


def _loss_text(loss: Loss) -> str:
    passing = sum([instance.is_usable for instance in loss.lost])
    where = ", ".join([f"{one.owner}/{one.service.id}" for one in loss.lost[:LOST_SHOWN]])
    if len(loss.lost) > LOST_SHOWN:
        where += f" and {len(loss.lost) - LOST_SHOWN} more"
    if loss.is_empty and passing:
        words = f"{loss.service}: loses all {passing} that pass"
    elif loss.is_empty:
        words = f"{loss.service}: had nothing that passes"
    else:
        words = f"{loss.service}: loses {passing} of {passing + loss.left} that pass"
    words += f" ({where})" if where else ""
    return words + (f"; needed by {', '.join(loss.needed_by)}" if loss.needed_by else "")


IMPACT = Command(
    "impact",
    _impact,
    help="""Show what would be lost without the node or service NAME, and who needs it.

    "broken" are services that would lose all they have of something they need,
    directly or through others.
    """,
    options=(
        Option("--node", help="NAME is a node, if a service has that name too.", kind="flag"),
        Option("--service", help="NAME is a service, if a node has that name too.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("name", "NAME", offers="services"),
)
