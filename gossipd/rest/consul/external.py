"""Nodes without an agent: how what is written about them is kept, and read back.

Nobody but an agent owns records, so the agent that is told of such a node keeps its
services among its own: the id begins with the node's name, and the meta names it.
Keys of the node's own meta have a colon, which no client can write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gossipd.services.definition import CheckDefinition, Service
from gossipd.value import replace

if TYPE_CHECKING:
    from gossipd.services.instance import Instance

EXTERNAL_NODE = "external-node"
"""Key of the meta of a service whose node has no agent; its value is the node's name."""
NODE_META = "external-node:"
"""With this begin the keys of what is the meta of the node."""
STANDS = 365 * 86400.0
"""Seconds for which the status that was written of a check stands: nobody is to repeat it."""


def external_id(node: str, service: str) -> str:
    """Return the id under which a service of ``node`` is kept."""
    return f"{node}/{service}"


def external_node_of(instance: Instance) -> str | None:
    """Return the node without an agent that ``instance`` belongs to; ``None`` for its owner's."""
    return node_of(instance.service)


def node_of(service: Service) -> str | None:
    """Return the node without an agent that ``service`` belongs to."""
    node = service.meta.get(EXTERNAL_NODE)
    return node if node and service.id.startswith(f"{node}/") else None


def shown_service(service: Service) -> Service:
    """Return ``service`` as it was written, if it is one of a node without an agent."""
    node = node_of(service)
    if node is None:
        return service
    meta = {key: value for key, value in service.meta.items() if not _is_of_node(key)}
    return replace(service, id=service.id.removeprefix(f"{node}/"), meta=meta)


def shown_check(service: Service, check: str) -> str:
    """Return the id of a check of ``service`` as it was written."""
    return check if node_of(service) is None else check.removeprefix(f"{service.id}/")


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
    return [service for service in own if node_of(service) == node]


def _is_of_node(key: str) -> bool:
    return key == EXTERNAL_NODE or key.startswith(NODE_META)
