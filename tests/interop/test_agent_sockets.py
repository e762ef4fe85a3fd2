"""The agent's real sockets on loopback, and the command as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from gossipd.address import Address, address_from_host
from gossipd.agent.agent import run_agent
from gossipd.agent.embedding import open_agent
from gossipd.agent.handle import AgentHandle
from gossipd.agent.machine import Machine, is_own
from gossipd.agent.streams import TcpPort
from gossipd.agent.udp import (
    BACKLOG_MAX,
    READS_PER_WAKE,
    SECONDS_PER_WAKE,
    UdpPort,
    bind_both,
)
from gossipd.config.agent_model import AgentConfig
from gossipd.config.faces import DnsConfig, recursors_of_ourselves
from gossipd.config.model import PROFILES, NodeConfig
from gossipd.errors import ConfigError
from gossipd.wire.serf_messages import MemberStatus
from support.rpc_probe import RpcProbe, RpcProblem


async def test_a_recursor_that_is_the_dns_listener_itself_leaves_nothing_bound() -> None:
    host = "127.91.0.1"
    dns = DnsConfig(addr=f"{host}:8600", recursors=("9.9.9.9", f"{host}:8600"))
    with pytest.raises(ConfigError, match=f"{host}:8600 is this daemon itself"):
        Machine(AgentConfig(node=NodeConfig(name="a"), bind=f"{host}:7946", dns=dns))
    Machine(AgentConfig(node=NodeConfig(name="a"), bind=f"{host}:7946")).close()


def test_any_address_of_this_machine_is_met_by_a_listener_of_all() -> None:
    asked = ("127.3.2.1", "192.0.2.1", "[2001:db8::1]:53", "127.3.2.1:54")
    for listener in (Address(bytes(4), 53), Address(bytes(16), 53)):
        assert list(recursors_of_ourselves(asked, listener, is_own)) == ["127.3.2.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_datagrams_and_streams_share_one_port(host: str) -> None:
    datagrams, listener = bind_both("gossip address", address_from_host(host, 0))
    packets, streams = UdpPort(datagrams), TcpPort(listener)
    assert packets.address == streams.address
    got: list[tuple[bytes, Address]] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            def deliver(data: bytes, source: Address) -> None:
                got.append((data, source))
                if data:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(packets.run, deliver)
            packets.send(b"", packets.address)
            packets.send(b"to myself", packets.address)
        dialled = await streams.dial(streams.address)
        accepted, _ = await streams.accept()
        await dialled.send_all(b"x")
        assert await accepted.receive_some() == b"x"
    # an empty one is the node's to judge and to count
    assert got == [(b"", packets.address), (b"to myself", packets.address)]
    await dialled.aclose()
    await accepted.aclose()
    packets.close()
    streams.close()


def test_a_gossip_port_in_use_is_refused_in_one_line() -> None:
    datagrams, listener = bind_both("gossip address", address_from_host("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with pytest.raises(ConfigError) as caught:
        bind_both("gossip address", address_from_host("127.0.0.1", port))
    datagrams.close()
    listener.close()
    assert str(caught.value) == (
        f"cannot bind gossip address 127.0.0.1:{port} (tcp): address already in use"
    )


class FullSocket(socket.socket):
    """A socket whose kernel buffer is full until the test says otherwise."""

    is_full = True

    def sendto(self, *args: object) -> int:
        if self.is_full:
            raise BlockingIOError
        return super().sendto(*args)  # type: ignore[call-overload, no-any-return]


async def test_what_the_kernel_does_not_take_waits_in_a_bounded_backlog() -> None:
    bound = FullSocket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    packets = UdpPort(bound)
    for number in range(BACKLOG_MAX + 3):
        packets.send(str(number).encode(), packets.address)
    assert packets.lost == {"datagrams-unsent": 3}
    bound.is_full = False
    got: list[bytes] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            def deliver(data: bytes, _source: Address) -> None:
                got.append(data)
                if len(got) == BACKLOG_MAX:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(packets.run, deliver)
    assert got == [str(number).encode() for number in range(BACKLOG_MAX)]
    packets.close()


async def test_datagrams_that_cost_much_time_do_not_keep_others_from_their_turn() -> None:
    datagrams, listener = bind_both("gossip address", address_from_host("127.0.0.1", 0))
    packets = UdpPort(datagrams)
    for _ in range(READS_PER_WAKE):
        packets.send(b"x", packets.address)
    delivered_at_turn: list[int] = []
    turn = 0

    def deliver(_data: bytes, _source: Address) -> None:
        delivered_at_turn.append(turn)
        ends = trio.current_time() + SECONDS_PER_WAKE / 2
        while trio.current_time() < ends:
            pass

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(packets.run, deliver)
            while len(delivered_at_turn) < 10:
                turn += 1
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert delivered_at_turn[0] != delivered_at_turn[9]
    packets.close()
    listener.close()


async def test_a_datagram_that_cannot_be_sent_is_counted() -> None:
    datagrams, listener = bind_both("gossip address", address_from_host("127.0.0.1", 0))
    packets = UdpPort(datagrams)
    packets.send(b"x" * 70_000, packets.address)
    packets.send(b"x", address_from_host("::1", 9))
    assert packets.lost == {"datagrams-unsent": 2}
    packets.close()
    listener.close()


async def test_two_agents_meet_on_ipv6_loopback() -> None:
    swim, wire = PROFILES["local"]
    handles: list[AgentHandle] = []
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                config = AgentConfig(
                    node=NodeConfig(name=name, swim=swim, wire=wire), bind="[::1]:0"
                )
                handles.append(await nursery.start(run_agent, config))
            result = await handles[1].join([str(handles[0].view().address)])
            assert result.contacted == 1
            async with handles[0].subscribe() as events:
                while handles[0].view().count(MemberStatus.ALIVE) < 2:
                    await anext(events)
            nursery.cancel_scope.cancel()


@contextmanager
def agent_process(path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``gossipd agent`` as a process that ends with the test, whatever happens."""
    code = "import sys; from gossipd_cli.agent import run_plain; sys.exit(run_plain(sys.argv[1:]))"
    line = [sys.executable, "-c", code, "--bind", "127.0.0.1:0", "--socket", str(path), *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_running(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    while line := process.stdout.readline():
        if "Log data will now stream in" in line:
            return
    raise AssertionError(f"the agent ended: {process.communicate()}")


def test_the_process_says_it_runs_leaves_on_a_signal_and_removes_its_socket(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sock"
    with agent_process(path, "-node", "p", "--tag", "a=b") as process:
        wait_until_running(process)
        with agent_process(path) as second:
            _, complaint = second.communicate(timeout=20)
        assert second.returncode == 2
        assert complaint == (
            f"gossipd agent: socket {path} is served by a running daemon: stop it,"
            " or use --socket\n"
        )
        process.send_signal(signal.SIGTERM)
        rest, complaint = process.communicate(timeout=20)
        assert process.returncode == 0
    assert complaint == ""
    assert "[INFO] serf: EventMemberLeave: p 127.0.0.1" in rest
    assert not path.exists()


def test_the_longest_request_is_what_the_operator_says(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with agent_process(path, "--rpc-request-size-limit", "2000") as process:
        wait_until_running(process)
        with RpcProbe(str(path)) as probe:
            probe.set_tags({}, ("x" * 1900,))
            with pytest.raises(RpcProblem, match="request too large"):
                probe.set_tags({}, ("x" * 2000,))


def test_the_process_fails_with_one_line_when_its_start_join_reaches_nobody(
    tmp_path: Path,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        # bound all the while, so that nobody else comes to listen there
        with agent_process(tmp_path / "s.sock", "--join", f"127.0.0.1:{port}") as process:
            _, complaint = process.communicate(timeout=20)
    assert process.returncode == 1
    assert complaint == (
        "gossipd agent: could not join the cluster at start: Failed to join 127.0.0.1:"
        f" dial tcp 127.0.0.1:{port}: connect: connection refused\n"
    )


def test_a_wrong_setting_ends_the_process_with_code_2(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text("prifile = 'wan'")
    with agent_process(tmp_path / "s.sock", "--config", str(file)) as process:
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 2
    assert complaint == (
        f"gossipd agent: {file}:1: unknown key 'prifile'; did you mean 'profile'?\n"
    )


async def test_others_are_told_the_advertised_address() -> None:
    def config(name: str, **more: Any) -> AgentConfig:
        return AgentConfig(node=NodeConfig(name=name), bind="127.0.0.1:0", **more)

    async with open_agent(config("inside", advertise="127.0.0.9:7")) as inside:
        assert str(inside.view().address) == "127.0.0.9:7"
        async with open_agent(config("other")) as other:
            await inside.join([str(other.view().address)])
            shown = {member.name: str(member.address) for member in other.view().members}
    assert shown == {"inside": "127.0.0.9:7", "other": str(other.view().address)}
