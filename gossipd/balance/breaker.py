"""``Breaker``: no requests to an instance that keeps failing, then a few to try it.

Closed, open for a back-off that doubles (with jitter, so that not all clients
try at once), half-open with few trials at a time. It judges one instance by
itself; how it does against the others is ``outliers.py``'s.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

    from gossipd.balance.settings import BalanceSettings

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


class Breaker:
    """Counts an instance's failures in a row and says whether it may be asked."""

    __slots__ = ("_backoff", "_passed", "_settings", "_trials", "failures", "open_until")

    def __init__(self, settings: BalanceSettings) -> None:
        self._settings = settings
        self._backoff = 0.0
        self._trials = 0
        self._passed = 0
        self.failures = 0
        """In a row."""
        self.open_until: float | None = None
        """When trials begin; ``None`` while closed."""

    def state(self, now: float) -> str:
        """Return ``closed``, ``open`` or ``half-open``."""
        if self.open_until is None:
            return CLOSED
        return OPEN if now < self.open_until else HALF_OPEN

    def admits(self, now: float) -> bool:
        """Return whether the instance may get one more request."""
        if self.open_until is None:
            return True
        return now >= self.open_until and self._trials < self._settings.breaker_trials

    def start(self, now: float) -> bool:
        """A request goes to the instance; return whether it is a trial."""
        if self.state(now) != HALF_OPEN:
            return False
        self._trials += 1
        return True

    def finish(self, is_ok: bool | None, now: float, random: Random, *, is_trial: bool) -> bool:
        """A request ended; ``None`` says nothing about the instance.

        Returns:
            Whether the breaker opened (again) or closed by it.
        """
        if is_trial:
            self._trials = max(self._trials - 1, 0)
        if is_ok is None:
            return False
        if is_ok:
            return self._succeeded(is_trial)
        self.failures += 1
        return self._failed(now, random, is_trial)

    def reset(self) -> None:
        """Close and forget; for an instance that began a new life."""
        self.failures = 0
        self._backoff = 0.0
        self._passed = 0
        self.open_until = None

    def _succeeded(self, is_trial: bool) -> bool:
        self.failures = 0
        if self.open_until is None:
            return False
        # an answer to a request from before the break proves no recovery
        if not is_trial:
            return False
        self._passed += 1
        if self._passed < self._settings.breaker_trials:
            return False
        self.reset()
        return True

    def _failed(self, now: float, random: Random, is_trial: bool) -> bool:
        if self.open_until is None:
            if self.failures < self._settings.breaker_failures:
                return False
        elif not is_trial or now < self.open_until:
            return False
        settings = self._settings
        self._backoff = min(
            max(self._backoff * 2, settings.breaker_backoff), settings.breaker_backoff_max
        )
        spread = settings.breaker_jitter * (2 * random.random() - 1)
        self.open_until = now + self._backoff * (1 + spread)
        self._passed = 0
        return True
