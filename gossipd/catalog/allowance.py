"""How much one node may say: so many changes a second on average, ten seconds' worth at once."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.config.model import CatalogConfig

SECONDS_SAVED = 10.0
"""After a rest as much as in so many seconds may happen at once."""


class Allowance:
    """A token bucket, full at first.

    Args:
        config: of it, ``changes_per_second``; read when it is needed.
    """

    __slots__ = ("_config", "_counted_at", "_left")

    def __init__(self, config: CatalogConfig) -> None:
        self._config = config
        self._left = self._most()
        self._counted_at = 0.0

    def take(self, now: float, *, share_kept: float = 0.0) -> bool:
        """Say whether one more may happen, and count it.

        Args:
            now: seconds, monotonic.
            share_kept: of what may happen at once, so much is left to others.
        """
        self._earn(now)
        if self._left < 1.0 + share_kept * (self._most() - 1.0):
            return False
        self._left -= 1.0
        return True

    def wait(self, now: float, wanted: float = 1.0, *, share_kept: float = 0.0) -> float:
        """Return the seconds until ``wanted`` of them may happen."""
        self._earn(now)
        wanted = min(wanted + share_kept * (self._most() - 1.0), self._most())
        return max(0.0, (wanted - self._left) / self._config.changes_per_second)

    def _most(self) -> float:
        return max(1.0, self._config.changes_per_second * SECONDS_SAVED)

    def _earn(self, now: float) -> None:
        earned = max(0.0, now - self._counted_at) * self._config.changes_per_second
        self._left = min(self._most(), self._left + earned)
        self._counted_at = now
