"""Own services: who may register what, and what is told of it."""

from __future__ import annotations

import pytest

from gossipd.catalog.effects import StartCheck, StopCheck
from gossipd.catalog.events import CheckChanged, OwnServicesChanged
from gossipd.config.model import CatalogConfig
from gossipd.errors import Unavailable, UsageError
from gossipd.services.definition import CHECKS_MAX, CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, FROM_CONNECTION
from gossipd.services.saved import read_own_services, write_own_services
from support.catalog_bench import FIRST_INDEX, CatalogBench

WEB = Service(id="web", name="web", port=8080)


@pytest.fixture
def bench() -> CatalogBench:
    return CatalogBench()


def with_checks(*checks: CheckDefinition, id: str = "web") -> Service:
    return Service(id=id, name=id, checks=checks)


def http(id: str = "h", **fields: float) -> CheckDefinition:
    return CheckDefinition(id=id, kind="http", target="http://x/", **fields)  # type: ignore[arg-type]


def test_what_is_registered_is_answered_at_once(bench: CatalogBench) -> None:
    assert bench.provider.register(WEB, FROM_CLIENT, 1.0) == ()
    assert bench.statuses("web") == {"us": "passing"}
    (own,) = bench.provider.own().services
    assert (own.service, own.source, own.state.weight) == (WEB, FROM_CLIENT, 1)
    assert bench.events(OwnServicesChanged) == [OwnServicesChanged()]


def test_a_new_service_is_shown_with_its_first_state(bench: CatalogBench) -> None:
    check = CheckDefinition(id="c", kind="ttl", ttl=10.0, status="passing")
    bench.provider.register(with_checks(check), FROM_CLIENT, 1.0)
    (change,) = bench.shelves.changes("web", FIRST_INDEX) or ()
    assert (change.kind, change.instance.status) == ("up", "passing")


def test_what_is_registered_is_held_only_once(bench: CatalogBench) -> None:
    check = http("a check of some length")
    service = Service(id="web", name="web", tags=("a", "b"), meta={"k": "v"}, checks=(check,))
    bench.provider.register(service, FROM_CLIENT, 1.0)
    (own,) = bench.provider.own().services
    assert own.service == service
    (shown,) = bench.view("web").instances
    assert own.service.tags is shown.service.tags
    assert own.service.meta is shown.service.meta
    assert own.service.checks[0].id is shown.service.checks[0].id


def test_what_is_deregistered_is_gone(bench: CatalogBench) -> None:
    bench.provider.register(WEB, FROM_CLIENT, 1.0)
    bench.provider.deregister("web", 2.0)
    assert bench.view("web").instances == ()
    assert bench.provider.own().services == ()
    with pytest.raises(UsageError, match="no service of the id 'web'"):
        bench.provider.deregister("web", 3.0)


def test_the_same_again_changes_nothing(bench: CatalogBench) -> None:
    bench.provider.register(WEB, FROM_CLIENT, 1.0)
    puts = list(bench.puts)
    bench.provider.register(WEB, FROM_CLIENT, 2.0)
    assert bench.puts == puts


@pytest.mark.parametrize(
    ("holder", "other"),
    [(FROM_CONFIG, FROM_CLIENT), (FROM_CONNECTION, FROM_CLIENT), (FROM_CLIENT, FROM_CONFIG)],
)
def test_an_id_belongs_to_who_took_it(bench: CatalogBench, holder: str, other: str) -> None:
    bench.provider.register(WEB, holder, 1.0)
    with pytest.raises(UsageError, match="service id 'web' is registered by"):
        bench.provider.register(Service(id="web", name="x"), other, 2.0)
    assert bench.statuses("web") == {"us": "passing"}


def test_check_ids_are_unique_on_the_node(bench: CatalogBench) -> None:
    bench.provider.register(with_checks(http()), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match="check id 'h' is one of service 'web'"):
        bench.provider.register(with_checks(http(), id="db"), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match="check id 'x' is there twice"):
        bench.provider.register(with_checks(http("x"), http("x"), id="db"), FROM_CLIENT, 1.0)


