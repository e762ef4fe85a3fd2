"""What we answer to ``_serf_conflict`` (gossip.md, sections 17.1 and 18.2).

Two nodes of one name ask the cluster who it knows under it. The vote of a
node that finds itself in such a conflict is not this file's part.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.serf.events import SerfMember
from gossipd.wire.internal_query_codec import encode_conflict_response
from gossipd.wire.serf_messages import ConflictResponse


def answer_conflict(
    payload: bytes | None, own_name: str, members: Mapping[str, SerfMember]
) -> bytes | None:
    """Return the member record (nil for an unknown name), or ``None`` to stay silent.

    The node named never answers about itself.
    """
    node = (payload or b"").decode("utf-8", "surrogateescape")
    if node == own_name:
        return None
    member = members.get(node)
    if member is None:
        return encode_conflict_response(None)
    return encode_conflict_response(
        ConflictResponse(member.name, member.address, member.tags, member.status, member.versions)
    )
