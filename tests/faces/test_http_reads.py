"""Reads of nodes and services in Consul's words, against a fake node."""

from __future__ import annotations

import pytest

from gossipd.catalog.events import OwnServicesChanged, ServiceChanged
from gossipd.config.faces import HttpConfig
from gossipd.config.settings import Setting
from gossipd.external_node import EXTERNAL_NODE
from gossipd.node.view import Suspicion, View
from gossipd.rest import sd_prometheus
from gossipd.rest.consul.nodes import node_id
from gossipd.rest.desk import Desk
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.services.definition import NodeState, Service
from gossipd.services.instance import Instance
from gossipd.services.own import OwnServices
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ask, body_of, index_of, make_desk, vector_handle


async def _ids(desk: Desk, target: str) -> list[str]:
    found = body_of(await ask(desk, target))
    assert isinstance(found, list)
    return [entry["Service"]["ID"] for entry in found]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["web-a", "web-b", "web-c"]),
        ("?passing", ["web-a"]),
        ("?passing=", ["web-a"]),
        ("?passing=1", ["web-a"]),
        ("?passing=true", ["web-a"]),
        ("?passing=True", ["web-a"]),
        ("?passing=false", ["web-a", "web-b", "web-c"]),
        ("?passing=0", ["web-a", "web-b", "web-c"]),
        ("?tag=blue", ["web-a", "web-c"]),
        ("?tag=BLUE", ["web-a", "web-c"]),
        ("?tag=http&tag=green", ["web-b"]),
        ("?tag=blue&tag=green", []),
        ("?node-meta=", ["web-a", "web-b", "web-c"]),
        ("?node-meta=rack:r2", ["web-b", "web-c"]),
        ("?node-meta=rack:r2&node-meta=os:bsd", []),
        ("?near=cedar", ["web-c", "web-b", "web-a"]),
        ("?near=_agent", ["web-a", "web-b", "web-c"]),
        ("?near=nobody", ["web-a", "web-b", "web-c"]),
        ("?filter=Service.Tags+contains+%22blue%22", ["web-a", "web-c"]),
        ("?filter=Checks.Status+==+critical", ["web-c"]),
        ("?filter=Node.Meta.rack+%3D%3D+%22r1%22+or+Service.Port+!=+9003", ["web-a", "web-b"]),
        ("?dc=north&ns=default&partition=&stale", ["web-a", "web-b", "web-c"]),
        ("?consistent=1", ["web-a", "web-b", "web-c"]),
    ],
)
async def test_what_a_question_lets_through(query: str, ids: list[str]) -> None:
    assert await _ids(make_desk(vector_handle()), f"/v1/health/service/web{query}") == ids


@pytest.mark.parametrize("passing", ["", "?passing", "?passing=0"])
async def test_the_catalog_knows_no_passing(passing: str) -> None:
    """As Consul's: who reads the catalog wants what is registered, not what is well."""
    desk = make_desk(vector_handle())
    found = body_of(await ask(desk, f"/v1/catalog/service/web{passing}"))
    assert isinstance(found, list)
    assert [one["ServiceID"] for one in found] == ["web-a", "web-b", "web-c"]
    narrow = f"{passing or '?'}&node-meta=rack:r2"
    listed = body_of(await ask(desk, f"/v1/catalog/services{narrow}"))
    assert isinstance(listed, dict)
    assert "web" in listed


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/v1/health/service/web?index=x", 400, "Invalid index"),
        ("/v1/health/service/web?index=-1", 400, "Invalid index"),
        ("/v1/health/service/web?index=18446744073709551616", 400, "Invalid index"),
        ("/v1/health/service/web?index=1&wait=10", 400, "Invalid wait time"),
        ("/v1/catalog/nodes?wait=ten", 400, "Invalid wait time"),
        ("/v1/health/service/web?passing=yes", 400, "Invalid value for ?passing"),
        ("/v1/health/service/web?stale&consistent", 400, "Cannot specify ?stale with ?consistent"),
        ("/v1/health/service/web?dc=south", 500, "No path to datacenter"),
        ("/v1/health/service/web?filter=Service.Colour+==+red", 400, "Service.Colour"),
        ("/v1/health/service/", 400, "Missing service name"),
        ("/v1/health/checks/", 400, "Missing service name"),
        ("/v1/catalog/service/", 400, "Missing service name"),
        ("/v1/catalog/node/", 400, "Missing node name"),
        ("/v1/health/node/", 400, "Missing node name"),
        ("/v1/health/state/", 400, "Missing check state"),
        ("/v1/health/state/well", 400, "Invalid check state"),
    ],
)
async def test_what_is_refused(target: str, status: int, text: str) -> None:
    reply = await ask(make_desk(vector_handle()), target)
    assert (reply.status, reply.content_type) == (status, "text/plain")
    assert text in reply.body.decode()
    assert len(reply.body) < 80


