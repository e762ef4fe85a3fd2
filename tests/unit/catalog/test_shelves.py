"""Answers: what an owner said, and what is thought of it."""

from __future__ import annotations

import pytest

from gossipd.catalog.events import ServiceChanged
from gossipd.services.definition import (
    CheckDefinition,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from support.catalog_bench import FIRST_INDEX, CatalogBench

WEB = Service(id="web", name="web", port=8080)


@pytest.fixture
def bench() -> CatalogBench:
    return CatalogBench()


def kinds(bench: CatalogBench, name: str, index: int = FIRST_INDEX) -> list[tuple[str, str]]:
    changes = bench.shelves.changes(name, index)
    assert changes is not None
    return [(change.kind, change.instance.owner) for change in changes]


def test_an_instance_is_shown_with_its_owner_its_version_and_its_age(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB, now=5.0)
    (instance,) = bench.view("web").instances
    assert (instance.owner, instance.address, instance.status) == ("a", "10.0.0.1", "passing")
    assert (instance.epoch, instance.version, instance.learned_at) == (1, 1, 5.0)


def test_records_of_another_life_than_the_announced_do_not_count(bench: CatalogBench) -> None:
    bench.join("a", epoch=2)
    bench.hear("a", WEB)
    assert bench.view("web").instances == ()
    bench.join("a", epoch=1)
    assert bench.statuses("web") == {"a": "passing"}
    bench.join("a", epoch=3)
    assert bench.statuses("web") == {}


def test_an_owner_without_epoch_has_no_instances(bench: CatalogBench) -> None:
    bench.join("a", epoch=None)
    bench.hear("a", WEB)
    assert bench.view("web").instances == ()


def test_a_suspected_owner_makes_its_instances_doubtful_and_says_since_when(
    bench: CatalogBench,
) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.join("a", status="suspect", suspected_at=7.0)
    (instance,) = bench.view("web").instances
    assert (instance.status, instance.is_doubtful, instance.suspected_at) == ("passing", True, 7.0)


@pytest.mark.parametrize(
    ("standing", "status"), [("alive", "passing"), ("leaving", "warning"), ("failed", "critical")]
)
def test_the_owners_standing_counts(bench: CatalogBench, standing: str, status: str) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.join("a", status=standing)
    assert bench.statuses("web") == {"a": status}


def test_what_a_left_owner_registered_is_gone(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.part("a")
    assert bench.view("web").instances == ()
    assert kinds(bench, "web") == [("up", "a"), ("down", "a")]


def test_a_check_of_which_nothing_is_known_yet_is_critical(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", Service(id="web", name="web", checks=(CheckDefinition(id="c"),)))
    assert bench.statuses("web") == {"a": "critical"}


def test_checks_that_pass_and_say_nothing_are_kept_once(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", Service(id="web", name="web", checks=(CheckDefinition(id="c", kind="tcp"),)))
    bench.hear_state("a", "web", ServiceState(statuses=("passing",)))
    (instance,) = bench.view("web").instances
    assert instance.checks == (CheckState("c", "", "tcp", "passing"),)
    assert id(instance.checks) == id(instance.service.checks)
    bench.hear_state("a", "web", ServiceState(statuses=("warning",)))
    (instance,) = bench.view("web").instances
    assert instance.checks == (CheckState("c", "", "tcp", "warning"),)


def test_checks_of_the_node_count_for_all_of_its_services(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.hear("a", Service(id="db", name="db"))
    disk = CheckState("disk", "disk", "script", "warning", "93 %")
    bench.hear_node("a", NodeState(zone="eu", checks=(disk,)))
    assert (bench.statuses("web"), bench.statuses("db")) == ({"a": "warning"}, {"a": "warning"})
    (instance,) = bench.view("web").instances
    assert (instance.checks, instance.zone) == ((disk,), "eu")


def test_a_draining_node_takes_all_weight_from_its_services(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB, ServiceState(weight=7))
    bench.hear_node("a", NodeState(is_draining=True))
    (instance,) = bench.view("web").instances
    assert (instance.weight, instance.is_draining, instance.status) == (0, True, "passing")


def test_maintenance_is_critical_and_says_why(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB, ServiceState(maintenance="disk swap"))
    (instance,) = bench.view("web").instances
    assert (instance.status, instance.maintenance) == ("critical", "disk swap")


def test_a_change_of_one_service_is_none_of_another(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.hear("a", Service(id="db", name="db"))
    view, summary = bench.view("web"), bench.shelves.summaries()[1]
    bench.outbox.take_events()
    bench.hear("a", Service(id="db", name="db", port=1))
    assert bench.view("web") is view
    assert bench.shelves.summaries()[1] is summary
    assert bench.events(ServiceChanged) == [ServiceChanged("db", bench.shelves.index)]


def test_what_was_said_again_is_no_change(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    view, index = bench.view("web"), bench.shelves.index
    bench.hear("a", WEB, now=9.0)
    assert bench.view("web") is view
    assert bench.shelves.index == index


def test_each_change_has_an_index_of_its_own(bench: CatalogBench) -> None:
    for owner in "abc":
        bench.join(owner)
        bench.hear(owner, WEB)
    changes = bench.shelves.changes("web", FIRST_INDEX)
    assert changes is not None
    assert [change.index for change in changes] == [1001, 1002, 1003]
    assert bench.view("web").index == 1003
    assert kinds(bench, "web", 1002) == [("up", "c")]
    assert kinds(bench, "web", 1003) == []


@pytest.mark.parametrize("index", [0, 999, 1002])
def test_an_index_that_is_not_ours_gets_no_changes(bench: CatalogBench, index: int) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    assert bench.shelves.changes("web", index) is None


def test_a_renamed_service_goes_from_one_to_the_other(bench: CatalogBench) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.hear("a", Service(id="web", name="site"))
    assert (bench.statuses("web"), bench.statuses("site")) == ({}, {"a": "passing"})
    assert kinds(bench, "web") == [("up", "a"), ("down", "a")]
    assert [instance.service.name for instance in bench.shelves.of_owner("a")] == ["site"]


def test_a_summary_counts_what_there_is(bench: CatalogBench) -> None:
    for owner, state in (("a", ServiceState()), ("b", ServiceState(maintenance="x"))):
        bench.join(owner)
        bench.hear(owner, Service(id="web", name="web", tags=(owner, "v1"), needs=("db",)), state)
    (summary,) = bench.shelves.summaries()
    assert (summary.name, summary.passing, summary.critical, summary.total) == ("web", 1, 1, 2)
    assert (summary.tags, summary.needs) == (("a", "b", "v1"), ("db",))
    assert bench.shelves.summaries() is bench.shelves.summaries()


def test_a_service_whose_last_instance_went_is_not_listed_but_watched_on(
    bench: CatalogBench,
) -> None:
    bench.join("a")
    bench.hear("a", WEB)
    bench.hear_gone("a", "web")
    assert bench.shelves.summaries() == ()
    assert kinds(bench, "web", 1001) == [("down", "a")]


def test_a_service_nobody_registered_can_be_watched_from_its_view_on(bench: CatalogBench) -> None:
    index = bench.view("later").index
    bench.join("a")
    bench.hear("a", Service(id="later", name="later"))
    assert kinds(bench, "later", index) == [("up", "a")]


def test_many_changes_are_forgotten_and_then_said_to_be(bench: CatalogBench) -> None:
    bench.join("a")
    for port in range(1, 1000):
        bench.hear("a", Service(id="web", name="web", port=port))
    assert bench.shelves.changes("web", FIRST_INDEX) is None
    assert len(bench.shelves.changes("web", bench.shelves.index - 128) or ()) == 128


def test_services_that_come_and_go_are_forgotten_in_time(bench: CatalogBench) -> None:
    bench.join("a")
    for number in range(1100):
        service = Service(id=f"s{number}", name=f"s{number}")
        bench.hear("a", service)
        bench.hear_gone("a", service.id)
    assert bench.shelves.changes("s0", FIRST_INDEX) is None
    assert kinds(bench, "s1099", bench.shelves.index - 2) == [("up", "a"), ("down", "a")]
    bench.hear("a", Service(id="s0", name="s0"))
    assert bench.shelves.changes("s0", FIRST_INDEX) is None
