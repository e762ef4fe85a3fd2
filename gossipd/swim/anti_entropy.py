"""Push/pull: what a state says of us, what theirs means here (gossip.md, section 6.2).

A remote state is judged as a whole first; then each entry becomes the claim
that the sender could have gossiped. Merging is the same as hearing gossip.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gossipd.swim.member import Member
from gossipd.wire.messages import Alive, Claim, Dead, NodeState, NodeStatus, Suspect, Versions

UNSTATED_VERSIONS = Versions(0, 0, 0, 0, 0, 0)
"""What a remote entry without its six version bytes counts as."""


def state_of(member: Member) -> NodeState:
    """Return the push/pull entry for ``member``; a function of the value alone, so cache it."""
    return NodeState(
        node=member.name,
        address=member.address,
        meta=member.meta,
        incarnation=member.incarnation,
        status=member.state,
        versions=member.versions,
    )


def claim_of(state: NodeState, us: str) -> Claim:
    """Return what hearing ``state`` amounts to.

    Dead is taken as a suspicion of our own: the node may refute before we
    believe it. Only leaving is final.
    """
    match state.status:
        case NodeStatus.ALIVE:
            return Alive(state.node, state.incarnation, state.address, state.meta, state.versions)
        case NodeStatus.LEFT:
            return Dead(state.node, state.incarnation, state.node)
        case _:
            return Suspect(state.node, state.incarnation, us)


class _Range:
    """The versions that every alive node understands."""

    __slots__ = ("delegate_max", "delegate_min", "protocol_max", "protocol_min")

    def __init__(self) -> None:
        self.protocol_min = self.delegate_min = 0
        self.protocol_max = self.delegate_max = 255

    def narrow(self, versions: Versions) -> None:
        self.protocol_min = max(self.protocol_min, versions.protocol_min)
        self.protocol_max = min(self.protocol_max, versions.protocol_max)
        self.delegate_min = max(self.delegate_min, versions.delegate_min)
        self.delegate_max = min(self.delegate_max, versions.delegate_max)

    def complaint(self, node: str, versions: Versions) -> str:
        if not self.protocol_min <= versions.protocol <= self.protocol_max:
            return (
                f"node {node!r} speaks protocol {versions.protocol}, the cluster"
                f" understands {self.protocol_min}..{self.protocol_max}"
            )
        if not self.delegate_min <= versions.delegate <= self.delegate_max:
            return (
                f"node {node!r} speaks delegate protocol {versions.delegate}, the cluster"
                f" understands {self.delegate_min}..{self.delegate_max}"
            )
        return ""


def version_complaint(remote: Sequence[NodeState], local: Iterable[Member]) -> str:
    """Return why ``remote`` must not be merged, or an empty string if it may be.

    The ranges are those of all alive nodes of both sides; every node of both
    sides, whatever its state, must speak versions within them.
    """
    # Almost all nodes share their versions, so each distinct value is judged once.
    understood = _Range()
    spoken: dict[Versions, str] = {}
    previous: Versions | None = None
    for member in local:
        versions = member.versions
        if member.state is NodeStatus.ALIVE:
            if versions is previous:
                continue
            understood.narrow(versions)
            previous = versions
        spoken.setdefault(versions, member.name)
    for state in remote:
        if state.versions is not None and state.status is NodeStatus.ALIVE:
            understood.narrow(state.versions)
        spoken.setdefault(state.versions or UNSTATED_VERSIONS, state.node)
    for versions, node in spoken.items():
        complaint = understood.complaint(node, versions)
        if complaint:
            return complaint
    return ""
