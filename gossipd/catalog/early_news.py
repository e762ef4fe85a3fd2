"""News that came before membership said whose it is: kept for a moment, bounded."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.value import Value

EARLY_MAX = 256
"""Messages; the oldest go first."""
EARLY_BYTES_MAX = 2**17
"""Of all of them together."""
EARLY_SECONDS = 10.0
"""A member of whom nobody heard for so long comes with its records by repair."""


class EarlyMessage(Value):
    """A message about ``owner`` that came from ``source``."""

    owner: str
    payload: bytes
    source: Address
    until: float


class EarlyNews:
    """Messages by arrival."""

    __slots__ = ("_bytes", "_kept")

    def __init__(self) -> None:
        self._kept: list[EarlyMessage] = []
        self._bytes = 0

    def keep(self, owner: str, payload: bytes, source: Address, now: float) -> None:
        """Keep a message until ``take`` asks for it, or there is no room or no time for it."""
        kept = self._kept
        kept.append(EarlyMessage(owner, payload, source, now + EARLY_SECONDS))
        self._bytes += len(payload)
        while kept and (
            len(kept) > EARLY_MAX or self._bytes > EARLY_BYTES_MAX or kept[0].until < now
        ):
            self._bytes -= len(kept.pop(0).payload)

    def take(self, owner: str, now: float) -> list[EarlyMessage]:
        """Return what is kept about ``owner``, and keep it no longer."""
        kept = self._kept
        if not kept:
            return []
        found = [each for each in kept if each.owner == owner]
        if found:
            self._kept = [each for each in kept if each.owner != owner]
            self._bytes = sum(len(each.payload) for each in self._kept)
        return [each for each in found if each.until >= now]