async def test_a_consistent_read_is_refused_where_the_operator_wants_that() -> None:
    desk = make_desk(vector_handle(), HttpConfig(refuse_consistent=True))
    reply = await ask(desk, "/v1/health/service/web?consistent")
    assert reply.status == 501
    assert (await ask(desk, "/v1/health/service/web?consistent=false")).status == 200


async def test_what_is_not_there_is_answered_with_an_index() -> None:
    desk = make_desk(vector_handle())
    bodies: dict[str, object] = {
        "/v1/health/service/nope": [],
        "/v1/catalog/service/nope": [],
        "/v1/catalog/node/nope": None,
        "/v1/catalog/node-services/nope": None,
        "/v1/health/node/nope": [],
        "/v1/health/checks/nope": [],
        "/v1/health/connect/web": [],
        "/v1/health/ingress/web": [],
        "/v1/catalog/connect/web": [],
    }
    for target, body in bodies.items():
        reply = await ask(desk, target)
        assert (reply.status, body_of(reply)) == (200, body), target
        assert index_of(reply) >= 1


async def test_an_answer_says_how_it_was_read() -> None:
    headers = dict((await ask(make_desk(vector_handle()), "/v1/catalog/nodes")).headers)
    assert headers["X-Consul-Effective-Consistency"] == "stale"
    assert headers["X-Consul-LastContact"] == "0"
    assert headers["X-Consul-KnownLeader"] == "true"
    assert "X-Cache" not in headers
    cached = await ask(make_desk(vector_handle()), "/v1/catalog/nodes?cached")
    assert dict(cached.headers)["X-Cache"] == "HIT"


def _view(*others: MemberStatus) -> View:
    members = [make_member(f"n{place}", status=status) for place, status in enumerate(others)]
    return make_view(make_member("a"), *members)


@pytest.mark.parametrize(
    ("others", "seeds", "known"),
    [
        ((), (), "true"),
        ((), ("10.0.0.1",), "false"),
        ((MemberStatus.ALIVE, MemberStatus.FAILED), ("10.0.0.1",), "true"),
        ((MemberStatus.FAILED, MemberStatus.LEFT), (), "false"),
        ((MemberStatus.LEFT,), ("10.0.0.1",), "true"),
    ],
)
async def test_a_leader_is_known_while_others_are_in_touch(
    others: tuple[MemberStatus, ...], seeds: tuple[str, ...], known: str
) -> None:
    handle = FakeHandle(_view(*others))
    handle.known_settings = (Setting("", "retry_join", seeds, "default"),)
    headers = dict((await ask(make_desk(handle), "/v1/catalog/nodes")).headers)
    assert headers["X-Consul-KnownLeader"] == known


async def test_services_with_all_their_tags() -> None:
    desk = make_desk(vector_handle())
    assert body_of(await ask(desk, "/v1/catalog/services")) == {
        "mail": ["smtp"],
        "web": ["blue", "green", "http"],
    }
    for query in ("node-meta=rack:r1", "filter=Node.Meta.rack+==+%22r1%22"):
        found = body_of(await ask(desk, f"/v1/catalog/services?{query}"))
        assert found == {"web": ["blue", "http"]}
    found = body_of(await ask(desk, "/v1/catalog/services?filter=NodeMeta.rack+!=+r1"))
    assert found == {"mail": ["smtp"], "web": ["blue", "green", "http"]}


