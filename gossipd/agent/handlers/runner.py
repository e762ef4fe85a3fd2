"""Runs the event handlers: side by side, so many at once, the rest in a bounded queue.

Nothing here is ever waited for by the protocol or by a stream. Runs of one
handler may overlap, and end in any order. What a script is given is made in
``spec.py``, one run in ``script.py``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import trio

from gossipd.agent.handlers.spec import (
    Handler,
    environment_of,
    input_of,
    kind_of,
    listed,
    title_of,
)
from gossipd.agent.log.lines import pieces
from gossipd.serf.events import ApplicationEvent, QueryReceived

if TYPE_CHECKING:
    from gossipd.agent.handlers.script import Outcome

WAITING_MAX = 1024
"""Runs that wait for their turn; what comes on top is not run, but counted and logged."""
SLOW_AFTER = 1.0
"""Seconds after which a run is called slow in the log."""
END_WAIT = 5.0
"""Seconds that runs are granted when the daemon ends."""
METRIC_NAME_MAX = 200
"""Characters of a script that are part of a metric's name."""
_OVERFLOW_PAUSE = 1.0

RunScript: TypeAlias = "Callable[[str, Mapping[bytes, bytes], bytes, float], Awaitable[Outcome]]"
Answer: TypeAlias = Callable[[QueryReceived, bytes | None], None]
"""Told at the end of each run for a query: what to answer, ``None`` for nothing."""


