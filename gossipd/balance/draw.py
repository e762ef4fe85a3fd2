"""``Draw``: what a policy is asked; ``Policy``: what answers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from random import Random
    from typing import Protocol

    from gossipd.balance.candidate import Candidate

    class Policy(Protocol):
        """Chooses one of a pool; keeps what it must remember, in itself or in candidates."""

        def choose(self, draw: Draw) -> Candidate:
            """Return one of ``draw.pool``, which is sorted by owner and id and not empty."""
            ...


class Draw:
    """One choice to make.

    Args:
        pool: who may be chosen.
        everyone: all instances of the service, those that may not be chosen included.
        key: what the request is about, for policies that keep it with one instance.
    """

    __slots__ = ("everyone", "key", "now", "pool", "random")

    def __init__(
        self,
        pool: Sequence[Candidate],
        everyone: Collection[Candidate],
        key: str | bytes | None,
        now: float,
        random: Random,
    ) -> None:
        self.pool = pool
        self.everyone = everyone
        self.key = key
        self.now = now
        self.random = random

    def among(self, pool: Sequence[Candidate]) -> Draw:
        """Return the same choice with fewer to choose from."""
        return Draw(pool, self.everyone, self.key, self.now, self.random)
