"""Who needs whom: the graph of services by their ``needs``, and what is lost when something goes.

Pure functions of what is known: summaries give the edges, instances what a node
carries. A need of an instance counts for its whole service. What is needed but
registered nowhere is in the graph too: that is often the point of looking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gossipd.services.instance import Instance, ServiceSummary
from gossipd.value import Value

Needs = Mapping[str, tuple[str, ...]]
"""By service, sorted: what it needs itself, sorted."""


class Loss(Value, kw_only=True):
    """What one service loses: ``lost`` of its instances, ``left`` of those that pass."""

    service: str
    lost: tuple[Instance, ...] = ()
    left: int = 0
    needed_by: tuple[str, ...] = ()
    """Services that need it, directly or through others, sorted."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it would pass any more."""
        return not self.left


class Impact(Value, kw_only=True):
    """What happens when a node or a service goes.

    ``broken`` are the services that lose all they had of something they need, directly or
    through others, and are not lost themselves, sorted.
    """

    losses: tuple[Loss, ...] = ()
    broken: tuple[str, ...] = ()


def needs_of(summaries: Iterable[ServiceSummary]) -> dict[str, tuple[str, ...]]:
    """Return the graph: each service and what it needs, those that are only needed too."""
    needs = {summary.name: tuple(sorted(summary.needs)) for summary in summaries}
    for needed in tuple(needs.values()):
        for name in needed:
            needs.setdefault(name, ())
    return dict(sorted(needs.items()))


def missing(needs: Needs, summaries: Iterable[ServiceSummary]) -> tuple[str, ...]:
    """Return what is needed although nothing of it passes, sorted."""
    passing = {summary.name for summary in summaries if summary.passing}
    needed = {name for names in needs.values() for name in names}
    return tuple(sorted(needed - passing))


def needed_by(needs: Needs) -> dict[str, tuple[str, ...]]:
    """Return the graph the other way: by service, who needs it itself, sorted."""
    turned: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for each in needed:
            turned.setdefault(each, []).append(name)
    return {name: tuple(sorted(names)) for name, names in turned.items()}


def reached(edges: Mapping[str, Iterable[str]], start: str) -> tuple[str, ...]:
    """Return all that ``start`` leads to, but for itself, sorted; a circle ends there.

    Along ``Needs`` that is what a service needs, along ``needed_by`` who needs it.
    """
    seen = {start: None}
    waiting = [start]
    while waiting:
        for name in edges.get(waiting.pop(), ()):
            if name not in seen:
                seen[name] = None
                waiting.append(name)
    del seen[start]
    return tuple(sorted(seen))


def impact_of_node(
    node: str, instances: Iterable[Instance], others: Mapping[str, Iterable[Instance]], needs: Needs
) -> Impact:
    """Return what happens when ``node`` goes.

    Args:
        node: its name.
        instances: that it registered.
        others: by each of their services, all instances of it.
        needs: the graph.
    """
    lost: dict[str, list[Instance]] = {}
    for instance in instances:
        lost.setdefault(instance.service.name, []).append(instance)
    left = {
        name: sum(one.is_usable and one.owner != node for one in others.get(name, ()))
        for name in lost
    }
    return _impact(lost, left, needs)


def impact_of_service(service: str, instances: Iterable[Instance], needs: Needs) -> Impact:
    """Return what happens when all ``instances`` of ``service`` go."""
    return _impact({service: list(instances)}, {service: 0}, needs)


def _impact(
    lost: Mapping[str, Iterable[Instance]], left: Mapping[str, int], needs: Needs
) -> Impact:
    turned = needed_by(needs)
    losses = tuple(
        Loss(
            service=name,
            lost=tuple(lost[name]),
            left=left[name],
            needed_by=reached(turned, name),
        )
        for name in sorted(lost)
    )
    # what had nothing to lose does not break anybody now
    empty = [loss for loss in losses if loss.is_empty and any(map(_is_usable, loss.lost))]
    if not needs or not empty:
        return Impact(losses=losses)
    gone = {loss.service for loss in empty}
    broken = {name for loss in empty for name in loss.needed_by} - gone
    return Impact(losses=losses, broken=tuple(sorted(broken)))


def _is_usable(instance: Instance) -> bool:
    return instance.is_usable


def dot(summaries: Iterable[ServiceSummary]) -> str:
    """Return the graph in Graphviz' language; colours say which services pass.

    Red is nothing that passes, orange some that do not, dashed what nobody registers.
    """
    by_name = {summary.name: summary for summary in summaries}
    needs = needs_of(by_name.values())
    lines = ["digraph services {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    for name in needs:
        summary = by_name.get(name)
        if summary is None:
            lines.append(f"  {_quoted(name)} [style=dashed, color=red];")
            continue
        label = _quoted(f"{name}\n{summary.passing}/{summary.total}")
        colour = _colour(summary)
        lines.append(f"  {_quoted(name)} [label={label}{colour}];")
    for name, needed in needs.items():
        lines += [f"  {_quoted(name)} -> {_quoted(each)};" for each in needed]
    return "\n".join([*lines, "}", ""])


def _colour(summary: ServiceSummary) -> str:
    if not summary.passing:
        return ", color=red"
    return ", color=orange" if summary.passing < summary.total else ""


def _quoted(text: str) -> str:
    """Return ``text`` as a quoted id (DOT language): names are the word of peers."""
    shown = "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
