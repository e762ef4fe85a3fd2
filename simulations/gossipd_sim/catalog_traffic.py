"""Which of the messages that hosts send are the catalog's, and of which kind."""

from __future__ import annotations

from gossipd.node.unsealed import UnsealedStream
from gossipd.wire.catalog_codec import CatalogKind
from gossipd.wire.messages import UserPayload

PRIVATE_FIRST = 0x80
"""User messages from this first byte on are none of Serf's."""
STREAMED = "catalog by stream: "
"""Under this and the kind of message bytes of streams are counted in ``Network.sent``."""
_KINDS = {kind.value: kind.name.lower() for kind in CatalogKind}


def catalog_kind(message: object) -> str:
    """Return the kind of a message of the catalog; empty if it is none."""
    if type(message) is not UserPayload or not message.payload:
        return ""
    first = message.payload[0]
    return _KINDS.get(first, "other") if first >= PRIVATE_FIRST else ""


def streamed_kind(portion: object) -> str:
    """Return under what a portion of a stream is counted beside; empty if it is not."""
    if type(portion) is not UnsealedStream:
        return ""
    kind = catalog_kind(portion.message)
    return STREAMED + kind if kind else ""
