"""Services of whole clusters, on nodes wired together without any I/O."""

from __future__ import annotations

from gossipd.config.model import CatalogConfig
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CLIENT
from support.node_net import Machine, NodeNet


def _register(machine: Machine, service: Service) -> None:
    machine.do(lambda now: machine.node.register_service(service, FROM_CLIENT, now))


def _keys(machine: Machine, name: str = "web") -> list[tuple[str, str]]:
    return [instance.key for instance in machine.node.service(name).instances]


def _summaries(machines: list[Machine]) -> set[int]:
    catalogs = [machine.node._carriage.catalog for machine in machines]
    return {0 if catalog is None else catalog.summary for catalog in catalogs}


WEB = Service(id="web-1", name="web", port=8080, tags=("a", "b"), meta={"x": "y"})


def test_a_service_registered_at_one_is_seen_by_all_within_a_second() -> None:
    net = NodeNet()
    machines = net.cluster("abcdefgh")
    _register(machines[3], WEB)
    net.run_until(lambda: all(_keys(each) == [("d", "web-1")] for each in machines), 1.0)
    seen = machines[0].node.service("web").instances[0]
    assert seen.service == WEB
    assert seen.owner_address == machines[3].address.host
    net.run(5)
    assert len(_summaries(machines)) == 1


def test_a_deregistered_service_is_gone_everywhere() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    _register(machines[0], WEB)
    net.run(2)
    machines[0].do(lambda now: machines[0].node.deregister_service("web-1", now))
    net.run_until(lambda: not any(_keys(each) for each in machines), 1.0)


def test_a_joiner_learns_of_all_services_at_once() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    for number in range(400):
        service = Service(id=f"web-{number}", name="web", port=8000 + number)
        _register(machines[number % 4], service)
    net.run(10)
    assert all(len(_keys(each)) == 400 for each in machines)
    late = net.add("late")
    net.join(late, machines[1])
    net.run_until(lambda: len(_keys(late)) == 400, 2.0)


def test_a_node_without_services_never_makes_a_catalog() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    net.run(60)
    assert all(machine.node._carriage.catalog is None for machine in machines)


def test_a_member_without_a_catalog_is_never_told_anything() -> None:
    net = NodeNet()
    plain = net.add("plain", catalog=CatalogConfig(enabled=False))
    machines = net.cluster("abcd")
    net.join(plain, machines[0])
    net.run(5)
    _register(machines[1], WEB)
    net.run(40)
    assert all(_keys(each) for each in machines)
    assert not _keys(plain)
    received = plain.node.statistics().packets_received
    assert received.get("UserPayload", 0) <= 4 * 8
    assert not plain.node.statistics().dropped
