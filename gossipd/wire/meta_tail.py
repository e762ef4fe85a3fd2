"""What a gossipd node says behind the tags of its node meta (gossip.md, section 22).

Twelve bytes after the tag map: a byte that msgpack never uses and two letters, the
version of the catalog's protocol, the epoch of the node's records. Real nodes pass
them on and show nothing of them.
"""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"\xc1gd"
CATALOG_PROTOCOL: Final = 1
TAIL_BYTES: Final = 12
EPOCH_MAX: Final = 2**53 - 1
"""Largest epoch or version; milliseconds since 1970 stay far below it."""
_HEAD: Final = MAGIC + bytes((CATALOG_PROTOCOL,))


def meta_tail(epoch: int) -> bytes:
    """Return the tail that announces ``epoch``, 1 to ``EPOCH_MAX``."""
    return _HEAD + epoch.to_bytes(8, "big")


def epoch_of_untrusted(meta: bytes) -> int | None:
    """Return the epoch that a node meta announces; ``None`` if its node is no gossipd
    with a catalog of our protocol, or says nothing sensible. Never raises."""
    if meta[-TAIL_BYTES : 4 - TAIL_BYTES] != _HEAD or len(meta) <= TAIL_BYTES:
        return None
    epoch = int.from_bytes(meta[-8:], "big")
    return epoch if 1 <= epoch <= EPOCH_MAX else None
