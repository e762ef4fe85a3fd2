"""What Serf's layer asks of the node that holds it."""

from __future__ import annotations

from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value


class SendPayload(Value):
    """Send a Serf message straight to ``to`` as a user message: no queue, no piggyback."""

    to: Address
    payload: bytes


class SendByStream(Value):
    """Send a Serf message to ``to`` over a stream of its own: it is too large for a packet."""

    to: Address
    payload: bytes


class SetMeta(Value):
    """Announce new node meta (tags); ``token`` comes back when it was gossiped."""

    meta: bytes
    token: int


class Reconnect(Value):
    """Try a join push/pull with a failed member, without a join intent afterwards."""

    node: str
    to: Address


class Recall(Value):
    """Tell of ``node`` again as of one that joined, if the failure detector has it running."""

    node: str


class HurryGossip(Value):
    """Gossip soon: a new user event or query waits to be told."""


class SaveKeyring(Value):
    """Keep ``keys``, the primary first, over a restart; tell ``keyring_saved`` of ``ticket``."""

    ticket: int
    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"SaveKeyring(ticket={self.ticket}, {len(self.keys)} keys)"


SerfEffect: TypeAlias = (
    SendPayload | SendByStream | SetMeta | Reconnect | Recall | HurryGossip | SaveKeyring
)
