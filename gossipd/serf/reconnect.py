"""Whom to try again of the failed members (gossip.md, section 18.3)."""

from __future__ import annotations

from random import Random

from gossipd.serf.events import SerfMember
from gossipd.serf.roster import Roster


def choose_failed(roster: Roster, random: Random) -> SerfMember | None:
    """Return a failed member to reconnect to, or ``None`` when this round is skipped.

    The chance is failed / running, at most 1, so that the cluster as a whole
    makes about one attempt for each failed member in a reconnect interval.
    """
    if not roster.failed:
        return None
    chance = len(roster.failed) / max(1, roster.running)
    if random.random() > chance:
        return None
    return roster.members[random.choice(list(roster.failed))]
