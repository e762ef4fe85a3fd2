"""Loads: a weight follows within a second, damped and bounded."""

from __future__ import annotations

import math

import pytest

from gossipd.catalog.loads import LoadMeter, weight_under
from gossipd.errors import UsageError
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT
from support.catalog_bench import FIRST_INDEX, CatalogBench


@pytest.fixture
def bench() -> CatalogBench:
    bench = CatalogBench()
    service = Service(id="web", name="web", weight=100, warning_weight=10)
    bench.provider.register(service, FROM_CLIENT, 0.0)
    return bench


def weight(bench: CatalogBench) -> int:
    return bench.view("web").instances[0].weight


@pytest.mark.parametrize(
    ("load", "defined", "expected"),
    [(None, 7, 7), (0.0, 7, 7), (0.5, 100, 50), (1.0, 100, 1), (1.0, 0, 0), (0.9, 1, 1)],
)
def test_a_weight_under_load(load: float | None, defined: int, expected: int) -> None:
    assert weight_under(load, defined) == expected


def test_the_first_report_counts_at_once(bench: CatalogBench) -> None:
    bench.provider.report_load("web", 0.25, 10.0)
    assert weight(bench) == 75
    assert bench.view("web").instances[0].load == 0.25


def test_a_step_arrives_within_a_second_without_a_further_report(bench: CatalogBench) -> None:
    bench.provider.report_load("web", 0.0, 10.0)
    bench.provider.report_load("web", 1.0, 20.0)
    assert weight(bench) == 100
    bench.run_until(21.0)
    assert weight(bench) <= 10
    bench.run_until(25.0)
    assert (weight(bench), bench.view("web").instances[0].load) == (1, 1.0)
    assert bench.timers.next_deadline() is None


def test_a_spike_moves_little(bench: CatalogBench) -> None:
    bench.provider.report_load("web", 0.0, 10.0)
    bench.provider.report_load("web", 1.0, 20.0)
    bench.provider.report_load("web", 0.0, 20.05)
    bench.run_until(30.0)
    changes = bench.shelves.changes("web", FIRST_INDEX) or ()
    lowest = min(change.instance.weight for change in changes)
    assert lowest >= 80
    assert weight(bench) == 100


def test_it_is_told_at_most_each_interval(bench: CatalogBench) -> None:
    puts = len(bench.puts)
    for step in range(1000):
        now = 10.0 + step / 100
        bench.run_until(now)
        bench.provider.report_load("web", (step % 7) / 6, now)
    assert len(bench.puts) - puts <= 21


def test_a_move_that_is_too_small_is_not_told(bench: CatalogBench) -> None:
    bench.provider.report_load("web", 0.5, 10.0)
    puts = len(bench.puts)
    meter = LoadMeter(0.5, 0.0)
    meter.tell(0.0)
    meter.report(0.54, 1.0)
    assert not meter.is_news(1.1)
    assert meter.is_news(10.0)
    bench.provider.report_load("web", 0.5, 20.0)
    bench.run_until(100.0)
    assert len(bench.puts) == puts


def test_a_warning_service_has_its_own_weight_under_the_same_load(bench: CatalogBench) -> None:
    bench.provider.register_check(CheckDefinition(id="t", ttl=100.0), "web", 1.0)
    bench.provider.report_check("t", "warning", "", 0.5, 2.0)
    assert weight(bench) == 5


@pytest.mark.parametrize("load", [-0.1, 1.1, math.nan, math.inf])
def test_what_is_no_load_is_refused(bench: CatalogBench, load: float) -> None:
    with pytest.raises(UsageError, match=r"0 \(idle\) to 1 \(full\)"):
        bench.provider.report_load("web", load, 1.0)


def test_a_check_that_prints_a_load_reports_it(bench: CatalogBench) -> None:
    check = CheckDefinition(id="s", kind="script", args=("x",), status="passing")
    bench.provider.register_check(check, "web", 1.0)
    bench.provider.check_result("s", "passing", "load 0.4", 0.4, 2.0)
    assert weight(bench) == 60
    bench.provider.check_result("s", "passing", "load 4", 4.0, 2.0)
    assert weight(bench) == 60
