"""Virtual streams: whole, in order, and broken in every way."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.node.effects import OpenStream
from gossipd_sim.latency import Constant, Uniform
from gossipd_sim.laws import Laws
from gossipd_sim.network import Network
from gossipd_sim.streams import INBOUND_MAX, OUTBOUND_MAX, RESET, VirtualStreams
from gossipd_sim.trace import Trace
from gossipd_sim.world import World
from support.sim_peer import SimPeer

LATENCY = 0.01
PORTION = 16384
"""Bytes written in one go, where a test writes much."""


class Wires:
    """Two peers and their streams."""

    def __init__(self, laws: Laws | None = None) -> None:
        self.world = World(1)
        trace = Trace()
        self.network = Network(self.world, trace, laws or Laws(latency=Constant(LATENCY)))
        self.streams = VirtualStreams(self.world, self.network, trace)
        self.a, self.b = SimPeer(self.world, "a", 1), SimPeer(self.world, "b", 2)
        self.network.attach(self.a)
        self.network.attach(self.b)

    def open(self, data: bytes = b"", to: Address | None = None, timeout: float = 10.0) -> None:
        effect = OpenStream(1, to or self.b.address, data, timeout)
        assert self.streams.open(self.a, effect)

    def open_and_write(self, data: bytes) -> None:
        """Open a stream of many messages, which travel one after another."""
        self.open(data[:PORTION])
        for start in range(PORTION, len(data), PORTION):
            self.streams.write(self.a, 1, data[start : start + PORTION])

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)


def test_a_stream_connects_carries_both_ways_and_ends() -> None:
    wires = Wires()
    wires.open(b"question")
    wires.run(1.0)
    assert wires.b.told == [("accepted", -1)]
    assert wires.a.told == [("opened", 1)]
    assert wires.b.bytes == {-1: b"question"}
    wires.streams.write(wires.b, -1, b"answer")
    wires.streams.close(wires.b, -1)
    wires.run(1.0)
    assert wires.a.bytes == {1: b"answer"}
    assert wires.a.told[1:] == [("ended", 1)]
    wires.streams.close(wires.a, 1)
    wires.run(1.0)
    assert wires.b.told == [("accepted", -1)]
    assert wires.streams.open_count("a") == wires.streams.open_count("b") == 0


def test_connecting_takes_a_round_trip_and_bytes_one_way() -> None:
    wires = Wires()
    wires.open(b"x")
    wires.run(2 * LATENCY - 0.001)
    assert wires.a.told == []
    wires.run(0.002)
    assert wires.a.told == [("opened", 1)]
    assert wires.b.bytes == {}
    wires.run(LATENCY)
    assert wires.b.bytes == {-1: b"x"}


def test_long_data_stays_in_order_through_loss_and_jitter() -> None:
    wires = Wires(Laws(latency=Uniform(0.001, 0.1), loss=0.3))
    data = Random(1).randbytes(20 * PORTION + 5)
    wires.open_and_write(data)
    wires.run(120.0)
    assert wires.b.bytes == {-1: data}


def test_a_stream_cut_in_the_middle_goes_on_where_it_was_when_healed() -> None:
    wires = Wires()
    data = Random(1).randbytes(10 * PORTION)
    wires.open_and_write(data)
    wires.run(2 * LATENCY + 4.5 * LATENCY)
    wires.network.cut(["a"], ["b"])
    wires.run(5.0)
    assert wires.b.bytes == {-1: data[: 4 * PORTION]}
    wires.network.heal(["a"], ["b"])
    wires.run(20.0)
    assert wires.b.bytes == {-1: data}


def test_a_peer_that_dies_in_the_middle_ends_the_stream_and_a_late_write_breaks_it() -> None:
    wires = Wires()
    wires.open_and_write(bytes(2 * PORTION))
    wires.run(3.5 * LATENCY)
    wires.b.is_up = False
    wires.streams.process_died(wires.b, power_lost=False)
    wires.run(1.0)
    assert wires.a.told == [("opened", 1), ("failed", 1, RESET)]
    assert len(wires.b.bytes[-1]) == PORTION


def test_a_peer_that_loses_power_in_the_middle_says_nothing_at_all() -> None:
    wires = Wires()
    wires.open_and_write(bytes(2 * PORTION))
    wires.run(3.5 * LATENCY)
    wires.b.is_up = wires.b.is_powered = False
    wires.streams.process_died(wires.b, power_lost=True)
    wires.run(60.0)
    assert wires.a.told == [("opened", 1)]
    wires.streams.close(wires.a, 1)
    wires.run(60.0)
    assert wires.world.pending == 0, "repeats go on for ever"


def test_where_no_process_listens_connecting_is_refused_after_a_round_trip() -> None:
    wires = Wires()
    wires.b.is_up = False
    wires.open(b"x")
    wires.run(2 * LATENCY + 0.001)
    assert wires.a.told == [
        ("failed", 1, f"dial tcp {wires.b.address}: connect: connection refused")
    ]


@pytest.mark.parametrize("hindrance", ["nobody", "no power", "cut", "cut back", "off"])
def test_where_nothing_answers_connecting_takes_until_its_time_is_up(hindrance: str) -> None:
    wires = Wires(Laws(latency=Constant(LATENCY), tcp="off" if hindrance == "off" else "ok"))
    to = Address(bytes([10, 9, 9, 9]), 1) if hindrance == "nobody" else wires.b.address
    if hindrance == "no power":
        wires.b.is_up = wires.b.is_powered = False
    elif hindrance == "cut":
        wires.network.cut(["a"], ["b"])
    elif hindrance == "cut back":
        wires.network.cut(["b"], ["a"])
    wires.open(b"x", to, timeout=2.5)
    wires.run(2.49)
    assert wires.a.told == []
    wires.run(0.02)
    assert wires.a.told == [("failed", 1, f"dial tcp {to}: i/o timeout after 2.5s")]
    wires.run(60.0)
    assert wires.world.pending == 0


def test_a_request_to_connect_that_was_lost_is_repeated() -> None:
    wires = Wires()
    wires.network.cut(["a"], ["b"])
    wires.open(b"x")
    wires.run(0.5)
    wires.network.heal()
    wires.run(1.0)
    assert wires.a.told == [("opened", 1)]


def test_under_the_law_hang_a_stream_opens_and_nothing_moves() -> None:
    wires = Wires(Laws(latency=Constant(LATENCY), tcp="hang"))
    wires.open(b"x")
    wires.run(60.0)
    assert (wires.a.told, wires.b.bytes) == ([("opened", 1)], {})


def test_under_the_law_reset_connecting_is_refused_and_open_streams_break_on_both_sides() -> None:
    wires = Wires()
    wires.open(b"x")
    wires.run(1.0)
    wires.network.set_laws("ab", "ab", Laws(tcp="reset"))
    wires.streams.write(wires.b, -1, b"y")
    wires.run(1.0)
    assert wires.a.told[-1] == ("failed", 1, RESET)
    assert wires.b.told[-1] == ("failed", -1, RESET)
    wires.open(b"x")
    wires.run(1.0)
    assert "connection refused" in str(wires.a.told[-1])


def test_streams_are_bounded_on_both_sides() -> None:
    wires = Wires()
    for number in range(1, OUTBOUND_MAX + 1):
        assert wires.streams.open(wires.a, OpenStream(number, wires.b.address, b"", 10.0))
    assert not wires.streams.open(wires.a, OpenStream(9999, wires.b.address, b"", 10.0))
    wires.run(1.0)
    assert len(wires.b.told) == INBOUND_MAX
    third = SimPeer(wires.world, "c", 3)
    wires.network.attach(third)
    assert wires.streams.open(third, OpenStream(1, wires.b.address, b"", 10.0))
    wires.run(1.0)
    assert "connection refused" in str(third.told)


def test_a_stream_closed_while_it_connects_is_not_heard_of_again() -> None:
    wires = Wires()
    wires.open(b"x")
    wires.streams.close(wires.a, 1)
    wires.run(30.0)
    assert (wires.a.told, wires.b.told) == ([], [])


def test_bytes_of_streams_are_counted_at_both_ends() -> None:
    wires = Wires()
    wires.open(bytes(3 * PORTION))
    wires.run(10.0)
    assert wires.network.sent["a"]["tcp"].bytes == 3 * PORTION
    assert wires.network.received["b"]["tcp"].bytes == 3 * PORTION
