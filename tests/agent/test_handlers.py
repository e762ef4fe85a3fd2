"""Handlers: side by side, bounded in number, never waited for, ended with the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from gossipd.agent.handlers import runner as room
from gossipd.agent.handlers.runner import END_WAIT, METRIC_NAME_MAX, Handlers
from gossipd.agent.handlers.script import OUTPUT_BYTES_MAX, Outcome
from gossipd.agent.handlers.spec import parse_handlers
from gossipd.agent.log.lines import escaped
from gossipd.agent.log.output import LINE_BYTES_MAX
from gossipd.serf.events import QueryReceived, UserEventReceived


def user(name: str, payload: bytes = b"") -> UserEventReceived:
    return UserEventReceived(1, name, payload, may_coalesce=False)


def query(number: int, deadline: float = 1e9) -> QueryReceived:
    return QueryReceived(number, 1, "load", None, "b", deadline)


class Shell:
    """Stands in for real scripts: one takes ``seconds`` and ends as ``outcomes`` says."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.seconds = 0.0
        self.began: list[tuple[str, bytes]] = []
        self.environments: list[Mapping[bytes, bytes]] = []
        self.running = 0
        self.most = 0
        self.cut_off = 0

    async def __call__(
        self, script: str, environment: Mapping[bytes, bytes], data: bytes, timeout: float
    ) -> Outcome:
        self.began.append((script, data))
        self.environments.append(environment)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await trio.sleep(self.seconds)
        except trio.Cancelled:
            self.cut_off += 1
            raise
        finally:
            self.running -= 1
        return self.outcomes.get(script, Outcome("", b"", b""))


class Bench:
    """Handlers with a stand-in shell, a log and what queries were answered."""

    def __init__(self, *texts: str, runs_max: int = 2) -> None:
        self.shell = Shell()
        self.log: list[tuple[str, str]] = []
        self.answers: list[tuple[int, bytes | None]] = []
        self.measured: list[tuple[str, int]] = []
        self.tags = {"role": "web"}
        self.handlers = Handlers(
            parse_handlers(texts),
            timeout=30.0,
            runs_max=runs_max,
            identity=lambda: ("a", self.tags),
            answer=lambda query, payload: self.answers.append((query.number, payload)),
            say=lambda level, text: self.log.append((level, text)),
            measure=lambda name, value: self.measured.append((name, round(value))),
            environment={b"GOSSIPD_SOCKET": b"/s"},
            run=self.shell,
        )

    def lines(self, level: str) -> list[str]:
        return [text for at, text in self.log if at == level]


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.handlers.run)
        yield
        nursery.cancel_scope.cancel()


async def test_each_wanted_event_runs_each_of_its_scripts(autojump_clock: object) -> None:
    bench = Bench("user:deploy=one", "two", "query=three")
    async with running(bench):
        assert bench.handlers.take(user("deploy", b"v1")) == 2
        assert bench.handlers.take(user("other")) == 1
        await trio.sleep(1)
    assert sorted(bench.shell.began) == [("one", b"v1\n"), ("two", b""), ("two", b"v1\n")]
    environment = bench.shell.environments[0]
    assert environment[b"SERF_SELF_NAME"] == b"a"
    assert environment[b"SERF_TAG_ROLE"] == b"web"
    assert environment[b"GOSSIPD_SOCKET"] == b"/s"
    assert b"PATH" in environment  # the daemon's own


async def test_a_run_is_timed_in_milliseconds_under_its_script(autojump_clock: object) -> None:
    bench = Bench("user=sleep 2", f"query={'x' * 500}")
    bench.shell.seconds = 2.0
    async with running(bench):
        bench.handlers.take(user("deploy"))
        bench.handlers.take(query(1))
        await trio.sleep(3)
    assert sorted(bench.measured) == [
        ("agent.invoke.sleep 2", 2000),
        ("agent.invoke." + "x" * METRIC_NAME_MAX, 2000),
    ]