async def test_a_node_is_found_by_name_and_by_id() -> None:
    desk = make_desk(vector_handle())
    by_name = await ask(desk, "/v1/catalog/node/birch")
    by_id = await ask(desk, f"/v1/catalog/node/{node_id('birch')}")
    assert body_of(by_name) == body_of(by_id)
    found = body_of(by_name)
    assert isinstance(found, dict)
    assert sorted(found["Services"]) == ["mail-1", "web-b"]
    only = await ask(desk, "/v1/catalog/node-services/birch?filter=Port+==+2525")
    found = body_of(only)
    assert isinstance(found, dict)
    assert [each["ID"] for each in found["Services"]] == ["mail-1"]


async def test_node_ids_are_distinct_and_the_same_on_every_agent() -> None:
    nodes = body_of(await ask(make_desk(vector_handle()), "/v1/catalog/nodes"))
    assert isinstance(nodes, list)
    assert len({node["ID"] for node in nodes}) == 3
    assert nodes[0]["ID"] == node_id("alder") == "7a01af1a-da2f-5850-9223-f86fc157169b"


def _lose(handle: FakeHandle, name: str) -> None:
    member = next(m for m in handle.current.members if m.name == name)
    lost = replace(member, status=MemberStatus.FAILED, left_at=99.0)
    handle.change(ChangeKind.FAILED, lost)
    handle.happen(MemberChange(ChangeKind.FAILED, lost))


async def _liveness(handle: FakeHandle, node: str) -> tuple[str, str]:
    found = body_of(await ask(make_desk(handle), f"/v1/health/node/{node}"))
    assert isinstance(found, list)
    assert (found[0]["CheckID"], found[0]["ServiceID"]) == ("serfHealth", "")
    return found[0]["Status"], found[0]["Output"]


async def test_gossips_verdict_is_a_check_of_the_node() -> None:
    handle = vector_handle()
    assert await _liveness(handle, "cedar") == ("passing", "alive by gossip")
    suspicion = Suspicion("birch", 1, since=98.0, deadline=104.0)
    handle.current = replace(handle.current, suspicions={"cedar": suspicion})
    status, output = await _liveness(handle, "cedar")
    assert status == "passing"
    assert output == ("alive by gossip, but suspected by birch since 2023-11-14T22:13:18.000Z")
    _lose(handle, "cedar")
    assert await _liveness(handle, "cedar") == (
        "critical",
        "failed by gossip since 2023-11-14T22:13:19.000Z",
    )


async def _checks(handle: FakeHandle, service: str) -> dict[str, tuple[str, str]]:
    found = body_of(await ask(make_desk(handle), f"/v1/health/service/{service}"))
    assert isinstance(found, list)
    assert len(found) == 1
    return {check["CheckID"]: (check["Status"], check["Output"]) for check in found[0]["Checks"]}


async def _shown(**more: object) -> dict[str, tuple[str, str]]:
    handle = FakeHandle(make_view(make_member("a"), make_member("b")))
    handle.show(make_instance("b", **more))  # type: ignore[arg-type]
    return await _checks(handle, "web")


async def test_the_worst_check_of_an_instance_is_its_status() -> None:
    assert await _shown() == {"serfHealth": ("passing", "alive by gossip")}
    assert await _shown(status="critical", owner_status="failed") == {
        "serfHealth": ("critical", "failed by gossip")
    }
    assert (await _shown(status="warning", owner_status="leaving"))["serfHealth"][0] == "warning"
    assert (await _shown(status="critical", maintenance="disk"))["_service_maintenance:web"] == (
        "critical",
        "disk",
    )
    draining = await _shown(status="critical", is_draining=True)
    assert draining["_service_maintenance:web"] == ("critical", "draining")
    kept = await _shown(owner_status="failed", is_doubtful=True)
    assert kept["serfHealth"][0] == "passing"
    assert kept["serfHealth"][1].endswith("kept, doubtful")


