"""``Agreement``: whether push/pulls bring changes of members that gossip should have brought.

No claim says when it was made, so no node can tell how late it learns of a change, and none
sees what its peer lacked. What it can tell: each push/pull shows it all that one peer knows.
If nothing of that is new, gossip has told this node as much as that peer; if something is,
gossip was late or lost it. Failures are left out: by push/pull they come as suspicions, and
a peer that only suspects knows no more than we do. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from gossipd.ledger import Ledger, Tally
from gossipd.node.events import SyncFinished
from gossipd.swim.events import MemberJoined, MemberLeft

if TYPE_CHECKING:
    from gossipd.node.events import NodeEvent

AGREED = "gossipd.member.agreed"
"""The ``Moment`` of the last push/pull of ours that brought nothing new."""
NEWS, SYNCS = "gossipd.member.news.", "gossipd.member.syncs."
GOSSIP, PUSH_PULL = "gossip", "push_pull"
SAME, BEHIND, FAILED = "same", "behind", "failed"
MERGING = 1.0
"""Seconds before the end of a push/pull within which its news came: a large state is taken
over in portions."""


class Moment(Tally):
    """When something last happened, in seconds since 1970; 0 is never. It tallies nothing."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0


class Agreement:
    """Counts into ``ledger`` what the node's events tell.

    Args:
        ledger: of the agent.
        own_name: this node's, whose own changes are no news.
        wall: calendar time, seconds since 1970.
    """

    def __init__(self, ledger: Ledger, own_name: str, wall: Callable[[], float]) -> None:
        self._ledger = ledger
        self._own_name = own_name
        self._wall = wall
        self._news_at = -inf
        self._moment = ledger.tallies[AGREED] = Moment()
        # known beforehand, so that the first of each is seen as a rise
        for name in (*(NEWS + way for way in (GOSSIP, PUSH_PULL)),
                     *(SYNCS + result for result in (SAME, BEHIND, FAILED))):  # fmt: skip
            ledger.count(name, 0)

    def take(self, event: NodeEvent, now: float) -> None:
        """Take one event of the node."""
        match event:
            case MemberJoined(member, through) | MemberLeft(member, through):
                if member.name == self._own_name:
                    return
                self._ledger.count(NEWS + (PUSH_PULL if through is None else GOSSIP))
                if through is None:
                    self._news_at = now
            case SyncFinished(is_join=False, error=""):
                is_behind = now - self._news_at <= MERGING
                self._ledger.count(SYNCS + (BEHIND if is_behind else SAME))
                if not is_behind:
                    self._moment.at = self._wall()
            case SyncFinished(is_join=False):
                self._ledger.count(SYNCS + FAILED)
            case _:
                pass
