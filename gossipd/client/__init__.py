"""What programs import to ask a running daemon: ``Client`` and ``AsyncClient``.

The names are loaded when first used, so that the blocking client does not
pay for anyio.
"""

from __future__ import annotations

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name == "Client":
        from gossipd.client.blocking import Client

        return Client
    if name == "AsyncClient":
        from gossipd.client.aio import AsyncClient

        return AsyncClient
    raise AttributeError(f"module 'gossipd.client' has no attribute {name!r}")
