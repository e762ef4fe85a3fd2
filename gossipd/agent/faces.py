"""The faces that a daemon may have beside its local socket: HTTP and DNS.

Their code is loaded with them; a daemon without pays nothing.
"""

from __future__ import annotations

import trio

from gossipd.agent.handle import AgentHandle
from gossipd.agent.parts import Parts


async def serve_http_face(
    parts: Parts,
    handle: AgentHandle,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve HTTP, if there is an address for it, until cancelled."""
    listeners = parts.machine.http_listeners()
    if not listeners:
        task_status.started()
        return
    from gossipd.metrics.witness import begin_to_witness
    from gossipd.rest.transport.server import serve_http

    begin_to_witness(handle, parts.ledger)
    await serve_http(
        listeners,
        handle,
        parts.config.http,
        datacenter=parts.config.datacenter,
        ledger=parts.ledger,
        log=parts.log.say,
        task_status=task_status,
    )


async def serve_dns_face(
    parts: Parts,
    handle: AgentHandle,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer DNS, if there is an address for it, until cancelled."""
    datagrams, listeners = parts.machine.dns_sockets()
    if not datagrams:
        task_status.started()
        return
    from gossipd.dns.server import serve_dns

    config = parts.config
    await serve_dns(
        datagrams,
        listeners,
        handle,
        config.dns,
        datacenter=config.datacenter,
        ledger=parts.ledger,
        log=parts.log.say,
        expects_others=bool(config.start_join or config.retry_join or config.discover),
        task_status=task_status,
    )