def test_a_service_takes_no_more_checks_than_can_be_read_again(bench: CatalogBench) -> None:
    bench.provider.register(with_checks(), FROM_CLIENT, 1.0)
    for number in range(CHECKS_MAX):
        check = CheckDefinition(id=str(number), kind="ttl", ttl=5.0)
        bench.provider.register_check(check, "web", 1.0)
    with pytest.raises(UsageError, match="checks of service 'web': 33 of them; at most 32"):
        bench.provider.register_check(http("more"), "web", 1.0)
    written = write_own_services(bench.provider.own())
    assert read_own_services(written) == bench.provider.own()


def test_held_checks_are_for_held_services(bench: CatalogBench) -> None:
    held = CheckDefinition(id="alive", kind="held")
    with pytest.raises(UsageError, match="kind held"):
        bench.provider.register(with_checks(held), FROM_CLIENT, 1.0)
    bench.provider.register(with_checks(held), FROM_CONNECTION, 1.0)
    assert bench.own_status("web") == "passing"


def test_services_are_bounded() -> None:
    bench = CatalogBench(CatalogConfig(records_max=2))
    for id in "ab":
        bench.provider.register(Service(id=id, name=id), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match=r"catalog\.records_max"):
        bench.provider.register(Service(id="c", name="c"), FROM_CLIENT, 1.0)
    bench.provider.register(Service(id="b", name="other"), FROM_CLIENT, 1.0)


def test_checks_that_run_are_bounded() -> None:
    bench = CatalogBench(CatalogConfig(checks_max=2))
    bench.provider.register(with_checks(http("1"), http("2")), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match=r"catalog\.checks_max"):
        bench.provider.register(with_checks(http("3"), id="db"), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match=r"catalog\.checks_max"):
        bench.provider.register_check(http("3"), "", 1.0)
    bench.provider.register(with_checks(http("1"), http("3")), FROM_CLIENT, 1.0)


def test_registrations_are_bounded_in_time_but_not_those_of_the_configuration() -> None:
    bench = CatalogBench(CatalogConfig(changes_per_second=1.0))
    for number in range(10):
        bench.provider.register(Service(id=f"{number}", name="x"), FROM_CLIENT, 1.0)
    with pytest.raises(Unavailable, match=r"catalog\.changes_per_second\), try again in 1\.0 s"):
        bench.provider.register(Service(id="10", name="x"), FROM_CLIENT, 1.0)
    bench.provider.register(Service(id="11", name="x"), FROM_CONFIG, 1.0)
    bench.provider.register(Service(id="10", name="x"), FROM_CLIENT, 2.0)
    with pytest.raises(Unavailable, match=r"try again in 0\.1 s"):
        bench.provider.register(Service(id="soon", name="x"), FROM_CLIENT, 2.99)


def test_checks_that_the_driver_runs_are_started_and_stopped(bench: CatalogBench) -> None:
    ttl = CheckDefinition(id="t", ttl=10.0)
    bench.provider.register(with_checks(http(), ttl), FROM_CLIENT, 1.0)
    assert bench.outbox.take_effects() == [StartCheck(http(), "web")]
    bench.provider.register(with_checks(http(interval=3.0), ttl), FROM_CLIENT, 2.0)
    assert bench.outbox.take_effects() == [StartCheck(http(interval=3.0), "web")]
    bench.provider.deregister("web", 3.0)
    assert bench.outbox.take_effects() == [StopCheck("h")]


def test_a_check_that_stays_keeps_what_is_known_of_it(bench: CatalogBench) -> None:
    bench.provider.register(with_checks(http()), FROM_CLIENT, 1.0)
    bench.provider.check_result("h", True, "ok", None, 2.0)
    bench.outbox.take_effects()
    bench.provider.register(with_checks(http("first"), http()), FROM_CLIENT, 3.0)
    (own,) = bench.provider.own().services
    assert [(check.id, check.status) for check in own.checks] == [
        ("first", "critical"),
        ("h", "passing"),
    ]
    assert bench.outbox.take_effects() == [StartCheck(http("first"), "web")]


def test_a_result_changes_the_status_and_is_told(bench: CatalogBench) -> None:
    bench.provider.register(with_checks(http()), FROM_CLIENT, 1.0)
    assert bench.own_status("web") == "critical"
    bench.outbox.take_events()
    bench.provider.check_result("h", True, "200 OK", None, 2.0)
    assert bench.own_status("web") == "passing"
    assert bench.view("web").instances[0].checks[0].output == "200 OK"
    assert bench.events(CheckChanged) == [CheckChanged("h", "web", "critical", "passing", "200 OK")]


