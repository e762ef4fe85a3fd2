"""When others are told: statuses at once, floods together, outputs lazily."""

from __future__ import annotations

from gossipd.catalog.events import CheckChanged, ServiceEnded
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG
from support.catalog_bench import CatalogBench


def checked(id: str = "web", **fields: object) -> Service:
    check = CheckDefinition(id=f"{id}-check", kind="http", **fields)  # type: ignore[arg-type]
    return Service(id=id, name=id, checks=(check,))


def bench_with(*services: Service, **config: float) -> CatalogBench:
    bench = CatalogBench(CatalogConfig(**config))  # type: ignore[arg-type]
    for service in services:
        bench.provider.register(service, FROM_CONFIG, 0.0)
    bench.puts.clear()
    return bench


def test_a_service_without_checks_needs_one_word_only() -> None:
    bench = bench_with()
    bench.provider.register(Service(id="a", name="a", weight=7), FROM_CLIENT, 0.0)
    assert bench.puts == [("service", "a")]
    assert bench.view("a").instances[0].weight == 7


def test_a_status_is_told_at_once_and_its_output_with_it() -> None:
    bench = bench_with(checked())
    bench.provider.check_result("web-check", True, "200", None, 1.0)
    assert bench.puts == [("state", "web"), ("outputs", "web")]


def test_an_output_alone_is_told_lazily_and_the_last_of_them() -> None:
    bench = bench_with(checked(), output_interval=60.0)
    bench.provider.check_result("web-check", True, "200", None, 1.0)
    bench.puts.clear()
    for second in range(2, 50):
        bench.provider.check_result("web-check", True, f"{second} ms", None, float(second))
    bench.run_until(60.9)
    assert bench.puts == []
    bench.run_until(67.0)
    assert bench.puts == [("outputs", "web")]
    assert bench.view("web").instances[0].checks[0].output == "49 ms"
    bench.run_until(1000.0)
    assert bench.puts == [("outputs", "web")]


def test_a_status_that_flaps_costs_no_more_than_the_rate() -> None:
    bench = bench_with(checked(), changes_per_second=2.0)
    for step in range(1000):
        now = 10.0 + step / 10
        bench.run_until(now)
        bench.provider.check_result("web-check", step % 2 == 0, "", None, now)
    states = [put for put in bench.puts if put[0] == "state"]
    assert len(states) <= 20 + 200 + 1
    bench.run_until(200.0)
    assert bench.own_status("web") == "critical"
    assert bench.provider.own().services[0].state.statuses == ("critical",)


def test_what_waits_is_told_once_with_its_latest_status() -> None:
    services = [checked(f"s{number}") for number in range(30)]
    bench = bench_with(*services, changes_per_second=1.0)
    for result in (True, False, True):
        for service in services:
            bench.provider.check_result(f"{service.id}-check", result, "", None, 1.0)
    bench.run_until(100.0)
    statuses = {bench.own_status(service.id) for service in services}
    assert statuses == {"passing"}
    assert len([put for put in bench.puts if put[0] == "state"]) <= 40


def test_loads_do_not_keep_a_status_waiting() -> None:
    busy = [Service(id=f"b{number}", name="b", weight=100) for number in range(40)]
    bench = bench_with(checked(), *busy, changes_per_second=2.0)
    for step in range(100):
        now = 10.0 + step / 10
        bench.run_until(now)
        for service in busy:
            bench.provider.report_load(service.id, step % 2, now)
    bench.provider.check_result("web-check", True, "", None, 20.0)
    assert bench.own_status("web") == "passing"


def test_a_deregistered_service_is_not_told_later() -> None:
    bench = bench_with(checked(), changes_per_second=0.1)
    for step in range(5):
        bench.provider.check_result("web-check", step % 2 == 0, f"{step}", None, 1.0)
    bench.provider.deregister("web", 2.0)
    bench.puts.clear()
    bench.run_until(1000.0)
    assert bench.puts == []


