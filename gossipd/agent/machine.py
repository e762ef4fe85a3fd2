"""Everything one agent takes from its machine, taken before anything runs.

All sockets are bound here, so that an address in use or a served socket file
ends the start with one line, before the cluster hears of us.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Protocol

import trio

from gossipd.address import Address
from gossipd.agent.listening import advertised_address, bind_address, listening_address
from gossipd.agent.ports import PacketPort, StreamPort
from gossipd.agent.sockaddr import address_of, family_of
from gossipd.agent.socket_file import SocketFile, listen_tcp
from gossipd.agent.streams import TcpPort
from gossipd.agent.udp import UdpPort, bind_both
from gossipd.config.agent_model import DEFAULT_RPC_PORT, AgentConfig
from gossipd.config.faces import (
    DEFAULT_DNS_PORT,
    DEFAULT_HTTP_PORT,
    loop_fault,
    recursors_of_ourselves,
)
from gossipd.errors import ConfigError


class Surroundings(Protocol):
    """What an agent has around it; kept by ``Machine`` and by the tests' stand-in."""

    @property
    def packets(self) -> PacketPort:
        """The gossip socket."""

    @property
    def streams(self) -> StreamPort:
        """The gossip listener and dialler."""

    @property
    def bound(self) -> Address:
        """What the gossip socket is bound to."""

    @property
    def advertised(self) -> Address:
        """What others are told."""

    @property
    def rpc_address(self) -> Address | None:
        """Where Serf's clients may ask, if anywhere."""

    @property
    def socket_path(self) -> str:
        """The local query socket, or empty."""

    def query_listeners(self) -> list[trio.SocketListener]:
        """Return the listeners of the query protocol."""

    @property
    def http_address(self) -> Address | None:
        """Where HTTP is answered, if anywhere."""

    @property
    def dns_address(self) -> Address | None:
        """Where DNS is answered, if anywhere."""

    def http_listeners(self) -> list[trio.SocketListener]:
        """Return the listeners of HTTP, none without."""

    def dns_sockets(self) -> tuple[list[socket.socket], list[trio.SocketListener]]:
        """Return the sockets of DNS, UDP and TCP, none without."""

    def close(self) -> None:
        """Give everything back."""


class Machine:
    """The bound sockets of one agent.

    Raises:
        ConfigError: an address is in use or not of this machine, or another
            daemon serves the socket file; nothing stays bound.
    """

    def __init__(self, config: AgentConfig) -> None:
        self._socket_file: SocketFile | None = None
        self.rpc_address: Address | None = None
        self._query_sockets: list[socket.socket] = []
        self.http_address: Address | None = None
        self.dns_address: Address | None = None
        self._http_sockets: list[socket.socket] = []
        self._dns_sockets: list[socket.socket] = []
        at = bind_address(config.bind, config.interface)
        if config.mdns_interface:
            from gossipd.agent.interfaces import interface_named

            interface_named("mdns_interface", config.mdns_interface)
        datagrams, listener = bind_both("gossip address", at)
        self.packets = UdpPort(datagrams)
        self.streams = TcpPort(listener)
        try:
            self.bound = self.packets.address
            self.advertised = advertised_address(config.advertise, self.bound)
            self._open_query_sockets(config)
            self._open_face_sockets(config)
        except BaseException:
            self.close()
            raise

    def _open_query_sockets(self, config: AgentConfig) -> None:
        if config.rpc_addr:
            listener = listen_tcp("rpc_addr", config.rpc_addr, DEFAULT_RPC_PORT)
            self._query_sockets.append(listener)
            ip = listening_address("rpc_addr", config.rpc_addr, DEFAULT_RPC_PORT).ip
            self.rpc_address = Address(ip, listener.getsockname()[1])
        if config.socket:
            self._socket_file = SocketFile(config.socket)
            self._query_sockets.append(self._socket_file.listener)

    def _open_face_sockets(self, config: AgentConfig) -> None:
        if config.http.addr:
            at = listening_address("http_addr", config.http.addr, DEFAULT_HTTP_PORT)
            if not (ip_address(at.ip).is_loopback or config.http.token or config.http.insecure):
                raise ConfigError(
                    f"http_addr: {at} is not on loopback: give --http-token, or --http-insecure"
                    " to let everybody who reaches it register and deregister services"
                )
            if config.http.tls_cert:
                from gossipd.rest.transport.tls import load_context

                load_context(config.http.tls_cert, config.http.tls_key)
            listener = listen_tcp("http_addr", config.http.addr, DEFAULT_HTTP_PORT)
            self._http_sockets.append(listener)
            self.http_address = address_of(listener.getsockname())
        if config.dns.addr:
            at = listening_address("dns_addr", config.dns.addr, DEFAULT_DNS_PORT)
            self._dns_sockets += bind_both("dns_addr", at)
            self.dns_address = address_of(self._dns_sockets[0].getsockname())
            for text in recursors_of_ourselves(config.dns.recursors, self.dns_address, is_own):
                raise loop_fault(text)

    @property
    def socket_path(self) -> str:
        """The local query socket, or empty."""
        return "" if self._socket_file is None else self._socket_file.path

    def query_listeners(self) -> list[trio.SocketListener]:
        """Return the listeners of the query protocol, unix and TCP."""
        return [_listening(listener) for listener in self._query_sockets]

    def http_listeners(self) -> list[trio.SocketListener]:
        """Return the listeners of HTTP, none without."""
        return [_listening(listener) for listener in self._http_sockets]

    def dns_sockets(self) -> tuple[list[socket.socket], list[trio.SocketListener]]:
        """Return the sockets of DNS, UDP and TCP, none without."""
        if not self._dns_sockets:
            return [], []
        datagrams, listener = self._dns_sockets
        return [datagrams], [_listening(listener)]

    def close(self) -> None:
        """Close every socket and remove the socket file."""
        self.packets.close()
        self.streams.close()
        for opened in (*self._query_sockets, *self._http_sockets, *self._dns_sockets):
            opened.close()
        if self._socket_file is not None:
            self._socket_file.remove()


def is_own(ip: bytes) -> bool:
    """Return whether this machine has an address: only such a one can be bound."""
    with socket.socket(family_of(ip), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((Address(ip, 0).host, 0))
        except OSError:
            return False
    return True


def _listening(listener: socket.socket) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(listener))
