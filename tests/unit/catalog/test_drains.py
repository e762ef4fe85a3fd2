"""Maintenance and drains: out of passing, step by step."""

from __future__ import annotations

import math

import pytest

from gossipd.catalog.events import ServiceEnded
from gossipd.errors import UsageError
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG
from gossipd.value import replace
from support.catalog_bench import CatalogBench


@pytest.fixture
def bench() -> CatalogBench:
    bench = CatalogBench()
    for id in ("web", "db"):
        bench.provider.register(Service(id=id, name=id, weight=10), FROM_CLIENT, 0.0)
    bench.outbox.take_events()
    return bench


def told(bench: CatalogBench, name: str = "web") -> tuple[int, str, str]:
    (instance,) = bench.view(name).instances
    return instance.weight, instance.status, instance.maintenance


def test_maintenance_takes_a_service_out_and_says_why(bench: CatalogBench) -> None:
    bench.provider.set_maintenance("web", "disk swap", 1.0)
    assert told(bench) == (10, "critical", "disk swap")
    assert told(bench, "db") == (10, "passing", "")
    bench.provider.set_maintenance("web", None, 2.0)
    assert told(bench) == (10, "passing", "")


def test_maintenance_of_the_node_is_that_of_all_its_services(bench: CatalogBench) -> None:
    bench.provider.set_maintenance("", "", 1.0)
    assert told(bench)[1:] == ("critical", "maintenance")
    assert told(bench, "db")[1:] == ("critical", "maintenance")
    assert bench.provider.own().node.maintenance == "maintenance"


def test_a_reason_is_bounded(bench: CatalogBench) -> None:
    with pytest.raises(UsageError, match="reason: at most 512 bytes"):
        bench.provider.set_maintenance("web", "é" * 300, 1.0)


def test_a_drained_service_loses_weight_then_passing_then_goes(bench: CatalogBench) -> None:
    bench.provider.drain("web", 10.0, 100.0)
    assert told(bench) == (0, "passing", "")
    bench.run_until(104.9)
    assert told(bench) == (0, "passing", "")
    bench.run_until(105.0)
    assert told(bench) == (0, "critical", "draining")
    bench.run_until(109.9)
    assert bench.view("web").instances != ()
    bench.run_until(110.0)
    assert bench.view("web").instances == ()
    assert bench.events(ServiceEnded) == [ServiceEnded("web", "drained")]
    assert told(bench, "db") == (10, "passing", "")


def test_a_drained_node_keeps_its_services_out(bench: CatalogBench) -> None:
    bench.provider.drain("", 10.0, 100.0)
    assert told(bench) == (0, "passing", "")
    bench.run_until(105.0)
    assert told(bench) == (0, "critical", "draining")
    bench.run_until(1000.0)
    assert told(bench, "db") == (0, "critical", "draining")


@pytest.mark.parametrize("service", ["web", ""])
def test_a_drain_can_be_ended(bench: CatalogBench, service: str) -> None:
    bench.provider.drain(service, 10.0, 100.0)
    bench.run_until(106.0)
    bench.provider.drain(service, 0.0, 106.0)
    assert told(bench) == (10, "passing", "")
    bench.run_until(1000.0)
    assert told(bench) == (10, "passing", "")


@pytest.mark.parametrize("port", [80, 81], ids=["same", "changed"])
def test_whoever_registers_anew_is_not_taken_back_by_the_drain(
    bench: CatalogBench, port: int
) -> None:
    bench.provider.drain("web", 10.0, 100.0)
    bench.run_until(104.0)
    before = next(own.service for own in bench.provider.own().services if own.service.id == "web")
    bench.provider.register(replace(before, port=port), FROM_CLIENT, 104.0)
    assert told(bench) == (before.weight, "passing", "")
    bench.run_until(120.0)
    assert told(bench) == (before.weight, "passing", "")


def test_a_reload_and_a_further_check_end_no_drain(bench: CatalogBench) -> None:
    bench.provider.register(Service(id="file", name="file"), FROM_CONFIG, 100.0)
    bench.provider.drain("file", 10.0, 100.0)
    bench.provider.drain("web", 10.0, 100.0)
    bench.provider.register(Service(id="file", name="file", port=1), FROM_CONFIG, 101.0)
    bench.provider.register_check(CheckDefinition(id="late", ttl=30.0), "web", 101.0)
    bench.run_until(120.0)
    ended = set(bench.events(ServiceEnded))
    assert ended == {ServiceEnded("file", "drained"), ServiceEnded("web", "drained")}


def test_a_second_drain_takes_the_place_of_the_first(bench: CatalogBench) -> None:
    bench.provider.drain("web", 10.0, 100.0)
    bench.provider.drain("web", 100.0, 101.0)
    bench.run_until(111.0)
    assert told(bench) == (0, "passing", "")
    bench.run_until(201.0)
    assert bench.view("web").instances == ()


def test_what_cannot_be_drained_is_refused(bench: CatalogBench) -> None:
    with pytest.raises(UsageError, match="no service of the id 'nope'"):
        bench.provider.drain("nope", 1.0, 1.0)
    for seconds in (math.inf, math.nan):
        with pytest.raises(UsageError, match="seconds is"):
            bench.provider.drain("web", seconds, 1.0)


def test_drains_that_replace_each_other_leave_one_timer(bench: CatalogBench) -> None:
    for seconds in range(1, 50):
        bench.provider.drain("web", float(seconds), 1.0)
        bench.provider.drain("", float(seconds), 1.0)
    assert len(bench.timers) == 2
    bench.provider.deregister("web", 2.0)
    bench.provider.drain("", 0.0, 2.0)
    assert len(bench.timers) == 0
