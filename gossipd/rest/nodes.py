"""Nodes as Consul's clients are told of them: members, and those without an agent.

A node without an agent lives in the services that some daemon registered for it:
their meta names it (``external-node``), their id begins with its name.
"""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID, uuid5

from gossipd.services.definition import Service
from gossipd.services.instance import Instance

EXTERNAL_NODE = "external-node"
"""Key of the meta of a service whose node has no agent; its value is the node's name."""
NODE_NAMESPACE = UUID("3f0b8a57-1c0e-5d0c-8a39-6d3d1e2b7c44")
"""Of node ids: every agent derives the same one from a name."""


def node_id(name: str) -> str:
    """Return the id of a node, a UUID; the same on every agent."""
    return str(uuid5(NODE_NAMESPACE, name))


def external_node_of(instance: Instance) -> str | None:
    """Return the node without an agent that ``instance`` belongs to; ``None`` for its owner's."""
    return instance.service.meta.get(EXTERNAL_NODE) or None


def is_external(service: Service) -> bool:
    """Return whether a service of this agent stands for one of a node without an agent."""
    return bool(service.meta.get(EXTERNAL_NODE))


def shown_node(instance: Instance) -> str:
    """Return the name of the node under which clients are shown ``instance``."""
    return external_node_of(instance) or instance.owner


def shown_id(instance: Instance) -> str:
    """Return the id of the service as its registrant wrote it."""
    node = external_node_of(instance)
    return instance.service.id if node is None else instance.service.id.removeprefix(f"{node}/")


def family_of(host: str) -> str:
    """Return ``ipv4`` or ``ipv6``, or nothing if ``host`` is no address."""
    try:
        return f"ipv{ip_address(host).version}"
    except ValueError:
        return ""
