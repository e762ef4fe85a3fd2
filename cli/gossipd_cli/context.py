"""The client that a command's options ask for."""

from __future__ import annotations

from gossipd.client.blocking import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def connect(values: Mapping[str, Any]) -> Client:
    """Return a connected client for ``--socket`` and ``--rpc-auth``."""
    return Client(values["socket"], auth=values["rpc_auth"])
