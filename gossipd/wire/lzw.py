"""The reference's LZW: bits from the low end, 8-bit literals (gossip.md, section 4.2).

Codes 0..255 are literals, 256 clears the table, 257 ends, entries start at
258; codes are 9 to 12 bits wide. Both directions are plain loops over small
integers, because they run on every stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gossipd.errors import WireError
from gossipd.wire.reasons import BAD_COMPRESSION, TOO_LARGE

CLEAR: Final = 256
END: Final = 257
WIDTH_MIN: Final = 9
WIDTH_MAX: Final = 12
CODE_MAX: Final = 4095

_FLUSH_BITS: Final = 512
_FLUSH_BYTES: Final = _FLUSH_BITS // 8
_FLUSH_MASK: Final = (1 << _FLUSH_BITS) - 1
_REFILL_BYTES: Final = 64
_PORTION_CODES: Final = 16_384
"""Codes of one portion: a few milliseconds' work."""
_PORTION_BYTES: Final = 1_048_576
"""What a portion may expand to, roughly."""

_LITERALS: Final = [bytes((value,)) for value in range(256)]


def compress(data: bytes) -> bytes:
    """Return ``data`` compressed, byte for byte as the reference does it."""
    out = bytearray()
    # ``bits`` codes wait in ``pool``; the pool starts with a clear code.
    pool, bits = CLEAR, WIDTH_MIN
    width, high, widen_at = WIDTH_MIN, END, 1 << WIDTH_MIN
    table: dict[int, int] = {}
    find = table.get
    rest = iter(data)
    current = next(rest, -1)
    for byte in rest:
        pair = current << 8 | byte
        known = find(pair)
        if known is not None:
            current = known
            continue
        pool |= current << bits
        bits += width
        high += 1
        if high == widen_at:
            width += 1
            widen_at <<= 1
        if high == CODE_MAX:
            pool |= CLEAR << bits
            bits += width
            width, high, widen_at = WIDTH_MIN, END, 1 << WIDTH_MIN
            table.clear()
        else:
            table[pair] = high
        current = byte
        if bits >= _FLUSH_BITS:
            out += (pool & _FLUSH_MASK).to_bytes(_FLUSH_BYTES, "little")
            pool >>= _FLUSH_BITS
            bits -= _FLUSH_BITS
    if current >= 0:
        pool |= current << bits
        bits += width
        high += 1
        if high == widen_at:
            width += 1
        if high == CODE_MAX:
            pool |= CLEAR << bits
            bits += width
            width = WIDTH_MIN
    pool |= END << bits
    bits += width
    out += pool.to_bytes((bits + 7) // 8, "little")
    return bytes(out)


def decompress_untrusted(data: bytes, size_max: int) -> bytes:
    """Return what ``data`` expands to; bytes after the end code are ignored.

    Args:
        data: the compressed bytes.
        size_max: most bytes accepted; nothing beyond is held.

    Raises:
        WireError: a code that cannot be, an early end, or a larger result.
    """
    return b"".join(portions_untrusted(data, size_max))


def portions_untrusted(data: bytes, size_max: int) -> Iterator[bytes]:
    """As ``decompress_untrusted``, yielding the result in portions of bounded work.

    A portion may be empty: there are codes that expand to nothing.
    """
    out: list[bytes] = []
    append = out.append
    size = codes = 0
    portion_end = min(size_max, _PORTION_BYTES)
    table: list[bytes] = [*_LITERALS, b"", b""]
    learn = table.append
    # ``next_code`` is the entry this code may complete: the length of the table while learning.
    width, mask, next_code, widen_at = WIDTH_MIN, (1 << WIDTH_MIN) - 1, END, 1 << WIDTH_MIN
    previous = b""
    pool = bits = position = 0
    while True:
        if codes == _PORTION_CODES or size > portion_end:
            if size > size_max:
                raise WireError(TOO_LARGE, f"expands to more than {size_max} bytes")
            yield b"".join(out)
            out.clear()
            codes, portion_end = 0, min(size_max, size + _PORTION_BYTES)
        codes += 1
        if bits < width:
            chunk = data[position : position + _REFILL_BYTES]
            pool |= int.from_bytes(chunk, "little") << bits
            bits += 8 * len(chunk)
            position += len(chunk)
            if bits < width:
                raise WireError(BAD_COMPRESSION, "the input ends before its end code")
        code = pool & mask
        pool >>= width
        bits -= width
        if code == CLEAR:
            del table[CLEAR + 2 :]
            width, mask, next_code, widen_at = WIDTH_MIN, (1 << WIDTH_MIN) - 1, END, 1 << WIDTH_MIN
            previous = b""
            continue
        if code == END:
            yield b"".join(out)
            return
        if code < len(table):
            entry = table[code]
            if previous:
                learn(previous + entry[:1])
        elif code == next_code and previous:
            entry = previous + previous[:1]
            learn(entry)
        else:
            raise WireError(BAD_COMPRESSION, f"invalid code {code}")
        append(entry)
        size += len(entry)
        previous = entry
        next_code += 1
        if next_code == widen_at:
            if width == WIDTH_MAX:
                # The table is full: nothing more is learnt until a clear.
                previous = b""
                next_code = CODE_MAX
            else:
                width += 1
                mask = (1 << width) - 1
                widen_at <<= 1
