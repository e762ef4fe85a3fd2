"""What the HTTP face counts and measures, by name in the agent's ledger.

Patterns of routes, never paths, stand in names: clients cannot make new ones. Of what is
open at the moment there is a count of beginnings and one of ends.
"""

from __future__ import annotations

from gossipd.ledger import Ledger

PREFIX = "gossipd.http."
REQUESTS = PREFIX + "requests."
"""Followed by the class of the status (``2xx``), the method and the pattern, joined by dots."""
ACCEPTED, CLOSED = PREFIX + "connections.accepted", PREFIX + "connections.closed"
WAITS_BEGUN, WAITS_ENDED = PREFIX + "waits.begun", PREFIX + "waits.ended"
"""Requests that may wait: blocking queries and streams."""
WAITS_GONE = PREFIX + "waits.gone"
"""Of those, the ones whose client hung up first."""
REFUSED = PREFIX + "refused."
"""Followed by a reason below: what was never a request of a route."""
FAILED = PREFIX + "handler-failures"
"""Errors of ours that were answered with 500."""
SECONDS, WAITED_SECONDS = PREFIX + "seconds", PREFIX + "waited.seconds"
"""From the last byte of a request to its reply, where it cannot wait, and where it may."""

CONNECTIONS, DESCRIPTORS, HANDSHAKE = "connections", "descriptors", "handshake"
SLOW_REQUEST, SLOW_READER, BAD_REQUEST, TOKEN = (
    "slow-request",
    "slow-reader",
    "bad-request",
    "token",
)
UNKNOWN, FOREIGN = "unknown", "foreign"


class Counting:
    """The ledger in the words of this face."""

    def __init__(self, ledger: Ledger) -> None:
        self._names: dict[tuple[int, str, str], str] = {}
        self._counts = ledger.counts
        self.count = ledger.count
        self.measure = ledger.measure

    def refuse(self, reason: str) -> None:
        """Count what was not let in."""
        self.count(REFUSED + reason)

    def answer(self, status: int, method: str, pattern: str) -> None:
        """Count a request that a route answered."""
        key = status // 100, method, pattern
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"{REQUESTS}{status // 100}xx.{method}.{pattern}"
        self._counts[name] = self._counts.get(name, 0) + 1