class Handlers:
    """The handlers of one agent.

    Args:
        handlers: what to run for what.
        timeout: seconds after which a run is killed.
        runs_max: scripts that run at a time.
        identity: returns our own name and tags.
        answer: told how each run for a query ended.
        say: writes a line to the log: level and text.
        measure: told a name for metrics and the milliseconds of each run.
        environment: variables for the scripts on top of the daemon's own.
        run: runs one script; replaced in tests.
    """

    def __init__(
        self,
        handlers: Sequence[Handler],
        *,
        timeout: float,
        runs_max: int,
        identity: Callable[[], tuple[str, Mapping[str, str]]],
        answer: Answer,
        say: Callable[[str, str], None],
        measure: Callable[[str, float], None] = lambda _name, _value: None,
        environment: Mapping[bytes, bytes] | None = None,
        run: RunScript | None = None,
    ) -> None:
        self._handlers = tuple(handlers)
        self._timeout = timeout
        self._runs_max = runs_max
        self._identity = identity
        self._answer = answer
        self._say = say
        self._measure = measure
        self._environment = dict(environment or {})
        self._run_script = run or _run_script
        self._waiting: deque[tuple[str, ApplicationEvent]] = deque()
        self._running = 0
        self._idle = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._is_over = False
        self._overflow = 0
        self._is_telling = False
        self.dropped = 0
        """Runs that did not take place because too many were waiting."""

    def set_handlers(self, handlers: Sequence[Handler], *, timeout: float, runs_max: int) -> None:
        """Replace handlers and limits; what runs or waits already is not touched."""
        self._handlers = tuple(handlers)
        self._timeout = timeout
        self._runs_max = runs_max

    def listed(self) -> dict[str, str]:
        """Return scripts by filter, as ``stats`` shows them."""
        return listed(self._handlers)

    def take(self, event: ApplicationEvent) -> int:
        """Run what is to be run for ``event``; return how many runs begin, now or later."""
        if not self._handlers or self._is_over:
            return 0
        return sum(
            handler.wants(event) and self._take(handler, event) for handler in self._handlers
        )

    def _take(self, handler: Handler, event: ApplicationEvent) -> bool:
        if self._nursery is not None and self._running < self._runs_max:
            self._begin(self._nursery, handler.script, event)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append((handler.script, event))
        else:
            self.dropped += 1
            self._overflow += 1
            if self._nursery is not None and not self._is_telling:
                self._is_telling = True
                self._nursery.start_soon(self._tell_overflow)
            return False
        return True

    def _begin(self, nursery: trio.Nursery, script: str, event: ApplicationEvent) -> None:
        self._running += 1
        nursery.start_soon(self._work, script, event)

    async def _tell_overflow(self) -> None:
        """Tell how many runs were dropped, then once a second how many more were."""
        while self._overflow:
            self._say(
                "ERR",
                f"agent: {self._overflow} event handler runs dropped:"
                f" {self._runs_max} run and {WAITING_MAX} wait already",
            )
            self._overflow = 0
            await trio.sleep(_OVERFLOW_PAUSE)
        self._is_telling = False

    # -- life -----------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run scripts until ``finish`` or until cancelled, which kills those that run.

        What was taken before waits for this.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            while self._waiting and self._running < self._runs_max:
                self._begin(nursery, *self._waiting.popleft())
            task_status.started()
            await trio.sleep_forever()

    async def finish(self, hurried: trio.Event | None = None) -> None:
        """Begin nothing new, wait a moment for what runs or waits, then kill what is left.

        Args:
            hurried: when it is set nothing is waited for any longer.
        """
        self._is_over = True
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            self._waiting.clear()
            return
        if self._running:
            with trio.move_on_after(END_WAIT) as scope:
                async with trio.open_nursery() as waiting:
                    if hurried is not None:
                        waiting.start_soon(_cancel_when, hurried, scope)
                    await self._idle.wait()
                    waiting.cancel_scope.cancel()
            if scope.cancelled_caught:
                left = self._running + len(self._waiting)
                self._say("WARN", f"agent: {left} event handler runs cut off, the daemon ends")
        nursery.cancel_scope.cancel()

    async def _work(self, script: str, event: ApplicationEvent) -> None:
        """Run a script, then whatever waits."""
        try:
            await self._run(script, event)
            while self._waiting and self._running <= self._runs_max:
                script, event = self._waiting.popleft()
                await self._run(script, event)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
                self._idle = trio.Event()

    # -- one run --------------------------------------------------------------

    async def _run(self, script: str, event: ApplicationEvent) -> None:
        began = trio.current_time()
        query = event if isinstance(event, QueryReceived) else None
        if query is not None and began >= query.deadline:
            self._say("WARN", f"agent: Script '{script}' not run: {title_of(event)} was over")
            self._answer(query, None)
            return
        name, tags = self._identity()
        inherited = {**os.environb, **self._environment}
        environment = environment_of(event, name, tags, inherited)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._warn_when_slow, script)
            outcome = await self._run_script(script, environment, input_of(event), self._timeout)
            nursery.cancel_scope.cancel()
        took = trio.current_time() - began
        self._measure(f"agent.invoke.{script[:METRIC_NAME_MAX]}", 1000 * took)
        self._log(script, event, outcome, took)
        if query is not None:
            self._answer(query, self._answer_of(query, outcome))

    async def _warn_when_slow(self, script: str) -> None:
        await trio.sleep(SLOW_AFTER)
        self._say("WARN", f"agent: Script '{script}' slow, execution exceeding {SLOW_AFTER:g}s")

    def _log(self, script: str, event: ApplicationEvent, outcome: Outcome, took: float) -> None:
        if outcome.output:
            output = outcome.output.decode("utf-8", "backslashreplace")
            for piece in pieces(output):
                self._say("DEBUG", f"agent: Event '{kind_of(event)}' script output: {piece}")
        if outcome.error:
            self._say("ERR", f"agent: Error invoking script '{script}': {outcome.error}")
        else:
            self._say("DEBUG", f"agent: Script '{script}' ended after {took:.1f}s: exit status 0")

    def _answer_of(self, query: QueryReceived, outcome: Outcome) -> bytes | None:
        if outcome.error:
            return None
        if outcome.answer is None:
            self._say(
                "WARN",
                f"agent: Failed to respond to query '{title_of(query)}':"
                " the script wrote more than a MiB",
            )
        return outcome.answer or None


async def _cancel_when(hurried: trio.Event, scope: trio.CancelScope) -> None:
    await hurried.wait()
    scope.cancel()


async def _run_script(
    script: str, environment: Mapping[bytes, bytes], data: bytes, timeout: float
) -> Outcome:
    from gossipd.agent.handlers.script import run_script  # daemons without handlers save the memory

    return await run_script(script, environment, data, timeout)
