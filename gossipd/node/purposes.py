"""What a stream is for: ours by what it carries out, a peer's by who opened it."""

from __future__ import annotations

from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value


class PushPullCall(Value):
    """What an outbound push/pull is for; ``operation`` is None when nobody waits for it."""

    node: str
    to: Address
    is_join: bool
    ignore_old: bool
    operation: int | None


class PingCall(Value):
    """An outbound fallback ping for the probe round ``seq``."""

    to: Address
    seq: int


class Accepted(Value):
    """A stream that a peer opened."""

    source: Address


class PayloadCall(Value):
    """A user message that goes out on a stream of its own; nothing comes back (section 6.4)."""

    to: Address


Purpose: TypeAlias = PushPullCall | PingCall | PayloadCall | Accepted
