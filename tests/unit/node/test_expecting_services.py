"""A node that is made ready for services in small steps, before there is any."""

from __future__ import annotations

import pytest

from gossipd.catalog.owners import Owners
from gossipd.config.model import CatalogConfig
from gossipd.node import carriage
from gossipd.services.definition import Service
from support.node_net import Machine, NodeNet
from support.service_net import keys, register

WEB = Service(id="web-1", name="web", port=8080)


@pytest.fixture(autouse=True)
def one_member_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriage, "PLACED_A_STEP", 1)


def owners_of(machine: Machine) -> Owners:
    catalog = machine.node._carriage.catalog
    assert catalog is not None
    return catalog.owners


def known(owners: Owners) -> list[object]:
    """Return who is known, in the order in which peers are chosen by chance."""
    return [owners.count, [owners.get(name) for name in "abcde"], owners._peers]


def test_the_steps_come_to_what_the_first_record_would_have_opened() -> None:
    net = NodeNet()
    machines = net.cluster("abcde")
    a, b = machines[0], machines[1]
    steps = [a.do(a.node.expect_services) for _ in range(7)]
    assert steps == [True, True, True, True, False, False, False]
    b.node._carriage.open(net.now)
    assert known(owners_of(a))[0] == 5
    stepped = known(owners_of(a))
    a.node._carriage.catalog = None
    a.node._carriage.open(net.now)
    assert known(owners_of(a)) == stepped


def test_a_record_that_comes_between_two_steps_finds_everybody() -> None:
    net = NodeNet()
    machines = net.cluster("abcde")
    a = machines[0]
    a.do(a.node.expect_services)
    assert owners_of(a).peers == 0
    register(machines[4], WEB)
    net.run_until(lambda: keys(a) == [("e", "web-1")], 0.5)
    assert owners_of(a).peers == 4
    assert a.do(a.node.expect_services) is False


def test_who_changes_between_two_steps_is_seen_as_it_is() -> None:
    net = NodeNet()
    machines = net.cluster("abcde")
    a, d, e = machines[0], machines[3], machines[4]
    a.do(a.node.expect_services)
    d.do(d.node.leave)
    e.is_up = False
    net.run(30)
    late = net.add("f")
    net.join(late, a)
    net.run(5)
    while a.do(a.node.expect_services):
        pass
    owners = owners_of(a)
    assert owners.get("d") is None
    assert sorted(owners._peers) == ["b", "c", "f"]
    failed = owners.get("e")
    assert failed is not None
    assert failed.status == "failed"


def test_expecting_services_says_nothing_and_wakes_nobody() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    net.run(5)
    for machine in machines:
        while machine.do(machine.node.expect_services):
            pass
    net.run(60)
    happened = [machine.node.statistics().happened for machine in machines]
    told = {name for one in happened for name in one if name.startswith("catalog-")}
    assert told <= {"catalog-same"}  # push/pulls that found nothing missing
    assert all(machine.node.services() == () for machine in machines)
    assert all(machine.node._carriage.timers.next_deadline() is None for machine in machines)
    register(machines[0], WEB)
    net.run(1)
    assert machines[1].node.statistics().happened["catalog-messages"] > 0


def test_a_node_without_a_catalog_expects_nothing() -> None:
    net = NodeNet()
    plain = net.add("plain", catalog=CatalogConfig(enabled=False))
    assert plain.do(plain.node.expect_services) is False
    assert plain.node._carriage.catalog is None
