"""Own records: versions, the room they take, and what is told of them."""

from __future__ import annotations

import pytest

from gossipd.catalog.own_records import OwnRecords
from gossipd.catalog.replica import Replica
from gossipd.config.model import CatalogConfig
from gossipd.errors import UsageError
from gossipd.services.definition import NodeState, Service, ServiceState


def records_of(config: CatalogConfig | None = None) -> OwnRecords:
    config = config or CatalogConfig()
    return OwnRecords(config, "us", 3, Replica(config), lambda id, now: None)


def test_each_change_is_one_version_further_and_waits_to_be_told() -> None:
    own = records_of()
    own.put_node(NodeState(zone="z"), 1.0)
    own.put_service(Service(id="a", name="web"), 1.0)
    own.put_outputs("a", ("3 ms",), 1.0)
    assert [news.version for news in own.take_fresh()] == [1, 2, 3]
    assert not own.has_fresh
    assert own.records.floor == 3


@pytest.mark.parametrize("order", ["definition first", "state first"])
def test_a_definition_and_its_state_are_told_as_one(order: str) -> None:
    own = records_of()
    for weight in (1, 2):
        if order == "definition first":
            own.put_service(Service(id="a", name="web"), 1.0)
            own.put_state("a", ServiceState(weight=weight), 1.0)
        else:
            own.put_state("a", ServiceState(weight=weight), 1.0)
            own.put_service(Service(id="a", name="web"), 1.0)
    own.put_service(Service(id="b", name="web"), 1.0)
    one, other = own.take_fresh()
    assert (one.version, sorted(one.covered)) == (4, [1, 2])
    assert sorted(one.record.versions) == [0, 0, 3, 4]
    assert one.record.service == own.records.items["a"].encoded_service
    assert one.record.state == own.records.items["a"].encoded_state
    assert (other.version, other.record.id) == (5, "b")


def test_news_tells_which_versions_it_replaced() -> None:
    own = records_of()
    for weight in range(1, 40):
        own.put_state("a", ServiceState(weight=weight), 1.0)
    (news,) = own.take_fresh()
    assert (news.version, news.covered) == (39, tuple(range(23, 39)))


def test_a_removal_tells_which_versions_of_all_parts_it_replaced() -> None:
    own = records_of()
    for weight in (1, 2):
        own.put_service(Service(id="a", name="web", weight=weight), 1.0)
        own.put_state("a", ServiceState(weight=weight), 1.0)
    own.remove("a", 1.0)
    own.put_service(Service(id="a", name="web"), 1.0)
    own.remove("a", 1.0)
    (news,) = own.take_fresh()
    assert (news.version, sorted(news.covered)) == (7, [1, 2, 3, 4, 5, 6])


def test_a_service_that_is_too_large_changes_nothing() -> None:
    own = records_of(CatalogConfig(record_bytes_max=100))
    with pytest.raises(UsageError, match=r"service 'a' is \d+ bytes.*record_bytes_max"):
        own.put_service(Service(id="a", name="web", tags=("t" * 100,)), 1.0)
    assert own.records.floor == 0
    assert not own.has_fresh


def test_all_services_together_are_bounded() -> None:
    own = records_of(CatalogConfig(node_bytes_max=200))
    own.put_service(Service(id="a", name="web", tags=("t" * 100,)), 1.0)
    with pytest.raises(UsageError, match="node_bytes_max"):
        own.put_service(Service(id="b", name="web", tags=("t" * 100,)), 1.0)
    assert own.records.floor == 1


def test_outputs_that_are_too_much_together_are_cut() -> None:
    own = records_of()
    own.put_outputs("a", ("é" * 2048,) * 100, 1.0)
    outputs = own.records.items["a"].outputs
    assert len(outputs) == 100
    assert 300 < len(outputs[0]) < 350
    assert set(outputs[0]) == {"é"}


def test_a_new_epoch_says_all_again_and_nothing_that_is_gone() -> None:
    own = records_of()
    own.put_node(NodeState(zone="z"), 1.0)
    for id in ("a", "b"):
        own.put_service(Service(id=id, name="web"), 1.0)
        own.put_state(id, ServiceState(weight=7), 1.0)
    own.remove("a", 1.0)
    own.take_fresh()
    own.begin_anew(4, 2.0)
    assert own.records.epoch == 4
    assert list(own.records.items) == ["b"]
    assert own.records.items["b"].state.weight == 7
    assert own.records.node.zone == "z"
    assert [news.version for news in own.take_fresh()] == [1, 3]


def test_ids_that_come_and_go_leave_nothing_behind() -> None:
    config = CatalogConfig()
    replica = Replica(config)
    own = OwnRecords(config, "us", 1, replica, lambda id, now: None)
    for number in range(100):
        own.put_service(Service(id=f"run-{number}", name="web"), 1.0)
        own.remove(f"run-{number}", 1.0)
    assert replica.records_count == 100
    replica.expire(2.0)
    own.forget_gone()
    assert replica.records_count == 0
    assert not own._covered
    assert own.records.bytes == replica.bytes == 0
    assert own.records.gc == own.records.floor == 200
