"""News that came before membership said whose it is: kept for a moment, bounded."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.value import Value

HELD_MAX = 256
"""Messages; the oldest go first."""
HELD_BYTES_MAX = 2**17
HELD_SECONDS = 10.0


class Held(Value):
    """A message about ``owner`` that came from ``source``."""

    owner: str
    payload: bytes
    source: Address
    until: float


class Holding:
    """Messages by arrival."""

    __slots__ = ("_bytes", "_held")

    def __init__(self) -> None:
        self._held: list[Held] = []
        self._bytes = 0

    def keep(self, owner: str, payload: bytes, source: Address, now: float) -> None:
        """Keep a message until ``take`` asks for it, or there is no room or no time for it."""
        held = self._held
        held.append(Held(owner, payload, source, now + HELD_SECONDS))
        self._bytes += len(payload)
        while held and (
            len(held) > HELD_MAX or self._bytes > HELD_BYTES_MAX or held[0].until < now
        ):
            self._bytes -= len(held.pop(0).payload)

    def take(self, owner: str, now: float) -> list[Held]:
        """Return what is held about ``owner``, and hold it no longer."""
        held = self._held
        if not held:
            return []
        found = [each for each in held if each.owner == owner]
        if found:
            self._held = [each for each in held if each.owner != owner]
            self._bytes = sum(len(each.payload) for each in self._held)
        return [each for each in found if each.until >= now]
