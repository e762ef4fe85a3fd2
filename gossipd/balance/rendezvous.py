"""Rendezvous (highest random weight) hashing: a key stays with its instance.

Weighted: ``-weight / ln(u)`` with u from the hash of key and instance, so that
each instance wins its share of the keys, and a change of one instance moves
only keys from or to it (Thaler and Ravishankar; weights by Schindelhauer and
Schomaker). Weights are those registered: if they followed the load, keys would
wander with it. All clients agree without talking: the hash is of names alone.
"""

from __future__ import annotations

import math
from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.candidate import Candidate
    from gossipd.balance.draw import Draw

MASK = (1 << 64) - 1


class Rendezvous:
    """The instance whose hash with the key is highest; without a key, any by weight."""

    __slots__ = ()

    def choose(self, draw: Draw) -> Candidate:
        """Return the key's instance in this pool."""
        key = draw.key
        if key is None:
            seed = int(draw.random.random() * MASK)
        else:
            seed = digest(key.encode() if isinstance(key, str) else key)
        chosen, highest = draw.pool[0], -1.0
        for candidate in draw.pool:
            score = score_of(candidate, seed, draw.now)
            if score > highest:
                chosen, highest = candidate, score
        return chosen


def score_of(candidate: Candidate, seed: int, now: float) -> float:
    """Return how much ``candidate`` wants the key with this digest; above 0."""
    if candidate.hash_seed is None:
        owner, service = (part.encode() for part in candidate.instance.key)
        # lengths first: no owner and id can look like another pair
        candidate.hash_seed = digest(b"%d:%b%b" % (len(owner), owner, service))
    # the middle of a cell, so that it is neither 0 nor 1
    chance = ((mixed(seed ^ candidate.hash_seed) >> 12) + 0.5) / (1 << 52)
    return -candidate.registered_weight(now) / math.log(chance)


def digest(data: bytes) -> int:
    """Return 64 bits of ``data`` that are the same in every process."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def mixed(value: int) -> int:
    """Return ``value`` with each of its 64 bits spread over all (splitmix64's finish)."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)
