"""``View``: an immutable picture of the cluster for readers.

Rebuilt only when something changed; until then every reader gets the same
object, so an answer made from it may be kept and found again by identity.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.address import Address
from gossipd.serf.events import SerfMember
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus


class Suspicion(Value):
    """A member that is being suspected now; times in seconds, monotonic."""

    accuser: str
    confirmations: int
    since: float
    deadline: float


class View(Value):
    """All members sorted by name, and who of them is suspected.

    ``version`` grows with every change of ``members`` or ``suspicions``.
    """

    name: str
    address: Address
    version: int
    members: tuple[SerfMember, ...]
    suspicions: dict[str, Suspicion]

    def count(self, status: MemberStatus) -> int:
        """Return how many members have ``status``."""
        return sum(member.status is status for member in self.members)

    def own_tags(self) -> Mapping[str, str]:
        """Return the tags of this node; none before it is a member."""
        return next((m.tags for m in self.members if m.name == self.name), {})
