"""gzip: for whom, of what, and once for all who want the same answer."""

from __future__ import annotations

import zlib

import trio

from gossipd.rest.values import Reply, Streamed

GZIP_BYTES_MIN = 1024
GZIP_LEVEL = 2
"""Of what JSON shrinks by, nearly all is had here; higher levels take several times as long."""
GZIP_PORTION = 131_072
"""Bytes that are compressed between two turns of others."""
PACKED_KEPT_MAX = 32
PACKED_BYTES_MAX = 4 * 2**20
"""Of bodies and what was made of them; one may take half of it."""


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


async def packed(body: bytes) -> bytes:
    """Return ``body`` compressed; others have their turn after bounded work."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    portions = []
    for at in range(0, len(body), GZIP_PORTION):
        if at:
            await trio.lowlevel.checkpoint()
        portions.append(packer.compress(body[at : at + GZIP_PORTION]))
    return b"".join((*portions, packer.flush()))


class _UnderWay:
    """A body that somebody compresses, and that others may want, too."""

    __slots__ = ("is_over", "packed")

    def __init__(self) -> None:
        self.is_over = trio.Event()
        self.packed: bytes | None = None
        """``None`` as well if it was given up."""


class Packed:
    """Bodies compressed lately, by their identity: the same answer is sent to many clients.

    A thousand of them may be told of one change at once, and all of them take gzip.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[bytes, bytes]] = {}
        self._under_way: dict[int, _UnderWay] = {}
        self._bytes = 0
        self.made = 0
        """How many were compressed."""

    async def of(self, body: bytes) -> bytes:
        """Return ``body`` compressed."""
        while True:
            kept = self._kept.get(id(body))
            if kept is not None:
                return kept[1]
            other = self._under_way.get(id(body))
            if other is None:
                return await self._pack(body)
            await other.is_over.wait()
            if other.packed is not None:
                return other.packed

    async def _pack(self, body: bytes) -> bytes:
        ours = self._under_way[id(body)] = _UnderWay()
        try:
            ours.packed = await packed(body)
        finally:
            del self._under_way[id(body)]
            ours.is_over.set()
        self.made += 1
        self._keep(body, ours.packed)
        return ours.packed

    def _keep(self, body: bytes, packed: bytes) -> None:
        """Remember it; the oldest go."""
        size = len(body) + len(packed)
        if size > PACKED_BYTES_MAX // 2:
            return
        self._kept[id(body)] = body, packed  # the body is kept, so its id stays its own
        self._bytes += size
        while self._bytes > PACKED_BYTES_MAX or len(self._kept) > PACKED_KEPT_MAX:
            old, old_packed = self._kept.pop(next(iter(self._kept)))
            self._bytes -= len(old) + len(old_packed)
