"""Bounds of what clients of HTTP may ask for; sizes in bytes, durations in seconds."""

from __future__ import annotations

from gossipd.value import Value


class HttpLimits(Value, kw_only=True):
    """What one client, and all of them together, may cost us."""

    target_max: int = 8192
    """Path and query: filters stand there."""
    head_max: int = 16384
    """Request line and headers."""
    headers_max: int = 100
    """How many headers a request may have."""
    body_max: int = 524_288
    """One body."""
    chunks_max: int = 1024
    """Chunks of one body: each costs us time, however short it is."""
    bodies_max: int = 16 * 2**20
    """Bodies of all clients that are being read."""
    received_max: int = 16384
    """What is read from a client at once."""
    pipelined_max: int = 64
    """Requests of one client that are answered before others have their turn."""
    head_seconds: float = 10.0
    """Time for a head that has begun, from its first byte to its last."""
    body_seconds: float = 10.0
    """Time for a body, beside what ``bytes_per_second`` allows for its length."""
    send_seconds: float = 10.0
    """Time for a reply, or a piece of a stream, beside what ``bytes_per_second`` allows."""
    bytes_per_second: float = 4096.0
    """Least rate of clients that send or read."""
    idle_seconds: float = 300.0
    """How long a connection may stay open without a request: clients keep theirs for 90 s."""
    linger_seconds: float = 1.0
    """How long a client that is refused may take to read why."""
    handshake_seconds: float = 10.0
    """Time for the handshake of TLS."""
