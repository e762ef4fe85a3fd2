"""``Http1``: requests out of the bytes of one connection (RFC 9112); h11 judges, nothing is sent.

A head is found by its end (an empty line) and read by h11. Clients repeat themselves: a
head without a body that was read before is known by its very bytes (``Heads``), and so are
headers below another request line; h11 is not asked again. While no request is under way,
nothing but an empty buffer is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import h11

from gossipd.rest.transport.limits import HttpLimits
from gossipd.value import Value

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_END = b"\r\n\r\n"
_VERSIONS = (b"1.0", b"1.1")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.[01]\r\n")
"""A request line as h11 takes it (RFC 9112, section 3)."""
T = TypeVar("T")
EMPTY_LINES_MAX = 8
"""Old clients send one behind a body; whoever sends nothing else is no client."""
HEAD_KEPT_MAX = 1024
"""Longer heads are read anew each time."""


class Bad(Value):
    """Bytes that are no request, or one that is refused unread: answer, then close."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()


class Headers:
    """The headers of a request, as h11 took them, and what they say of its body and its end."""

    __slots__ = ("expects", "fields", "has_body", "is_http10", "keeps_alive", "length")

    def __init__(self, request: h11.Request) -> None:
        fields: dict[str, str] = {}
        for raw_name, raw_value in request.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        self.fields: Mapping[str, str] = fields
        self.is_http10 = request.http_version == b"1.0"
        self.length = int(fields.get("content-length", "0"))
        self.has_body = self.length > 0 or "transfer-encoding" in fields
        self.expects = fields.get("expect", "").lower()
        words = {word.strip() for word in fields.get("connection", "").lower().split(",")}
        self.keeps_alive = "keep-alive" in words if self.is_http10 else "close" not in words


class Head:
    """Request line and headers.

    Attributes:
        plan: what the server makes of it, kept with it.
        is_kept: whether it is known when it comes again.
    """

    __slots__ = (
        "expects",
        "has_body",
        "headers",
        "is_http10",
        "is_kept",
        "keeps_alive",
        "length",
        "method",
        "plan",
        "target",
    )

    def __init__(self, method: bytes, target: bytes, headers: Headers) -> None:
        self.method = method.decode("ascii")
        self.target = target
        self.headers = headers.fields
        self.is_http10 = headers.is_http10
        self.length = headers.length
        self.has_body = headers.has_body
        self.expects = headers.expects
        self.keeps_alive = headers.keeps_alive
        self.plan: object = None
        self.is_kept = False


class Received(Value):
    """A request that arrived whole."""

    head: Head
    body: bytes = b""


class Heads:
    """Heads without a body that were read lately, by their bytes; the oldest go first.

    Their headers are kept apart, too: a client asks for something else with the same ones.
    """

    def __init__(self, count_max: int = 256) -> None:
        self._count_max = count_max
        self._kept: dict[bytes, Head] = {}
        self._headers: dict[bytes, Headers] = {}
        self.get = self._kept.get

    def keep(self, raw: bytes, head: Head, headers: Headers) -> None:
        """Remember that ``raw`` reads as ``head``."""
        if len(raw) <= HEAD_KEPT_MAX:
            self._put(self._kept, raw, head)
            head.is_kept = True
            self._put(self._headers, _after_target(raw), headers)

    def _put(self, kept: dict[bytes, T], key: bytes, value: T) -> None:
        if len(kept) >= self._count_max and key not in kept:
            del kept[next(iter(kept))]
        kept[key] = value

    def alike(self, raw: bytes) -> Head | None:
        """Return ``raw`` read by the headers of another request, if they are the same."""
        headers = self._headers.get(_after_target(raw))
        if headers is None:
            return None
        line = _LINE.match(raw)
        if line is None:
            return None
        head = Head(line[1], line[2], headers)
        if len(raw) <= HEAD_KEPT_MAX:
            self._put(self._kept, raw, head)
            head.is_kept = True
        return head


def _after_target(raw: bytes) -> bytes:
    """Return version and headers of a head."""
    return raw[raw.find(b" HTTP/", 0, raw.find(b"\r\n")) :]