async def test_weights_are_those_in_force() -> None:
    async def weights(**more: object) -> dict[str, int]:
        handle = FakeHandle()
        handle.show(make_instance("a", **more))  # type: ignore[arg-type]
        found = body_of(await ask(make_desk(handle), "/v1/health/service/web"))
        assert isinstance(found, list)
        return dict(found[0]["Service"]["Weights"])

    service = Service(id="web", name="web", weight=8, warning_weight=3)
    loaded = Instance(owner="a", owner_address="", service=service, status="passing", weight=5)
    handle = FakeHandle()
    handle.show(loaded)
    found = body_of(await ask(make_desk(handle), "/v1/health/service/web"))
    assert isinstance(found, list)
    assert found[0]["Service"]["Weights"] == {"Passing": 5, "Warning": 3}
    handle.show(replace(loaded, status="warning", weight=2))
    found = body_of(await ask(make_desk(handle), "/v1/health/service/web"))
    assert isinstance(found, list)
    assert found[0]["Service"]["Weights"] == {"Passing": 8, "Warning": 2}
    assert await weights(is_draining=True) == {"Passing": 0, "Warning": 0}


async def test_a_node_without_agent_is_shown_under_its_own_name() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    before = index_of(await ask(desk, "/v1/catalog/nodes"))
    instance = make_instance(
        "alder", "db", "printer/db-1", address="10.9.9.9", port=5432,
        meta={EXTERNAL_NODE: "printer", "size": "4"},
    )  # fmt: skip
    handle.show(instance)
    _tell(handle, "db")
    reply = await ask(desk, "/v1/catalog/nodes")
    assert index_of(reply) > before
    nodes = body_of(reply)
    assert isinstance(nodes, list)
    assert [(node["Node"], node["Address"]) for node in nodes][-1] == ("printer", "10.9.9.9")
    found = body_of(await ask(desk, "/v1/health/service/db"))
    assert isinstance(found, list)
    assert found[0]["Node"]["Node"] == "printer"
    assert found[0]["Service"]["ID"] == "db-1"
    assert found[0]["Service"]["Meta"] == {"size": "4"}
    assert found[0]["Checks"] == []
    one = body_of(await ask(desk, "/v1/catalog/node/printer"))
    assert isinstance(one, dict)
    assert list(one["Services"]) == ["db-1"]
    own = body_of(await ask(desk, "/v1/catalog/node/alder"))
    assert isinstance(own, dict)
    assert list(own["Services"]) == ["web-a"]
    handle.hide("alder", "db", "printer/db-1")
    _tell(handle, "db")
    assert body_of(await ask(desk, "/v1/catalog/node/printer")) is None


async def _shown_as(desk: Desk, name: str) -> list[tuple[object, ...]]:
    """Return node, id, meta and checks under which the instances of ``name`` are shown."""
    found = body_of(await ask(desk, f"/v1/health/service/{name}"))
    assert isinstance(found, list)
    return [
        (one["Node"]["Node"], one["Service"]["ID"], one["Service"]["Meta"],
         [check["Node"] for check in one["Checks"]])
        for one in found
    ]  # fmt: skip


async def test_no_provider_shows_its_instance_under_the_name_of_a_member() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    meta = {EXTERNAL_NODE: "birch"}
    handle.show(make_instance("alder", "db", "birch/db", address="10.6.6.6", meta=meta))
    _tell(handle, "db")
    assert await _shown_as(desk, "db") == [("alder", "birch/db", meta, ["alder"])]
    flat = body_of(await ask(desk, "/v1/catalog/service/db"))
    assert isinstance(flat, list)
    assert (flat[0]["Node"], flat[0]["ServiceID"]) == ("alder", "birch/db")
    theirs = body_of(await ask(desk, "/v1/catalog/node/birch"))
    assert isinstance(theirs, dict)
    assert "web-b" in theirs["Services"]
    assert not {"db", "birch/db"} & set(theirs["Services"])
    own = body_of(await ask(desk, "/v1/catalog/node/alder"))
    assert isinstance(own, dict)
    assert list(own["Services"]) == ["birch/db", "web-a"]
    sd = "/v1/sd/prometheus?service=db"
    targets = body_of(await ask(desk, sd, routes=sd_prometheus.ROUTES))
    assert isinstance(targets, list)
    assert targets[0]["labels"]["__meta_gossipd_node"] == "alder"


@pytest.mark.parametrize("meta", [{EXTERNAL_NODE: ""}, {EXTERNAL_NODE: "printer"}, {}])
@pytest.mark.parametrize("id", ["db", "/db", "printer/", "other/db"])
async def test_a_mark_of_another_form_than_ours_is_no_mark(id: str, meta: dict[str, str]) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    handle.show(make_instance("alder", "db", id, meta=meta))
    _tell(handle, "db")
    assert await _shown_as(desk, "db") == [("alder", id, meta, ["alder"])]


