"""What we answer to ``_serf_conflict`` (gossip.md, sections 17.1 and 18.2).

Two nodes of one name ask the cluster who it knows under it; the vote itself is in
``name_vote.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.serf.events import SerfMember
from gossipd.value import replace
from gossipd.wire.internal_query_codec import encode_conflict_response
from gossipd.wire.serf_messages import TAKES_CLAIMS, ConflictResponse, Query


def answer_conflict(
    query: Query, own_name: str, members: Mapping[str, SerfMember], started_ms: int
) -> bytes | None:
    """Return the member record (nil for an unknown name), or ``None`` to stay silent.

    The node named never answers about itself, but for a gossipd that bears the name too:
    that one is told when we started.

    Args:
        query: its payload is the name.
        own_name: ours.
        members: who we know.
        started_ms: when we started, in milliseconds since 1970; 0 if that is not known.
    """
    node = (query.payload or b"").decode("utf-8", "surrogateescape")
    member = members.get(node)
    if node != own_name:
        return encode_conflict_response(None if member is None else _record(member))
    if member is None or query.origin == member.address or not query.features & TAKES_CLAIMS:
        return None
    return encode_conflict_response(replace(_record(member), started_ms=started_ms))


def _record(member: SerfMember) -> ConflictResponse:
    return ConflictResponse(
        member.name, member.address, member.tags, member.status, member.versions
    )
