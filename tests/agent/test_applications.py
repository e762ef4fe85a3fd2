"""What applications are told, at once or gathered; and queries that nobody may answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
import trio
import trio.testing

from gossipd.address import Address
from gossipd.agent.fanout import Subscription
from gossipd.agent.handlers import applications as room
from gossipd.agent.handlers.applications import Applications
from gossipd.agent.handlers.runner import Handlers
from gossipd.agent.handlers.script import Outcome
from gossipd.agent.handlers.spec import parse_handlers
from gossipd.errors import UsageError
from gossipd.node.handle import Lost
from gossipd.serf.coalesce import Coalescer
from gossipd.serf.events import (
    ApplicationEvent,
    ChangeKind,
    MemberChange,
    MembersChanged,
    QueryClosed,
    QueryReceived,
    SerfMember,
    UserEventReceived,
)
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus


def member(name: str) -> SerfMember:
    address = Address(bytes([10, 0, 0, 4]), 7946)
    return SerfMember(name, address, {}, MemberStatus.ALIVE, Versions(), 1)


def joined(name: str) -> MemberChange:
    return MemberChange(ChangeKind.JOIN, member(name))


def told(*names: str) -> MembersChanged:
    return MembersChanged(ChangeKind.JOIN, tuple(member(name) for name in names))


def query(number: int, name: str = "load", lasts: float = 1e9) -> QueryReceived:
    return QueryReceived(number, 1, name, None, "b", trio.current_time() + lasts)


class Bench:
    """Applications without a node: what it would be asked is noted."""

    def __init__(self, *handlers: str) -> None:
        self.responses: list[tuple[int, bytes]] = []
        self.declined: list[int] = []
        self.log: list[tuple[str, str]] = []
        self.refusal = ""
        self.outcomes: dict[str, Outcome] = {}
        self.script_seconds = 1.0
        self.applications = Applications(
            Coalescer(3.0, 1.0),
            trio.current_time,
            self._respond,
            self._decline,
            lambda level, text: self.log.append((level, text)),
        )
        self.handlers = Handlers(
            parse_handlers(handlers),
            timeout=30.0,
            runs_max=4,
            identity=lambda: ("a", {}),
            answer=self.applications.run_ended,
            say=lambda level, text: self.log.append((level, text)),
            run=self._run,
        )
        self.applications.attach(self.handlers)

    def _respond(self, number: int, payload: bytes) -> None:
        if self.refusal:
            raise UsageError(self.refusal)
        self.responses.append((number, payload))

    def _decline(self, number: int) -> None:
        self.declined.append(number)

    async def _run(self, script: str, *_: object) -> Outcome:
        await trio.sleep(self.script_seconds)
        return self.outcomes.get(script, Outcome("", b"", b""))

    def take_in(self, *events: MemberChange | UserEventReceived | QueryReceived) -> None:
        for event in events:
            self.applications.take_in(event, trio.current_time())

    @contextmanager
    def reader(self, *names: str, capacity: int = 8) -> Iterator[Subscription[ApplicationEvent]]:
        """Follow coalesced events as one who may answer the queries ``names``."""
        with self.applications.subscribe(capacity, may_answer=lambda name: name in names) as events:
            yield events


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.handlers.run)
        nursery.start_soon(bench.applications.run)
        yield
        nursery.cancel_scope.cancel()


async def test_readers_are_told_at_once_or_gathered_as_they_like(autojump_clock: object) -> None:
    bench = Bench()
    subscribe = bench.applications.subscribe
    async with running(bench):
        with subscribe(8, coalesced=False) as quick, subscribe(8) as one, subscribe(8) as other:
            bench.take_in(joined("x"))
            assert await anext(quick) == told("x")
            await trio.sleep(0.5)
            bench.take_in(joined("y"))
            assert await anext(quick) == told("y")
            began = trio.current_time()
            assert await anext(one) == await anext(other) == told("x", "y")
            assert trio.current_time() == began + 1.0


async def test_events_of_no_concern_to_applications_are_not_told(autojump_clock: object) -> None:
    bench = Bench()
    with bench.applications.subscribe(1, coalesced=False) as events:
        for number in range(10):
            bench.applications.take_in(QueryClosed(number), 0.0)
        bench.take_in(joined("x"))
        bench.applications.close()
        assert [event async for event in events] == [told("x")]


async def test_a_slow_reader_loses_and_is_told(autojump_clock: object) -> None:
    bench = Bench()
    with bench.applications.subscribe(2, coalesced=False) as events:
        bench.take_in(*(joined(f"n{number}") for number in range(5)))
        bench.applications.close()
        assert [event async for event in events] == [told("n0"), told("n1"), Lost(3)]


async def test_what_was_gathered_is_told_at_the_end(autojump_clock: object) -> None:
    bench = Bench()
    with bench.applications.subscribe(8) as events:
        bench.take_in(joined("x"))
        bench.applications.close()
        assert [event async for event in events] == [told("x")]


async def test_handlers_are_told_what_was_gathered(autojump_clock: object) -> None:
    bench = Bench("member-join=x")
    taken: list[ApplicationEvent] = []

    def take(event: ApplicationEvent) -> int:
        taken.append(event)
        return 1

    bench.handlers.take = take  # type: ignore[method-assign]
    async with running(bench):
        bench.take_in(joined("x"), joined("y"))
        assert taken == []
        await trio.sleep(1.5)
        assert taken == [told("x", "y")]


# -- who may answer -----------------------------------------------------------


async def test_a_query_that_nobody_may_answer_is_declined_at_once(autojump_clock: object) -> None:
    bench = Bench("query:other=x")
    with bench.reader("reload"), bench.applications.subscribe(8):
        async with running(bench):
            bench.take_in(query(1))
            assert bench.declined == []  # not within the step that told of it
            await trio.testing.wait_all_tasks_blocked()
            assert bench.declined == [1]


async def test_a_query_that_a_reader_may_answer_is_left_to_it(autojump_clock: object) -> None:
    bench = Bench()
    async with running(bench):
        with bench.reader("load") as events:
            bench.take_in(query(1))
            assert await anext(events) == query(1)
            await trio.sleep(100)
            assert bench.declined == []


async def test_when_the_last_who_might_have_answered_goes_away_the_query_is_declined(
    autojump_clock: object,
) -> None:
    bench = Bench()
    async with running(bench):
        with ExitStack() as one, ExitStack() as other:
            one.enter_context(bench.reader("load"))
            other.enter_context(bench.reader("load", "other"))
            bench.take_in(query(1), query(2, "other"))
            one.close()
            await trio.sleep(1)
            assert bench.declined == []
            other.close()
            await trio.sleep(1)
        assert bench.declined == [1, 2]


async def test_a_handlers_output_is_the_answer(autojump_clock: object) -> None:
    bench = Bench("query:load=good", "query:load=silent")
    bench.outcomes["good"] = Outcome("", b"0.4", b"0.4")
    async with running(bench):
        bench.take_in(query(1))
        await trio.sleep(5)
    assert (bench.responses, bench.declined) == ([(1, b"0.4")], [])


async def test_when_all_handlers_ended_without_output_the_query_is_declined(
    autojump_clock: object,
) -> None:
    bench = Bench("query:load=silent", "query:load=bad")
    bench.outcomes["bad"] = Outcome("exit status 1", b"0.4", b"0.4")
    async with running(bench):
        bench.take_in(query(1))
        await trio.sleep(0.5)
        assert bench.declined == []
        await trio.sleep(5)
    assert (bench.responses, bench.declined) == ([], [1])


async def test_silent_handlers_do_not_take_the_word_of_a_reader(autojump_clock: object) -> None:
    bench = Bench("query:load=silent")
    async with running(bench):
        with bench.reader("load"):
            bench.take_in(query(1))
            await trio.sleep(5)
            assert bench.declined == []
        await trio.sleep(1)
        assert bench.declined == [1]


async def test_an_answer_that_is_refused_is_logged_and_the_asker_told(
    autojump_clock: object,
) -> None:
    bench = Bench("query:load=big")
    bench.outcomes["big"] = Outcome("", b"x", b"x" * 2000)
    bench.refusal = "response exceeds limit of 1024 bytes"
    async with running(bench):
        bench.take_in(query(1))
        await trio.sleep(1.5)
    assert (
        "WARN",
        "agent: Failed to respond to query 'query: load':"
        " failed to respond to key query: response exceeds limit of 1024 bytes",
    ) in bench.log
    assert bench.declined == [1]


async def test_who_may_answer_is_remembered_of_so_many_queries(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OPEN_QUERIES_MAX", 3)
    bench = Bench()
    async with running(bench):
        with bench.reader("load", capacity=100):
            bench.take_in(*(query(number, lasts=5) for number in range(1, 11)))
            assert list(bench.applications._open) == [8, 9, 10]
            await trio.sleep(6)
            bench.take_in(query(11))
            assert list(bench.applications._open) == [11]
        await trio.sleep(1)
    assert bench.declined == [11]