async def test_scripts_run_side_by_side_but_only_so_many_at_once(autojump_clock: object) -> None:
    bench = Bench("x", runs_max=3)
    bench.shell.seconds = 10.0
    async with running(bench):
        for number in range(7):
            assert bench.handlers.take(user(f"e{number}")) == 1
        await trio.sleep(25)
        assert bench.shell.running == 1
        assert bench.shell.most == 3
        await trio.sleep(10)
        assert (bench.shell.running, len(bench.shell.began)) == (0, 7)
        assert bench.handlers.take(user("later")) == 1
        await trio.sleep(1)
        assert bench.shell.running == 1


async def test_what_is_taken_before_they_run_waits(autojump_clock: object) -> None:
    bench = Bench("x", runs_max=2)
    bench.shell.seconds = 10.0
    for number in range(3):
        assert bench.handlers.take(user(f"e{number}")) == 1
    async with running(bench):
        await trio.sleep(25)
        assert (bench.shell.most, len(bench.shell.began)) == (2, 3)


async def test_what_was_taken_never_runs_when_the_end_comes_first(autojump_clock: object) -> None:
    bench = Bench("x")
    bench.handlers.take(user("early"))
    await bench.handlers.finish()
    async with running(bench):
        assert bench.handlers.take(user("late")) == 0
        await trio.sleep(1)
    assert bench.shell.began == []


