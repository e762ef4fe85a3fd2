"""What this node registers itself, as its operator and its programs see it."""

from __future__ import annotations

from gossipd.services.definition import CheckState, NodeState, Service, ServiceState
from gossipd.value import Value

FROM_CONFIG, FROM_CLIENT, FROM_CONNECTION = "config", "client", "connection"
"""Who registered a service: a file (gone when the file says so), a client (kept over
restarts), a connection (gone with it)."""


class OwnService(Value, kw_only=True):
    """A service of this node, with what is known of its checks."""

    service: Service
    state: ServiceState
    checks: tuple[CheckState, ...] = ()
    source: str = FROM_CLIENT


class OwnServices(Value, kw_only=True):
    """All that this node registers, sorted by id."""

    node: NodeState = NodeState()
    services: tuple[OwnService, ...] = ()