def test_a_result_of_a_check_that_is_gone_is_nothing(bench: CatalogBench) -> None:
    bench.provider.check_result("h", True, "", None, 2.0)
    assert bench.puts == []


def test_only_checks_of_providers_are_reported(bench: CatalogBench) -> None:
    bench.provider.register(with_checks(http()), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match="kind http: only ttl and held"):
        bench.provider.report_check("h", "passing", "", None, 2.0)
    with pytest.raises(UsageError, match="no check of the id 'nope'"):
        bench.provider.report_check("nope", "passing", "", None, 2.0)
    bench.provider.register(with_checks(CheckDefinition(id="t"), id="db"), FROM_CLIENT, 1.0)
    with pytest.raises(UsageError, match="status is 'good': passing, warning, critical"):
        bench.provider.report_check("t", "good", "", None, 2.0)


@pytest.mark.parametrize("name", ["web_api", "-web", "a.b", "x" * 64, "für"])
def test_a_name_that_dns_cannot_carry_is_warned_about(bench: CatalogBench, name: str) -> None:
    (warning,) = bench.provider.register(Service(id="s", name=name), FROM_CLIENT, 1.0)
    assert "cannot be asked for by DNS" in warning


def test_two_instances_at_one_place_are_warned_about(bench: CatalogBench) -> None:
    bench.provider.register(WEB, FROM_CLIENT, 1.0)
    (warning,) = bench.provider.register(
        Service(id="web2", name="web", port=8080), FROM_CLIENT, 1.0
    )
    assert "'web' of the same name is at port 8080 too" in warning


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service(id="s", name="s", address="0.0.0.0"), "address 0.0.0.0 is where a program"),
        (Service(id="s", name="s", address="::"), "address :: is where a program listens"),
        (Service(id="s", name="s", needs=("s",)), "needs names the service 's' itself"),
        (Service(id="s", name="s", weight=0), "weight is 0"),
    ],
)
def test_what_is_likely_a_slip_is_warned_about(
    bench: CatalogBench, service: Service, words: str
) -> None:
    (warning,) = bench.provider.register(service, FROM_CLIENT, 1.0)
    assert warning.startswith(words)


def test_a_zone_of_the_node_is_told_with_its_first_service() -> None:
    bench = CatalogBench(CatalogConfig(zone="eu-1"))
    assert bench.puts == []
    bench.provider.register(WEB, FROM_CLIENT, 1.0)
    assert bench.view("web").instances[0].zone == "eu-1"


@pytest.mark.parametrize(
    "service",
    [
        Service(id="😀" * 100, name="web"),
        Service(id="web", name="😀" * 100),
        Service(id="", name="web"),
        Service(id="web", name="web", meta={"text": "\ud800"}),
        Service(id="web", name="web", meta={"text": "x" * 20_000}),
        Service(id="web", name="web", weight=70_000),
    ],
)
def test_what_could_not_travel_is_refused_and_changes_nothing(
    bench: CatalogBench, service: Service
) -> None:
    with pytest.raises(UsageError, match=r"^service '"):
        bench.provider.register(service, FROM_CLIENT, 1.0)
    assert bench.provider.own().services == ()
    bench.provider.register(WEB, FROM_CLIENT, 1.0)
    assert bench.own_status("web") == "passing"


def test_checks_of_the_node_are_bounded_and_what_they_print_too(bench: CatalogBench) -> None:
    for number in range(32):
        check = CheckDefinition(id=f"c{number}", kind="ttl", ttl=10.0)
        bench.provider.register_check(check, "", 1.0)
        bench.provider.report_check(check.id, "passing", "x" * 9000, None, 1.0)
    bench.run_until(5.0)
    with pytest.raises(UsageError, match="32 checks of its own already"):
        bench.provider.register_check(CheckDefinition(id="more"), "", 1.0)
    records = bench.replica.records("us")
    assert records is not None
    assert [len(check.output) for check in records.node.checks] == [2048] * 32


def test_words_that_are_no_text_do_no_harm(bench: CatalogBench) -> None:
    bench.provider.register(with_checks(CheckDefinition(id="t")), FROM_CLIENT, 1.0)
    bench.provider.report_check("t", "passing", "bad \ud800 \x00", None, 1.0)
    bench.provider.set_maintenance("web", "bad \ud800", 1.0)
    assert bench.view("web").instances[0].maintenance == "bad ?"
