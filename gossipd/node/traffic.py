"""Counters of what came and went as packets."""

from __future__ import annotations

from collections import Counter


class Traffic:
    """Plain counters; packets by the kind of their first message, drops by reason."""

    __slots__ = ("bytes_received", "bytes_sent", "dropped", "received", "sent")

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.bytes_sent = 0
        self.bytes_received = 0