async def test_a_node_that_turns_a_member_takes_its_name_and_gives_it_back() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    meta = {EXTERNAL_NODE: "printer"}
    handle.show(make_instance("alder", "db", "printer/db", address="10.9.9.9", meta=meta))
    _tell(handle, "db")
    watched = (
        "/v1/health/service/db", "/v1/catalog/node/alder", "/v1/catalog/node/printer",
        "/v1/catalog/nodes", "/v1/health/state/any", "/v1/health/node/alder",
    )  # fmt: skip
    external: list[tuple[object, ...]] = [("printer", "db", {}, [])]
    assert await _shown_as(desk, "db") == external
    member = make_member("printer", "10.0.0.77")
    for kind, shown in (
        (ChangeKind.JOIN, [("alder", "printer/db", meta, ["alder"])]),
        (ChangeKind.LEAVE, external),
    ):
        before = {target: index_of(await ask(desk, target)) for target in watched}
        if kind is ChangeKind.LEAVE:
            member = replace(member, status=MemberStatus.LEFT)
        handle.change(kind, member)
        handle.happen(MemberChange(kind, member))
        assert await _shown_as(desk, "db") == shown
        node = body_of(await ask(desk, "/v1/catalog/node/printer"))
        assert isinstance(node, dict)
        is_external = kind is ChangeKind.LEAVE
        assert node["Node"]["Address"] == ("10.9.9.9" if is_external else "10.0.0.77")
        assert list(node["Services"]) == (["db"] if is_external else [])
        for target in watched:
            assert index_of(await ask(desk, target)) > before[target], target


def _tell(handle: FakeHandle, service: str) -> None:
    handle.happen(ServiceChanged(service, handle.index))


async def test_the_same_question_gets_the_same_answer_without_making_it_again() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    first = await ask(desk, "/v1/health/service/web?passing")
    assert await ask(desk, "/v1/health/service/web?passing&stale") is first
    assert await ask(desk, "/v1/health/service/web") is not first
    handle.show(make_instance("birch", "web", "web-d"))
    _tell(handle, "web")
    second = await ask(desk, "/v1/health/service/web?passing")
    assert second is not first
    assert index_of(second) > index_of(first)


async def test_a_member_that_left_is_no_node_and_one_that_failed_is() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    _lose(handle, "cedar")
    nodes = body_of(await ask(desk, "/v1/catalog/nodes"))
    assert isinstance(nodes, list)
    assert [node["Node"] for node in nodes] == ["alder", "birch", "cedar"]
    critical = body_of(await ask(desk, "/v1/health/state/critical"))
    assert isinstance(critical, list)
    assert ("cedar", "serfHealth") in {(check["Node"], check["CheckID"]) for check in critical}
    member = next(m for m in handle.current.members if m.name == "cedar")
    left = replace(member, status=MemberStatus.LEFT)
    handle.change(ChangeKind.LEAVE, left)
    handle.happen(MemberChange(ChangeKind.LEAVE, left))
    nodes = body_of(await ask(desk, "/v1/catalog/nodes"))
    assert isinstance(nodes, list)
    assert [node["Node"] for node in nodes] == ["alder", "birch"]


async def test_a_node_that_goes_out_as_well_is_shown_beside_its_service() -> None:
    handle = vector_handle()
    (own,) = handle.own.services
    out = replace(own, state=replace(own.state, maintenance="disk"))
    handle.own = OwnServices(services=(out,))
    shown = next(one for one in handle.services_of("alder"))
    handle.show(replace(shown, status="critical", maintenance="disk"))
    desk = make_desk(handle)
    before = await ask(desk, "/v1/health/service/web")
    assert b"_node_maintenance" not in before.body
    handle.own = OwnServices(node=NodeState(maintenance="move"), services=(out,))
    handle.happen(OwnServicesChanged())  # the instance is as it was: one reason counts
    after = await ask(desk, "/v1/health/service/web")
    assert index_of(after) > index_of(before)
    assert b"_node_maintenance" in after.body
    assert b"_service_maintenance:web-a" in after.body
