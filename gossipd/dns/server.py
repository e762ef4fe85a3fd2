"""The DNS server: UDP and TCP on one port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import trio

from gossipd.config.faces import DnsConfig
from gossipd.ledger import Ledger
from gossipd.node.handle import NodeHandle


async def serve_dns(
    datagrams: Sequence[socket.socket],
    listeners: Sequence[trio.SocketListener],
    handle: NodeHandle,
    config: DnsConfig,
    *,
    datacenter: str,
    ledger: Ledger,
    log: Callable[[str, str], None],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer DNS until cancelled; closes its sockets at the end."""
    raise NotImplementedError
