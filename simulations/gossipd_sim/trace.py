"""``Trace``: a running hash over everything that happened, to tell two runs apart.

Network and hosts note what they did; equal runs give equal digests, and the
first difference, however small, changes all that follow. A trace may also
keep its lines, which is how a difference is found.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

from gossipd.value import Value

_HEAD = Struct("!QHHI").pack


class Line(Value):
    """One thing that happened; ``at_ns`` is virtual time."""

    at_ns: int
    host: str
    what: str
    data: bytes


class Trace:
    """The running hash.

    Args:
        keep: also keep every line in ``lines``; costs memory.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._hash = blake2b(digest_size=16)
        self._names: dict[str, bytes] = {}
        self.lines: list[Line] | None = [] if keep else None

    def note(self, now: float, host: str, what: str, data: bytes = b"") -> None:
        """Take in that ``host`` did ``what`` with ``data`` at ``now`` (seconds)."""
        names = self._names
        host_bytes = names.get(host) or self._encoded(host)
        what_bytes = names.get(what) or self._encoded(what)
        at_ns = round(now * 1e9)
        # lengths first, so that no two different lines give the same bytes
        head = _HEAD(at_ns, len(host_bytes), len(what_bytes), len(data))
        self._hash.update(head + host_bytes + what_bytes + data)
        if self.lines is not None:
            self.lines.append(Line(at_ns, host, what, data))

    def hexdigest(self) -> str:
        """Return the hash of everything noted so far, as hexadecimal digits."""
        return self._hash.hexdigest()

    def _encoded(self, name: str) -> bytes:
        encoded = self._names[name] = name.encode("utf-8", "surrogateescape")
        return encoded
