"""Own services: whatever happens, at rest others know what is so, within all bounds."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.catalog.checks import Check
from gossipd.catalog.loads import LoadMeter
from gossipd.config.model import CatalogConfig
from gossipd.errors import Unavailable, UsageError
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.instance import worst
from gossipd.services.own import FROM_CLIENT
from support.catalog_bench import US, CatalogBench

IDS = ("a", "b", "c")
statuses = st.sampled_from(("passing", "warning", "critical"))
ids = st.sampled_from(IDS)


@st.composite
def services(draw: st.DrawFn) -> Service:
    id = draw(ids)
    kinds = draw(st.lists(st.sampled_from(("http", "ttl", "alias")), max_size=3, unique=True))
    checks = tuple(
        CheckDefinition(
            id=f"{id}-{kind}",
            kind=kind,
            target=draw(st.sampled_from([other for other in IDS if other != id])),
            ttl=draw(st.sampled_from((5.0, 60.0))),
            status=draw(statuses),
            passes_needed=draw(st.integers(1, 2)),
            failures_before_critical=draw(st.integers(1, 3)),
            grace=draw(st.sampled_from((0.0, 10.0))),
        )
        for kind in kinds
    )
    return Service(id=id, name="s", weight=draw(st.sampled_from((0, 1, 100))), checks=checks)


Step: TypeAlias = tuple[str, str, object]
steps = st.one_of(
    st.tuples(st.just("register"), ids, services()),
    st.tuples(st.just("deregister"), ids, st.none()),
    st.tuples(st.just("result"), ids, statuses),
    st.tuples(st.just("report"), ids, statuses),
    st.tuples(st.just("load"), ids, st.floats(0.0, 1.0)),
    st.tuples(st.just("maintain"), st.sampled_from((*IDS, "")), st.sampled_from(("x", None))),
    st.tuples(st.just("drain"), st.sampled_from((*IDS, "")), st.sampled_from((0.0, 3.0, 30.0))),
    st.tuples(st.just("wait"), ids, st.sampled_from((0.1, 1.0, 20.0))),
)


def do(bench: CatalogBench, step: Step, now: float) -> None:
    kind, id, what = step
    provider = bench.provider
    if kind == "register":
        assert isinstance(what, Service)
        provider.register(what, FROM_CLIENT, now)
    elif kind == "deregister":
        provider.deregister(id, now)
    elif kind == "result":
        provider.check_result(f"{id}-http", str(what), f"{what} at {now}", None, now)
    elif kind == "report":
        provider.report_check(f"{id}-ttl", str(what), "", None, now)
    elif kind == "load":
        assert isinstance(what, float)
        provider.report_load(id, what, now)
    elif kind == "maintain":
        assert what is None or isinstance(what, str)
        provider.set_maintenance(id, what, now)
    elif kind == "drain":
        assert isinstance(what, float)
        provider.drain(id, what, now)


def check_rest(bench: CatalogBench) -> None:
    """Look whether what others know is what is so."""
    own = bench.provider.own()
    records = bench.replica.records(US)
    shown = {one.service.id: one for one in bench.view("s").instances}
    assert list(shown) == [each.service.id for each in own.services]
    for each in own.services:
        assert records is not None
        item = records.items[each.service.id]
        assert item.service is not None
        assert item.service.weight == each.service.weight
        assert [c.id for c in item.service.checks] == [c.id for c in each.service.checks]
        if item.state_version:
            assert item.state == each.state
        one = shown[each.service.id]
        outs = (each.state.maintenance or own.node.maintenance, own.node.is_draining)
        own_status = worst(tuple(check.status for check in each.checks))
        assert one.status == ("critical" if outs[0] else own_status)
        assert one.weight == (0 if own.node.is_draining else each.state.weight)
        assert one.checks == each.checks
        assert 0 <= one.weight <= max(each.service.weight, each.service.warning_weight)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40), st.sampled_from((0.3, 50.0)))
def test_at_rest_others_know_what_is_so(history: list[Step], rate: float) -> None:
    bench = CatalogBench(CatalogConfig(changes_per_second=rate, checks_max=3))
    now = 100.0
    for step in history:
        if step[0] == "wait":
            assert isinstance(step[2], float)
            now += step[2]
        bench.run_until(now)
        try:
            do(bench, step, now)
        except (UsageError, Unavailable):
            continue
    bench.run_until(now + 1000.0)
    check_rest(bench)
    # only what runs by itself may still wake us
    assert bench.timers.next_deadline() is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 5.0)), min_size=1, max_size=30),
    st.floats(0.0, 10.0),
)
def test_what_counts_of_a_load_is_between_its_reports_and_arrives(
    reports: list[tuple[float, float]], rest: float
) -> None:
    now = 0.0
    meter = LoadMeter(reports[0][0], now)
    low = high = reports[0][0]
    for load, pause in reports:
        meter.report(load, now)
        low, high = min(low, load), max(high, load)
        now += pause
        assert low - 0.006 <= meter.level(now) <= high + 0.006
    last, before = reports[-1][0], meter.level(now)
    assert abs(meter.level(now + rest) - last) <= abs(before - last) + 0.011
    assert meter.level(now + rest + 2.0) == round(last, 2)


@settings(max_examples=200, deadline=None)
@given(st.lists(statuses, max_size=30), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_a_status_changes_only_after_enough_results_in_a_row(
    results: list[str], passes: int, warnings: int, failures: int
) -> None:
    definition = CheckDefinition(
        id="c",
        kind="http",
        passes_needed=passes,
        failures_before_warning=min(warnings, failures),
        failures_before_critical=failures,
    )
    check = Check(definition, "web", 0.0)
    for place, result in enumerate(results):
        before = check.status
        changed = check.take_result(result, "", float(place))
        assert changed == (check.status != before)
        said = results[: place + 1]
        if changed and check.status == "critical":
            assert said[-failures:] == ["critical"] * failures
        if changed and check.status == "passing":
            assert said[-passes:] == ["passing"] * passes
        if len(said) >= passes and set(said[-passes:]) == {"passing"}:
            assert check.status == "passing"
        if len(said) >= failures and set(said[-failures:]) == {"critical"}:
            assert check.status == "critical"
