"""Ids of nodes, and families of addresses, as Consul's clients are told of them."""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID, uuid5

NODE_NAMESPACE = UUID("3f0b8a57-1c0e-5d0c-8a39-6d3d1e2b7c44")
"""Of ids of nodes and events: every agent derives the same one from a name."""
ID_LENGTH = 36


def node_id(name: str) -> str:
    """Return the id of a node, a UUID; the same on every agent."""
    return id_of(name)


def is_id(text: str) -> bool:
    """Return whether ``text`` may be the id of a node: it is as long as a UUID."""
    return len(text) == ID_LENGTH


def id_of(text: str) -> str:
    """Return a UUID for ``text``, also if it came as no UTF-8."""
    return str(uuid5(NODE_NAMESPACE, text.encode("utf-8", "backslashreplace").decode()))


def family_of(host: str) -> str:
    """Return ``ipv4`` or ``ipv6``, or nothing if ``host`` is no address."""
    try:
        return f"ipv{ip_address(host).version}"
    except ValueError:
        return ""
