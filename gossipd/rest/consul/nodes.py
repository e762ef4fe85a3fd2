"""Nodes as Consul's clients are told of them: members, and those without an agent.

A node without an agent lives in the services that some daemon registered for it
(``external.py``), and is shown under its own name.
"""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID, uuid5

from gossipd.rest.consul.external import external_node_of, shown_service
from gossipd.services.instance import Instance

NODE_NAMESPACE = UUID("3f0b8a57-1c0e-5d0c-8a39-6d3d1e2b7c44")
"""Of ids of nodes and events: every agent derives the same one from a name."""


def node_id(name: str) -> str:
    """Return the id of a node, a UUID; the same on every agent."""
    return id_of(name)


def id_of(text: str) -> str:
    """Return a UUID for ``text``, also if it came as no UTF-8."""
    return str(uuid5(NODE_NAMESPACE, text.encode("utf-8", "backslashreplace").decode()))


def shown_node(instance: Instance) -> str:
    """Return the name of the node under which clients are shown ``instance``."""
    return external_node_of(instance) or instance.owner


def shown_id(instance: Instance) -> str:
    """Return the id of the service as its registrant wrote it."""
    return shown_service(instance.service).id


def family_of(host: str) -> str:
    """Return ``ipv4`` or ``ipv6``, or nothing if ``host`` is no address."""
    try:
        return f"ipv{ip_address(host).version}"
    except ValueError:
        return ""