async def test_too_many_runs_are_dropped_counted_and_told_once_a_second(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAITING_MAX", 4)
    bench = Bench("x", runs_max=1)
    bench.shell.seconds = 100.0
    async with running(bench):
        assert sum(bench.handlers.take(user(f"e{number}")) for number in range(20)) == 5
        assert bench.handlers.dropped == 15
        for _ in range(3):
            await trio.sleep(0.3)
            assert bench.handlers.take(user("more")) == 0
        assert len(bench.lines("ERR")) == 1
        await trio.sleep(10)
        assert bench.handlers.take(user("much later")) == 0
        await trio.sleep(0.1)
    assert bench.lines("ERR") == [
        f"agent: {count} event handler runs dropped: 1 run and 4 wait already"
        for count in (15, 3, 1)
    ]


async def test_slow_scripts_are_named_while_they_run(autojump_clock: object) -> None:
    bench = Bench("slow.sh")
    bench.shell.seconds = 0.9
    async with running(bench):
        bench.handlers.take(user("x"))
        await trio.sleep(5)
        assert bench.lines("WARN") == []
        bench.shell.seconds = 9.0
        bench.handlers.take(user("x"))
        await trio.sleep(2)
        warning = "agent: Script 'slow.sh' slow, execution exceeding 1s"
        assert bench.lines("WARN") == [warning]


async def test_output_and_exit_code_are_logged(autojump_clock: object) -> None:
    bench = Bench("ok", "bad")
    bench.shell.outcomes = {
        "ok": Outcome("", b"fine\n\xff", b""),
        "bad": Outcome("exit status 3", b"oh no", b""),
    }
    async with running(bench):
        bench.handlers.take(user("x"))
        await trio.sleep(1)
    assert bench.lines("ERR") == ["agent: Error invoking script 'bad': exit status 3"]
    assert sorted(bench.lines("DEBUG")) == [
        "agent: Event 'user' script output: fine\\n\\xff",
        "agent: Event 'user' script output: oh no",
        "agent: Script 'ok' ended after 0.0s: exit status 0",
    ]


@pytest.mark.parametrize("letter", ["a", "€", "\0", "\U0010fffe"])
async def test_a_long_output_is_logged_whole_in_lines_that_are_not_cut(
    letter: str, autojump_clock: object
) -> None:
    output = (letter * OUTPUT_BYTES_MAX).encode()[:OUTPUT_BYTES_MAX]
    bench = Bench("long")
    bench.shell.outcomes["long"] = Outcome("", output, b"")
    async with running(bench):
        bench.handlers.take(user("x"))
        await trio.sleep(1)
    *lines, _ = bench.lines("DEBUG")
    assert max(len(line.encode()) for line in lines) < LINE_BYTES_MAX - 100
    whole = "".join(line.removeprefix("agent: Event 'user' script output: ") for line in lines)
    assert whole == escaped(output.decode(errors="backslashreplace"))


async def test_a_query_is_answered_with_stdout_of_a_script_that_succeeded(
    autojump_clock: object,
) -> None:
    bench = Bench("query=ok", "query=silent", "query=bad", "query=huge", runs_max=1)
    bench.shell.outcomes = {
        "ok": Outcome("", b"0.4\nwarning", b"0.4\n"),
        "silent": Outcome("", b"only on stderr", b""),
        "bad": Outcome("exit status 1", b"0.5", b"0.5"),
        "huge": Outcome("", b"...", None),
    }
    async with running(bench):
        assert bench.handlers.take(query(5)) == 4
        await trio.sleep(1)
    assert bench.answers == [(5, b"0.4\n"), (5, None), (5, None), (5, None)]
    assert bench.lines("WARN") == [
        "agent: Failed to respond to query 'query: load': the script wrote more than a MiB"
    ]


async def test_a_query_that_is_over_when_its_turn_comes_is_not_run(autojump_clock: object) -> None:
    bench = Bench("x", runs_max=1)
    bench.shell.seconds = 10.0
    async with running(bench):
        bench.handlers.take(user("first"))
        bench.handlers.take(query(3, deadline=trio.current_time() + 5))
        await trio.sleep(11)
    assert len(bench.shell.began) == 1
    assert bench.answers == [(3, None)]
    assert bench.lines("WARN")[-1] == "agent: Script 'x' not run: query: load was over"


async def test_handlers_are_replaced_and_running_ones_finish(autojump_clock: object) -> None:
    bench = Bench("user=old", runs_max=1)
    bench.shell.seconds = 5.0
    async with running(bench):
        bench.handlers.take(user("one"))
        bench.handlers.take(user("two"))
        new = parse_handlers(["query:load=new"])
        bench.handlers.set_handlers(new, timeout=1.0, runs_max=1)
        assert bench.handlers.listed() == {"query:load": "new"}
        assert bench.handlers.take(user("three")) == 0
        await trio.sleep(11)
    assert bench.shell.began == [("old", b""), ("old", b"")]
    assert bench.shell.cut_off == 0


async def test_at_the_end_runs_are_waited_for(autojump_clock: object) -> None:
    bench = Bench("x", runs_max=1)
    bench.shell.seconds = 1.0
    async with running(bench):
        bench.handlers.take(user("one"))
        bench.handlers.take(user("two"))
        await bench.handlers.finish()
        assert len(bench.shell.began) == 2
        assert (bench.shell.running, bench.shell.cut_off) == (0, 0)
        assert bench.handlers.take(user("three")) == 0
        await bench.handlers.finish()  # a second time is harmless


async def test_at_the_end_runs_are_not_waited_for_long(autojump_clock: object) -> None:
    bench = Bench("x", runs_max=1)
    bench.shell.seconds = 1000.0
    began = trio.current_time()
    async with running(bench):
        bench.handlers.take(user("one"))
        bench.handlers.take(user("two"))
        await bench.handlers.finish()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() - began == pytest.approx(END_WAIT)
        assert bench.shell.cut_off == 1
    assert "agent: 2 event handler runs cut off, the daemon ends" in bench.lines("WARN")


async def test_who_is_in_a_hurry_waits_for_no_run(autojump_clock: object) -> None:
    bench = Bench("x")
    bench.shell.seconds = 1000.0
    hurried = trio.Event()
    async with running(bench):
        bench.handlers.take(user("one"))
        await trio.sleep(1)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.handlers.finish, hurried)
            await trio.sleep(1)
            assert bench.shell.running == 1
            hurried.set()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == began + 1
        assert (bench.shell.running, bench.shell.cut_off) == (0, 1)


async def test_an_agent_without_handlers_ends_at_once(autojump_clock: object) -> None:
    bench = Bench()
    async with running(bench):
        began = trio.current_time()
        assert bench.handlers.take(user("x")) == 0
        await bench.handlers.finish()
        assert trio.current_time() == began


async def test_cancelling_ends_every_run(autojump_clock: object) -> None:
    bench = Bench("x")
    bench.shell.seconds = 1000.0
    async with running(bench):
        bench.handlers.take(user("one"))
        bench.handlers.take(user("two"))
        await trio.sleep(1)
    assert (bench.shell.running, bench.shell.cut_off) == (0, 2)
