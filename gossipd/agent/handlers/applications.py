"""What applications are told, and who of them may answer a query.

The driver's raw events come in; readers and event handlers get
``ApplicationEvent`` values: readers at once or coalesced as they like, handlers
coalesced as in Serf. All coalesced readers share one coalescer. A query that
nobody may answer is declined, so that its asker does not wait for us.

Nothing here waits for a reader: a slow one loses events and is told so.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import trio

from gossipd.agent.fanout import Fanout, Subscription
from gossipd.errors import UsageError
from gossipd.ledger import Ledger
from gossipd.node.events import NodeEvent
from gossipd.serf.coalesce import Coalescer
from gossipd.serf.events import (
    ApplicationEvent,
    MemberChange,
    MembersChanged,
    QueryReceived,
    UserEventReceived,
)

if TYPE_CHECKING:
    from gossipd.agent.handlers.runner import Handlers

TOLD = frozenset({MemberChange, UserEventReceived, QueryReceived})
"""Events of the driver that concern applications."""
OPEN_QUERIES_MAX = 1024
"""Queries of which it is remembered who may still answer; of older ones no word is given."""

NAMES_MAX = 256
"""Names of events and queries that metrics count apart: they come from peers."""
NAME_MAX = 128
"""Characters of such a name."""


def count_name(event: NodeEvent, ledger: Ledger) -> None:
    """Count a user event or query under its own name, for metrics."""
    if isinstance(event, UserEventReceived):
        name = f"serf.events.{event.name[:NAME_MAX]}"
    elif isinstance(event, QueryReceived):
        name = f"serf.queries.{event.name[:NAME_MAX]}"
    else:
        return
    if name in ledger.counts or len(ledger.counts) < NAMES_MAX:
        ledger.count(name)


class _OpenQuery:
    """A query that somebody may answer: ``readers`` by number, and ``runs`` of handlers."""

    __slots__ = ("deadline", "readers", "runs")

    def __init__(self, deadline: float, readers: set[int], runs: int) -> None:
        self.deadline = deadline
        self.readers = readers
        self.runs = runs


class Applications:
    """Turns a node's events into what applications are told.

    Args:
        coalescer: gathers what may be gathered.
        now: the node's clock.
        respond: answers a query by number; may raise ``UsageError``.
        decline: says that a query by number gets no answer, if it had none.
        say: writes a line to the log: level and text.
    """

    def __init__(
        self,
        coalescer: Coalescer,
        now: Callable[[], float],
        respond: Callable[[int, bytes], object],
        decline: Callable[[int], object],
        say: Callable[[str, str], None],
    ) -> None:
        self._coalescer = coalescer
        self._now = now
        self._respond = respond
        self._decline = decline
        self._say = say
        self._handlers: Handlers | None = None
        self._immediate: Fanout[ApplicationEvent] = Fanout()
        self._coalesced: Fanout[ApplicationEvent] = Fanout()
        self._may_answer: dict[int, Callable[[str], bool]] = {}
        self._reader = 0
        self._open: dict[int, _OpenQuery] = {}
        self._unanswerable: deque[int] = deque(maxlen=OPEN_QUERIES_MAX)
        self._woken = trio.Event()
        self._alarm = trio.CancelScope()

    def attach(self, handlers: Handlers) -> None:
        """Name the handlers that are run from now on; once, when there are any."""
        self._handlers = handlers

    # -- readers --------------------------------------------------------------

    @contextmanager
    def subscribe(
        self,
        capacity: int,
        *,
        coalesced: bool = True,
        may_answer: Callable[[str], bool] | None = None,
    ) -> Iterator[Subscription[ApplicationEvent]]:
        """Follow from now on; see ``NodeHandle.subscribe``."""
        fanout = self._coalesced if coalesced else self._immediate
        self._reader += 1
        reader = self._reader
        if may_answer is not None:
            self._may_answer[reader] = may_answer
        try:
            with fanout.subscribe(capacity) as events:
                yield events
        finally:
            if self._may_answer.pop(reader, None) is not None:
                self._forget_reader(reader)

    def _forget_reader(self, reader: int) -> None:
        """What only this reader could have answered nobody will answer."""
        for number, query in list(self._open.items()):
            if reader in query.readers:
                query.readers.remove(reader)
                self._decline_if_hopeless(number, query)

    # -- events ---------------------------------------------------------------

    def take_in(self, event: NodeEvent, now: float) -> None:
        """Tell applications of ``event`` if it concerns them; never waits, never steps the node."""
        if isinstance(event, MemberChange | UserEventReceived | QueryReceived):
            self._take_in(event, now)

    def _take_in(self, event: MemberChange | UserEventReceived | QueryReceived, now: float) -> None:
        if isinstance(event, MemberChange):
            self._immediate.publish(MembersChanged(event.kind, (event.member,)))
        else:
            self._immediate.publish(event)
        runs = self._tell(self._coalescer.take_in(event, now))
        self._arm()
        if isinstance(event, QueryReceived):
            self._see_who_answers(event, runs)

    def _tell(self, events: list[ApplicationEvent]) -> int:
        """Tell coalesced readers and handlers; return how many runs of handlers begin."""
        runs = 0
        for event in events:
            self._coalesced.publish(event)
            if self._handlers is not None:
                runs += self._handlers.take(event)
        return runs

    def _arm(self) -> None:
        deadline = self._coalescer.next_deadline()
        self._alarm.deadline = math.inf if deadline is None else deadline

    async def run(self) -> NoReturn:
        """Tell what is due, and decline what nobody answers; for ever."""
        while True:
            self._alarm = trio.CancelScope()
            self._arm()
            with self._alarm:
                await self._woken.wait()
            self._woken = trio.Event()
            self._tell(self._coalescer.take_due(self._now()))
            while self._unanswerable:
                self._decline(self._unanswerable.popleft())

    def close(self) -> None:
        """Tell what was gathered, then end every reader after what is queued for it."""
        self._tell(self._coalescer.take_all())
        self._immediate.close()
        self._coalesced.close()

    # -- answers --------------------------------------------------------------

    def run_ended(self, query: QueryReceived, answer: bytes | None) -> None:
        """A handler ended that ran for ``query``; ``answer`` is ``None`` if it has none."""
        if answer is not None:
            try:
                self._respond(query.number, answer)
            except UsageError as error:
                from gossipd.agent.handlers.spec import title_of  # loaded with the handlers

                self._say(
                    "WARN",
                    f"agent: Failed to respond to query '{title_of(query)}':"
                    f" failed to respond to key query: {error}",  # Serf's words for any query
                )
            else:
                self._open.pop(query.number, None)
        is_open = self._open.get(query.number)
        if is_open is not None:
            is_open.runs -= 1
            self._decline_if_hopeless(query.number, is_open)

    def _see_who_answers(self, query: QueryReceived, runs: int) -> None:
        self._forget_over()
        readers = {number for number, may in self._may_answer.items() if may(query.name)}
        is_open = _OpenQuery(query.deadline, readers, runs)
        self._open[query.number] = is_open
        self._decline_if_hopeless(query.number, is_open)

    def _forget_over(self) -> None:
        """Make room: the oldest queries first, which are mostly over."""
        now = self._now()
        while self._open:
            number, oldest = next(iter(self._open.items()))
            if oldest.deadline > now and len(self._open) < OPEN_QUERIES_MAX:
                return
            del self._open[number]

    def _decline_if_hopeless(self, number: int, query: _OpenQuery) -> None:
        if not query.readers and not query.runs:
            del self._open[number]
            self._unanswerable.append(number)
            self._woken.set()