class Bodies:
    """How much of bodies is held for all clients together."""

    __slots__ = ("held", "held_max")

    def __init__(self, held_max: int) -> None:
        self.held = 0
        self.held_max = held_max


class _Upload:
    """A request whose body is under way."""

    __slots__ = ("body", "chunks", "connection", "head")

    def __init__(self, connection: h11.Connection, head: Head) -> None:
        self.connection = connection
        self.head = head
        self.body = bytearray()
        self.chunks = 0


class Http1:
    """What one client has sent and was not answered yet.

    Args:
        judge: looks at a head before its body is waited for; returns why it is refused.
    """

    __slots__ = (
        "_bodies",
        "_buffer",
        "_empty_lines",
        "_heads",
        "_judge",
        "_limits",
        "_searched",
        "_upload",
    )

    def __init__(
        self,
        limits: HttpLimits,
        heads: Heads,
        bodies: Bodies,
        judge: Callable[[Head], Bad | None] = lambda head: None,
    ) -> None:
        self._limits = limits
        self._heads = heads
        self._bodies = bodies
        self._judge = judge
        self._buffer = b""
        self._searched = 0
        self._empty_lines = 0
        self._upload: _Upload | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes; ``next_request`` says what they make."""
        self._buffer = self._buffer + data if self._buffer else data

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is here."""
        return self._upload is not None or bool(self._buffer)

    @property
    def body_received(self) -> int | None:
        """How much of a body is here, ``None`` while none is under way."""
        return None if self._upload is None else len(self._upload.body)

    def take_continue(self) -> bool:
        """Return whether the client waits for ``CONTINUE``, which must then be sent."""
        upload = self._upload
        if upload is None or upload.body or not upload.head.expects:
            return False
        upload.head.expects = ""
        return True

    def close(self) -> None:
        """Forget everything."""
        self._buffer = b""
        self._end_upload()

    def next_request_untrusted(self) -> Received | Bad | None:
        """Return the next request, what is wrong with it, or ``None`` while more is needed."""
        if self._upload is not None:
            return self._go_on(self._upload)
        buffer = self._buffer
        if not buffer:
            return None
        if buffer[0] == 13:
            buffer = self._without_empty_lines()
            if self._empty_lines > EMPTY_LINES_MAX:
                return Bad(400, "Invalid request: it does not begin with a method")
        end = buffer.find(_END, self._searched)
        if end < 0:
            return self._wait_for_head(buffer)
        self._searched = self._empty_lines = 0
        raw = buffer[: end + 4] if end + 4 < len(buffer) else buffer
        self._buffer = buffer[end + 4 :]
        head = self._heads.get(raw)
        return Received(head) if head is not None else self._read_head(raw)

    def _without_empty_lines(self) -> bytes:
        """Drop a few empty lines before a request (RFC 9112, section 2.2)."""
        while self._buffer.startswith(b"\r\n") and self._empty_lines <= EMPTY_LINES_MAX:
            self._empty_lines += 1
            self._buffer = self._buffer[2:]
        self._searched = 0
        return self._buffer

    def _wait_for_head(self, buffer: bytes) -> Bad | None:
        fault = self._fault_of_part(buffer)
        self._searched = max(0, len(buffer) - 3)
        return fault

    def _fault_of_part(self, buffer: bytes) -> Bad | None:
        """Return what can be said of a head before it is here whole."""
        limits = self._limits
        if buffer and not (buffer[:1].isalpha() or buffer == b"\r"):
            return Bad(400, "Invalid request: it does not begin with a method")
        if len(buffer) > limits.head_max:
            return _too_large(buffer, limits)
        if b"\r\n" not in buffer and len(buffer) > limits.target_max + 32:
            return _too_large(buffer, limits)
        part = buffer[self._searched :]
        if part.count(b"\n") > part.count(b"\r\n") and not part.startswith(b"\n"):
            return Bad(400, "Invalid request: lines end with CR LF")
        return None

    def _read_head(self, raw: bytes) -> Received | Bad | None:
        limits = self._limits
        if len(raw) > limits.head_max or raw.find(b"\r\n") > limits.target_max + 32:
            return _too_large(raw, limits)
        lines = raw.count(b"\n")
        if lines != raw.count(b"\r\n"):
            return Bad(400, "Invalid request: lines end with CR LF")
        if lines - 2 > limits.headers_max:
            return Bad(431, f"Too many headers, at most {limits.headers_max}")
        alike = self._heads.alike(raw)
        if alike is not None and len(alike.target) <= limits.target_max:
            return Received(alike)
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_max)
        try:
            connection.receive_data(raw)
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            return _bad_of(error)
        if not isinstance(event, h11.Request):
            return Bad(400, "Invalid request")
        if event.http_version not in _VERSIONS:
            return Bad(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here")
        if len(event.target) > limits.target_max:
            return Bad(414, f"Path and query are too long, at most {limits.target_max} bytes")
        return self._begin(connection, event, raw)

    def _begin(
        self, connection: h11.Connection, event: h11.Request, raw: bytes
    ) -> Received | Bad | None:
        names = [name for name, _ in event.headers]
        if b"transfer-encoding" in names and (
            b"content-length" in names or event.http_version == b"1.0"
        ):  # two readers might find different ends: a way to smuggle a request past a proxy
            return Bad(400, "Invalid request: Transfer-Encoding and Content-Length")
        headers = Headers(event)
        head = Head(event.method, event.target, headers)
        if head.expects not in ("", "100-continue"):
            return Bad(417, "Only 100-continue can be expected")
        if head.is_http10 or not head.has_body:
            head.expects = ""
        if not head.has_body:
            self._heads.keep(raw, head, headers)
            return Received(head)
        if head.length > self._limits.body_max:
            return Bad(413, f"The body is too long, at most {self._limits.body_max} bytes")
        refused = self._judge(head)
        if refused is not None:
            return refused
        self._upload = _Upload(connection, head)
        return self._go_on(self._upload)

    def _go_on(self, upload: _Upload) -> Received | Bad | None:
        """Feed what is here to a body that is under way."""
        connection, limits, bodies = upload.connection, self._limits, self._bodies
        if self._buffer:
            connection.receive_data(self._buffer)
            self._buffer = b""
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError as error:
                return self._give_up(_bad_of(error))
            if isinstance(event, h11.Data):
                upload.body += event.data
                upload.chunks += event.chunk_end
                bodies.held += len(event.data)
                if len(upload.body) > limits.body_max:
                    text = f"The body is too long, at most {limits.body_max} bytes"
                    return self._give_up(Bad(413, text))
                if upload.chunks > limits.chunks_max:
                    text = f"Too many chunks, at most {limits.chunks_max} in a body"
                    return self._give_up(Bad(400, text))
                if bodies.held > bodies.held_max:
                    return self._give_up(Bad(503, "Too many bodies at a time; try again"))
            elif isinstance(event, h11.EndOfMessage):
                self._buffer = bytes(connection.trailing_data[0])
                received = Received(upload.head, bytes(upload.body))
                self._end_upload()
                return received
            else:
                return None

    def _give_up(self, bad: Bad) -> Bad:
        self.close()
        return bad

    def _end_upload(self) -> None:
        if self._upload is not None:
            self._bodies.held -= len(self._upload.body)
            self._upload = None


def _too_large(raw: bytes, limits: HttpLimits) -> Bad:
    line = raw.find(b"\r\n")
    if line < 0 or line > limits.target_max + 32:
        return Bad(414, f"Path and query are too long, at most {limits.target_max} bytes")
    return Bad(431, f"The headers are too long, at most {limits.head_max} bytes")


def _bad_of(error: h11.RemoteProtocolError) -> Bad:
    """Return h11's verdict in words that hold nothing of what the client sent."""
    status = error.error_status_hint
    if status == 501:
        return Bad(501, "Only chunked is understood as Transfer-Encoding")
    if status == 431:
        return Bad(431, "A line of the request is too long")
    if "Host" in str(error):
        return Bad(400, "Invalid request: exactly one Host header is needed")
    return Bad(400, "Invalid request")
