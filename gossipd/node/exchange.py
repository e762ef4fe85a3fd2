"""What streams need of the cores: our whole state, merging a peer's, answering pings.

The state is SWIM's table and Serf's part of a push/pull (gossip.md, sections
6.1, 6.2, 14.3). Entries are encoded once for each change of a member: 10,000
of them take 13 ms afresh and 0.6 ms joined.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TypeAlias

from gossipd.address import Address
from gossipd.node.carriage import Carriage
from gossipd.node.unsealed import StateSnapshot
from gossipd.outbox import Outbox
from gossipd.serf.serf import Serf
from gossipd.shared import SharedDict
from gossipd.swim.anti_entropy import state_of
from gossipd.swim.effects import SwimEffect
from gossipd.swim.events import MergeRefused, SwimEvent
from gossipd.swim.member import Member
from gossipd.swim.swim import Swim
from gossipd.wire.codec import encode_node_state, node_state_bytes
from gossipd.wire.messages import Ack, NodeState, Ping, PushPull, UserPayload
from gossipd.wire.stream import encode_push_pull, encode_push_pull_header

NODES_PER_PORTION = 256
"""Nodes of a peer's state merged in one go: some milliseconds' work."""

Work: TypeAlias = Generator[None, float, str]
"""Long work in portions: each ``yield`` lets others have a turn, and is sent the new ``now``."""


def _entry_bytes(name: str, member: Member) -> int:
    return node_state_bytes(name, member.address, member.meta, member.incarnation)


class Exchange:
    """The cores as a stream session sees them.

    Args:
        swim_outbox: where ``swim`` tells why it refused a merge.
        settle: hands on what the cores wrote, see ``Node``.
        carriage: told what the peers of our own push/pulls know of services.
    """

    __slots__ = ("_carriage", "_entries", "_serf", "_settle", "_swim", "_swim_outbox")

    def __init__(
        self,
        swim: Swim,
        serf: Serf,
        swim_outbox: Outbox[SwimEffect, SwimEvent],
        settle: Callable[[float], None],
        carriage: Carriage,
    ) -> None:
        self._carriage = carriage
        self._swim = swim
        self._serf = serf
        self._swim_outbox = swim_outbox
        self._settle = settle
        self._entries: dict[str, tuple[Member, bytes]] = {}

    def local_state(self, *, is_join: bool) -> bytes:
        """Return our push/pull message, not wrapped."""
        known = self._entries
        entries: dict[str, tuple[Member, bytes]] = {}
        for member in self._swim.members:
            entry = known.get(member.name)
            if entry is None or entry[0] is not member:
                entry = (member, encode_node_state(state_of(member)))
            entries[member.name] = entry
        self._entries = entries
        encoded = [entry for _, entry in entries.values()]
        return encode_push_pull(is_join, encoded, self._serf.local_state())

    def snapshot(self, *, is_join: bool) -> tuple[StateSnapshot, int]:
        """Return what ``local_state`` stands for, and the bytes that it would have."""
        table = self._swim.table
        members: Mapping[str, Member]
        if isinstance(table, SharedDict):
            members, entries = table.snapshot(), table.total(_entry_bytes)
        else:
            members = {member.name: member for member in table.values()}
            entries = sum(_entry_bytes(name, member) for name, member in members.items())
        serf, serf_bytes = self._serf.snapshot()
        snapshot = StateSnapshot(is_join=is_join, members=members, serf=serf)
        header = len(encode_push_pull_header(is_join, len(members), serf_bytes))
        return snapshot, header + entries + serf_bytes

    def merge(
        self, state: PushPull | StateSnapshot, now: float, *, ignore_old: bool, is_ours: bool
    ) -> Work:
        """Merge a peer's state; returns why it was refused, empty when it was not.

        ``is_ours``: we asked for it, so it is on us to compare what is known of services.

        Raises:
            WireError: what it says of services is not legal; all else was merged.
        """
        nodes: Sequence[NodeState]
        if isinstance(state, StateSnapshot):
            nodes = [state_of(member) for member in state.news_to(self._swim.table)]
        else:
            nodes = state.nodes
        if not self._swim.begin_merge(nodes, now):
            told = self._swim_outbox.events
            return next(event.reason for event in told if isinstance(event, MergeRefused))
        for begin in range(0, len(nodes), NODES_PER_PORTION):
            if begin:
                now = yield
            self._swim.merge_part(nodes[begin : begin + NODES_PER_PORTION], now)
            # members must be known to Serf before the intents about them are applied
            self._settle(now)
        if isinstance(state, StateSnapshot):
            self._serf.merge(state.serf, state.is_join, ignore_old, now)
            catalog = state.serf.catalog
        else:
            catalog = b""
            if state.user_state:
                catalog = self._serf.merge_state(state.user_state, state.is_join, ignore_old, now)
        if is_ours:
            self._settle(now)  # the catalog has to know the members before what they own
            self._carriage.heard_summary(catalog, now)
        return ""

    def answer_ping(self, ping: Ping) -> Ack | None:
        """Return the ack of a stream ping, ``None`` when it was not meant for us."""
        return self._swim.answer_stream_ping(ping)

    def ping_answered(self, seq: int, now: float) -> None:
        """Our own stream ping of the probe round ``seq`` was acked."""
        self._swim.stream_ping_answered(seq, now)

    def take_payload(self, message: UserPayload, source: Address, now: float) -> None:
        """Handle a user message that came on a stream as one of a packet."""
        self._swim.receive(message, source, now)
