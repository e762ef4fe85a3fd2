"""Several nodes on a toy network: messages by reference, random delays, no packing."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import assert_never

import pytest

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim.effects import Gossip, PingByStream, Send, SendTogether, SwimEffect, SyncWith
from gossipd.swim.events import (
    AccusationRefuted,
    BroadcastFinished,
    MemberFailed,
    MemberLeft,
    MemberSuspected,
    MemberUpdated,
    SwimEvent,
)
from gossipd.swim.member import MemberState
from gossipd.swim.swim import Swim
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.messages import PacketMessage, Suspect, Versions
from support.swim_harness import BIND_PORT, address_of

Told = tuple[float, str, SwimEvent]


class ToyNetwork:
    """A heap of deliveries; silent nodes neither send nor receive nor wake."""

    def __init__(self, names: str, seed: int, config: SwimConfig | None = None) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self.told: list[Told] = []
        self.silent: set[str] = set()
        self.lossy_to: str | None = None
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._names = {address_of(name): name for name in names}
        self.outboxes: dict[str, Outbox[SwimEffect, SwimEvent]] = {}
        self.nodes: dict[str, Swim] = {}
        for name in names:
            self.outboxes[name] = Outbox()
            self.nodes[name] = Swim(
                config or SwimConfig(),
                name,
                address_of(name),
                Versions(),
                Random(f"{seed} {name}"),
                self.outboxes[name],
                bind_port=BIND_PORT,
            )
            self.nodes[name].start(b"", 0.0)
        for name in names[1:]:
            self._sync(name, names[0], is_join=True)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            woken = min(
                (
                    (deadline, name)
                    for name, swim in self.nodes.items()
                    if name not in self.silent and (deadline := swim.next_deadline()) is not None
                ),
                default=(end + 1, ""),
            )
            arrival = self._heap[0][0] if self._heap else end + 1
            if min(woken[0], arrival) > end:
                break
            if arrival <= woken[0]:
                self.now, _, deliver = heappop(self._heap)
                deliver()
            else:
                self.now = max(self.now, woken[0])
                self.nodes[woken[1]].handle_deadline(self.now)
            for name in self.nodes:
                self.settle(name)
        self.now = end

    def settle(self, name: str) -> None:
        for effect in self.outboxes[name].take_effects():
            if name not in self.silent:
                self._perform(name, effect)
        self.told += [(self.now, name, event) for event in self.outboxes[name].take_events()]

    def _perform(self, name: str, effect: SwimEffect) -> None:
        swim = self.nodes[name]
        match effect:
            case Send(to, message):
                claims = swim.take_claims(1000, 2)
                self._post(name, to, [message, *map(decode_untrusted, claims)])
            case SendTogether(to, messages, _):
                self._post(name, to, list(messages))
            case Gossip(to, _):
                self._post(name, to, [decode_untrusted(c) for c in swim.take_claims(1400, 2)])
            case SyncWith(other, _, is_join):
                self._sync(name, other, is_join=is_join)
            case PingByStream(to, ping, _):
                target = self._names[to]
                if target not in self.silent and self.nodes[target].answer_stream_ping(ping):
                    swim.stream_ping_answered(ping.seq, self.now)
            case unreachable:
                assert_never(unreachable)

    def _post(self, source: str, to: Address, messages: list[PacketMessage]) -> None:
        target = self._names[to]
        if target == self.lossy_to:
            return

        def deliver() -> None:
            for message in messages:
                if target not in self.silent:
                    self.nodes[target].receive(message, address_of(source), self.now)

        self._order += 1
        delay = self.random.uniform(0.0005, 0.02)
        heappush(self._heap, (self.now + delay, self._order, deliver))

    def _sync(self, name: str, other: str, *, is_join: bool) -> None:
        if other in self.silent:
            return
        ours = self.nodes[name].local_states()
        theirs = self.nodes[other].local_states()
        assert self.nodes[other].merge(ours, is_join, self.now)
        assert self.nodes[name].merge(theirs, is_join, self.now)

    def states_of(self, name: str) -> set[MemberState | None]:
        """What the others that are awake think of ``name``."""
        return {
            None if (member := swim.member(name)) is None else member.state
            for other, swim in self.nodes.items()
            if other != name and other not in self.silent
        }

    def events(self, kind: type[SwimEvent]) -> list[Told]:
        return [told for told in self.told if isinstance(told[2], kind)]


@pytest.fixture(params=[1, 2, 3])
def network(request: pytest.FixtureRequest) -> ToyNetwork:
    network = ToyNetwork("abcdefg", request.param)
    network.run(5.0)
    return network


def test_everybody_learns_of_everybody_and_nobody_is_accused(network: ToyNetwork) -> None:
    network.run(60.0)
    for swim in network.nodes.values():
        assert sorted(member.name for member in swim.members) == list("abcdefg")
        assert {member.state for member in swim.members} == {MemberState.ALIVE}
        assert swim.queue_depth == 0
        assert swim.health_score == 0
    assert network.events(MemberSuspected) == []
    assert network.events(AccusationRefuted) == []


def test_a_silent_node_is_detected_by_all_within_the_bounds_of_suspicion(
    network: ToyNetwork,
) -> None:
    silenced_at = network.now
    network.silent.add("d")
    network.run(40.0)
    assert network.states_of("d") <= {MemberState.DEAD, None}
    failures = network.events(MemberFailed)
    assert {name for _, name, _ in failures} == set("abcefg")
    assert {event.member.name for *_, event in failures if isinstance(event, MemberFailed)} == {"d"}
    assert all(silenced_at + 4.0 < at < silenced_at + 30.0 for at, _, _ in failures)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_node_that_comes_back_refutes_its_death(seed: int) -> None:
    network = ToyNetwork("abcdefg", seed, SwimConfig(push_pull_interval=8.0))
    network.run(5.0)
    network.silent.add("d")
    network.run(20.0)
    assert network.states_of("d") == {MemberState.DEAD}
    network.silent.clear()
    network.run(15.0)
    assert network.states_of("d") == {MemberState.ALIVE}
    assert network.nodes["d"].incarnation > 1


def test_a_leave_reaches_everybody(network: ToyNetwork) -> None:
    network.nodes["c"].leave(5, network.now)
    network.run(5.0)
    assert network.states_of("c") == {MemberState.LEFT}
    assert {name for _, name, _ in network.events(MemberLeft)} == set("abcdefg")
    assert BroadcastFinished(5) in [event for *_, event in network.told]
    assert network.events(MemberFailed) == []


def test_a_false_accusation_is_refuted_everywhere(network: ToyNetwork) -> None:
    network.nodes["a"].receive(Suspect("e", 1, "b"), address_of("b"), network.now)
    network.run(10.0)
    assert network.states_of("e") == {MemberState.ALIVE}
    assert network.nodes["e"].incarnation == 2
    assert {swim.member("e").incarnation for swim in network.nodes.values()} == {2}  # type: ignore[union-attr]
    assert network.events(MemberFailed) == []


def test_new_meta_reaches_everybody(network: ToyNetwork) -> None:
    network.nodes["b"].set_meta(b"tags", 1, network.now)
    network.run(5.0)
    assert {name for _, name, _ in network.events(MemberUpdated)} == set("abcdefg")


def test_a_node_reachable_only_by_stream_stays_alive(network: ToyNetwork) -> None:
    network.lossy_to = "f"
    network.run(20.0)
    assert network.states_of("f") == {MemberState.ALIVE}


def test_equal_seeds_tell_equal_stories() -> None:
    stories = []
    for _ in range(2):
        network = ToyNetwork("abcde", 11)
        network.run(3.0)
        network.silent.add("b")
        network.run(20.0)
        stories.append(network.told)
    assert stories[0] == stories[1]
