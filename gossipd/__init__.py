"""Membership and service discovery by gossip: SWIM with Lifeguard, on Serf's wire.

What a program needs that embeds a node or asks a running daemon. Names are
loaded when first used: importing this package loads neither trio nor msgpack.
Everything that is not listed here may change.
"""

from __future__ import annotations

from gossipd.version import __version__ as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # what ``__getattr__`` brings, for type checkers
    from gossipd.address import Address as Address
    from gossipd.agent.agent import run_agent as run_agent
    from gossipd.agent.embedding import open_agent as open_agent
    from gossipd.agent.handle import AgentHandle as AgentHandle
    from gossipd.client.aio import AsyncClient as AsyncClient
    from gossipd.client.blocking import Client as Client
    from gossipd.config.agent_model import AgentConfig as AgentConfig
    from gossipd.config.model import NodeConfig as NodeConfig
    from gossipd.errors import ConfigError as ConfigError
    from gossipd.errors import GossipdError as GossipdError
    from gossipd.errors import Unavailable as Unavailable
    from gossipd.errors import UsageError as UsageError
    from gossipd.errors import WireError as WireError
    from gossipd.node.handle import Lost as Lost
    from gossipd.node.node import Node as Node
    from gossipd.node.statistics import Statistics as Statistics
    from gossipd.node.view import View as View
    from gossipd.serf.events import MembersChanged as MembersChanged
    from gossipd.serf.events import QueryReceived as QueryReceived
    from gossipd.serf.events import UserEventReceived as UserEventReceived
    from gossipd.serf.question import Question as Question

_WHERE = {
    "Address": "gossipd.address",
    "AgentConfig": "gossipd.config.agent_model",
    "AgentHandle": "gossipd.agent.handle",
    "AsyncClient": "gossipd.client.aio",
    "Client": "gossipd.client.blocking",
    "ConfigError": "gossipd.errors",
    "GossipdError": "gossipd.errors",
    "Lost": "gossipd.node.handle",
    "MembersChanged": "gossipd.serf.events",
    "Node": "gossipd.node.node",
    "NodeConfig": "gossipd.config.model",
    "QueryReceived": "gossipd.serf.events",
    "Question": "gossipd.serf.question",
    "Statistics": "gossipd.node.statistics",
    "Unavailable": "gossipd.errors",
    "UsageError": "gossipd.errors",
    "UserEventReceived": "gossipd.serf.events",
    "View": "gossipd.node.view",
    "WireError": "gossipd.errors",
    "open_agent": "gossipd.agent.embedding",
    "run_agent": "gossipd.agent.agent",
}

__all__ = [
    "Address",
    "AgentConfig",
    "AgentHandle",
    "AsyncClient",
    "Client",
    "ConfigError",
    "GossipdError",
    "Lost",
    "MembersChanged",
    "Node",
    "NodeConfig",
    "QueryReceived",
    "Question",
    "Statistics",
    "Unavailable",
    "UsageError",
    "UserEventReceived",
    "View",
    "WireError",
    "__version__",
    "open_agent",
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
