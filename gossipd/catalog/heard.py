"""``Heard``: which news came already, by hashes of 64 bits: each comes several times.

The hashes stand sorted in an array, eight bytes each: as numbers in a dict they took
ninety, which a daemon pays for as long as it runs.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

HEARD_MAX = 1024
"""News remembered; with one more all of it is forgotten, and what comes again is read again."""


class Heard:
    """What was taken in and passed on."""

    __slots__ = ("_hashes",)

    def __init__(self) -> None:
        self._hashes = array("q")

    def __contains__(self, payload: bytes) -> bool:
        mark = hash(payload)
        place = bisect_left(self._hashes, mark)
        return place < len(self._hashes) and self._hashes[place] == mark

    def add(self, payload: bytes) -> None:
        """Remember ``payload``."""
        if len(self._hashes) >= HEARD_MAX:
            self._hashes = array("q")
        mark = hash(payload)
        place = bisect_left(self._hashes, mark)
        if place == len(self._hashes) or self._hashes[place] != mark:
            self._hashes.insert(place, mark)
