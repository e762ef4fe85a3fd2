"""``Trace``: a running hash over everything that happened, to tell two runs apart.

Network and hosts note what they did; equal runs give equal digests, and the
first difference, however small, changes all that follow. A trace may also
keep its lines, which is how a difference is found.
"""

from __future__ import annotations

import marshal
from hashlib import blake2b

from gossipd.value import Value

LINES_HASHED_TOGETHER = 256
MARSHAL_VERSION = 2
"""The last one without references, which depend on who else holds an object."""


class Line(Value):
    """One thing that happened; ``at`` is virtual time in seconds."""

    at: float
    host: str
    what: str
    data: tuple[object, ...]


class Trace:
    """The running hash.

    Args:
        keep: also keep every line in ``lines``; costs memory.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._hash = blake2b(digest_size=16)
        self._pending: list[tuple[float, str, str, tuple[object, ...]]] = []
        self.lines: list[Line] | None = [] if keep else None

    def note(self, now: float, host: str, what: str, *data: object) -> None:
        """Take in that ``host`` did ``what`` with ``data`` at ``now`` (seconds).

        ``data``: numbers, texts, bytes, and lists and tuples of such.
        """
        pending = self._pending
        pending.append((now, host, what, data))
        if len(pending) >= LINES_HASHED_TOGETHER:
            self._take_in()
        if self.lines is not None:
            self.lines.append(Line(now, host, what, data))

    def hexdigest(self) -> str:
        """Return the hash of everything noted so far, as hexadecimal digits."""
        # what was noted counts, not how often somebody asked meanwhile
        so_far = self._hash.copy()
        so_far.update(_encoded(self._pending))
        return so_far.hexdigest()

    def _take_in(self) -> None:
        self._hash.update(_encoded(self._pending))
        self._pending = []


def _encoded(lines: list[tuple[float, str, str, tuple[object, ...]]]) -> bytes:
    """Return bytes that are the same on every Python: no two different lists give the same."""
    return marshal.dumps(lines, MARSHAL_VERSION)
