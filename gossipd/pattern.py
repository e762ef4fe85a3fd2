"""Regular expressions that come from peers and clients: RE2, linear in the text.

Serf's filters are RE2's syntax. Python's own matcher backtracks, so a short
pattern such as ``(a+)+$`` could stop the daemon for one packet or request.
The library is loaded with the first pattern, because few daemons ever see
one and it takes 2.6 MB.
"""

from __future__ import annotations

from gossipd.errors import WireError

BAD_PATTERN = "bad-pattern"
"""``WireError.reason`` of a pattern that cannot be used."""
PATTERN_BYTES_MAX = 1024
PROGRAM_BYTES_MAX = 1 << 18
"""Memory RE2 may use for one compiled pattern: a packet holds sixty that take 1 ms each."""


class Pattern:
    """A compiled pattern; the text it is held against may be any bytes.

    Raises:
        WireError: ``bad-pattern``; the detail says what RE2 did not accept.
    """

    __slots__ = ("_compiled",)

    def __init__(self, expression: str) -> None:
        import re2

        encoded = expression.encode("utf-8", "surrogateescape")
        if len(encoded) > PATTERN_BYTES_MAX:
            raise WireError(BAD_PATTERN, f"longer than {PATTERN_BYTES_MAX} bytes")
        options = re2.Options()
        options.log_errors = False
        options.max_mem = PROGRAM_BYTES_MAX
        try:
            self._compiled = re2.compile(encoded, options)
        except re2.error as error:
            raise WireError(BAD_PATTERN, f"error parsing regexp: {_text_of(error)}") from None

    def search(self, text: str) -> bool:
        """Say whether the pattern matches anywhere in ``text``."""
        return self._compiled.search(_subject(text)) is not None

    def matches_whole(self, text: str) -> bool:
        """Say whether the pattern matches ``text`` from its begin to its end."""
        return self._compiled.fullmatch(_subject(text)) is not None


def _subject(text: str) -> bytes:
    """Return ``text`` as UTF-8; bytes that are none read as U+FFFD, as in Go."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "replace").encode()


def _text_of(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
