"""Which owners are shown, and how often, what a former life of theirs said.

A node that restarts counts its incarnations from one again. Where few heard
of its former life, and none of them is in touch, it may come to an incarnation
that those few know already, with another meta. By the rules (gossip.md,
section 8.1 step 6) an equal incarnation is no news, so they would show the old
meta until a push/pull between them and the owner, which may take many minutes.
Whoever sees both shows the owner the other one: it cannot but outdo it
(step 9), and any implementation does.

A leave is worse. Whoever heard that the former life left hears nothing of the
next at a lower incarnation, and whoever hears of both believes the leave. Gossip
is never sent to those who left (section 11.2), so the owner, up and answering,
is not told, and may be forgotten and met again for minutes, until it happens to
push/pull with somebody who holds its leave. It pings all whom it knows, though:
whoever believes that it left answers with that too, and it refutes
(section 8.3). Those who are about to leave ignore it.

One claim of a few bytes may make us send another: bounded to one for each
owner in a probe interval.
"""

from __future__ import annotations


class FormerLives:
    """When each owner was last shown what it said before.

    Args:
        interval: seconds between two showings to one owner, > 0.
    """

    __slots__ = ("_interval", "_shown_at")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._shown_at: dict[str, float] = {}
        """Oldest first; those of the last interval only, so no more than the table has."""

    def is_due(self, name: str, now: float) -> bool:
        """Say whether ``name`` is to be shown its former life now, and note that it is."""
        shown_at = self._shown_at
        while shown_at:
            oldest = next(iter(shown_at))
            if now - shown_at[oldest] < self._interval:
                break
            del shown_at[oldest]
        if name in shown_at:
            return False
        shown_at[name] = now
        return True
