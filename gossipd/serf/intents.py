"""Intents that arrived before their member (gossip.md, section 15.3).

Join and leave intents travel by gossip and may overtake the alive claim of
the node they are about. The newest one for each unknown name is kept until
it expires. Applying it when the member appears is the roster's part.
"""

from __future__ import annotations

from gossipd.swim.membership import NAME_CHARACTERS_MAX
from gossipd.value import Value

INTENTS_MAX = 8192
"""Names remembered at most; above it the one longest unchanged is forgotten.

Only a flood of forged names comes near: an intent about an unknown name is a
matter of the seconds around a join.
"""


class Intent(Value):
    """The newest intent about an unknown node, received at ``at`` (seconds, monotonic)."""

    is_leave: bool
    ltime: int
    at: float


class IntentBuffer:
    """At most one intent for each name, oldest arrival first."""

    __slots__ = ("_intents", "_maximum", "_timeout")

    def __init__(self, timeout: float, maximum: int = INTENTS_MAX) -> None:
        self._timeout = timeout
        self._maximum = maximum
        self._intents: dict[str, Intent] = {}

    def reconfigure(self, timeout: float) -> None:
        """Keep intents for ``timeout`` seconds from their arrival."""
        self._timeout = timeout

    def put(self, node: str, *, is_leave: bool, ltime: int, now: float) -> bool:
        """Remember an intent; ``False`` if one of the same or a later time is known.

        ``False`` also for a name no member can have.
        """
        if len(node) > NAME_CHARACTERS_MAX:
            return False
        known = self._intents.get(node)
        if known is not None:
            if ltime <= known.ltime:
                return False
            del self._intents[node]
        elif len(self._intents) >= self._maximum:
            del self._intents[next(iter(self._intents))]
        self._intents[node] = Intent(is_leave, ltime, now)
        return True

    def get(self, node: str) -> Intent | None:
        """Return the intent remembered for ``node``."""
        return self._intents.get(node)

    def expire(self, now: float) -> None:
        """Forget intents older than the timeout."""
        while self._intents:
            node, intent = next(iter(self._intents.items()))
            if now - intent.at <= self._timeout:
                return
            del self._intents[node]

    def __len__(self) -> int:
        return len(self._intents)
