"""Daemons that know nothing but a name find each other by multicast: gossipd, and serf with us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agents import agent_environment
from support.namespaces import Lan, NoNamespaces
from support.peers import skip_or_fail
from support.waiting import wait_for

pytestmark = pytest.mark.interop

GOSSIPD = (sys.executable, "-m", "gossipd_cli")
FOUND_SECONDS = 20.0


class Host:
    """One daemon in its namespace; everything it says is in ``log``."""

    def __init__(self, lan: Lan, number: int, folder: Path) -> None:
        self.lan, self.number = lan, number
        self.log = folder / f"log{number}"
        self.socket = folder / f"s{number}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        """Run a program with ``words`` in this host's namespace."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*self.lan.wrapper(self.number), *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=agent_environment(),
            )

    def gossipd(self, *flags: str, bind: str = "") -> None:
        address = bind or f"{self.lan.addresses[self.number]}:7946"
        self.start(*GOSSIPD, "agent", "--node", f"g{self.number}", "--bind", address,
                   "--socket", str(self.socket), "--profile", "local", *flags)  # fmt: skip

    def serf(self, *flags: str) -> None:
        address = self.lan.addresses[self.number]
        self.start("serf", "agent", "-node", f"s{self.number}", "-bind", address,
                   "-rpc-addr", f"{address}:7373", *flags)  # fmt: skip

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def knows(self, name: str) -> bool:
        return f"EventMemberJoin: {name} " in self.said()

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def lan() -> Iterator[Lan]:
    try:
        made = Lan(4)
    except NoNamespaces as missing:
        skip_or_fail(str(missing))
    yield made
    made.close()


@pytest.fixture
def hosts(lan: Lan, tmp_path: Path) -> Iterator[list[Host]]:
    made = [Host(lan, number, tmp_path) for number in range(len(lan.names))]
    yield made
    for host in made:
        host.end()


def wait_until_all_know(hosts: list[Host], names: list[str]) -> None:
    wait_for(
        lambda: all(host.knows(name) for host in hosts for name in names),
        FOUND_SECONDS,
        f"all to know {names}",
        seen=lambda: "\n".join(host.said()[-1500:] for host in hosts),
    )


@pytest.mark.parametrize("flag", [(), ("--mdns-disable-ipv6",), ("--mdns-disable-ipv4",)])
def test_gossipd_finds_gossipd_by_either_family(hosts: list[Host], flag: tuple[str, ...]) -> None:
    for host in hosts[:3]:
        host.gossipd("--discover", "blue", *flag)
    hosts[3].gossipd("--discover", "red", *flag)
    wait_until_all_know(hosts[:3], ["g0", "g1", "g2"])
    assert not any(hosts[3].knows(name) for name in ("g0", "g1", "g2"))


def test_members_of_ipv6_alone_find_each_other(hosts: list[Host]) -> None:
    for host in hosts[:2]:
        address = host.lan.addresses_6[host.number]
        host.gossipd("--discover", "blue", "--iface", "eth0", bind=f"[{address}]:7946")
    wait_until_all_know(hosts[:2], ["g0", "g1"])


def test_the_address_of_an_interface_is_bound_and_told(hosts: list[Host]) -> None:
    for host in hosts[:2]:
        host.gossipd("--discover", "blue", "--iface", "eth0", bind="0.0.0.0:7946")
    wait_until_all_know(hosts[:2], ["g0", "g1"])
    assert "Bind addr: '10.78.0.1:7946'" in hosts[0].said()


HOSTILE = """
import random, socket, struct, sys
from gossipd.address import Address
from gossipd.agent.seeds.mdns_messages import Instance, answer, question, service_of

blue = service_of("blue")
said = answer(blue, "blue", Instance(b"x", Address(bytes([10, 99, 0, 9]), 7946)))
other_class = said.replace(struct.pack("!HHI", 33, 1, 120), struct.pack("!HHI", 33, 94, 120))
name = b"\\x01a" * 120 + b"\\0" + struct.pack("!HHIH", 16, 1, 1, 0)
heavy = struct.pack("!6H", 0, 0x8400, 0, 101, 0, 0) + name
heavy += (b"\\xc0\\x0c" + struct.pack("!HHIH", 33, 1, 1, 10) + bytes(6) + b"\\x01a\\xc0\\x0c") * 100
chance = random.Random(1)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
for turn in range(3000):
    damaged = bytearray(chance.choice([said, question(blue)]))
    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    for data in (other_class, heavy, question(blue), bytes(damaged)):
        sender.sendto(data, ("224.0.0.251", 5353))
print("sent")
"""


def test_who_shouts_on_the_link_neither_ends_nor_hides_anybody(hosts: list[Host]) -> None:
    hosts[0].gossipd("--discover", "blue")
    wait_for(lambda: "running!" in hosts[0].said(), 15, "the daemon", seen=hosts[0].said)
    hosts[1].start(sys.executable, "-c", HOSTILE, hosts[1].lan.addresses[1])
    wait_for(lambda: "sent" in hosts[1].said(), 60, "the flood to end", seen=hosts[1].said)
    hosts[2].gossipd("--discover", "blue")
    wait_for(lambda: hosts[0].knows("g2") and hosts[2].knows("g0"), FOUND_SECONDS,
             "both to find each other", seen=lambda: hosts[0].said() + hosts[2].said())  # fmt: skip
    assert "Traceback" not in hosts[0].said()


@pytest.mark.usefixtures("serf_program")
def test_serf_agents_and_gossipd_find_each_other(hosts: list[Host]) -> None:
    """Whoever comes first: serf finds the gossipd that is there, gossipd a serf that is there."""
    hosts[0].gossipd("--discover", "blue")
    wait_for(lambda: "running!" in hosts[0].said(), 15, "gossipd to run", seen=hosts[0].said)
    hosts[1].serf("-discover", "blue")
    wait_until_all_know(hosts[:2], ["g0", "s1"])
    hosts[2].serf("-discover", "blue")
    wait_until_all_know(hosts[:3], ["g0", "s1", "s2"])
    hosts[3].gossipd("--discover", "blue")
    wait_until_all_know(hosts, ["g0", "s1", "s2", "g3"])
    for host in (hosts[1], hosts[2]):
        assert "[ERR]" not in host.said()


@pytest.mark.usefixtures("serf_program")
def test_gossipd_alone_finds_a_serf_agent_that_was_there_first(hosts: list[Host]) -> None:
    hosts[0].serf("-discover", "blue")
    wait_for(lambda: "mDNS cluster" in hosts[0].said(), 15, "serf to run", seen=hosts[0].said)
    hosts[1].gossipd("--discover", "blue")
    wait_until_all_know(hosts[:2], ["s0", "g1"])
    assert "agent.mdns: Joined" in hosts[1].said() + hosts[0].said()
    assert os.path.exists(hosts[1].socket)
