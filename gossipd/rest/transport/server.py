"""The HTTP server: listeners in, one task per connection."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.node.handle import NodeHandle
from gossipd.rest.desk import Desk
from gossipd.rest.table import all_routes
from gossipd.rest.transport.connection import Connection
from gossipd.rest.transport.counting import CONNECTIONS, DESCRIPTORS, HANDSHAKE
from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.transport.lines import Line, PlainLine
from gossipd.rest.transport.service import Service
from gossipd.rest.values import Route

if TYPE_CHECKING:
    from gossipd.rest.transport.tls import Certificate

ACCEPT_PAUSE_SECONDS = 0.1
"""Time to wait for a descriptor to become free."""
ACCEPTED_AT_ONCE = 16
"""New connections that are taken before others have their turn."""
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 21\r\nConnection: close\r\n\r\nToo many connections\n"
)


async def serve_http(
    listeners: Sequence[trio.SocketListener],
    handle: NodeHandle,
    config: HttpConfig,
    *,
    datacenter: str,
    ledger: Ledger,
    log: Callable[[str, str], None],
    routes: Iterable[Route] | None = None,
    limits: HttpLimits | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the HTTP face on ``listeners`` until cancelled; closes them at the end.

    Args:
        handle: the node that is asked.
        datacenter: what clients are told.
        ledger: where requests are counted and measured.
        log: gets (level, line without date).
        routes: what is answered; ``None`` is all there is.
        limits: what clients may cost us.
    """
    desk = Desk(handle, config, datacenter=datacenter, ledger=ledger, log=log)
    limits = limits or HttpLimits()
    service = Service(desk, all_routes(config) if routes is None else routes, limits)
    certificate = None
    if config.tls_cert:
        from gossipd.rest.transport.tls import Certificate  # few have one

        certificate = Certificate(config.tls_cert, config.tls_key, log)
    most = min(config.connections_max, _descriptors() // 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.departures.run)
        nursery.start_soon(service.alarms.run)
        nursery.start_soon(service.door.run)
        for listener in listeners:
            nursery.start_soon(_accept, listener, service, certificate, nursery, most)
        task_status.started()


async def _accept(
    listener: trio.SocketListener,
    service: Service,
    certificate: Certificate | None,
    nursery: trio.Nursery,
    most: int,
) -> None:
    """Accept clients on one listener until cancelled."""
    counting, turn = service.counting, trio.Lock()
    async with listener:
        # the very socket, without trio's wrappers around each connection that it accepts
        opened = socket.socket(fileno=listener.socket.fileno())
        try:
            while True:
                await trio.lowlevel.wait_readable(opened)
                for _ in range(ACCEPTED_AT_ONCE):
                    try:
                        connected, name = opened.accept()
                    except (BlockingIOError, InterruptedError, ConnectionError):
                        break
                    except OSError as error:
                        counting.refuse(DESCRIPTORS)
                        service.warnings.say(f"Failed to accept a client: {error.strerror}")
                        await trio.sleep(ACCEPT_PAUSE_SECONDS)
                        break
                    connected.setblocking(False)
                    if service.connections >= most:
                        _turn_away(connected, service, is_told=certificate is None)
                        continue
                    service.connection_began()
                    with contextlib.suppress(OSError):  # no TCP, or gone already
                        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if certificate is None:
                        line = PlainLine(connected)
                        nursery.start_soon(_connection(line, name, service).run)
                    else:
                        nursery.start_soon(
                            _serve_tls, connected, name, service, certificate, turn, nursery
                        )
        finally:
            opened.detach()


def _turn_away(connected: socket.socket, service: Service, *, is_told: bool) -> None:
    """Close at once; within TLS nothing could be said before the handshake."""
    service.counting.refuse(CONNECTIONS)
    service.warnings.say("Refused a client: too many connections")
    with connected, contextlib.suppress(OSError):  # it did not wait for an answer
        if is_told:
            connected.send(BUSY)


def _connection(line: Line, name: object, service: Service) -> Connection:
    return Connection(line, service, *_peer_of(name))


async def _serve_tls(
    connected: socket.socket,
    name: object,
    service: Service,
    certificate: Certificate,
    turn: trio.Lock,
    nursery: trio.Nursery,
) -> None:
    """Shake hands with one client, and have it served by a task that need not know of that."""
    from gossipd.rest.transport.tls_line import TlsLine  # brings OpenSSL

    line: TlsLine | None = None
    is_ready = False
    try:
        line = TlsLine(connected, certificate.context(trio.current_time()))
        with trio.move_on_after(service.limits.handshake_seconds):
            await line.shake_hands(turn)
            is_ready = True
    except OSError as error:  # no TLS, not the one we speak, or gone: counted below
        if line is not None:
            line.refuse_plain(error)
    finally:
        if not is_ready:
            service.counting.refuse(HANDSHAKE)
            service.connection_ended()
            if line is not None:
                await line.close()
            connected.close()
    if is_ready and line is not None:
        nursery.start_soon(_connection(line, name, service).run)


def _peer_of(name: object) -> tuple[str, bool]:
    """Return a client's address, and whether it is on this machine."""
    if not isinstance(name, tuple):
        return "local", True
    host = str(name[0]).partition("%")[0]
    address = ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return f"{host}:{name[1]}", (mapped or address).is_loopback


def _descriptors() -> int:
    """Return how many descriptors we may have; peers and checks need some of them too."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
