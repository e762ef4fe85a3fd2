"""``World``: virtual time, the one event queue, and every source of chance.

Nothing in the simulator reads a clock or draws a number except through here.
Chance is split by purpose from the root seed, so that one more purpose does
not shift the others, and two runs of one seed are the same to the bit.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from gossipd.errors import UsageError
from gossipd_sim.queue import EventQueue, Happening


class World:
    """The clock, from 0, in seconds; and what will happen.

    Args:
        seed: the root of all chance in this world.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 0.0
        self.events_done = 0
        self._queue = EventQueue()

    def at(self, when: float, happening: Happening, *args: object) -> None:
        """Call ``happening(*args)`` at ``when`` (seconds); equal times in the order of setting.

        A moment that has passed is now, after everything already set for now.
        """
        now = self.now
        self._queue.push(when if when > now else now, happening, args)

    def after(self, seconds: float, happening: Happening, *args: object) -> None:
        """Call ``happening(*args)`` in ``seconds`` from now.

        Raises:
            UsageError: ``seconds`` is negative: nothing happens in the past.
        """
        if seconds < 0:
            raise UsageError(f"{happening} cannot happen in the past: {seconds:g} s from now")
        self._queue.push(self.now + seconds, happening, args)

    def run_until(self, end: float) -> None:
        """Let everything happen that is due up to and including ``end`` (seconds)."""
        done = 0
        try:
            for when, _, happening, args in self._queue.due(end):
                self.now = when
                done += 1
                happening(*args)
        finally:
            self.events_done += done
        self.now = max(self.now, end)

    @property
    def pending(self) -> int:
        """How many happenings are still to come."""
        return len(self._queue)

    def random(self, purpose: str) -> Random:
        """Return a fresh stream of chance that belongs to ``purpose`` alone."""
        return Random(split_seed(self.seed, purpose))


def split_seed(seed: int, purpose: str) -> int:
    """Return the seed of ``purpose`` below the root ``seed``; the same on every machine."""
    digest = blake2b(f"{seed}/{purpose}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")
