"""Datagrams: laws of links, walls between groups, and what is counted."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, median

import pytest

from gossipd.address import Address
from gossipd.errors import UsageError
from gossipd_sim.latency import Constant, LogNormal, Uniform
from gossipd_sim.law_rules import LawRules
from gossipd_sim.laws import Laws
from gossipd_sim.network import Network
from gossipd_sim.trace import Trace
from gossipd_sim.world import World
from support.sim_peer import SimPeer

MANY = 20_000
NOWHERE = Address(bytes([10, 9, 9, 9]), 7946)


class Net:
    """Three peers on a network."""

    def __init__(self, laws: Laws | None = None, seed: int = 1) -> None:
        self.world = World(seed)
        self.network = Network(self.world, Trace(), laws)
        self.a, self.b, self.c = (
            SimPeer(self.world, name, number) for number, name in enumerate("abc", 1)
        )
        for peer in (self.a, self.b, self.c):
            self.network.attach(peer)

    def send_many(self, count: int = MANY, length: int = 100, gap: float = 0.001) -> None:
        """Send ``count`` datagrams from a to b, ``gap`` seconds apart, and let them arrive."""
        for number in range(count):
            data = number.to_bytes(4, "big") + bytes(length - 4)
            self.world.at(number * gap, self.network.send, self.a, self.b.address, data)
        self.world.run_until(count * gap + 60.0)

    def arrived(self, source: SimPeer, target: SimPeer) -> bool:
        """Say whether a datagram gets from one to the other now."""
        before = len(target.packets)
        self.network.send(source, target.address, b"x")
        self.world.run_until(self.world.now + 1.0)
        return len(target.packets) > before


def test_without_laws_everything_arrives_once_unchanged_and_with_its_source() -> None:
    net = Net()
    net.send_many(100)
    assert [data[:4] for _, data, _ in net.b.packets] == [n.to_bytes(4, "big") for n in range(100)]
    assert {source for _, _, source in net.b.packets} == {net.a.address}
    assert net.c.packets == []


def test_losses_duplicates_and_corruption_come_as_often_as_the_laws_say() -> None:
    net = Net(Laws(loss=0.2))
    net.send_many()
    assert 1 - len(net.b.packets) / MANY == pytest.approx(0.2, abs=0.01)
    assert net.network.lost["a"]["loss"].packets == MANY - len(net.b.packets)
    net = Net(Laws(duplicate=0.1))
    net.send_many()
    assert len(net.b.packets) / MANY - 1 == pytest.approx(0.1, abs=0.01)
    net = Net(Laws(corrupt=0.1))
    net.send_many()
    good = {number.to_bytes(4, "big") + bytes(96) for number in range(MANY)}
    bad = [data for _, data, _ in net.b.packets if data not in good]
    assert len(net.b.packets) == MANY
    assert len(bad) / MANY == pytest.approx(0.1, abs=0.02)


def test_corruption_turns_exactly_one_bit() -> None:
    net = Net(Laws(corrupt=1.0))
    for _ in range(50):
        net.network.send(net.a, net.b.address, bytes(30))
    net.world.run_until(1.0)
    assert {sum(byte.bit_count() for byte in data) for _, data, _ in net.b.packets} == {1}


def test_held_up_packets_are_overtaken_and_others_are_not() -> None:
    def overtaken(laws: Laws) -> float:
        net = Net(laws)
        net.send_many()
        numbers = [int.from_bytes(data[:4], "big") for _, data, _ in net.b.packets]
        highest, late = -1, 0
        for number in numbers:
            late += number < highest
            highest = max(highest, number)
        return late / MANY

    assert overtaken(Laws(latency=Constant(0.001))) == 0
    held_up = Laws(latency=Constant(0.001), reorder=0.1, reorder_seconds=0.1)
    assert overtaken(held_up) == pytest.approx(0.1, abs=0.02)


def test_bursts_lose_everything_for_as_long_as_they_say() -> None:
    net = Net(Laws(burst_loss=0.001, burst_seconds=0.5, latency=Constant(0.0)))
    net.send_many(100_000)
    arrivals = [when for when, _, _ in net.b.packets]
    gaps = [after - before for before, after in pairwise(arrivals)]
    bursts = [gap for gap in gaps if gap > 0.0015]
    assert len(bursts) > 40
    assert fmean(bursts) == pytest.approx(0.5, rel=0.35)
    assert set(net.network.lost["a"]) == {"burst"}


@pytest.mark.parametrize(
    ("law", "middle", "lowest", "highest"),
    [
        (Constant(0.02), 0.02, 0.02, 0.02),
        (Uniform(0.01, 0.03), 0.02, 0.01, 0.03),
        (LogNormal(0.02, 0.5), 0.02, 0.001, 0.4),
    ],
)
def test_latency_follows_its_law(
    law: Constant | Uniform | LogNormal, middle: float, lowest: float, highest: float
) -> None:
    random = World(3).random("latency")
    samples = [law.sample(random) for _ in range(MANY)]
    assert median(samples) == pytest.approx(middle, rel=0.03)
    assert lowest <= min(samples) <= max(samples) <= highest


def test_what_is_too_long_for_the_link_is_lost_and_counted() -> None:
    net = Net(Laws(mtu=1000))
    net.network.send(net.a, net.b.address, bytes(1000))
    net.network.send(net.a, net.b.address, bytes(1001))
    net.world.run_until(1.0)
    assert [len(data) for _, data, _ in net.b.packets] == [1000]
    assert net.network.lost["a"]["mtu"].bytes == 1001


def test_laws_of_one_link_leave_the_way_back_and_the_others_alone() -> None:
    net = Net()
    net.network.link("a", "b").laws = Laws(udp=False)
    assert not net.arrived(net.a, net.b)
    assert net.arrived(net.b, net.a)
    assert net.arrived(net.a, net.c)
    net.network.link("a", "b").laws = Laws()
    assert net.arrived(net.a, net.b)


def test_laws_of_groups_count_for_links_used_before_and_after() -> None:
    net = Net()
    assert net.network.link("a", "b").laws.udp
    net.network.set_laws(["a"], ["b", "c"], Laws(udp=False))
    assert not net.arrived(net.a, net.b)
    assert not net.arrived(net.a, net.c)
    net.network.set_laws(["a"], ["c"], Laws())
    assert not net.arrived(net.a, net.b)
    assert net.arrived(net.a, net.c)


def test_a_cut_is_one_way_and_is_healed_by_the_same_groups() -> None:
    net = Net()
    net.network.cut(["a", "b"], ["c"])
    assert not net.arrived(net.a, net.c)
    assert net.arrived(net.c, net.a)
    assert net.arrived(net.a, net.b)
    assert net.network.lost["a"]["cut"].packets == 1
    net.network.heal(["a", "b"], ["c"])
    assert net.arrived(net.a, net.c)


def test_part_of_a_cut_can_be_healed() -> None:
    net = Net()
    net.network.cut(["a"], ["b", "c"])
    net.network.heal(["a"], ["b"])
    assert net.arrived(net.a, net.b)
    assert not net.arrived(net.a, net.c)
    net.network.heal()
    assert net.arrived(net.a, net.c)


def test_a_packet_to_nobody_or_to_a_full_buffer_is_lost_and_counted() -> None:
    net = Net()
    net.network.send(net.a, NOWHERE, b"1234")
    net.b.is_up = False
    assert not net.arrived(net.a, net.b)
    net.c.has_room = False
    assert not net.arrived(net.a, net.c)
    lost = net.network.lost["a"]
    assert {cause: tally.packets for cause, tally in lost.items()} == {"nobody": 2, "buffer": 1}
    assert net.network.received.total("udp").packets == 0


def test_every_byte_sent_is_received_or_lost() -> None:
    net = Net(Laws(loss=0.1, burst_loss=0.01, mtu=90))
    for length in (50, 100):
        net.send_many(2000, length)
    lost = sum(tally.bytes for tally in net.network.lost["a"].values())
    received = net.network.received["b"]["udp"].bytes
    assert net.network.sent["a"]["udp"].bytes == lost + received == 2000 * 150


def test_an_address_belongs_to_who_came_last() -> None:
    net = Net()
    newcomer = SimPeer(net.world, "d", 2)
    net.network.attach(newcomer)
    net.network.detach(net.b)
    net.network.send(net.a, net.b.address, b"x")
    net.world.run_until(1.0)
    assert (len(newcomer.packets), len(net.b.packets)) == (1, 0)


@pytest.mark.parametrize(
    ("laws", "named"),
    [
        (Laws(loss=1.5), "loss is 1.5"),
        (Laws(duplicate=-0.1), "duplicate"),
        (Laws(tcp="maybe"), "tcp is 'maybe'"),
        (Laws(mtu=0), "mtu"),
        (Laws(burst_seconds=-1), "burst_seconds"),
    ],
)
def test_laws_that_mean_nothing_are_refused_by_name(laws: Laws, named: str) -> None:
    net = Net()
    with pytest.raises(UsageError, match=named):
        Network(World(1), Trace(), laws)
    with pytest.raises(UsageError, match=named):
        net.network.link("a", "b").laws = laws
    assert net.arrived(net.a, net.b)


@pytest.mark.parametrize("seed", range(20))
def test_of_all_rules_that_fit_a_link_the_last_counts(seed: int) -> None:
    random = World(seed).random("rules")
    names = [f"n{number}" for number in range(8)]
    rules, naive = LawRules(Laws()), dict[tuple[str, str], Laws]()
    for number in range(30):
        sources = frozenset(random.sample(names, random.randint(1, 8)))
        targets = frozenset(random.sample(names, random.randint(1, 8)))
        laws = Laws(mtu=number + 1)
        rules.add(sources, targets, laws)
        naive.update(
            dict.fromkeys(
                ((s, t) for s in names for t in names if s in sources and t in targets), laws
            )
        )
        for source in names:
            for target in names:
                assert rules.find(source, target) == naive.get((source, target), Laws())
