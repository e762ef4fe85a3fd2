"""How our own handlers write JSON: compact, and in pieces, so that others have their turn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable

import trio

from gossipd.rest.values import Refused, Reply, Request

ROWS_AT_ONCE = 100
"""Rows written between two turns of others."""
NO_STORE = (("Cache-Control", "no-store"),)


def encoded(value: object) -> bytes:
    """Return ``value`` as compact JSON; what a peer wrote that is no Unicode is escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


def fresh_reply(value: object) -> Reply:
    """Return ``value`` as an answer that nobody keeps."""
    return Reply(body=encoded(value), headers=NO_STORE)


async def list_pieces(rows: Iterable[object]) -> AsyncIterator[bytes]:
    """Yield a list of rows as JSON, a part at a time."""
    written: list[bytes] = []
    begin = b"["
    for row in rows:
        written.append(encoded(row))
        if len(written) >= ROWS_AT_ONCE:
            yield begin + b",".join(written)
            begin = b","
            written.clear()
            await trio.lowlevel.checkpoint()
    if written or begin == b"[":
        yield begin + b",".join(written)
    yield b"]"


def whole_number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a parameter that is a whole number within [low, high].

    Raises:
        Refused: 400, it is something else.
    """
    text = request.first(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16 and low <= int(text) <= high):
        raise Refused(400, f"{name}: give a whole number within {low}..{high}")
    return int(text)
