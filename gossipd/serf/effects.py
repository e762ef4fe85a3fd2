"""What Serf's layer asks of the node that holds it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from gossipd.address import Address


class SendPayload(msgspec.Struct, frozen=True):
    """Send a Serf message straight to ``to`` as a user message: no queue, no piggyback."""

    to: Address
    payload: bytes


class SetMeta(msgspec.Struct, frozen=True):
    """Announce new node meta (tags); ``token`` comes back when it was gossiped."""

    meta: bytes
    token: int


class Reconnect(msgspec.Struct, frozen=True):
    """Try a join push/pull with a failed member, without a join intent afterwards."""

    node: str
    to: Address


SerfEffect: TypeAlias = SendPayload | SetMeta | Reconnect
