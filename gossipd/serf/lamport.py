"""``LamportClock``: the order of intents, user events and queries (gossip.md, section 15.1).

Serf runs three of them. Times are u64 on the wire; the codec refuses those of
2**63 and above, and a clock of ours saturates at the last legal one instead
of wrapping. A forged but legal time (2**62, say) is followed, as every Serf
node follows it: a clock that stayed behind would make all our own messages
too old for the others.
"""

from __future__ import annotations

from gossipd.wire.serf_messages import LAMPORT_TIME_MAX


class LamportClock:
    """A counter that never falls and never passes ``LAMPORT_TIME_MAX``."""

    __slots__ = ("time",)

    def __init__(self, time: int = 1) -> None:
        self.time = time

    def increment(self) -> int:
        """Move one ahead and return the new time."""
        self.time = min(self.time + 1, LAMPORT_TIME_MAX)
        return self.time

    def witness(self, seen: int) -> None:
        """Make sure that the clock is above ``seen``."""
        if seen >= self.time:
            self.time = min(seen + 1, LAMPORT_TIME_MAX)


def is_too_old(ltime: int, clock: int, window: int) -> bool:
    """Say whether ``ltime`` fell out of a buffer of ``window`` times (section 16)."""
    return clock > window and ltime < clock - window
