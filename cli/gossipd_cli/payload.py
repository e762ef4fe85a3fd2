"""Payloads of events and queries: from a word, a file or standard input, and as JSON."""

from __future__ import annotations

import os
import sys

from gossipd.errors import UsageError
from gossipd.query.framing import STRING_BYTES_MAX
from gossipd_cli.plain import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PAYLOAD_FILE_OPTION = Option(
    "--payload-file", help="Take the payload from FILE, or from stdin if it is -.", metavar="FILE"
)


def read_payload(words: Sequence[str], path: str | None) -> bytes | None:
    """Return the payload: the second of ``words``, or what is in the file at ``path``.

    ``-`` for either is standard input. The daemon judges the size; here is refused
    only what its socket would not take.

    Raises:
        UsageError: there are both, the file cannot be read, or it is far too large.
    """
    given = words[1] if len(words) > 1 else None
    if given is not None and path is not None:
        raise UsageError("give the payload as a word or as --payload-file, not both")
    if given is not None and given != "-":
        payload = os.fsencode(given)
    elif given == "-" or path == "-":
        if sys.stdin is None:
            raise UsageError("the payload was to come from stdin, which is closed")
        payload = sys.stdin.buffer.read(STRING_BYTES_MAX + 1)
    elif path is not None:
        payload = _read(path)
    else:
        return None
    if len(payload) > STRING_BYTES_MAX:
        raise UsageError(f"the payload is too large: more than {STRING_BYTES_MAX} bytes")
    return payload or None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(STRING_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"cannot read the payload: {path}: {error.strerror}") from error


def payload_json(payload: bytes | None) -> dict[str, Any]:
    """Return the entry of a payload: ``payload`` if it is text, else ``payload_base64``."""
    if payload is None:
        return {"payload": None}
    try:
        return {"payload": payload.decode("utf-8")}
    except UnicodeDecodeError:
        from binascii import b2a_base64

        return {"payload_base64": b2a_base64(payload, newline=False).decode()}


def payload_text(payload: bytes | None) -> str:
    """Return a payload as text; bytes that are not UTF-8 become escapes, one newline is cut."""
    return (payload or b"").decode("utf-8", "backslashreplace").removesuffix("\n")
