"""Own tags and their size limit (gossip.md, section 14.2; rpc.md, section 6, tags).

The encoding itself is ``wire.serf_codec``'s. Receivers enforce no limit, so
neither do we for the tags of others. Behind the tags a gossipd says which life its
services are of (``wire/meta_tail.py``), which takes some of the room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipd.errors import UsageError
from gossipd.wire.serf_codec import encode_tags

META_BYTES_MAX = 512


def change_tags(
    tags: Mapping[str, str], changes: Mapping[str, str], delete: Sequence[str]
) -> dict[str, str]:
    """Return ``tags`` without ``delete``, then with ``changes``; unknown deletes are fine."""
    changed = {key: value for key, value in tags.items() if key not in delete}
    changed.update(changes)
    return changed


def encode_own_tags(tags: Mapping[str, str], tail: bytes = b"") -> bytes:
    """Return the node meta that announces ``tags``; equal tags give equal bytes.

    Raises:
        UsageError: the encoding is longer than ``META_BYTES_MAX`` without ``tail``.
    """
    meta = encode_tags(dict(sorted(tags.items())))
    limit = META_BYTES_MAX - len(tail)
    if len(meta) > limit:
        more = f" ({META_BYTES_MAX} with catalog.enabled = false)" if tail else ""
        raise UsageError(f"Encoded length of tags exceeds limit of {limit} bytes{more}")
    return meta + tail


class OwnMeta:
    """What this node announces of itself: its tags, as last set, and what is behind them."""

    __slots__ = ("tags", "tail")

    def __init__(self, tail: bytes = b"") -> None:
        self.tags: dict[str, str] = {}
        self.tail = tail

    def announce(self, tags: Mapping[str, str]) -> bytes:
        """Take ``tags`` for ours and return the node meta.

        Raises:
            UsageError: they are too long; nothing was changed.
        """
        meta = encode_own_tags(tags, self.tail)
        self.tags = dict(tags)
        return meta
