"""Counters of what came and went as packets."""

from __future__ import annotations

from collections import Counter

RIDERS = "Riders"
"""Kind of bytes: claims and payloads from the queues in a packet that was sent anyway."""


class Traffic:
    """Plain counters; packets by the kind of their first message, drops by reason.

    ``sent_bytes`` adds up to ``bytes_sent``: what rode along behind a first message of its own
    is counted as ``RIDERS``. ``received_bytes`` are of the messages alone, by their own kind.
    """

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "dropped",
        "received",
        "received_bytes",
        "sent",
        "sent_bytes",
    )

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self.received_bytes: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.bytes_sent = 0
        self.bytes_received = 0
