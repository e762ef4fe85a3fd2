"""Nodes without an agent: how what is written about them is kept, and read back.

Nobody but an agent owns records, so the agent that is told of such a node keeps its
services among its own: the id begins with the node's name, and the meta names it.
Keys of the node's own meta have a colon, which no client of Consul's words can write.

Any provider and any peer can write that mark. So it is a claim, and ``Externals`` says
whether it counts: never for the name of a member, who speaks for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from gossipd import external_node
from gossipd.external_node import EXTERNAL_NODE, NODE_META
from gossipd.services.definition import CheckDefinition, Service
from gossipd.value import replace

if TYPE_CHECKING:
    from gossipd.services.instance import Instance

STANDS = 365 * 86400.0
"""Seconds for which the status that was written of a check stands: nobody is to repeat it."""


def external_id(node: str, service: str) -> str:
    """Return the id under which a service of ``node`` is kept."""
    return f"{node}/{service}"


def claimed_node(service: Service) -> str | None:
    """Return the node without an agent that ``service`` says it belongs to."""
    return external_node.claimed_node(service.id, service.meta) or None


def as_written(service: Service) -> Service:
    """Return ``service`` without what says that it is of a node without an agent."""
    node = claimed_node(service)
    if node is None:
        return service
    meta = {key: value for key, value in service.meta.items() if not _is_of_node(key)}
    return replace(service, id=service.id.removeprefix(f"{node}/"), meta=meta)


def node_meta(service: Service) -> dict[str, str]:
    """Return the meta of the node without an agent that ``service`` belongs to."""
    return {
        key.removeprefix(NODE_META): value
        for key, value in service.meta.items()
        if key.startswith(NODE_META)
    }


def external_meta(
    node: str, of_node: Mapping[str, str], of_service: Mapping[str, str]
) -> dict[str, str]:
    """Return the meta to keep; what the two metas say is written side by side."""
    marked = {f"{NODE_META}{key}": value for key, value in of_node.items()}
    return {**of_service, EXTERNAL_NODE: node, **marked}


def external_check(
    service: str, check: str, name: str, *, status: str, notes: str
) -> CheckDefinition:
    """Return a check that says what was written of it, for a service kept as ``service``."""
    return CheckDefinition(
        id=f"{service}/{check}", name=name, ttl=STANDS, status=status, notes=notes
    )


def services_of(node: str, own: Iterable[Service]) -> list[Service]:
    """Return the services of ``node`` among those that this agent keeps."""
    return [service for service in own if claimed_node(service) == node]


class Externals:
    """The nodes without an agent, and what of services is shown for theirs.

    Args:
        is_member: whether a node of that name has an agent, which alone speaks for it.
    """

    def __init__(self, is_member: Callable[[str], bool]) -> None:
        self._is_member = is_member
        self._by_node: dict[str, dict[tuple[str, str], Instance]] = {}
        """What says it is of a node, also of those that turned out to have an agent."""

    def __bool__(self) -> bool:
        """Return whether anything says it is of such a node."""
        return bool(self._by_node)

    def __contains__(self, node: str) -> bool:
        """Return whether ``node`` is one without an agent."""
        return node in self._by_node and not self._is_member(node)

    def names(self) -> list[str]:
        """Return the names of all of them."""
        return [node for node in self._by_node if not self._is_member(node)]

    def instances(self, node: str) -> list[Instance]:
        """Return what belongs to ``node``; nothing if it has an agent."""
        return [] if self._is_member(node) else self.claims(node)

    def claims(self, node: str) -> list[Instance]:
        """Return what says that it belongs to ``node``."""
        return [*self._by_node.get(node, {}).values()]

    def first(self, node: str) -> Instance | None:
        """Return the instance that says what ``node`` is, if it is one without an agent."""
        held = {} if self._is_member(node) else self._by_node.get(node)
        return held[min(held)] if held else None

    def put(self, node: str, instance: Instance) -> None:
        """Keep an instance that says it is of ``node``."""
        self._by_node.setdefault(node, {})[instance.key] = instance

    def drop(self, node: str, instance: Instance) -> bool:
        """Forget an instance; return whether it was the last of ``node``."""
        held = self._by_node.get(node, {})
        held.pop(instance.key, None)
        if held:
            return False
        self._by_node.pop(node, None)
        return True

    def node_of(self, service: Service) -> str | None:
        """Return the node without an agent that ``service`` belongs to; ``None`` is its owner."""
        node = claimed_node(service)
        return None if node is None or self._is_member(node) else node

    def shown_node(self, instance: Instance) -> str:
        """Return the name of the node under which clients are shown ``instance``."""
        if not self._by_node:  # as nearly everywhere, and this is asked of each instance
            return instance.owner
        return self.node_of(instance.service) or instance.owner

    def shown_service(self, service: Service) -> Service:
        """Return ``service`` as it was written, if it is one of a node without an agent."""
        if not self._by_node or self.node_of(service) is None:
            return service
        return as_written(service)

    def shown_check(self, service: Service, check: str) -> str:
        """Return the id of a check of ``service`` as it was written."""
        if not self._by_node or self.node_of(service) is None:
            return check
        return check.removeprefix(f"{service.id}/")


def _is_of_node(key: str) -> bool:
    return key == EXTERNAL_NODE or key.startswith(NODE_META)
