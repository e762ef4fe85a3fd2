"""One ``Serf`` in a test: one input at a time, then exactly what it did.

serf = SerfHarness()
serf.join("b", at=1.0)
serf.receive(LeaveIntent(5, "b"), at=2.0)
assert serf.status("b") is MemberStatus.LEAVING
assert serf.gossiped() == [encode_serf(LeaveIntent(5, "b"))]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.outbox import Outbox
from gossipd.serf.effects import HurryGossip, SendPayload, SerfEffect
from gossipd.serf.events import ChangeKind, LeaveNoted, MemberChange, SerfEvent
from gossipd.serf.serf import Serf
from gossipd.swim.events import (
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    PayloadReceived,
)
from gossipd.swim.member import Member, MemberState
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import Versions
from gossipd.wire.serf_codec import (
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    encode_serf,
    encode_serf_state,
    encode_tags,
)
from gossipd.wire.serf_messages import (
    BufferedEvent,
    EventSlot,
    MemberStatus,
    Query,
    SerfMessage,
    SerfPushPull,
)

PLENTY = 1_000_000
STRANGER = Address(bytes((127, 9, 9, 9)), 7946)
E = TypeVar("E")


def address_of(name: str) -> Address:
    """Return a fixed, distinct address for a node name."""
    number = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 65000
    return Address(bytes((127, 2, number // 256, number % 256)), 7946)


def member_of(
    name: str, tags: Mapping[str, str] | None = None, versions: Versions | None = None
) -> Member:
    """Return an alive table entry as swim's events carry it."""
    meta = encode_tags(tags or {})
    return Member(name, address_of(name), meta, versions or Versions(), MemberState.ALIVE, 1, 0.0)


def query_of(
    ltime: int = 7,
    query_id: int = 70,
    *,
    filters: Sequence[bytes] = (),
    flags: int = 0,
    relay_factor: int = 0,
    name: str = "load",
    payload: bytes | None = None,
    origin: Address | None = None,
    timeout_ns: int = 3_200_000_000,
    features: int = 0,
) -> Query:
    """Return a query of node "asker"."""
    return Query(
        ltime=ltime,
        id=query_id,
        origin=address_of("asker") if origin is None else origin,
        origin_node="asker",
        filters=tuple(filters),
        flags=flags,
        relay_factor=relay_factor,
        timeout_ns=timeout_ns,
        name=name,
        payload=payload,
        features=features,
    )


def state_of(
    *,
    ltime: int = 0,
    members: Mapping[str, int] | None = None,
    left: Sequence[str] = (),
    event_ltime: int = 0,
    events: Mapping[int, Sequence[BufferedEvent]] | None = None,
    query_ltime: int = 0,
) -> bytes:
    """Return a peer's user state, encoded."""
    slots = tuple(EventSlot(at, tuple(some)) for at, some in (events or {}).items())
    return encode_serf_state(
        SerfPushPull(ltime, members or {}, tuple(left), event_ltime, (*slots, None), query_ltime)
    )


class SerfHarness:
    """A started node "us" at time 0 that knows itself; nothing in its outbox."""

    def __init__(
        self,
        config: SerfConfig | None = None,
        *,
        seed: int = 1,
        tags: Mapping[str, str] | None = None,
        keyring: Keyring | None = None,
        saves_keys: bool = False,
        started_ms: int = 0,
    ) -> None:
        self.outbox: Outbox[SerfEffect, SerfEvent] = Outbox()
        self.config = SerfConfig() if config is None else config
        self.serf = Serf(
            self.config,
            SwimConfig(),
            "us",
            address_of("us"),
            Random(seed),
            self.outbox,
            keyring=keyring,
            saves_keys=saves_keys,
            started_ms=started_ms,
        )
        self.meta = self.serf.start(tags or {}, 0.0)
        self.join("us", tags=tags)

    def join(
        self,
        *names: str,
        at: float = 0.0,
        tags: Mapping[str, str] | None = None,
        versions: Versions | None = None,
    ) -> None:
        """Let swim tell that ``names`` are alive; their join events are taken away."""
        for name in names:
            self.serf.handle(MemberJoined(member_of(name, tags, versions)), at)
        self.outbox.take_events()

    def rejoin(self, name: str, at: float) -> None:
        """Let swim tell that ``name`` is alive; events stay."""
        self.serf.handle(MemberJoined(member_of(name)), at)

    def update(self, name: str, tags: Mapping[str, str], at: float = 0.0) -> None:
        """Let swim tell of new meta."""
        self.serf.handle(MemberUpdated(member_of(name, tags)), at)

    def die(self, *names: str, at: float) -> None:
        """Let swim tell that ``names`` failed."""
        for name in names:
            self.serf.handle(MemberFailed(member_of(name), "accuser", 0, None), at)

    def depart(self, name: str, at: float) -> None:
        """Let swim tell that ``name`` said it leaves."""
        self.serf.handle(MemberLeft(member_of(name)), at)

    def receive(self, message: SerfMessage | bytes, at: float = 1.0) -> None:
        """Receive one Serf message by packet."""
        payload = message if isinstance(message, bytes) else encode_serf(message)
        self.serf.handle(PayloadReceived(payload, STRANGER), at)

    def advance(self, to: float) -> None:
        """Run every deadline up to and including ``to``."""
        while (deadline := self.serf.next_deadline()) is not None and deadline <= to:
            self.serf.handle_deadline(deadline)

    def status(self, name: str) -> MemberStatus | None:
        """Return a member's status, ``None`` if it is unknown."""
        member = self.serf.members.get(name)
        return None if member is None else member.status

    def gossiped(self) -> list[bytes]:
        """Return what one packet without limit would hold."""
        return self.serf.take_payloads(PLENTY, 3)

    def sent(self) -> list[tuple[Address, SerfMessage]]:
        """Take the direct messages, decoded."""
        return [
            (effect.to, decode_serf_untrusted(effect.payload))
            for effect in self.effects()
            if isinstance(effect, SendPayload)
        ]

    def effects(self) -> list[SerfEffect]:
        """Take all effects but the wish to gossip soon, which says nothing of its own."""
        effects = self.outbox.take_effects()
        return [effect for effect in effects if not isinstance(effect, HurryGossip)]

    def events(self) -> list[SerfEvent]:
        """Take all events but those that only the catalog cares for."""
        return [event for event in self.outbox.take_events() if type(event) is not LeaveNoted]

    def events_of(self, kind: type[E]) -> list[E]:
        """Take all events and return those of one type."""
        return [event for event in self.outbox.take_events() if isinstance(event, kind)]

    def changes(self) -> list[tuple[ChangeKind, str]]:
        """Take all events and return the membership changes."""
        return [(event.kind, event.member.name) for event in self.events_of(MemberChange)]

    def state(self) -> SerfPushPull:
        """Return the local state, decoded."""
        return decode_serf_state_untrusted(self.serf.local_state())
