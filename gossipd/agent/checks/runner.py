"""``CheckRunner``: one task for each check that the daemon makes itself, a bounded number at once.

What a run says goes to the node, which knows of thresholds and grace; here is
only when to run, and that no check can hold up another one or the daemon. One
run is in ``http.py``, ``dial.py`` (TCP) and ``command.py`` (scripts).
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import trio

from gossipd.agent.checks.dial import Dialler
from gossipd.agent.checks.result import Result, critical
from gossipd.services.definition import HTTP, PASSING, SCRIPT, TCP, CheckDefinition

if TYPE_CHECKING:
    from random import Random

    from gossipd.agent.checks.http import TlsContexts

FIRST_WITHIN = 3.0
"""Seconds after its start in which a check runs for the first time, if its interval is longer."""
JITTER = 0.1
"""Part of the interval by which a run comes earlier or later."""
REST = 0.1
"""Part of the interval that is waited after a run that took longer than that."""
LATE = 1.0
"""Seconds that a run waited for others, from which it counts as late."""
CLINGS = 5.0
"""Seconds beyond its time-out in which a script is ended: politely first, then not."""
RUN, FAILED, LATE_RUNS, TOOK = (
    "gossipd.checks.run",
    "gossipd.checks.failed",
    "gossipd.checks.late",
    "gossipd.checks.time",
)
"""Names of what is counted, and measured in milliseconds."""


class Tally(Protocol):
    """Where runs are counted; kept by ``ledger.Ledger``."""

    def count(self, name: str, by: int = 1) -> None: ...
    def measure(self, name: str, value: float) -> None: ...


RunCheck = Callable[[CheckDefinition, str], Awaitable[Result]]
"""Runs a check of a service once, for as long as it takes."""


class CheckRunner:
    """Runs checks until it is cancelled.

    Args:
        report: told the id of a check and what each of its runs said; must not block.
        runs_max: checks that run at a time.
        random: for jitter.
        say: writes a line to the log: level and text.
        tally: where runs are counted.
        run: runs one check once; replaced in tests.
    """

    def __init__(
        self,
        report: Callable[[str, Result], None],
        *,
        runs_max: int,
        random: Random,
        say: Callable[[str, str], None],
        tally: Tally,
        run: RunCheck,
    ) -> None:
        self._report = report
        self._random = random
        self._say = say
        self._tally = tally
        self._run_check = run
        self._turns = trio.CapacityLimiter(runs_max)
        self._scopes: dict[str, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        self._waiting: list[tuple[CheckDefinition, str]] = []

    def __len__(self) -> int:
        """Return how many checks there are."""
        return len(self._scopes)

    def set_runs_max(self, runs_max: int) -> None:
        """Run so many checks at a time from now on."""
        self._turns.total_tokens = runs_max

    def start(self, check: CheckDefinition, service: str) -> None:
        """Run ``check`` again and again, instead of one of the same id; never blocks."""
        self.stop(check.id)
        if self._nursery is None:
            self._waiting.append((check, service))
            return
        scope = self._scopes[check.id] = trio.CancelScope()
        self._nursery.start_soon(self._repeat, check, service, scope)

    def stop(self, check: str) -> None:
        """Run the check of that id no more; what runs of it is ended and not reported."""
        self._waiting = [entry for entry in self._waiting if entry[0].id != check]
        scope = self._scopes.pop(check, None)
        if scope is not None:
            scope.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the checks; for ever. What was started before waits for this."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            waiting, self._waiting = self._waiting, []
            for check, service in waiting:
                self.start(check, service)
            task_status.started()
            await trio.sleep_forever()

    async def _repeat(self, check: CheckDefinition, service: str, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep(self._random.uniform(0.0, min(check.interval, FIRST_WITHIN)))
            while True:
                due = trio.current_time()
                async with self._turns:
                    began = trio.current_time()
                    result = await self._once(check, service)
                took = trio.current_time() - began
                if scope.cancel_called:
                    return  # it was replaced or taken back in the meantime
                self._count(result, began - due, took)
                self._report(check.id, result)
                jitter = self._random.uniform(1.0 - JITTER, 1.0 + JITTER)
                pause = check.interval * jitter - took
                await trio.sleep(max(pause, check.interval * REST))

    async def _once(self, check: CheckDefinition, service: str) -> Result:
        limit = check.timeout + (CLINGS if check.kind == SCRIPT else 0.0)
        try:
            with trio.fail_after(limit):
                return await self._run_check(check, service)
        except trio.TooSlowError:
            return critical(f"timed out after {check.timeout:g}s")
        except Exception as error:  # one check must not end the daemon, whatever is wrong with it
            for line in traceback.format_exception(error):
                self._say("ERR", f"agent: check '{check.id}': {line.rstrip()}")
            return critical(f"cannot be run: {type(error).__name__}: {error}")

    def _count(self, result: Result, waited: float, took: float) -> None:
        self._tally.count(RUN)
        if result.status != PASSING:
            self._tally.count(FAILED)
        if waited > LATE:
            self._tally.count(LATE_RUNS)
        self._tally.measure(TOOK, 1000 * took)


class Runs:
    """Runs one check once, by its kind.

    Args:
        environment: variables for scripts on top of the daemon's own.
    """

    def __init__(self, environment: dict[bytes, bytes]) -> None:
        self._dialler = Dialler()
        self._environment = environment
        self._contexts: TlsContexts | None = None

    async def run(self, check: CheckDefinition, service: str) -> Result:
        """Return what ``check`` of ``service`` says now; the caller bounds the time."""
        if check.kind == TCP:
            return await self._connect(check)
        if check.kind == SCRIPT:
            from gossipd.agent.checks.command import check_script  # most checks are none

            return await check_script(check, service, self._environment)
        assert check.kind == HTTP, check.kind
        from gossipd.agent.checks.http import TlsContexts, check_http  # likewise

        if self._contexts is None:
            self._contexts = TlsContexts()
        return await check_http(check, self._dialler.dial, self._contexts.get)

    async def _connect(self, check: CheckDefinition) -> Result:
        from gossipd.address import split_host_port

        host, port = split_host_port(check.target, 0)
        try:
            stream = await self._dialler.dial(host, port)
        except OSError as error:
            return critical(f"connect {check.target}: {error}")
        await trio.aclose_forcefully(stream)
        return Result(PASSING, f"connect {check.target}: success")
