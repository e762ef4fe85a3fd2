"""Network namespaces in a row: A - B - C, where A and C cannot reach each other.

The middle has one address that both ends can reach. What the ends send to each
other goes to the middle too and ends there without a word, as with a firewall,
because the middle does not forward. Needs iproute2 and the right to make namespaces (root).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
MIDDLE_HOST = "10.77.0.1"
END_HOSTS = ("10.77.1.2", "10.77.2.2")
LINK_HOSTS = ("10.77.1.1", "10.77.2.1")


class NoNamespaces(RuntimeError):
    """This machine does not let us make network namespaces; the text says why."""


class Chain:
    """Three namespaces; ``left`` and ``right`` reach ``middle`` only.

    Raises:
        NoNamespaces: they cannot be made here.
    """

    def __init__(self) -> None:
        if shutil.which("ip") is None:
            raise NoNamespaces("needs the ip program (Debian package iproute2)")
        stem = f"gossipd{os.getpid()}"
        self.left, self.middle, self.right = (f"{stem}{letter}" for letter in "abc")
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        for name in (self.left, self.middle, self.right):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", self.middle, "address", "add", f"{MIDDLE_HOST}/32", "dev", "lo")
        _stop_forwarding(self.middle)
        links = zip((self.left, self.right), END_HOSTS, LINK_HOSTS, strict=True)
        for number, (end, end_host, link_host) in enumerate(links):
            inner = f"to-end{number}"
            _ip("-n", self.middle, "link", "add", inner, "type", "veth",
                "peer", "name", "to-middle", "netns", end)  # fmt: skip
            _ip("-n", self.middle, "address", "add", f"{link_host}/24", "dev", inner)
            _ip("-n", self.middle, "link", "set", inner, "up")
            _ip("-n", end, "address", "add", f"{end_host}/24", "dev", "to-middle")
            _ip("-n", end, "link", "set", "to-middle", "up")
            _ip("-n", end, "route", "add", "default", "via", link_host)

    def wrapper(self, namespace: str) -> tuple[str, ...]:
        """Return the words that start a program inside ``namespace``."""
        return ("ip", "netns", "exec", namespace)

    def connector(self, namespace: str, where: str) -> Callable[[], socket.socket]:
        """Return a maker of TCP connections to ``where`` from inside ``namespace``."""
        host, _, port = where.rpartition(":")

        def connect() -> socket.socket:
            with inside(namespace):
                return socket.create_connection((host, int(port)), 5.0)

        return connect

    def close(self) -> None:
        """Remove the namespaces; whatever ran in them must have ended."""
        for name in (self.left, self.middle, self.right):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


class Lan:
    """Namespaces on one bridge: hosts ``names[i]`` of 10.78.0.0/24 and fd78::/64.

    Raises:
        NoNamespaces: they cannot be made here.
    """

    def __init__(self, hosts: int) -> None:
        if shutil.which("ip") is None:
            raise NoNamespaces("needs the ip program (Debian package iproute2)")
        stem = f"gossipd{os.getpid()}lan"
        self._bridge = f"{stem}-br"
        self.names = tuple(f"{stem}{number}" for number in range(hosts))
        self.addresses = tuple(f"10.78.0.{number + 1}" for number in range(hosts))
        self.addresses_6 = tuple(f"fd78::{number + 1}" for number in range(hosts))
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        _ip("netns", "add", self._bridge)
        # without snooping a bridge carries multicast to all, as a plain switch does
        _ip("-n", self._bridge, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        _ip("-n", self._bridge, "link", "set", "br0", "up")
        for number, name in enumerate(self.names):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", self._bridge, "link", "add", f"port{number}", "type", "veth",
                "peer", "name", "eth0", "netns", name)  # fmt: skip
            _ip("-n", self._bridge, "link", "set", f"port{number}", "master", "br0", "up")
            _ip("-n", name, "address", "add", f"{self.addresses[number]}/24", "dev", "eth0")
            _ip("-n", name, "address", "add", f"{self.addresses_6[number]}/64", "dev", "eth0",
                "nodad")  # fmt: skip
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "route", "add", "default", "dev", "eth0")

    def wrapper(self, number: int) -> tuple[str, ...]:
        """Return the words that start a program on host ``number``."""
        return ("ip", "netns", "exec", self.names[number])

    def close(self) -> None:
        """Remove the namespaces; whatever ran in them must have ended."""
        for name in (*self.names, self._bridge):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Move the calling thread into ``namespace`` and back; sockets made there stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        away = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            _enter(libc, away)
        finally:
            os.close(away)
        try:
            yield
        finally:
            _enter(libc, home)
    finally:
        os.close(home)


def _stop_forwarding(namespace: str) -> None:
    try:
        with inside(namespace):
            switch = Path("/proc/sys/net/ipv4/ip_forward")
            if switch.read_text(encoding="ascii").strip() != "0":
                switch.write_text("0", encoding="ascii")
    except OSError as error:
        raise NoNamespaces(f"cannot stop a namespace from forwarding: {error}") from error


def _enter(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns failed")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoNamespaces(f"ip {' '.join(words)}: {done.stderr.strip()}")
