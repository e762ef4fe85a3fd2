"""The HTTP server: listeners in, one task per connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.node.handle import NodeHandle


async def serve_http(
    listeners: Sequence[trio.SocketListener],
    handle: NodeHandle,
    config: HttpConfig,
    *,
    datacenter: str,
    ledger: Ledger,
    log: Callable[[str, str], None],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the HTTP face on ``listeners`` until cancelled; closes them at the end."""
    raise NotImplementedError
