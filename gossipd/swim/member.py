"""``Member``: what the table knows of one node."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.value import Value
from gossipd.wire.messages import NodeStatus, Versions

MemberState = NodeStatus


class Member(Value):
    """One table entry; replaced, never changed, so a view may share it.

    ``changed_at`` is when ``state`` last changed (seconds, monotonic).
    """

    name: str
    address: Address
    meta: bytes
    versions: Versions
    state: MemberState
    incarnation: int
    changed_at: float
