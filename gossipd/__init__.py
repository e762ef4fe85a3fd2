"""Membership and service discovery by gossip: SWIM with Lifeguard, on Serf's wire.

What a program needs that embeds a node or asks a running daemon. Names are
loaded when first used: importing this package loads neither trio nor msgpack.
Everything that is not listed here may change.
"""

from __future__ import annotations

from gossipd.version import __version__ as __version__

_WHERE = {
    "Address": "gossipd.address",
    "AsyncClient": "gossipd.client.aio",
    "Client": "gossipd.client.blocking",
    "ConfigError": "gossipd.errors",
    "GossipdError": "gossipd.errors",
    "Node": "gossipd.node.node",
    "NodeConfig": "gossipd.config.model",
    "Statistics": "gossipd.node.statistics",
    "Unavailable": "gossipd.errors",
    "UsageError": "gossipd.errors",
    "View": "gossipd.node.view",
    "WireError": "gossipd.errors",
    "run_agent": "gossipd.agent.agent",
}

__all__ = [
    "Address",
    "AsyncClient",
    "Client",
    "ConfigError",
    "GossipdError",
    "Node",
    "NodeConfig",
    "Statistics",
    "Unavailable",
    "UsageError",
    "View",
    "WireError",
    "__version__",
    "run_agent",
]


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'gossipd' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(where), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
