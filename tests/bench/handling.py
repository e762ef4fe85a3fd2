"""How much processor time a datagram costs a real Serf agent that comes back to a backlog.

    PYTHONPATH=tests python tests/bench/handling.py [--rounds N]

The agent runs on one processor and knows nobody. It is stopped, datagrams fill its
receive buffer, it goes on; what a backlog costs beyond stopping and going on alone is
shared among its datagrams. Medians of several rounds, in microseconds.

Two cores gave 52 for a ping, 23 for an ack, 27 to 41 and 51 for gossip of one and four claims,
which two tasks of the agent share; beside other programs all cost up to twice as much.
``gossipd_sim.papers.lifeguard_bench.HANDLING`` stands for these numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from bench.usage import processor_seconds
from gossipd.address import Address
from gossipd.node.unsealed import UnsealedPacket
from gossipd.wire.codec import encode
from gossipd.wire.messages import Ack, Ping, Suspect
from gossipd.wire.packet import PacketLayers

NAME = "target"
BACKLOG = 240
"""Datagrams a round: as many as a sick agent finds after some seconds, and no handler drops any."""
SETTLING = 0.6
"""Seconds from going on until the backlog is surely handled, and the agent is idle again."""
LOOPBACK = bytes([127, 0, 0, 1])
LAYERS = PacketLayers(entropy=os.urandom)

Datagrams = Callable[[int], bytes]
"""Returns the datagram of this number."""


class Agent:
    """A Serf agent on a free port of the loopback, on one processor, with nobody else."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.address = ("127.0.0.1", port)
        self._process = process

    def cost(self, datagrams: Sequence[bytes], sender: socket.socket) -> float:
        """Return the seconds of processor time that it takes to go on with this backlog."""
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)
        before = processor_seconds(pid)
        try:
            for datagram in datagrams:
                sender.sendto(datagram, self.address)
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(SETTLING)
        return processor_seconds(pid) - before


@contextlib.contextmanager
def serf_agent() -> Iterator[Agent]:
    """Run an agent as long as the block does."""
    port, rpc_port = free_port(), free_port()
    command = ["serf", "agent", f"-node={NAME}", f"-bind=127.0.0.1:{port}", "-log-level=err"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*command, f"-rpc-addr=127.0.0.1:{rpc_port}", "-profile=lan"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            time.sleep(3.0)
            if process.poll() is not None:
                raise SystemExit(f"serf agent ended with {process.returncode}")
            yield Agent(port, process)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that is free for UDP and TCP at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
        stream.bind(("127.0.0.1", 0))
        return int(stream.getsockname()[1])


def kinds(port: int) -> dict[str, Datagrams]:
    """Return what is sent, by name; pings are answered to ``port``."""
    us = Address(LOOPBACK, port)

    def gossip(claims: int) -> Datagrams:
        def datagram(number: int) -> bytes:
            first = number * claims
            parts = [
                encode(Suspect(f"n{(first + i) % 128:03d}", 1, f"n{i:03d}")) for i in range(claims)
            ]
            return bytes(UnsealedPacket(None, parts, LAYERS))

        return datagram

    return {
        "ping, with the ack it sends": lambda number: encode(Ping(number + 1, NAME, us, "us")),
        "ack that nobody waits for": lambda number: encode(Ack(1_000_000 + number, b"")),
        "gossip of 1 claim": gossip(1),
        "gossip of 4 claims": gossip(4),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args(argv).rounds
    if shutil.which("serf") is None:
        sys.stderr.write("handling.py: no serf in the PATH\n")
        return 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, serf_agent() as agent:
        sender.bind(("127.0.0.1", 0))
        wanted = kinds(sender.getsockname()[1])
        backlogs = {
            name: [datagram(number) for number in range(BACKLOG)]
            for name, datagram in wanted.items()
        }
        costs: dict[str, list[float]] = {name: [] for name in backlogs}
        for _ in range(rounds):
            nothing = agent.cost((), sender)
            for name, datagrams in backlogs.items():
                costs[name].append((agent.cost(datagrams, sender) - nothing) / BACKLOG * 1e6)
    lines = [
        f"{platform.machine()}, backlogs of {BACKLOG} datagrams, {rounds} rounds",
        "",
        "| datagram | median, µs | least | greatest |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {median(found):.0f} | {min(found):.0f} | {max(found):.0f} |"
        for name, found in costs.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
