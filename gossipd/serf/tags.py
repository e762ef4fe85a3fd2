"""Own tags and their size limit (gossip.md, section 14.2; rpc.md, section 6, tags).

The encoding itself is ``wire.serf_codec``'s. Receivers enforce no limit, so
neither do we for the tags of others.
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


def encode_own_tags(tags: Mapping[str, str]) -> bytes:
    """Return the node meta that announces ``tags``; equal tags give equal bytes.

    Raises:
        UsageError: the encoding is longer than ``META_BYTES_MAX``.
    """
    meta = encode_tags(dict(sorted(tags.items())))
    if len(meta) > META_BYTES_MAX:
        raise UsageError(f"Encoded length of tags exceeds limit of {META_BYTES_MAX} bytes")
    return meta
