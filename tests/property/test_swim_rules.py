"""Whatever peers say, the rules of membership hold (gossip.md, section 8)."""

from __future__ import annotations

from random import Random

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim.effects import Send, SendTogether, SwimEffect
from gossipd.swim.events import BroadcastFinished, SwimEvent
from gossipd.swim.member import Member, MemberState
from gossipd.swim.swim import Swim
from gossipd.wire.codec import decode_untrusted, encode
from gossipd.wire.messages import (
    Ack,
    Alive,
    Dead,
    IndirectPing,
    Nack,
    NodeState,
    NodeStatus,
    PacketMessage,
    Ping,
    Suspect,
    UserPayload,
    Versions,
)

U32_MAX = 0xFFFFFFFF
NAMES = ["us", "b", "c", "d", "e", ""]
GONE = (MemberState.DEAD, MemberState.LEFT)

names = st.sampled_from(NAMES)
incarnations = st.one_of(
    st.integers(0, 6), st.sampled_from([U32_MAX - 1, U32_MAX]), st.integers(0, U32_MAX)
)
seqs = st.one_of(st.integers(0, 12), st.integers(0, U32_MAX))
addresses = st.builds(
    Address,
    st.sampled_from([b"\x7f\x00\x00\x01", b"\x7f\x00\x00\x02", bytes(16), b"", b"123"]),
    st.sampled_from([0, 1, 7946, 65535]),
)
metas = st.sampled_from([b"", b"x", bytes(600), bytes(5000)])
versions = st.one_of(
    st.none(),
    st.just(Versions()),
    st.just(Versions()),
    st.just(Versions(protocol_max=2)),
    st.builds(Versions, *[st.integers(0, 255)] * 6),
)
alives = st.builds(Alive, names, incarnations, addresses, metas, versions)
likely = st.builds(
    lambda name, incarnation: Alive(
        name, incarnation, Address(b"\x7f\x00\x00\x01", 7946), b"", Versions()
    ),
    names,
    st.integers(1, 5),
)
packets = st.one_of(
    likely,
    alives,
    st.builds(Suspect, names, incarnations, names),
    st.builds(Suspect, names, st.integers(1, 5), names),
    st.builds(Dead, names, incarnations, names),
    st.builds(Dead, names, st.integers(1, 5), names),
    st.builds(Ping, seqs, names, st.none() | addresses, names),
    st.builds(IndirectPing, seqs, addresses, names, st.booleans(), st.none() | addresses, names),
    st.builds(Ack, seqs, st.none() | st.binary(max_size=8)),
    st.builds(Nack, seqs),
    st.builds(UserPayload, st.binary(max_size=8)),
)
others = st.sampled_from(["b", "c"])
stories = st.lists(
    st.one_of(
        st.builds(
            lambda name, incarnation: Alive(
                name, incarnation, Address(b"\x7f\x00\x00\x01", 7946), b"", Versions()
            ),
            others,
            st.integers(1, 9),
        ),
        st.builds(Suspect, others, st.integers(1, 9), names),
        st.builds(Dead, others, st.integers(1, 9), names),
    ),
    min_size=3,
    max_size=12,
)
states = st.builds(
    NodeState, names, addresses, metas, incarnations, st.sampled_from(NodeStatus), versions
)


