"""``Journal``: records are on disk before the events that they stand for are shown (section 20).

Events go through here on their way to log, streams and handlers. One that
changes what the snapshot holds waits until its record was written and synced,
and what comes behind it waits too, so the order stays. The writing is done by
one task in a thread: what comes while it is busy goes into the next write
together. Neither the protocol nor the view waits for any of it.

When the disk fails the daemon goes on: events are shown at once, and every
``RETRY`` seconds the whole file is tried anew. When that succeeds it holds
everything that is current.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NoReturn, Protocol

import trio

from gossipd.agent.system_errors import reason_of
from gossipd.node.events import NodeEvent
from gossipd.serf.events import MemberChange
from gossipd.serf.memory import Memory
from gossipd.serf.snapshot import Snapshot

RETRY = 30.0
"""Seconds between tries to write the file anew after the disk failed."""
LAZY = 0.5
"""Seconds that a record may wait for others when no event waits for it."""
PATIENCE = 5.0
"""Seconds after which events no longer wait for a disk that does not answer."""
REMINDER = 20
"""Failed tries from one complaint in the log to the next."""
HELD_EVENTS_MAX = 65536
"""Events that wait at most; above, the disk counts as not answering."""
LINES_MAX = 65536
"""Records kept for the next write at most; above, the file is written anew instead."""

Tell = Callable[[Sequence[NodeEvent], float], None]
RunBlocking = Callable[[Callable[[], None]], Awaitable[None]]


class Store(Protocol):
    """Where the lines are; kept by ``snapshot_file.SnapshotFile``. Blocks."""

    @property
    def path(self) -> str: ...
    def append(self, data: bytes) -> None: ...
    def rewrite(self, pieces: Iterable[bytes]) -> int: ...


async def run_in_thread(work: Callable[[], None]) -> None:
    """Run ``work`` in a worker thread; a cancelled caller leaves it to itself."""
    await trio.to_thread.run_sync(work, abandon_on_cancel=True)


class Journal:
    """Holds events back until their records are safe.

    Args:
        snapshot: what is remembered so far; changed by what comes.
        store: the file; written anew when ``run`` begins.
        memory: returns the node's Lamport times as they are now.
        tell: shows events, with the time they happened.
        say: logs, with a level and a text.
        run_blocking: runs calls of ``store``, by default in a thread.
        measure: told a metric's name and the milliseconds of each write that was done.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        store: Store,
        memory: Callable[[], Memory],
        tell: Tell,
        say: Callable[[str, str], None],
        run_blocking: RunBlocking | None = None,
        measure: Callable[[str, float], None] = lambda _name, _value: None,
    ) -> None:
        self._snapshot = snapshot
        self._store = store
        self._memory = memory
        self._tell = tell
        self._say = say
        self._run_blocking = run_blocking or run_in_thread
        self._measure = measure
        self._lines: list[bytes] = []
        self._held: deque[tuple[int, Sequence[NodeEvent], float]] = deque()
        self._held_events = 0
        self._generation = 0
        self._size = 0
        self._failures = 0
        self._reason = ""
        self._since = 0.0
        self._is_busy = False
        self._is_rewriting = False
        self._is_stale = False
        self._work = trio.Event()
        self._urgent = trio.Event()
        self._moved = trio.Event()

    @property
    def status(self) -> str:
        """``ok``, or since when and why nothing can be written."""
        if not self._failures:
            return "ok"
        when = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(self._since))
        return f"failing since {when}: {self._reason}"

    @property
    def remembered(self) -> Snapshot:
        """What the next start would know; not to be changed."""
        return self._snapshot

    # What comes from the driver, within a step.

    def take(self, events: Sequence[NodeEvent], now: float) -> None:
        """Record what ``events`` and the clocks change, then show the events, now or later."""
        snapshot, before, memory = self._snapshot, self._snapshot.memory, self._memory()
        if not events and memory == before:
            return
        line = b"".join(snapshot.record(e) for e in events if type(e) is MemberChange)
        clocks = snapshot.witness(memory)
        # a member time alone is shown to nobody
        is_shown = bool(line) or (
            before.event_clock != snapshot.memory.event_clock
            or before.query_clock != snapshot.memory.query_clock
        )
        must_wait = bool(events) and is_shown and not self._failures
        if line or clocks:
            self._add(line + clocks, is_urgent=must_wait)
        if not events:
            return
        if must_wait or self._held:
            self._hold(events, now, must_wait=must_wait)
        else:
            self._tell(events, now)

    def leave(self) -> None:
        """Record that we leave; nothing is recorded after it."""
        line = self._snapshot.leave()
        if line:
            self._add(line, is_urgent=True)

    def forget(self, names: Iterable[str]) -> None:
        """Remember these members no more; nobody has seen them for long."""
        line = b"".join([self._snapshot.forget(name) for name in names])
        if line:
            self._add(line, is_urgent=False)

    def _add(self, line: bytes, *, is_urgent: bool) -> None:
        if self._failures and not self._is_rewriting:
            return  # the next rewrite brings it
        if len(self._lines) >= LINES_MAX:
            self._is_stale = True
            self._lines.clear()
        self._lines.append(line)
        self._work.set()
        if is_urgent:
            self._urgent.set()

    def _hold(self, events: Sequence[NodeEvent], now: float, *, must_wait: bool) -> None:
        self._held.append((self._generation + 1 if must_wait else 0, events, now))
        self._held_events += len(events)
        if self._held_events > HELD_EVENTS_MAX:
            self._fail("the disk does not keep up")

    # The one task that writes.

    async def run(self) -> NoReturn:
        """Write what is to be written; for ever."""
        await self._rewrite()
        while True:
            if self._failures:
                await trio.sleep(RETRY)
                await self._rewrite()
                continue
            await self._work.wait()
            with trio.move_on_after(LAZY):
                await self._urgent.wait()
            if self._is_stale or self._size > self._snapshot.size_limit:
                await self._rewrite()
            else:
                await self._append()

    async def finish(self) -> None:
        """Wait until everything is written that can be; the caller sets a time limit."""
        self._urgent.set()
        while (self._lines or self._is_busy) and not self._failures:
            await self._moved.wait()

    async def _append(self) -> None:
        generation, data = self._begin(), b"".join(self._lines)
        self._lines.clear()
        if await self._is_done(lambda: self._store.append(data), "serf.snapshot.appendLine"):
            self._size += len(data)
        self._end(generation)

    async def _rewrite(self) -> None:
        generation, copy = self._begin(), self._snapshot.copy()
        self._lines.clear()  # they are in the copy
        self._is_stale, self._is_rewriting = False, True
        sizes: list[int] = []
        is_done = await self._is_done(
            lambda: sizes.append(self._store.rewrite(copy.text())), "serf.snapshot.compact"
        )
        self._is_rewriting = False
        if is_done:
            (self._size,) = sizes
            if self._failures:
                self._say("INFO", f"agent: snapshot {self._store.path} is written again")
            self._failures = 0
        self._end(generation)

    def _begin(self) -> int:
        self._generation += 1
        self._is_busy = True
        self._work, self._urgent = trio.Event(), trio.Event()
        return self._generation

    def _end(self, generation: int) -> None:
        """Show what waited for this write, and what waits only behind it."""
        self._is_busy = False
        self._release(generation)
        if self._lines:
            self._work.set()
        if self._held:
            self._urgent.set()
        self._moved.set()
        self._moved = trio.Event()

    async def _is_done(self, work: Callable[[], None], metric: str) -> bool:
        """Run ``work`` in the thread; return whether it succeeded, the complaint made if not."""
        is_done, began = False, trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._lose_patience)
            try:
                await self._run_blocking(work)
                is_done = True
                self._measure(metric, 1000 * (trio.current_time() - began))
            except OSError as error:
                self._fail(reason_of(error))
            nursery.cancel_scope.cancel()
        return is_done

    async def _lose_patience(self) -> None:
        await trio.sleep(PATIENCE)
        if not self._failures:
            self._fail(f"the disk did not answer for {PATIENCE:g}s")

    def _fail(self, reason: str) -> None:
        if not self._failures:
            self._since = time.time()
        if self._failures % REMINDER == 0 or reason != self._reason:
            self._say(
                "ERR",
                f"agent: snapshot {self._store.path}: {reason}; a restart will not know of"
                f" what happens now; trying again every {RETRY:g}s",
            )
        self._failures += 1
        self._reason = reason
        if not self._is_rewriting:
            self._lines.clear()
        self._release(math.inf)

    def _release(self, generation: float) -> None:
        while self._held and self._held[0][0] <= generation:
            _, events, now = self._held.popleft()
            self._held_events -= len(events)
            self._tell(events, now)
