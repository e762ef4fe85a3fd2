"""What passes between the transport and the handlers of the HTTP face (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
OPEN, READ, WRITE = "open", "read", "write"
"""What a caller must be allowed: nothing (the page itself), to read, to command."""
REFUSAL_BYTES_MAX = 79
"""Of our own error texts: longer ones are not shown by all clients (consul-http.md, section 2)."""


class Request(Value, kw_only=True):
    """One request, read whole. ``path`` and ``query`` are decoded once.

    ``query`` holds every value of a parameter in the order given; a flag without value has
    ``""``. ``names`` are the parts of the path that the route's pattern names.
    """

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = {}
    headers: Mapping[str, str] = {}
    """By lower-case name; of repeated ones the values with commas."""
    body: bytes = b""
    names: Mapping[str, str] = {}
    peer: str = ""
    """Address of the client, for the log."""
    is_loopback: bool = True
    """Whether the client is on this machine."""
    target: str = ""
    """Path and query as they came."""

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        values = self.query.get(name)
        return values[0] if values else default


class Reply(Value, kw_only=True):
    """One answer. ``headers`` beside length, type and what the transport adds."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Streamed(Value, kw_only=True):
    """An answer without end, sent piece by piece (server-sent events).

    The transport closes ``pieces`` when the client goes away.
    """

    pieces: AsyncIterator[bytes]
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """A request that is answered with ``status`` and a short plain text."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


Handler: TypeAlias = "Callable[[Request, Desk], Awaitable[Reply | Streamed]]"


class Route(Value, kw_only=True):
    """Which handler answers what.

    ``pattern`` is a path whose parts in braces match one segment each, which may hold
    encoded slashes (``/v1/health/service/{name}``); a last part ``{name*}`` takes the rest.
    """

    method: str
    pattern: str
    handler: Handler
    level: str = READ
    waits: bool = False
    """It may hold the request for long (blocking queries)."""
    summary: str = ""
    """For the description of the API; its parameters are told in ``rest/openapi/``."""
