"""Faults of the daemon, made on purpose: a day must notice each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest.mock import patch

from gossipd.rest.consul.reads import agent, selecting
from gossipd.rest.consul.reads.kept import Kept
from gossipd.rest.consul.shapes_checks import Checks
from gossipd.rest.own.events import EventPieces
from gossipd.rest.topics import Topics
from gossipd.rest.transport.departures import Departures
from gossipd.rest.transport.holding import Alarms, Held
from gossipd.rest.transport.lines import PlainLine
from gossipd.rest.transport.service import Service
from gossipd.value import replace

Bug = AbstractContextManager[Any]


def waiters_stay() -> Bug:
    """Who went away is still on the list of who waits."""
    return patch.object(Topics, "forget", lambda *_: None)


def alarms_stay() -> Bug:
    """The end of a wait is still due when the wait is over."""
    return patch.object(Alarms, "remove", lambda *_: None)


def departures_unseen() -> Bug:
    """Nobody notices that a client hung up."""
    return patch.object(Departures, "watch", lambda *_: None)


def followers_stay() -> Bug:
    """The reader of a stream is told of for ever."""

    async def aclose(_: EventPieces) -> None:
        return

    return patch.object(EventPieces, "aclose", aclose)


@contextmanager
def sockets_stay() -> Iterator[None]:
    """Connections are served no more, but stay open."""
    kept: list[PlainLine] = []

    async def close(line: PlainLine) -> None:
        kept.append(line)

    with patch.object(PlainLine, "close", close):
        yield
    for line in kept:
        line._socket.close()


def objects_stay() -> Bug:
    """Something small is kept of each request."""
    kept: list[list[str]] = []
    real = Service.count_answer

    def count(*args: Any) -> None:
        kept.append([f"{len(kept)} {number}" for number in range(20)])
        real(*args)

    return patch.object(Service, "count_answer", count)


def index_falls() -> Bug:
    """Now and then an index is below what it was."""
    real, asked = Topics.index, 0

    def index(self: Topics, *topics: Any) -> int:
        nonlocal asked
        asked += 1
        return real(self, *topics) - 10 * (asked % 40 == 0)

    return patch.object(Topics, "index", index)


def the_dead_pass() -> Bug:
    """Gossip's verdict is told as if nobody ever failed."""
    real = Checks._liveness_for

    def liveness(*args: Any) -> Any:
        return real(*args) | {"Status": "passing"}

    return patch.object(Checks, "_liveness_for", liveness)


def all_are_woken() -> Bug:
    """Any change is one of every topic."""
    real = Topics.look

    def look(self: Topics) -> None:
        before = self._clock
        real(self)
        if self._clock == before:
            return
        for topic in [*self._stamps, *self._waiters]:
            self._stamps[topic] = self._clock
        for waiters in list(self._waiters.values()):
            for waker in waiters:
                waker.set()
        self._waiters.clear()

    return patch.object(Topics, "look", look)


def nobody_is_woken() -> Bug:
    """A change is noticed by who asks next, and by nobody who waits."""
    return patch.object(Topics, "_hurry", lambda _: None)


def waits_end_early() -> Bug:
    """Held requests are let go after half of their time."""
    real = Held.__init__

    def init(self: Held, watched: Any, keys: Any, seconds: float) -> None:
        real(self, watched, keys, seconds / 2)

    return patch.object(Held, "__init__", init)


def waits_end_late() -> Bug:
    """Held requests are let go after twice their time."""
    real = Held.__init__

    def init(self: Held, watched: Any, keys: Any, seconds: float) -> None:
        real(self, watched, keys, seconds * 2)

    return patch.object(Held, "__init__", init)


def answers_are_kept_too_long() -> Bug:
    """An answer is sent again although what it was made from is another thing."""
    real = Kept.find

    def find(self: Kept, question: Any, made_from: Any) -> Any:
        entry = self._by_question.get(question)
        return entry[1] if entry is not None else real(self, question, made_from)

    return patch.object(Kept, "find", find)


def passing_means_nothing() -> Bug:
    """``?passing`` lets everybody through."""
    real = selecting.instances_for

    def chosen(question: Any, *rest: Any) -> Any:
        return real(replace(question, passing=False), *rest)

    return patch("gossipd.rest.consul.reads.health.instances_for", chosen)


def hash_never_changes() -> Bug:
    """Another definition has the same digest."""
    return patch.object(agent, "content_hash", lambda _: "0123456789abcdef")


def hash_is_never_the_same() -> Bug:
    """The same definition has another digest each time."""
    made = iter(range(10**9))
    return patch.object(agent, "content_hash", lambda _: f"{next(made):016x}")


def nothing_is_held() -> Bug:
    """Who asks with the newest index is answered at once."""

    async def hold(*_: Any) -> None:
        return

    return patch("gossipd.rest.consul.reads.reading.hold_while", hold)


BUGS: Final[tuple[Callable[[], Bug], ...]] = (
    waiters_stay,
    alarms_stay,
    departures_unseen,
    followers_stay,
    sockets_stay,
    objects_stay,
    index_falls,
    the_dead_pass,
    all_are_woken,
    nobody_is_woken,
    waits_end_early,
    waits_end_late,
    answers_are_kept_too_long,
    passing_means_nothing,
    hash_never_changes,
    hash_is_never_the_same,
    nothing_is_held,
)
