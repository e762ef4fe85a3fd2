"""Whom to try again of the failed members, and how often (gossip.md, section 18.3)."""

from __future__ import annotations

from random import Random

from gossipd.serf.events import SerfMember
from gossipd.serf.roster import Roster

SPLIT_INTERVAL_MIN = 3.0
"""Seconds between attempts however many members are lost."""
SPLIT_SECONDS = 3600.0
"""For so long after the last loss of many the interval is short."""
SPLIT_SHARE = 5.0
"""By how much it is shorter where as many are lost as are left."""


def reconnect_interval(interval: float, roster: Roster, now: float) -> float:
    """Return the seconds between attempts: fewer while half or more of the cluster is lost.

    Then the network is split, and we are likely on the smaller side; Serf's half a minute
    would go by after the split has healed. One lost member is no split.
    """
    failed, running = len(roster.failed), max(1, roster.running)
    if failed < 2 or failed < running:
        return interval
    last = roster.members[next(reversed(roster.failed))].left_at
    if last is not None and now - last > SPLIT_SECONDS:
        return interval
    short = max(SPLIT_INTERVAL_MIN, interval * running / (SPLIT_SHARE * failed))
    return min(interval, short)


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
