"""One ``Swim`` in a test: one input at a time, then exactly what it did.

swim = SwimHarness()
swim.knows("b", "c")
swim.receive(Suspect("us", 4, "b"), at=10.0)
assert swim.gossiped() == [Alive("us", 5, ...)]
"""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim.effects import Gossip, PingByStream, Send, SendTogether, SwimEffect, SyncWith
from gossipd.swim.events import SwimEvent
from gossipd.swim.member import Member, MemberState
from gossipd.swim.swim import Swim
from gossipd.value import replace
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.messages import (
    Alive,
    IndirectPing,
    PacketMessage,
    Ping,
    Versions,
)

BIND_PORT = 7946
PLENTY = 1_000_000


def address_of(name: str) -> Address:
    """Return a fixed, distinct address for a node name."""
    number = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 65000
    return Address(bytes([127, 1, number // 256, number % 256]), BIND_PORT)


def alive(name: str, incarnation: int = 1, meta: bytes = b"") -> Alive:
    """Return an ordinary alive claim about ``name``."""
    return Alive(name, incarnation, address_of(name), meta, Versions())


class SwimHarness:
    """A started node "us" at time 0, with its own claims already taken."""

    def __init__(
        self, config: SwimConfig | None = None, *, seed: int = 1, name: str = "us"
    ) -> None:
        self.outbox: Outbox[SwimEffect, SwimEvent] = Outbox()
        self.config = SwimConfig() if config is None else config
        self.swim = Swim(
            self.config,
            name,
            address_of(name),
            Versions(),
            Random(seed),
            self.outbox,
            bind_port=BIND_PORT,
        )
        self.swim.start(b"", 0.0)
        self.forget()

    def forget(self) -> None:
        """Empty the outbox and the claim queue."""
        while self.swim.queue_depth:
            self.swim.take_claims(PLENTY, 2)
        self.outbox.take_effects()
        self.outbox.take_events()

    def knows(self, *names: str, at: float = 0.0, versions: Versions | None = None) -> None:
        """Let nodes be alive at incarnation 1, without a trace in outbox or queue."""
        for name in names:
            claim = replace(alive(name), versions=versions or Versions())
            self.swim.receive(claim, address_of(name), at)
        self.forget()

    def receive(self, message: PacketMessage, at: float, source: str = "b") -> None:
        """Hand in one message that came from the node ``source``."""
        self.swim.receive(message, address_of(source), at)

    def run_until(self, end: float) -> None:
        """Handle every deadline up to ``end``, each at its own moment."""
        while (deadline := self.swim.next_deadline()) is not None and deadline <= end:
            self.swim.handle_deadline(deadline)

    def run_to_probe(self, end: float = 100.0) -> tuple[float, Ping, Address]:
        """Go on to the next ping of our own; returns when, what, and to whom.

        Other effects until then are forgotten.
        """
        self.outbox.take_effects()
        while True:
            deadline = self.swim.next_deadline()
            assert deadline is not None
            assert deadline <= end, "no probe came"
            self.swim.handle_deadline(deadline)
            for effect in self.outbox.take_effects():
                match effect:
                    case Send(to, Ping() as ping):
                        return deadline, ping, to
                    case SendTogether(to, (Ping() as ping, *_)):
                        return deadline, ping, to
                    case _:
                        pass

    def effects(self) -> list[SwimEffect]:
        """Return the effects since the last call."""
        return self.outbox.take_effects()

    def sent(self) -> list[tuple[Address, PacketMessage]]:
        """Return the ordinary messages sent since the last call; other effects are dropped."""
        return [(e.to, e.message) for e in self.outbox.take_effects() if isinstance(e, Send)]

    def events(self) -> list[SwimEvent]:
        """Return the events since the last call."""
        return self.outbox.take_events()

    def gossiped(self) -> list[PacketMessage]:
        """Return what a gossip packet without limits would hold now."""
        return [decode_untrusted(claim) for claim in self.swim.take_claims(PLENTY, 2)]

    def member(self, name: str) -> Member:
        """Return the entry of ``name``, which must exist."""
        member = self.swim.member(name)
        assert member is not None
        return member

    def state(self, name: str) -> MemberState:
        """Return the state of ``name``, which must exist."""
        return self.member(name).state


def ping_requests(effects: list[SwimEffect]) -> list[IndirectPing]:
    """Return the ping-reqs among ``effects``."""
    return [
        effect.message
        for effect in effects
        if isinstance(effect, Send) and isinstance(effect.message, IndirectPing)
    ]


def gossip_targets(effects: list[SwimEffect]) -> list[Address]:
    """Return who is gossiped to."""
    return [effect.to for effect in effects if isinstance(effect, Gossip)]


def stream_pings(effects: list[SwimEffect]) -> list[PingByStream]:
    """Return the pings by stream among ``effects``."""
    return [effect for effect in effects if isinstance(effect, PingByStream)]


def syncs(effects: list[SwimEffect]) -> list[SyncWith]:
    """Return the push/pulls asked for."""
    return [effect for effect in effects if isinstance(effect, SyncWith)]
