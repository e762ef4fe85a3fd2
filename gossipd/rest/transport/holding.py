"""How a request is held: its handler gives way, and is asked again when there is news.

A handler that finds nothing new raises ``Held`` instead of waiting itself. So nothing of it
is kept for the thousands of clients that wait; the transport keeps one waker for each, and
one timer for all.
"""

from __future__ import annotations

import heapq
import math
import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import trio

from gossipd.rest.values import Request
from gossipd.value import replace

T = TypeVar("T")
Keys: TypeAlias = tuple[tuple[str, str], ...]
"""What is watched: topics, by kind and name."""
TICKS = 16
"""Ends of waits are told apart by this fraction of a second."""
LET_IN = 16
"""Of those who were woken, so many go on between two turns of everybody else."""
CONDITIONS = ("index", "hash")
"""Parameters that say what a client has already."""


class Wakes(Protocol):
    """Somebody who waits."""

    def set(self) -> None:
        """Wake it."""

    def is_set(self) -> bool:
        """Return whether that was done."""


class Watched(Protocol):
    """What tells of changes; ``Topics`` is one."""

    def watch(self, keys: Keys, waker: Wakes, /) -> None:
        """Have ``waker`` woken with the next change of one of ``keys``."""

    def forget(self, keys: Keys, waker: Wakes, /) -> None:
        """Watch no longer."""


class Held(Exception):
    """Raised by a handler that has nothing new to say.

    It is asked again after a change of ``keys``, and without the parameters that made it wait
    after ``seconds``; between raising and being watched nothing else runs.
    """

    def __init__(self, watched: Watched, keys: Keys, seconds: float) -> None:
        super().__init__("nothing new")
        self.watched = watched
        self.keys = keys
        self.seconds = seconds


def without_condition(request: Request) -> Request:
    """Return ``request`` as one that is answered at once."""
    kept = {name: values for name, values in request.query.items() if name not in CONDITIONS}
    return replace(request, query=kept)


@types.coroutine
def noticing(work: Awaitable[T], is_suspended: Callable[[], object]) -> Generator[Any, Any, T]:
    """Await ``work``; call ``is_suspended`` if it does not end at once.

    Most answers are there at once, and watching a client costs as much as finding them.
    """
    steps = work.__await__()
    try:
        trap = next(steps)
    except StopIteration as done:
        return cast(T, done.value)
    is_suspended()
    while True:
        try:
            value = yield trap
        except BaseException as thrown:
            step = partial(steps.throw, thrown)
        else:
            step = partial(steps.send, value)
        try:
            trap = step()
        except StopIteration as done:
            return cast(T, done.value)


class Door:
    """Lets in who was woken, so many at a time.

    One change may wake thousands, and all that trio finds woken runs before anything else has
    its turn again: gossip would wait for the last of their answers.
    """

    def __init__(self) -> None:
        self._outside: deque[Waker] = deque()
        self._let_in = 0
        """Since others had their turn."""
        self._knock = trio.Event()

    def come(self, waker: Waker) -> None:
        """Let ``waker`` go on: now, or when it is its turn."""
        if self._let_in < LET_IN and not self._outside:
            self._let_in += 1
            waker.go_on()
        else:
            self._outside.append(waker)
        self._knock.set()

    async def run(self) -> None:
        """Let in who waits outside, until cancelled."""
        while True:
            await self._knock.wait()
            self._knock = trio.Event()
            self._let_in = 0
            while self._outside and self._let_in < LET_IN:
                self._let_in += self._outside.popleft().go_on()
            if self._outside:
                self._knock.set()


class Waker:
    """Wakes the task that made it; lighter than an event, which any number may wait for."""

    __slots__ = ("_door", "_is_set", "_task")

    def __init__(self, door: Door) -> None:
        self._door = door
        self._is_set = False
        self._task: trio.lowlevel.Task | None = trio.lowlevel.current_task()

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            self._door.come(self)

    def is_set(self) -> bool:
        return self._is_set

    def go_on(self) -> bool:
        """Let the task run; returns whether it still waited."""
        task, self._task = self._task, None
        if task is None:
            return False
        trio.lowlevel.reschedule(task)
        return True

    def abort(self, _: object) -> trio.lowlevel.Abort:
        """Let the wait be cancelled."""
        self._task, self._is_set = None, True
        return trio.lowlevel.Abort.SUCCEEDED


class Alarms:
    """When whose wait is over: one timer for all, up to ``1 / TICKS`` seconds late."""

    def __init__(self) -> None:
        self._due: dict[int, dict[Wakes, None]] = {}
        self._ticks: list[int] = []
        """A heap of the keys of ``_due``; those of waits that ended early stay until their time."""
        self._queued: set[int] = set()
        self._is_earlier = trio.Event()

    def add(self, waker: Wakes, deadline: float) -> int:
        """Have ``waker`` woken at ``deadline``; returns what ``remove`` wants to know."""
        tick = math.ceil(deadline * TICKS)
        wakers = self._due.get(tick)
        if wakers is not None:
            wakers[waker] = None
            return tick
        self._due[tick] = {waker: None}
        if tick not in self._queued:
            self._queued.add(tick)
            heapq.heappush(self._ticks, tick)
            if self._ticks[0] == tick:
                self._is_earlier.set()
        return tick

    def remove(self, waker: Wakes, tick: int) -> None:
        """Forget a wait that ended; no harm if it was woken by us."""
        wakers = self._due.get(tick)
        if wakers is not None:
            wakers.pop(waker, None)
            if not wakers:
                del self._due[tick]

    async def run(self) -> None:
        """Wake whose time has come, until cancelled."""
        while True:
            self._is_earlier = trio.Event()
            deadline = self._next() / TICKS
            with trio.move_on_at(deadline):
                await self._is_earlier.wait()
                continue
            for waker in self._due.pop(self._ticks[0], ()):
                waker.set()

    def _next(self) -> float:
        """Return the earliest tick that somebody waits for."""
        while self._ticks and self._ticks[0] not in self._due:
            self._queued.discard(heapq.heappop(self._ticks))
        return self._ticks[0] if self._ticks else math.inf
