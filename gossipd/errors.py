"""The exception hierarchy: whose fault it is decides what happens next.

A peer's fault is dropped and counted, an operator's ends the start with one
line and exit code 2, a caller's is answered with what was wrong. Anything
else (``AssertionError``, ``KeyError``) is a defect of ours: it ends the
process, a supervisor restarts it and gossip heals.
"""

from __future__ import annotations


class GossipdError(Exception):
    """Base of every error that gossipd raises on purpose."""


class WireError(GossipdError):
    """A peer sent bytes that are not a legal message; nothing was changed.

    Drop the packet or close the stream, count it under ``reason``.

    Args:
        reason: short stable key that names the statistics counter,
            for example ``"bad-checksum"``.
        detail: what exactly was wrong, for the debug log.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class ConfigError(GossipdError):
    """The operator's configuration cannot be used; the start ends, exit code 2.

    The message names the key and says what would be accepted; ``key`` is the
    setting at fault where the message does not begin with it.
    """

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class UsageError(GossipdError):
    """The caller asked for something that is never allowed; nothing was changed."""


class Unavailable(GossipdError):
    """What was asked for cannot be had now; trying again later may work."""
