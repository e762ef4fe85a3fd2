"""Replies as bytes: heads, chunks, short texts, ``?pretty``."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import trio

from gossipd.rest.transport.http1 import Head
from gossipd.rest.values import JSON, TEXT, Reply

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    304: "Not Modified",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
PRETTY_PORTION = 2000
"""Words of JSON that are put on lines of their own between two turns of others."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{},:]|[^][{},:"\s]+')
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LAST_CHUNK = b"0\r\n\r\n"
ALWAYS = "Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n"
"""Of every reply. Bodies hold texts that anybody in the cluster wrote: a browser must not take
one for a page or a script of ours, whatever it looks like."""


def http_date(seconds: float) -> str:
    """Return calendar time as the ``Date`` header has it (RFC 9110, section 5.6.7)."""
    t = time.gmtime(seconds)
    clock = f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
    month = _MONTHS[t.tm_mon - 1]
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday:02d} {month} {t.tm_year:04d} {clock} GMT"


def render_head(
    status: int,
    content_type: str,
    headers: tuple[tuple[str, str], ...],
    length: int | None,
    head: Head | None,
    date: str,
    *,
    is_packed: bool = False,
    closes: bool = False,
) -> bytes:
    """Return the head of a reply.

    Args:
        length: of the body; ``None`` is sent in chunks, or until the end to HTTP/1.0.
        head: of the request, ``None`` if it was none.
        is_packed: the body is compressed.
        closes: we close the connection afterwards.
    """
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nDate: {date}\r\n"]
    if content_type:
        lines.append(f"Content-Type: {content_type}\r\n")
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n")
    elif head is not None and not head.is_http10:
        lines.append("Transfer-Encoding: chunked\r\n")
    if is_packed:
        lines.append("Content-Encoding: gzip\r\n")
    for name, value in headers:
        lines.append(f"{name}: {value}\r\n")
    lines.append(ALWAYS)
    if closes:
        lines.append("Connection: close\r\n")
    elif head is not None and head.is_http10:
        lines.append("Connection: keep-alive\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")


def has_illegal_header(headers: tuple[tuple[str, str], ...]) -> bool:
    """Return whether a header would break the head of the reply in two."""
    return any(
        not name or "\r" in text or "\n" in text or "\0" in text or not text.isascii()
        for name, value in headers
        for text in (name, value)
    )


def chunk(piece: bytes) -> bytes:
    """Return one chunk of a body without a length."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def text_reply(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    """Return a short plain answer, as all errors are."""
    body = text.encode("utf-8", "replace")
    return Reply(status=status, body=body, content_type=TEXT, headers=headers)


async def prettied(reply: Reply) -> Reply:
    """Return ``reply`` with its JSON indented; others have their turn meanwhile."""
    if reply.content_type != JSON or not reply.body:
        return reply
    portions: list[bytes] = []
    for portion in indented(reply.body):
        if portions:
            await trio.lowlevel.checkpoint()
        portions.append(portion)
    return Reply(
        status=reply.status,
        body=b"".join((*portions, b"\n")),
        content_type=reply.content_type,
        headers=reply.headers,
    )


def indented(text: bytes) -> Iterator[bytes]:
    """Yield JSON, each value on a line of its own, after bounded work each."""
    made: list[bytes] = []
    line, is_opened = b"\n", False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in (b"]", b"}"):
            line = line[:-4]
            if not is_opened:
                made.append(line)
            is_opened = False
        elif is_opened:
            made.append(line)
            is_opened = False
        made.append(word)
        if word in (b"[", b"{"):
            line += b"    "
            is_opened = True
        elif word == b",":
            made.append(line)
        elif word == b":":
            made.append(b" ")
        if len(made) >= PRETTY_PORTION:
            yield b"".join(made)
            made.clear()
    yield b"".join(made)
