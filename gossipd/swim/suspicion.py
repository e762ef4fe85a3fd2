"""One suspicion: who accused, who confirmed, until when (Lifeguard, LHA-Suspicion).

The leaf only counts and computes; the dispatcher owns the timer and decides
what a new deadline means (gossip.md, section 10.1).
"""

from __future__ import annotations

from gossipd.swim.scaling import suspicion_timeout


class Suspicion:
    """A running suspicion about ``node``; read it, only the dispatcher changes it.

    ``accuser`` was the first to say so; ``since`` and ``deadline`` are seconds, monotonic.
    """

    __slots__ = ("_confirmers", "_high", "_low", "_wanted", "accuser", "deadline", "node", "since")

    def __init__(
        self, node: str, accuser: str, *, wanted: int, low: float, high: float, now: float
    ) -> None:
        self.node = node
        self.accuser = accuser
        self.since = now
        self._confirmers: list[str] = []
        self._wanted = wanted
        self._low = low
        self._high = high
        self.deadline = now + suspicion_timeout(0, wanted, low, high)

    @property
    def confirmations(self) -> int:
        """How many accusers beyond the first were counted."""
        return len(self._confirmers)

    @property
    def confirmers(self) -> tuple[str, ...]:
        """The accusers beyond the first, in the order in which they were heard."""
        return tuple(self._confirmers)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether fewer confirmed it than were wanted to believe it soon."""
        return len(self._confirmers) < self._wanted

    def confirm(self, accuser: str) -> bool:
        """Count another accuser; returns whether it was new and still wanted.

        A counted one moves ``deadline`` nearer, possibly into the past.
        """
        confirmers = self._confirmers
        if len(confirmers) >= self._wanted or accuser == self.accuser or accuser in confirmers:
            return False
        confirmers.append(accuser)
        total = suspicion_timeout(len(confirmers), self._wanted, self._low, self._high)
        self.deadline = self.since + total
        return True
