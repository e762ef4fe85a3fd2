"""Each checker of services sees its violation planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gossipd.address import Address
from gossipd.catalog.events import ServiceChanged
from gossipd.node.node import Node
from gossipd.services.definition import CRITICAL, PASSING
from gossipd.services.instance import DOWN, UP, Instance, ServiceChange, ServiceView
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.moves import moved_lately
from gossipd_sim.host import Host
from gossipd_sim.providing import instance_ids, make_services, register
from support.watched import Watched


def watched(*checkers: str) -> Watched:
    """Return three hosts, of which n001 registered a service that all show."""
    cluster = Watched(*checkers, nodes=3)
    owner = cluster.hosts[1]
    owner.command(register(owner.provided, make_services("web", 1, {})))
    cluster.run(3)
    assert [len(node_of(host).service("web").instances) for host in cluster.hosts] == [1, 1, 1]
    assert cluster.texts() == []
    return cluster


def node_of(host: Host) -> Node:
    assert host.node is not None
    return host.node


def shown(cluster: Watched) -> Instance:
    """Return what n000 shows."""
    return node_of(cluster.hosts[0]).service("web").instances[0]


def show(
    cluster: Watched, monkeypatch: pytest.MonkeyPatch, *instances: Instance, index: int = 900
) -> None:
    """Let n000 show these instances from now on, and look at it."""
    node, host = node_of(cluster.hosts[0]), cluster.hosts[0]
    view = ServiceView(name="web", index=index, instances=instances)
    monkeypatch.setattr(node, "service", lambda name: view, raising=False)
    monkeypatch.setattr(node, "services_of", lambda name: instances, raising=False)
    cluster.inspector.on_event(host, ServiceChanged("web", index), cluster.now)
    cluster.look(host)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda one: replace(one, version=one.version - 1), "fell from version"),
        (lambda one: replace(one, version=one.version + 9), "has come to version"),
        (lambda one: replace(one, epoch=7), "never said so"),
        (lambda one: replace(one, service=replace(one.service, port=1)), "said otherwise"),
        (lambda one: replace(one, owner="nobody"), "although nobody is unknown"),
    ],
)
def test_what_an_owner_did_not_say_is_found(
    change: Callable[[Instance], Instance], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = watched("service-records")
    show(cluster, monkeypatch, change(shown(cluster)))
    assert any(text in found for found in cluster.texts()), cluster.texts()


def test_what_is_learned_anew_may_begin_at_an_older_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = watched("service-records")
    one = shown(cluster)
    show(cluster, monkeypatch, index=900)
    show(cluster, monkeypatch, replace(one, version=one.version - 1), index=901)
    assert not any("fell from version" in found for found in cluster.texts())


@pytest.mark.parametrize(
    ("status", "changes", "is_found"),
    [
        (MemberStatus.FAILED, {}, True),
        (MemberStatus.FAILED, {"status": CRITICAL}, False),
        (MemberStatus.FAILED, {"is_doubtful": True}, False),
        (MemberStatus.LEAVING, {}, True),
        (MemberStatus.LEAVING, {"status": CRITICAL}, False),
        (MemberStatus.LEFT, {"status": CRITICAL}, True),
        (MemberStatus.ALIVE, {}, False),
    ],
)
def test_an_answer_that_does_not_fit_membership_is_found(
    status: MemberStatus, changes: dict[str, Any], is_found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = watched("service-records")
    roster = dict(insight.roster(node_of(cluster.hosts[0])))
    roster["n001"] = replace(roster["n001"], status=status)
    monkeypatch.setattr(insight, "roster", lambda node: roster)
    assert shown(cluster).status == PASSING
    show(cluster, monkeypatch, replace(shown(cluster), **changes))
    assert bool(cluster.found()) is is_found, cluster.texts()


def test_changes_that_are_lost_told_twice_or_out_of_order_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = watched("service-changes")
    node, one = node_of(cluster.hosts[0]), shown(cluster)
    other = replace(one, service=replace(one.service, id="web-2"))
    told: list[tuple[ServiceChange, ...]] = [
        (ServiceChange(index=901, kind=UP, instance=other),),
        (),
        (ServiceChange(index=903, kind=UP, instance=other),),
        (ServiceChange(index=902, kind=DOWN, instance=other),),
    ]
    views = [(one, other), (one,), (one, other), (one,)]
    found = []
    for index, (changes, instances) in enumerate(zip(told, views, strict=True), start=901):
        monkeypatch.setattr(
            node, "service_changes", lambda name, index, told=changes: told, raising=False
        )
        show(cluster, monkeypatch, *instances, index=index)
        found.append(len(cluster.texts()))
    assert found[0] == 0
    assert found[0] < found[1] < found[3], cluster.texts()


@pytest.mark.parametrize("what", ["lost", "ghost", "status"])
def test_a_view_that_differs_from_its_owner_at_rest_is_found(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = watched("service-rest")
    cluster.inspector.at_end(None, cluster.now)  # type: ignore[arg-type]  # nobody asks it
    assert cluster.texts() == []
    one = shown(cluster)
    instances = {
        "lost": (),
        "ghost": (one, replace(one, service=replace(one.service, id="web-9"))),
        "status": (replace(one, status=CRITICAL),),
    }[what]
    own = node_of(cluster.hosts[0]).services_of
    monkeypatch.setattr(
        node_of(cluster.hosts[0]),
        "services_of",
        lambda name: instances if name == "n001" else own(name),
        raising=False,
    )
    cluster.inspector.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert {host for _, host in cluster.found()} == {"n000"}


def test_who_moved_has_to_show_services_once_others_know_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = watched("service-rest")
    host = cluster.hosts[2]
    cluster.crash(host)
    host.address = Address(host.address.ip, host.address.port + 1)
    host.restart(remember=False)
    host.join(cluster.hosts[:1])
    cluster.run(3)
    assert node_of(host).services_of("n001") == (), "answers go to its former address"
    cluster.inspector.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert cluster.texts() == []
    cluster.run(80)
    assert len(node_of(host).services_of("n001")) == 1
    cluster.inspector.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert cluster.texts() == []
    assert moved_lately(cluster.truth, host), "or what follows would be found anyhow"
    monkeypatch.setattr(node_of(host), "services_of", lambda name: (), raising=False)
    cluster.inspector.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert "does not show web-1 of n001" in cluster.texts()


def test_an_owner_that_forgot_what_its_program_registered_is_found() -> None:
    cluster = watched("service-rest")
    (instance,) = instance_ids("web", 1)
    node_of(cluster.hosts[1]).deregister_service(instance, cluster.now)
    cluster.run(3)
    cluster.inspector.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert {host for _, host in cluster.found()} == {"n001"}


def test_a_queue_of_the_catalog_without_bounds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = watched("queues")
    monkeypatch.setattr(insight, "catalog_queued", lambda node: 5000)
    cluster.look(cluster.hosts[0])
    assert cluster.texts() == ["5000 messages of the catalog, the bound is 2048"]
