"""What can be set about balancing: names, defaults and why they are what they are."""

from __future__ import annotations

from gossipd.errors import UsageError
from gossipd.value import Value, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class BalanceSettings(Value, kw_only=True):
    """Knobs of the safety nets; durations in seconds, shares from 0 to 1."""

    latency_memory: float = 10.0
    """A slow answer is forgotten to a third (1/e) after so long."""
    failure_latency: float = 1.0
    """A failure counts as an answer at least so slow, so that failing fast does not attract."""
    breaker_failures: int = 3
    """Failures in a row that open an instance's breaker."""
    breaker_backoff: float = 1.0
    """How long it stays open the first time; doubled with each trial that fails."""
    breaker_backoff_max: float = 60.0
    breaker_jitter: float = 0.2
    """Share of the back-off by which chance shortens or lengthens it."""
    breaker_trials: int = 1
    """Requests at a time to a half-open instance, and how many must succeed in a row."""
    eject_failures: int = 5
    """Failures in a row, trials included, that eject an instance."""
    eject_interval: float = 10.0
    """How often success rates are compared."""
    eject_requests: int = 20
    """Requests in an interval without which an instance is not compared."""
    eject_margin: float = 0.15
    """How much worse than the others' a success rate must be, chance aside."""
    eject_time: float = 10.0
    """How long an instance is ejected; times the number of its ejections of late."""
    eject_time_max: float = 300.0
    eject_share_max: float = 0.5
    """At most this share of the instances is ejected at a time (one, if there are two)."""
    crowd_least: int = 5
    """An instance with so many open requests is passed over while it has more than
    ``crowd_factor`` times its part of the others'; not with the policy ``hash``."""
    crowd_factor: float = 3.0
    slow_start: float = 10.0
    """How long a newcomer's share grows until it is a full one; 0 turns it off."""
    slow_start_least: float = 0.1
    """The share with which it begins."""
    retry_share: float = 0.2
    """Retries allowed for each request, besides ``retry_least``."""
    retry_least: float = 10.0
    """Retries a second that are always allowed."""
    panic_threshold: float = 0.3
    """When fewer than this share of the instances are neither ejected nor broken, all are
    used: it is likelier that the fault is here or in the requests."""
    fail_open: bool = True
    """With no instance that passes, use those that fail checks while their node lives."""
    band_factor: float = 1.5
    """``nearest``: round trips up to so many times the shortest are as good as it."""
    band_least: float = 0.001
    """``nearest``: and so are those that are at most so much longer."""
    zone_spare: float = 1.4
    """``zone``: the own zone's part of all requests is its healthy share times this, so
    that it keeps all while at most 29 % of it are away."""

    def check(self) -> None:
        """Raise unless all values make sense.

        Raises:
            UsageError: names the setting and what would be accepted.
        """
        for field in fields_of(self):
            value = getattr(self, field)
            if field == "fail_open":
                continue
            # written so that NaN fails too
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise UsageError(f"{field}: {value!r} is not a number of 0 or more")
            if field in SHARES and value > 1:
                raise UsageError(f"{field}: {value!r} is not a share, from 0 to 1")
            if field in POSITIVE and not value > 0:
                raise UsageError(f"{field}: {value!r} is not above 0")
            if field in COUNTS and not isinstance(value, int):
                raise UsageError(f"{field}: {value!r} is not a whole number of 1 or more")


SHARES = (
    "breaker_jitter",
    "eject_margin",
    "eject_share_max",
    "slow_start_least",
    "panic_threshold",
)
COUNTS = ("breaker_failures", "breaker_trials", "eject_failures", "eject_requests", "crowd_least")
POSITIVE = (
    *COUNTS,
    "latency_memory",
    "failure_latency",
    "breaker_backoff",
    "eject_interval",
    "eject_time",
    "slow_start_least",
    "band_factor",
    "zone_spare",
)


def settings_from(options: dict[str, Any]) -> BalanceSettings:
    """Return settings with ``options`` in place of defaults.

    Raises:
        UsageError: an option is unknown or wrong; the message names it.
    """
    for name in options:
        if name not in BalanceSettings.__match_args__:
            known = ", ".join(BalanceSettings.__match_args__)
            raise UsageError(f"{name}: no setting of a balancer; there are {known}")
    settings = BalanceSettings(**options)
    settings.check()
    return settings
