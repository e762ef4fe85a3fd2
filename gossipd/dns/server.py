"""The DNS server: UDP and TCP on one port."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import trio

from gossipd.config.faces import DnsConfig
from gossipd.dns.answering import Answering
from gossipd.dns.defects import Defects
from gossipd.dns.readiness import Readiness
from gossipd.dns.tcp import Connections
from gossipd.dns.udp import Datagrams
from gossipd.dns.zone import Zone
from gossipd.ledger import Ledger
from gossipd.node.handle import NodeHandle

if TYPE_CHECKING:
    from gossipd.dns.forwarding import Forwarding


async def serve_dns(
    datagrams: Sequence[socket.socket],
    listeners: Sequence[trio.SocketListener],
    handle: NodeHandle,
    config: DnsConfig,
    *,
    datacenter: str,
    ledger: Ledger,
    log: Callable[[str, str], None],
    expects_others: bool = False,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer DNS until cancelled; closes its sockets at the end.

    Args:
        datagrams, listeners: bound, UDP and TCP.
        handle: the node.
        config: of the face.
        datacenter: the one that names may say.
        ledger: where queries are counted and measured.
        log: gets (level, line without date): what is a defect of ours.
        expects_others: there are seeds, so the node knows its cluster only when one answered.
        task_status: told when queries are answered.
    """
    is_ready = Readiness(handle, expects_others=expects_others, wait=config.sync_wait)
    zone = Zone(handle, config, datacenter, wall=time.time, is_ready=is_ready)
    answering = Answering(zone, config, ledger, Random(), trio.current_time)
    forwarding = _forwarding(answering, config, ledger)
    defects = Defects(ledger, log, trio.current_time)
    async with trio.open_nursery() as nursery:
        for bound in datagrams:
            nursery.start_soon(Datagrams(bound, answering, forwarding, ledger, defects).run)
        connections = Connections(answering, forwarding, ledger, defects)
        for listener in listeners:
            nursery.start_soon(connections.serve, listener)
        task_status.started()


def _forwarding(answering: Answering, config: DnsConfig, ledger: Ledger) -> Forwarding | None:
    """Return what asks other resolvers; its code is loaded only where there are any."""
    if not config.recursors:
        return None
    from gossipd.dns.forwarding import Forwarding
    from gossipd.dns.recursor import Recursor

    return Forwarding(answering, Recursor(config, ledger, SystemRandom()))