def test_what_finds_no_room_is_told_when_there_is_some() -> None:
    bench = bench_with(checked())
    bench.own.is_full = True
    bench.provider.check_result("web-check", True, "", None, 1.0)
    bench.run_until(5.0)
    assert bench.own_status("web") == "critical"
    bench.own.is_full = False
    bench.run_until(6.0)
    assert bench.own_status("web") == "passing"


def test_a_silent_provider_is_critical_when_its_ttl_is_over() -> None:
    service = Service(id="web", name="web", checks=(CheckDefinition(id="t", ttl=10.0),))
    bench = bench_with(service)
    for now in range(1, 50, 5):
        bench.run_until(float(now))
        bench.provider.report_check("t", "passing", "", None, float(now))
    assert bench.own_status("web") == "passing"
    bench.outbox.take_events()
    bench.run_until(55.9)
    assert bench.own_status("web") == "passing"
    bench.run_until(56.0)
    assert bench.own_status("web") == "critical"
    assert bench.events(CheckChanged) == [
        CheckChanged("t", "web", "passing", "critical", "no word from the provider for 10 s")
    ]


def test_a_service_critical_for_too_long_deregisters_itself() -> None:
    bench = bench_with(checked(deregister_after=30.0))
    bench.provider.check_result("web-check", True, "", None, 20.0)
    bench.provider.check_result("web-check", False, "refused", None, 25.0)
    bench.run_until(54.9)
    assert bench.own_status("web") == "critical"
    bench.run_until(55.0)
    assert bench.view("web").instances == ()
    assert bench.events(ServiceEnded) == [
        ServiceEnded("web", "check web-check was critical for 30 s")
    ]


def alias(id: str, target: str) -> Service:
    check = CheckDefinition(id=f"{id}-alias", kind="alias", target=target)
    return Service(id=id, name=id, checks=(check,))


def test_an_alias_shows_how_the_other_service_is() -> None:
    bench = bench_with(alias("site", "web"))
    assert bench.own_status("site") == "critical"
    bench.provider.register(checked(), FROM_CLIENT, 1.0)
    bench.provider.check_result("web-check", True, "", None, 2.0)
    assert bench.own_status("site") == "passing"
    bench.provider.set_maintenance("web", "x", 3.0)
    assert bench.own_status("site") == "critical"
    bench.provider.set_maintenance("web", None, 4.0)
    bench.provider.check_result("web-check", "warning", "", None, 5.0)
    assert bench.own_status("site") == "warning"
    bench.provider.deregister("web", 6.0)
    assert bench.own_status("site") == "critical"
    (site,) = bench.provider.own().services
    assert site.checks[0].output == "service web is not registered on this node"


def test_aliases_in_a_circle_show_what_the_others_of_them_are() -> None:
    one = alias("one", "two")
    two = Service(
        id="two", name="two", checks=(*alias("two", "one").checks, *checked("two").checks)
    )
    bench = bench_with(one, two)
    bench.provider.check_result("two-check", True, "", None, 1.0)
    assert (bench.own_status("one"), bench.own_status("two")) == ("passing", "passing")
    bench.provider.check_result("two-check", False, "", None, 2.0)
    assert (bench.own_status("one"), bench.own_status("two")) == ("critical", "critical")


def test_a_check_of_the_node_counts_for_all_services_and_its_output_is_told_lazily() -> None:
    bench = bench_with(checked())
    bench.provider.check_result("web-check", True, "", None, 1.0)
    disk = CheckDefinition(id="disk", kind="script", args=("df",))
    bench.provider.register_check(disk, "", 2.0)
    assert bench.own_status("web") == "critical"
    bench.provider.check_result("disk", "passing", "90 %", None, 3.0)
    assert bench.own_status("web") == "passing"
    bench.puts.clear()
    bench.provider.check_result("disk", "passing", "91 %", None, 4.0)
    assert bench.puts == []
    bench.run_until(100.0)
    assert bench.puts == [("node", "")]
    bench.provider.deregister_check("disk", 101.0)
    assert bench.provider.own().node.checks == ()
