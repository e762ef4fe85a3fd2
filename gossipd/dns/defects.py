"""``Defects``: what the log is told of queries, now and then.

One query that meets a defect of ours must not end the daemon, nor fill its log.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from gossipd.dns.answering import DROPPED
from gossipd.dns.kinds import HEADER_BYTES, SERVFAIL
from gossipd.dns.reply import bare_message
from gossipd.ledger import Ledger

LOGGED_EVERY = 10.0
"""Seconds; who has found such a query will send it again."""
LOOP_LOGGED_EVERY = 600.0
"""Seconds; only a change of the configuration ends it."""


class Defects:
    """Takes exceptions that nobody expected.

    Args:
        ledger: where they are counted.
        log: gets (level, line without date), now and then.
        clock: seconds, monotonic.
    """

    def __init__(
        self, ledger: Ledger, log: Callable[[str, str], None], clock: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._clock = clock
        self._logged_at = -inf
        self._loop_logged_at = -inf

    def tell_loop(self) -> None:
        """Log that a question of ours came back to us."""
        now = self._clock()
        if now - self._loop_logged_at >= LOOP_LOGGED_EVERY:
            self._loop_logged_at = now
            self._log(
                "WARN",
                "agent.dns: a question that was passed on came back: dns.recursors leads to this"
                " daemon itself; name a resolver of others",
            )

    def answer(self, data: bytes, host: str) -> bytes | None:
        """Report the exception that is being handled; return what is sent to ``host`` instead."""
        self._ledger.count(DROPPED + "defect")
        now = self._clock()
        if now - self._logged_at >= LOGGED_EVERY:
            import traceback

            self._logged_at = now
            text = traceback.format_exc().rstrip()
            self._log("ERR", f"agent.dns: {host} asked {data[:512].hex()}: {text}")
        if len(data) < HEADER_BYTES:
            return None
        return bare_message((int.from_bytes(data[:2]), 0), SERVFAIL)
