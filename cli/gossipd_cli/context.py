"""The client that a command's options ask for."""

from __future__ import annotations

from gossipd.client.blocking import REPLY_SECONDS, Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def connect(values: Mapping[str, Any], *, timeout: float | None = None) -> Client:
    """Return a connected client for ``--socket`` and ``--rpc-auth``.

    ``timeout``: seconds for an answer, if less than usual.
    """
    seconds = REPLY_SECONDS if timeout is None else min(timeout, REPLY_SECONDS)
    return Client(values["socket"], auth=values["rpc_auth"], timeout=seconds)
