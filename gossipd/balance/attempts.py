"""``Attempts``: one call that may be tried again, on another instance and within the budget.

Decides only; who runs the function and waits is ``client/balancing.py``.
"""

from __future__ import annotations

from gossipd.balance.no_instance import NoInstance
from gossipd.balance.outcome import is_failure, was_never_sent
from gossipd.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gossipd.balance.balancer import Balancer, Pick


class Attempts:
    """The attempts of one call.

    Args:
        balancer: chooses; its budget pays for retries.
        now: when the call begins.
        attempts: at most so many, the first included.
        idempotent: whether the request may be sent twice. If not, it is tried again only
            when it cannot have been sent at all.
        timeout: seconds for the whole call, waits included; ``None`` is no limit.
        attempt_timeout: seconds for one attempt; by default an equal part of what is left.
        key: as for ``Balancer.pick``.
        judge: says of what the function returned or raised whether it failed.

    Raises:
        UsageError: a number makes no sense.
    """

    def __init__(
        self,
        balancer: Balancer,
        now: float,
        *,
        attempts: int = 3,
        idempotent: bool = False,
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        key: str | bytes | None = None,
        judge: Callable[[object], bool] = is_failure,
    ) -> None:
        if attempts < 1:
            raise UsageError(f"attempts: {attempts} is not 1 or more")
        for name, seconds in (("timeout", timeout), ("attempt_timeout", attempt_timeout)):
            if seconds is not None and not seconds > 0:
                raise UsageError(f"{name}: {seconds} is not above 0 seconds")
        self._balancer = balancer
        self._left = attempts
        self._idempotent = idempotent
        self._deadline = None if timeout is None else now + timeout
        self._attempt_timeout = attempt_timeout
        self._key = key
        self._judge = judge
        self._tried: list[tuple[str, str]] = []
        self._pick: Pick

    def begin(self, now: float) -> Pick:
        """Choose for the first attempt.

        Raises:
            NoInstance: there is none.
        """
        self._pick = self._balancer.pick(now, self._key)
        self._balancer.budget.earn(now)
        self._left -= 1
        return self._pick

    def judged(self, outcome: object) -> bool:
        """Return what the judge says; it is the caller's, and may do or raise anything."""
        return self._judge(outcome)

    def again(self, outcome: object, now: float, failed: bool | None = None) -> Pick | None:
        """An attempt ended; choose for the next, or return ``None``: ``outcome`` stands.

        Args:
            outcome: what the function returned, or the exception it raised.
            failed: whether that is a failure, by ``judged``; by default asked here.
        """
        if failed is None:
            try:
                failed = self.judged(outcome)
            except BaseException:
                self.give_up(now)
                raise
        self._pick.done(now, ok=not failed)
        if not failed or not self._may_retry(outcome, now):
            return None
        self._tried.append(self._pick.instance.key)
        try:
            pick = self._pick_other(now)
        except NoInstance:
            return None
        self._balancer.budget.spend(now)
        self._left -= 1
        self._pick = pick
        return pick

    def give_up(self, now: float) -> None:
        """The caller lost interest: nothing is said about the instance."""
        self._pick.done(now, ok=None)

    def time_for_attempt(self, now: float) -> float | None:
        """Return how many seconds the attempt that begins now may take; ``None`` is no limit.

        What is left is divided by the attempts left, so that one that hangs leaves time
        to ask another.
        """
        limits = [] if self._attempt_timeout is None else [self._attempt_timeout]
        if self._deadline is not None:
            left = max(self._deadline - now, 0.0)
            limits.append(left if self._attempt_timeout is not None else left / (self._left + 1))
        return min(limits, default=None)

    def _may_retry(self, outcome: object, now: float) -> bool:
        return (
            self._left > 0
            and (self._deadline is None or now < self._deadline)
            and (self._idempotent or was_never_sent(outcome))
            and self._balancer.budget.left(now) >= 1
        )

    def _pick_other(self, now: float) -> Pick:
        try:
            return self._balancer.pick(now, self._key, self._tried)
        except NoInstance:
            # all were tried: again one of them, but not the one that just failed if possible
            try:
                return self._balancer.pick(now, self._key, self._tried[-1:])
            except NoInstance:
                return self._balancer.pick(now, self._key)
