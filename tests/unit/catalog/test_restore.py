"""What a restart brings back."""

from __future__ import annotations

from gossipd.catalog.effects import StartCheck
from gossipd.catalog.events import ServiceEnded
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, FROM_CONNECTION, OwnServices
from gossipd.value import replace
from support.catalog_bench import CatalogBench

TTL = CheckDefinition(id="t", ttl=10.0)
HTTP = CheckDefinition(id="h", kind="http", target="http://x/", grace=100.0)
WEB = Service(id="web", name="web", checks=(TTL, HTTP))


def saved(source: str = FROM_CLIENT, *, service: Service = WEB) -> tuple[CatalogBench, OwnServices]:
    bench = CatalogBench()
    bench.provider.register(service, source, 0.0)
    bench.provider.report_check("t", "passing", "fine", None, 1.0)
    bench.provider.check_result("h", True, "200", None, 1.0)
    return bench, bench.provider.own()


def test_a_client_service_is_back_with_its_last_statuses() -> None:
    _, own = saved()
    bench = CatalogBench()
    bench.provider.restore(own, 500.0)
    assert bench.own_status("web") == "passing"
    assert bench.provider.own() == own
    assert bench.outbox.take_effects() == [StartCheck(HTTP, "web")]


def test_a_ttl_check_gets_one_whole_ttl() -> None:
    _, own = saved()
    bench = CatalogBench()
    bench.provider.restore(own, 500.0)
    bench.run_until(509.9)
    assert bench.own_status("web") == "passing"
    bench.run_until(510.0)
    assert bench.own_status("web") == "critical"


def test_the_first_result_counts_again_and_no_grace_hides_it() -> None:
    _, own = saved()
    bench = CatalogBench()
    bench.provider.restore(own, 500.0)
    bench.provider.check_result("h", False, "refused", None, 501.0)
    assert bench.own_status("web") == "critical"


def test_what_a_connection_held_is_gone_with_it() -> None:
    _, own = saved(FROM_CONNECTION)
    bench = CatalogBench()
    bench.provider.restore(own, 500.0)
    assert bench.provider.own().services == ()


def test_a_configured_service_comes_from_the_configuration_with_its_last_statuses() -> None:
    before, own = saved(FROM_CONFIG)
    before.provider.set_maintenance("web", "disk swap", 2.0)
    own = before.provider.own()
    for restored_first in (True, False):
        bench = CatalogBench()
        if restored_first:
            bench.provider.restore(own, 500.0)
            assert bench.provider.own().services == ()
        bench.provider.register(WEB, FROM_CONFIG, 500.0)
        if not restored_first:
            bench.provider.restore(own, 500.0)
        assert bench.provider.own() == own
        bench.provider.set_maintenance("web", None, 501.0)
        assert bench.own_status("web") == "passing"


def test_a_check_that_is_another_one_now_begins_anew() -> None:
    _, own = saved(FROM_CONFIG)
    bench = CatalogBench()
    bench.provider.restore(own, 500.0)
    other = replace(HTTP, target="http://y/")
    bench.provider.register(replace(WEB, checks=(TTL, other)), FROM_CONFIG, 500.0)
    (service,) = bench.provider.own().services
    assert [check.status for check in service.checks] == ["passing", "critical"]


def test_maintenance_of_the_node_is_back_and_a_drain_is_not() -> None:
    before, _ = saved()
    before.provider.set_maintenance("", "upgrade", 2.0)
    bench = CatalogBench()
    bench.provider.restore(before.provider.own(), 500.0)
    assert bench.provider.own().node.maintenance == "upgrade"

    before.provider.set_maintenance("", None, 3.0)
    before.provider.drain("", 10.0, 3.0)
    before.run_until(9.0)
    bench = CatalogBench()
    bench.provider.restore(before.provider.own(), 500.0)
    assert bench.own_status("web") == "passing"


def test_maintenance_outlives_a_drain_on_top_of_it() -> None:
    before, _ = saved(FROM_CONFIG)
    before.provider.set_maintenance("", "upgrade", 2.0)
    before.provider.set_maintenance("web", "disk swap", 2.0)
    before.provider.drain("", 10.0, 3.0)  # as leave --drain does it
    before.provider.drain("web", 100.0, 3.0)
    before.run_until(9.0)
    bench = CatalogBench()
    bench.provider.restore(before.provider.own(), 500.0)
    bench.provider.register(WEB, FROM_CONFIG, 500.0)
    own = bench.provider.own()
    assert (own.node.maintenance, own.node.is_draining) == ("upgrade", False)
    (service,) = own.services
    assert (service.state.maintenance, service.state.is_draining) == ("disk swap", False)
    assert service.state.statuses == ("passing", "passing")


def test_a_configured_service_that_was_drained_to_its_middle_takes_part_again() -> None:
    before, _ = saved(FROM_CONFIG)
    before.provider.drain("web", 10.0, 2.0)
    before.run_until(8.0)
    bench = CatalogBench()
    bench.provider.restore(before.provider.own(), 500.0)
    bench.provider.register(WEB, FROM_CONFIG, 500.0)
    assert bench.own_status("web") == "passing"


def test_a_service_that_was_drained_does_not_come_back() -> None:
    before, _ = saved()
    before.provider.drain("web", 100.0, 2.0)
    bench = CatalogBench()
    bench.provider.restore(before.provider.own(), 500.0)
    assert bench.provider.own().services == ()


def test_what_is_too_much_by_now_is_not_restored_and_that_is_said() -> None:
    _, own = saved()
    bench = CatalogBench(CatalogConfig(records_max=1))
    bench.provider.register(Service(id="db", name="db"), FROM_CONFIG, 0.0)
    bench.provider.restore(own, 500.0)
    (event,) = bench.events(ServiceEnded)
    assert isinstance(event, ServiceEnded)
    assert (event.service, event.reason[:13]) == ("web", "not restored:")


def test_a_ttl_check_registered_before_the_restore_gets_one_whole_ttl_too() -> None:
    _, own = saved(FROM_CONFIG)
    bench = CatalogBench()
    bench.provider.register(WEB, FROM_CONFIG, 500.0)
    bench.provider.restore(own, 505.0)
    bench.run_until(514.9)
    assert bench.own_status("web") == "passing"
    bench.run_until(515.0)
    assert bench.own_status("web") == "critical"
