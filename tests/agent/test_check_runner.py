"""When checks run, how many at once, and that none of them can hold up another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random

import pytest
import trio
import trio.testing

from gossipd.agent.checks.result import Result, beginning, end, load_from, load_in
from gossipd.agent.checks.runner import FAILED, LATE_RUNS, RUN, TOOK, CheckRunner
from gossipd.ledger import Ledger
from gossipd.services.definition import (
    CRITICAL,
    OUTPUT_BYTES_MAX,
    PASSING,
    SCRIPT,
    TCP,
    CheckDefinition,
)


class Bench:
    """A runner whose checks take as long as the test says."""

    def __init__(self, nursery: trio.Nursery, runs_max: int = 4) -> None:
        self.reports: list[tuple[str, Result, float]] = []
        self.began: list[tuple[str, str, float]] = []
        self.running = 0
        self.most = 0
        self.run: Callable[[CheckDefinition], Awaitable[Result]] = self.pass_at_once
        self.lines: list[str] = []
        self.ledger = Ledger()
        self.runner = CheckRunner(
            lambda check, result: self.reports.append((check, result, trio.current_time())),
            runs_max=runs_max,
            random=Random(1),
            say=lambda level, text: self.lines.append(f"[{level}] {text}"),
            tally=self.ledger,
            run=self._run,
        )
        self.nursery = nursery

    async def start(self) -> None:
        await self.nursery.start(self.runner.run)

    async def _run(self, check: CheckDefinition, service: str) -> Result:
        self.began.append((check.id, service, trio.current_time()))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.run(check)
        finally:
            self.running -= 1

    async def pass_at_once(self, check: CheckDefinition) -> Result:
        await trio.lowlevel.checkpoint()
        return Result(PASSING)

    async def hang(self, check: CheckDefinition) -> Result:
        await trio.sleep_forever()

    def times(self, check: str) -> list[float]:
        return [at for found, _, at in self.reports if found == check]


def tcp(check: str, interval: float = 10.0, timeout: float = 5.0) -> CheckDefinition:
    return CheckDefinition(id=check, kind=TCP, target="x:1", interval=interval, timeout=timeout)


async def test_a_check_runs_soon_and_then_at_its_interval_with_jitter(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)
    await bench.start()
    began = trio.current_time()
    bench.runner.start(tcp("a"), "web")
    await trio.sleep(100)
    times = bench.times("a")
    assert times[0] - began <= 3.0
    gaps = [after - before for before, after in pairwise(times)]
    assert all(9.0 <= gap <= 11.0 for gap in gaps)
    assert len(set(gaps)) > 1
    assert bench.began[0][:2] == ("a", "web")
    assert bench.ledger.counts[RUN] == len(times)
    assert bench.ledger.read()[TOOK].count == len(times)


async def test_checks_that_were_started_together_do_not_run_together(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)
    for number in range(50):
        bench.runner.start(tcp(f"c{number}"), "web")
    await bench.start()
    await trio.sleep(3.1)
    firsts = [at for _, _, at in bench.began]
    assert len(firsts) == 50
    assert len({round(at, 1) for at in firsts}) > 15


async def test_a_check_that_hangs_is_critical_at_its_timeout_and_tried_again(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)
    bench.run = bench.hang
    await bench.start()
    bench.runner.start(tcp("a", interval=1.0, timeout=30.0), "web")
    await trio.sleep(70)
    assert [result for _, result, _ in bench.reports] == [
        Result(CRITICAL, "timed out after 30s"),
        Result(CRITICAL, "timed out after 30s"),
    ]
    gap = bench.times("a")[1] - bench.times("a")[0]
    assert gap == pytest.approx(30.1)  # it rests, though its interval is over long since
    assert bench.ledger.counts[FAILED] == 2


async def test_only_so_many_run_at_once_and_the_rest_is_late_and_counted(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery, runs_max=2)
    bench.run = bench.hang
    await bench.start()
    for number in range(6):
        bench.runner.start(tcp(f"c{number}"), "web")
    await trio.sleep(14)
    assert bench.most == 2
    assert len(bench.reports) == 4
    assert bench.ledger.counts[LATE_RUNS] >= 2
    bench.runner.set_runs_max(6)
    await trio.sleep(10)
    assert bench.most > 2


async def test_a_check_that_is_replaced_or_stopped_reports_nothing_more(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)

    async def slowly(check: CheckDefinition) -> Result:
        await trio.sleep(2)
        return Result(PASSING, check.target)

    bench.run = slowly
    await bench.start()
    bench.runner.start(tcp("a", interval=0.1), "web")
    await trio.sleep(1)
    assert bench.running == 1
    bench.runner.start(
        CheckDefinition(id="a", kind=TCP, target="new:1", interval=0.1, timeout=5.0), "web"
    )
    await trio.sleep(3)
    assert {result.output for _, result, _ in bench.reports} == {"new:1"}
    count = len(bench.reports)
    bench.runner.stop("a")
    bench.runner.stop("never-there")
    await trio.sleep(10)
    assert (len(bench.reports), bench.running, len(bench.runner)) == (count, 0, 0)


async def test_a_check_stopped_before_the_runner_runs_never_runs(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)
    bench.runner.start(tcp("a"), "web")
    bench.runner.start(tcp("b"), "web")
    bench.runner.stop("a")
    await bench.start()
    await trio.sleep(10)
    assert {check for check, _, _ in bench.began} == {"b"}


async def test_a_defect_in_a_check_is_told_and_the_others_go_on(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)

    async def one_breaks(check: CheckDefinition) -> Result:
        await trio.lowlevel.checkpoint()
        if check.id == "bad":
            raise KeyError("oops")
        return Result(PASSING)

    bench.run = one_breaks
    await bench.start()
    bench.runner.start(tcp("bad"), "web")
    bench.runner.start(tcp("good"), "web")
    await trio.sleep(20)
    said = {check: result for check, result, _ in bench.reports}
    assert said == {
        "bad": Result(CRITICAL, "cannot be run: KeyError: 'oops'"),
        "good": Result(PASSING),
    }
    assert any("Traceback" in line for line in bench.lines)


async def test_a_script_is_left_the_time_to_be_ended_politely(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    bench = Bench(nursery)

    async def ends_itself(check: CheckDefinition) -> Result:
        await trio.sleep(check.timeout + 2.0)
        return Result(CRITICAL, "killed")

    bench.run = ends_itself
    await bench.start()
    check = CheckDefinition(id="a", kind=SCRIPT, args=("x",), interval=5.0, timeout=5.0)
    bench.runner.start(check, "web")
    await trio.sleep(11)
    assert bench.reports[0][1] == Result(CRITICAL, "killed")


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("0.5", 0.5), ("0", 0.0), ("1e-3", 0.001), (" 1 ", 1.0), ("7", 1.0), ("-1", None),
        ("nan", None), ("inf", None), ("", None), ("busy", None), ("0" * 40, None),
    ],
)  # fmt: skip
def test_a_load_is_a_number_from_0_on(text: str, load: float | None) -> None:
    assert load_from(text) == load


@pytest.mark.parametrize(
    ("output", "load"),
    [
        ("fine\nload=0.73\n", 0.73), ("load=1", 1.0), ("load=0.1\nfine", None),
        ("fine load=0.1", None), ("", None), ("load=", None), ("x" * 9000, None),
    ],
)  # fmt: skip
def test_the_last_line_of_an_output_may_tell_of_load(output: str, load: float | None) -> None:
    assert load_in(output) == load


@pytest.mark.parametrize("text", ["x" * 10_000, "é" * 10_000, "€" * 10_000, "\udcff" * 5000, ""])
def test_an_output_is_cut_between_letters(text: str) -> None:
    for cut in (beginning(text), end(text)):
        size = len(cut.encode())
        assert size <= OUTPUT_BYTES_MAX
        assert size > OUTPUT_BYTES_MAX - 4 or size == len(text)
        assert set(cut) <= set(text) | {"?"}
