"""How news spreads: who learned of a crash, a leave, a return, and how long after it happened.

``Spreads`` keeps the books and is told everything: by ``news_watcher.py`` what
happens in a simulated run, by ``real/run.py`` what happens among real
processes. So both are measured by the same rules:

- A piece of news begins at its moment with its witnesses: members that were up
  and in touch. Each has heard of it when it shows the member accordingly.
- A witness that goes down, leaves or freezes before it has heard counts no more.
- Of a return only those are to hear that had heard that the member was gone.
- News is over when newer news of the same member comes, or with the run.
  Whoever has not heard by then never did.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TypeAlias

from gossipd.serf.events import ChangeKind
from gossipd.value import Value

Witness: TypeAlias = tuple[str, int]
"""A host and which life of its."""

NOTES_MAX, JOIN_NOTES_MAX = 2_000_000, 500_000
"""Witnesses of all news together, and of joins; news beyond is not followed but counted."""


class News(enum.StrEnum):
    """What there is to hear of a member."""

    CRASH = "crash"
    LEAVE = "leave"
    JOIN = "join"
    """A host is up for the first time."""
    RETURN = "return"
    """A host is up again, or thawed after somebody called it failed."""
    FREEZE = "freeze"
    """Its process stopped; heard by those that show it as failed."""
    FALSE_ALARM = "false alarm"
    """It is up and in touch, and yet somebody shows it as failed: it begins with that."""


HEARD_BY = {
    News.CRASH: (ChangeKind.FAILED, ChangeKind.LEAVE),  # left, if it was leaving when it crashed
    News.LEAVE: (ChangeKind.LEAVE,),
    News.JOIN: (ChangeKind.JOIN,),
    News.RETURN: (ChangeKind.JOIN,),
    News.FREEZE: (ChangeKind.FAILED,),
    News.FALSE_ALARM: (ChangeKind.FAILED,),
}
"""Which changes in a member's view tell that it has heard."""


class Spread(Value):
    """How one piece of news spread.

    ``at``: when it happened (seconds). ``delays``: for each that heard, how long
    after that, in order. ``witnesses``: how many could have heard, those
    included.
    """

    news: News
    node: str
    at: float
    delays: tuple[float, ...]
    witnesses: int

    @property
    def first(self) -> float | None:
        """Seconds until the first heard; ``None`` if nobody did."""
        return self.delays[0] if self.delays else None

    @property
    def everywhere(self) -> float | None:
        """Seconds until the last witness heard; ``None`` if not all did."""
        return self.delays[-1] if self.delays and len(self.delays) == self.witnesses else None


class _Open:
    """News that is still being heard."""

    __slots__ = ("at", "heard", "news", "node", "waiting")

    def __init__(self, news: News, node: str, at: float, waiting: dict[Witness, None]) -> None:
        self.news = news
        self.node = node
        self.at = at
        self.waiting = waiting
        self.heard: dict[Witness, float] = {}
        """How many seconds after it happened, in the order of hearing."""

    def hear(self, witness: Witness, at: float) -> None:
        if witness in self.waiting:
            del self.waiting[witness]
            self.heard[witness] = max(0.0, at - self.at)

    def closed(self) -> Spread:
        witnesses = len(self.heard) + len(self.waiting)
        return Spread(self.news, self.node, self.at, tuple(self.heard.values()), witnesses)


class Spreads:
    """The books of one run; told things in order of time."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        """By node: the newest true news of it."""
        self._alarms: dict[str, _Open] = {}
        """By node: a false alarm since then."""
        self._closed: list[_Open] = []
        self._notes = self._join_notes = 0
        self.untold = 0
        """Pieces of news that were not followed because there were too many."""

    def begin(self, news: News, node: str, at: float, witnesses: Iterable[Witness]) -> None:
        """``news`` of ``node`` happened at ``at`` (seconds), for ``witnesses`` to hear.

        What was told of ``node`` before is over. ``witnesses`` is not read when
        there is no room for more.
        """
        book = self._alarms if news is News.FALSE_ALARM else self._open
        before = book.get(node)
        if not self._has_room(news):
            self._close(node, self._alarms)
            self._close(node, book)
            self.untold += 1
            return
        waiting = dict.fromkeys(witnesses)
        if news is News.RETURN and before is not None:
            waiting = {one: None for one in waiting if one in before.heard}
        self._close(node, self._alarms)
        self._close(node, book)
        self._notes += len(waiting)
        self._join_notes += len(waiting) if news is News.JOIN else 0
        book[node] = _Open(news, node, at, waiting)

    def hear(self, witness: Witness, change: ChangeKind, node: str, at: float) -> bool:
        """Take note that ``witness`` saw ``change`` of ``node``.

        Returns:
            Whether that was to be expected: it fits the newest news of ``node``.
        """
        for book in (self._open, self._alarms):
            known = book.get(node)
            if known is not None and change in HEARD_BY[known.news]:
                known.hear(witness, at)
                return True
        return False

    def drop(self, witness: Witness) -> None:
        """Expect no more of ``witness``: it is down, leaves or is frozen."""
        for book in (self._open, self._alarms):
            for known in book.values():
                known.waiting.pop(witness, None)

    @property
    def waiting(self) -> int:
        """How many have not heard yet of something true that is not over."""
        return sum(len(known.waiting) for known in self._open.values())

    def spreads(self) -> tuple[Spread, ...]:
        """Return everything so far, in order of time."""
        every = [*self._closed, *self._open.values(), *self._alarms.values()]
        return tuple(known.closed() for known in sorted(every, key=lambda known: known.at))

    def _has_room(self, news: News) -> bool:
        limit = JOIN_NOTES_MAX if news is News.JOIN else NOTES_MAX
        return (self._join_notes if news is News.JOIN else self._notes) < limit

    def _close(self, node: str, book: dict[str, _Open]) -> None:
        before = book.pop(node, None)
        if before is not None:
            self._closed.append(before)


def firsts(spreads: Iterable[Spread], news: News) -> list[float]:
    """Return the seconds until the first heard, of each ``news`` that anybody heard."""
    return [one.first for one in spreads if one.news is news and one.first is not None]


def everywheres(spreads: Iterable[Spread], news: News) -> list[float]:
    """Return the seconds until all heard, of each ``news`` that all heard."""
    return [one.everywhere for one in spreads if one.news is news and one.everywhere is not None]
