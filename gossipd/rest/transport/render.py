"""Replies as bytes: head, body, gzip where it was asked for and pays, ``?pretty``."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator

from gossipd.rest.transport.http1 import Head
from gossipd.rest.values import JSON, TEXT, Reply, Streamed

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
GZIP_BYTES_MIN = 1024
GZIP_LEVEL = 2
"""Of what JSON shrinks by, nearly all is had here; higher levels take several times as long."""
GZIP_PORTION = 131_072
"""Bytes that are compressed between two turns of others."""
PACKED_KEPT_MAX = 32
PACKED_BYTES_MAX = 524_288
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


def accepts_gzip(accepted: str) -> bool:
    """Return whether ``Accept-Encoding`` offers gzip."""
    for offer in accepted.lower().split(","):
        coding, _, parameters = offer.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            weight = parameters.replace(" ", "").removeprefix("q=")
            return not weight or weight.strip("0.") != ""
    return False


def is_worth_packing(reply: Reply | Streamed) -> bool:
    """Return whether gzip pays for a reply."""
    return (
        isinstance(reply, Reply)
        and len(reply.body) >= GZIP_BYTES_MIN
        and reply.content_type.startswith(("application/", "text/", "image/svg"))
        and not any(name.lower() == "content-encoding" for name, _ in reply.headers)
    )


def gzip_portions(body: bytes) -> Iterator[bytes]:
    """Yield ``body`` compressed, after bounded work each."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    for at in range(0, len(body), GZIP_PORTION):
        yield packer.compress(body[at : at + GZIP_PORTION])
    yield packer.flush()


class Packed:
    """Bodies compressed lately, by their identity: the same answer is sent to many clients."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[bytes, bytes]] = {}
        self._bytes = 0

    def get(self, body: bytes) -> bytes | None:
        """Return ``body`` compressed, if that was done lately."""
        kept = self._kept.get(id(body))
        return kept[1] if kept is not None else None

    def keep(self, body: bytes, packed: bytes) -> None:
        """Remember it; the oldest go."""
        size = len(body) + len(packed)
        if size > PACKED_BYTES_MAX // 2 or id(body) in self._kept:
            return
        self._kept[id(body)] = body, packed  # the body is kept, so its id stays its own
        self._bytes += size
        while self._bytes > PACKED_BYTES_MAX or len(self._kept) > PACKED_KEPT_MAX:
            old, old_packed = self._kept.pop(next(iter(self._kept)))
            self._bytes -= len(old) + len(old_packed)


def prettied(reply: Reply) -> Reply:
    """Return ``reply`` with its JSON indented."""
    if reply.content_type != JSON or not reply.body:
        return reply
    import json

    text = json.dumps(json.loads(reply.body), indent=4, ensure_ascii=False)
    body = text.encode("utf-8", "replace") + b"\n"
    return Reply(
        status=reply.status, body=body, content_type=reply.content_type, headers=reply.headers
    )