class SwimMachine(RuleBasedStateMachine):
    """One node, any legal messages in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.outbox: Outbox[SwimEffect, SwimEvent] = Outbox()
        self.swim = Swim(
            SwimConfig(),
            "us",
            Address(b"\x7f\x00\x00\x01", 7946),
            Versions(),
            Random(4),
            self.outbox,
            bind_port=7946,
        )
        self.swim.start(b"", self.now)
        self.seen: dict[str, Member] = {m.name: m for m in self.swim.members}
        self.own = 1
        self.tokens_given = 0
        self.tokens_back: list[int] = []

    @rule(packet=packets, source=addresses)
    def hear(self, packet: object, source: Address) -> None:
        self.swim.receive(packet, source, self.now)  # type: ignore[arg-type]
        if isinstance(packet, Alive):
            before, after = self.seen.get(packet.node), self.swim.member(packet.node)
            if before is not None and before.state in GONE and after is not None:
                moved = before.address != after.address
                raised = after.incarnation > before.incarnation
                assert after.state is before.state or moved or raised

    @rule(story=stories)
    def hear_much_about_two(self, story: list[Alive | Suspect | Dead]) -> None:
        for claim in story:
            self.hear(claim, Address(b"\x7f\x00\x00\x01", 7946))
            self.suspicions_are_exactly_those_of_suspects()
            self.incarnations_never_fall_at_one_address()

    @rule(nodes=st.lists(states, max_size=5), is_join=st.booleans())
    def sync(self, nodes: list[NodeState], is_join: bool) -> None:
        before = list(self.swim.members)
        if not self.swim.merge(nodes, is_join, self.now):
            assert list(self.swim.members) == before

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.5, 1.0, 5.0, 40.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.swim.handle_deadline(self.now)
        deadline = self.swim.next_deadline()
        assert deadline is None or deadline > self.now

    @rule(seconds=st.sampled_from([1.0, 3.0, 10.0]))
    def live(self, seconds: float) -> None:
        end = self.now + seconds
        steps = 0
        while (deadline := self.swim.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.swim.handle_deadline(self.now)
            steps += 1
            assert steps < 2000
        self.now = end

    @rule()
    def answer(self) -> None:
        for effect in self.outbox.take_effects():
            if isinstance(effect, Send) and isinstance(effect.message, Ping):
                self.swim.receive(Ack(effect.message.seq), effect.to, self.now)

    @rule(limit=st.integers(0, 1400))
    def take(self, limit: int) -> None:
        claims = self.swim.take_claims(limit, 2)
        assert sum(len(claim) + 2 for claim in claims) <= limit
        for claim in claims:
            decode_untrusted(claim)

    @rule(meta=st.sampled_from([b"", b"tags", bytes(512)]))
    def change_meta(self, meta: bytes) -> None:
        self.tokens_given += 1
        self.swim.set_meta(meta, self.tokens_given, self.now)

    @rule()
    def want_gossip(self) -> None:
        self.swim.wake_gossip(self.now)

    @rule(sure=st.integers(0, 5))
    def leave(self, sure: int) -> None:
        if sure == 0:
            self.tokens_given += 1
            self.swim.leave(self.tokens_given, self.now)

    @invariant()
    def effects_can_be_sent(self) -> None:
        for effect in self.outbox.effects:
            messages: tuple[PacketMessage, ...] = ()
            if isinstance(effect, Send):
                messages = (effect.message,)
            elif isinstance(effect, SendTogether):
                messages = effect.messages
            for message in messages:
                assert decode_untrusted(encode(message)) == message

    @invariant()
    def own_incarnation_never_falls(self) -> None:
        assert self.own <= self.swim.incarnation <= U32_MAX
        self.own = self.swim.incarnation

    @invariant()
    def we_are_always_in_the_table(self) -> None:
        own = self.swim.member("us")
        assert own is not None
        expected = MemberState.LEFT if self.swim.is_leaving else MemberState.ALIVE
        assert own.state is expected
        assert own.incarnation == self.swim.incarnation
        assert own.address == self.swim.address

    @invariant()
    def incarnations_never_fall_at_one_address(self) -> None:
        now_seen = {member.name: member for member in self.swim.members}
        for name, member in now_seen.items():
            before = self.seen.get(name)
            if before is not None and before.address == member.address:
                was_taken_over = before.state in GONE and member.state is MemberState.ALIVE
                assert member.incarnation >= before.incarnation or was_taken_over
        self.seen = now_seen

    @invariant()
    def suspicions_are_exactly_those_of_suspects(self) -> None:
        suspects = {m.name for m in self.swim.members if m.state is MemberState.SUSPECT}
        assert set(self.swim.suspicions()) == suspects

    @invariant()
    def the_queue_is_bounded_by_the_names(self) -> None:
        assert self.swim.queue_depth <= len(NAMES) + 1

    @invariant()
    def every_token_comes_back_at_most_once(self) -> None:
        for event in self.outbox.take_events():
            if isinstance(event, BroadcastFinished):
                assert event.token not in self.tokens_back
                assert 0 < event.token <= self.tokens_given
                self.tokens_back.append(event.token)

    def teardown(self) -> None:
        for _ in range(200):
            self.swim.take_claims(1_000_000, 2)
        self.every_token_comes_back_at_most_once()
        assert len(self.tokens_back) == self.tokens_given
        assert self.swim.queue_depth == 0


TestSwimRules = SwimMachine.TestCase
TestSwimRules.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
