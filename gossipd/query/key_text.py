"""Keys as operators write them: base64 (rpc.md, section 6, keys).

Serf's clients show its complaint about a key that is no base64, so the
position in it is counted as Serf counts it: line ends are skipped, and what
is missing is looked for where the last group of four began.
"""

from __future__ import annotations

from binascii import a2b_base64

from gossipd.errors import WireError

KEY_BYTES = (16, 24, 32)
"""Lengths of a key: AES-128, AES-192, AES-256."""
BAD_KEY = "bad-key"
"""``WireError.reason`` of a text that is no base64."""

_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_PAD = ord("=")
_LINE_ENDS = b"\r\n"


def decode_key_untrusted(text: str) -> bytes:
    """Return the bytes that ``text`` stands for, whatever their number.

    Raises:
        WireError: ``bad-key``; the detail is the text that Serf's clients are shown.
    """
    data = text.encode("utf-8", "surrogateescape")
    wrong = _first_wrong_byte(data)
    if wrong is not None:
        raise WireError(BAD_KEY, f"illegal base64 data at input byte {wrong}")
    return a2b_base64(data)


def _first_wrong_byte(data: bytes) -> int | None:
    """Return where ``data`` stops to be base64, ``None`` if it is."""
    in_group = 0  # letters of the group of four that is being read
    for at, byte in enumerate(data):
        if byte in _LINE_ENDS:
            continue
        if byte in _ALPHABET:
            in_group = (in_group + 1) % 4
        elif byte == _PAD and in_group >= 2:
            return _wrong_end(data, at, pads=4 - in_group)
        else:
            return at
    return len(data) - in_group if in_group else None


def _wrong_end(data: bytes, at: int, pads: int) -> int | None:
    """Judge the padding that begins at ``at`` and what follows it."""
    rest = [i for i in range(at + 1, len(data)) if data[i] not in _LINE_ENDS]
    if pads == 2:
        if not rest:
            return len(data)
        second = rest.pop(0)
        if data[second] != _PAD:
            return second - 1
    return rest[0] if rest else None
