"""Reads of this agent and of the cluster as a whole, against a fake node."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
import trio
import trio.testing

from gossipd.catalog.events import OwnServicesChanged
from gossipd.coordinate import Coordinate
from gossipd.external_node import EXTERNAL_NODE
from gossipd.rest.consul.nodes import node_id
from gossipd.rest.consul.reads.reading import EVENTS_KEPT
from gossipd.rest.values import Reply
from gossipd.serf.events import UserEventReceived
from gossipd.services.definition import (
    CheckDefinition,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.services.own import OwnService, OwnServices
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ask, body_of, index_of, make_desk, vector_handle


def _own(
    *statuses: str,
    id: str = "web",
    maintenance: str = "",
    node: NodeState | None = None,
    **more: Any,
) -> OwnServices:
    checks = tuple(
        CheckDefinition(id=f"c{place}", name=f"check {place}", kind="http", notes="see wiki")
        for place, _ in enumerate(statuses)
    )
    own = OwnService(
        service=Service(id=id, name="web", checks=checks, **more),
        state=ServiceState(statuses=statuses, maintenance=maintenance),
        checks=tuple(
            CheckState(check.id, check.name, check.kind, status, "said")
            for check, status in zip(checks, statuses, strict=True)
        ),
    )
    return OwnServices(node=node or NodeState(), services=(own,))


async def _read(handle: FakeHandle, target: str, **more: Any) -> Any:
    return body_of(await ask(make_desk(handle), target, **more))


async def test_who_this_agent_is() -> None:
    found = await _read(vector_handle(), "/v1/agent/self?ns=default")
    config = found["Config"]
    assert (config["Datacenter"], config["NodeName"], config["Server"]) == ("north", "alder", False)
    assert config["NodeID"] == node_id("alder") == found["Member"]["Tags"]["id"]
    assert found["Meta"] == {"rack": "r1", "os": "linux"}
    assert found["Stats"]["gossip"]["members"] == "3"
    version = await _read(vector_handle(), "/v1/agent/version")
    assert version["HumanVersion"] == config["Version"]
    assert version["SHA"].startswith("gossipd-")


async def test_an_agent_that_is_no_member_yet_says_who_it_is() -> None:
    found = await _read(FakeHandle(make_view(name="a")), "/v1/agent/self")
    assert (found["Config"]["NodeName"], found["Member"], found["Coord"]) == ("a", None, None)


async def test_members_are_told_with_those_that_failed_and_left() -> None:
    statuses = [MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.LEFT, MemberStatus.FAILED]
    members = [
        make_member(f"n{place}", status=status, tags={"role": "db", "id": "x"})
        for place, status in enumerate(statuses)
    ]
    handle = FakeHandle(make_view(*members, make_member("a")))
    found = await _read(handle, "/v1/agent/members?wan=1")
    assert [member["Status"] for member in found] == [1, 1, 2, 3, 4]
    assert [member["Tags"]["role"] for member in found] == ["node", "db", "db", "db", "db"]
    assert found[1]["Tags"]["id"] == node_id("n0")
    chosen = await _read(handle, "/v1/agent/members?filter=Status+==+4")
    assert [member["Name"] for member in chosen] == ["n3"]


async def test_what_this_agent_registers_and_what_it_does_for_others() -> None:
    handle = FakeHandle()
    handle.own = _own("passing", weight=7, tags=("x",), port=80)
    foreign = _own(id="printer/db", meta={EXTERNAL_NODE: "printer"}).services[0]
    handle.own = OwnServices(services=(*handle.own.services, foreign))
    found = await _read(handle, "/v1/agent/services")
    assert list(found) == ["web"]
    assert found["web"]["Weights"] == {"Passing": 7, "Warning": 1}
    assert found["web"]["Datacenter"] == "north"
    assert await _read(handle, "/v1/agent/services?filter=Port+!=+80") == {}
    checks = await _read(handle, "/v1/agent/checks")
    assert list(checks) == ["c0"]
    assert (checks["c0"]["Notes"], checks["c0"]["Interval"]) == ("see wiki", "10s")


async def test_maintenance_is_a_check_of_the_service_or_of_the_node() -> None:
    handle = FakeHandle()
    handle.own = _own("passing", maintenance="disk", node=NodeState(maintenance="move"))
    checks = await _read(handle, "/v1/agent/checks")
    assert checks["_service_maintenance:web"]["Name"] == "Service Maintenance Mode"
    assert checks["_service_maintenance:web"]["Output"] == "disk"
    assert checks["_node_maintenance"]["Name"] == "Node Maintenance Mode"
    assert checks["_node_maintenance"]["Status"] == "critical"
    assert checks["_node_maintenance"]["ServiceID"] == ""


@pytest.mark.parametrize(
    ("own", "status", "code"),
    [
        (_own(), "passing", 200),
        (_own("passing", "passing"), "passing", 200),
        (_own("passing", "warning"), "warning", 429),
        (_own("critical", "warning"), "critical", 503),
        (_own("passing", maintenance="disk"), "maintenance", 503),
        (_own("passing", node=NodeState(maintenance="disk")), "maintenance", 503),
        (_own("passing", node=NodeState(checks=(CheckState("d", "d", "ttl", "warning"),))),
         "warning", 429),
    ],
)  # fmt: skip
async def test_how_a_service_is_stands_in_the_status_code(
    own: OwnServices, status: str, code: int
) -> None:
    handle = FakeHandle()
    handle.own = own
    desk = make_desk(handle)
    for kind in ("id", "name"):
        target = f"/v1/agent/health/service/{kind}/web"
        reply = await ask(desk, f"{target}?format=json")
        found = body_of(reply)
        item = found if isinstance(found, dict) else found[0]  # type: ignore[index]
        assert (reply.status, item["AggregatedStatus"]) == (code, status)
        assert item["Service"]["ID"] == "web"
        for words in (
            await ask(desk, f"{target}?format=text"),
            await ask(desk, target, headers={"accept": "text/plain"}),
        ):
            assert (words.status, words.body.decode()) == (code, status)
            assert words.content_type.startswith("text/plain")


async def test_the_worst_of_a_name_counts_and_what_is_missing_is_404() -> None:
    handle = FakeHandle()
    one, other = _own("passing", id="w1").services[0], _own("critical", id="w2").services[0]
    handle.own = OwnServices(services=(one, other))
    desk = make_desk(handle)
    reply = await ask(desk, "/v1/agent/health/service/name/web")
    assert reply.status == 503
    assert len(body_of(reply)) == 2  # type: ignore[arg-type]
    for kind in ("id", "name"):
        target = f"/v1/agent/health/service/{kind}/nope"
        assert (await ask(desk, target)).status == 404
        words = await ask(desk, f"{target}?format=text")
        assert (words.status, b"ot" in words.body, len(words.body) < 80) == (404, True, True)
        assert (await ask(desk, f"/v1/agent/health/service/{kind}/")).status == 400


@pytest.mark.parametrize(
    "path", ["health/service/name/web", "health/service/id/web-7", "services", "checks"]
)
async def test_what_this_agent_registers_is_gone_over_once(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Once more for each service, and a few hundred of them held the daemon up for a second."""
    handle = FakeHandle()
    services = [_own("passing", id=f"web-{place}").services[0] for place in range(50)]
    handle.own = OwnServices(services=tuple(services))
    for one in services:
        handle.show(make_instance("a", "web", one.service.id))
    desk, calls = make_desk(handle), Counter[str]()
    desk.reading.topics.look()

    def count(name: str) -> None:
        real = getattr(handle, name)

        def call(*values: object) -> object:
            calls[name] += 1
            return real(*values)

        monkeypatch.setattr(handle, name, call)

    count("own_services")
    count("service")
    assert (await ask(desk, f"/v1/agent/{path}")).status == 200
    assert calls["own_services"] <= 3
    assert calls["service"] <= 1


async def test_a_service_is_held_by_the_digest_of_its_definition(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = FakeHandle()
    handle.own = _own("passing", tags=("x",))
    desk = make_desk(handle)
    first = await ask(desk, "/v1/agent/service/web?hash=other&wait=60s")
    digest = dict(first.headers)["X-Consul-ContentHash"]
    assert body_of(first)["ContentHash"] == digest  # type: ignore[index]
    target = f"/v1/agent/service/web?hash={digest}&index=5&wait=60s"
    began = trio.current_time()
    assert (await ask(desk, target)).status == 200
    assert 60 <= trio.current_time() - began <= 64

    answers: list[tuple[float, Reply]] = []

    async def wait() -> None:
        reply = await ask(desk, target)
        answers.append((trio.current_time(), reply))

    for change, status in (
        (_own("critical", tags=("x",)), None),
        (_own("critical", tags=("y",)), 200),
        (OwnServices(), 404),
    ):
        handle.own = _own("passing", tags=("x",))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(5)
            now = trio.current_time()
            handle.own = change
            handle.happen(OwnServicesChanged())
            await trio.testing.wait_all_tasks_blocked()
            if status is None:
                assert answers == []
                nursery.cancel_scope.cancel()
        if status is not None:
            (at, reply), answers = answers[0], []
            assert (at, reply.status) == (now, status)
    assert desk.reading.topics.waiting == 0


async def test_an_unknown_service_is_named_in_a_short_text() -> None:
    desk = make_desk(FakeHandle())
    assert (await ask(desk, "/v1/agent/service/nope")).body == b"unknown service ID: nope"
    assert (await ask(desk, "/v1/agent/service/")).status == 400
    for id in ("x" * 300, "%C3%A9" * 40, "a%0Ab"):
        reply = await ask(desk, f"/v1/agent/service/{id}")
        assert reply.status == 404
        assert len(reply.body) < 80
        assert b"\n" not in reply.body


async def test_an_id_may_hold_slashes() -> None:
    handle = FakeHandle()
    handle.own = _own(id="a/b:c")
    desk = make_desk(handle)
    for id in ("a/b:c", "a%2Fb:c"):
        assert (await ask(desk, f"/v1/agent/service/{id}")).status == 200
        assert (await ask(desk, f"/v1/agent/health/service/id/{id}")).status == 200


# -- the cluster -------------------------------------------------------------------


async def test_everybody_leads_and_peers_are_those_alive() -> None:
    members = [make_member(f"n{place:03}", f"10.0.0.{place}") for place in range(100)]
    gone = replace(make_member("z", "10.9.9.9"), status=MemberStatus.FAILED)
    handle = FakeHandle(make_view(*members, gone, make_member("a")))
    assert await _read(handle, "/v1/status/leader") == "127.0.0.1:7946"
    peers = await _read(handle, "/v1/status/peers")
    assert (len(peers), len(set(peers)), peers[0]) == (64, 64, "127.0.0.1:7946")
    assert await _read(FakeHandle(make_view(make_member("a"), gone)), "/v1/status/peers") == [
        "127.0.0.1:7946"
    ]


async def test_coordinates_of_those_that_have_any() -> None:
    handle = vector_handle()
    handle.coordinates["cedar"] = Coordinate(error=float("nan"))
    found = await _read(handle, "/v1/coordinate/nodes")
    assert [each["Node"] for each in found] == ["alder", "birch"]
    assert len(found[0]["Coord"]["Vec"]) == 8
    for node in ("cedar", "nobody"):
        reply = await ask(make_desk(handle), f"/v1/coordinate/node/{node}")
        assert (reply.status, index_of(reply) > 1) == (404, True)
    (dc,) = await _read(handle, "/v1/coordinate/datacenters")
    assert dc["Coordinates"][0]["Node"] == "alder.north"


async def test_coordinates_that_moved_are_told_within_a_second() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    before = await ask(desk, "/v1/coordinate/node/birch")
    handle.coordinates["birch"] = Coordinate(height=0.5)
    handle.clock += 1
    assert (await ask(desk, "/v1/coordinate/node/birch")).body != before.body


def _fire(handle: FakeHandle, ltime: int, name: str, payload: bytes | None = b"") -> None:
    handle.happen(UserEventReceived(ltime, name, payload, False))


async def test_the_last_events_are_told_oldest_first() -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    empty = await ask(desk, "/v1/event/list")
    assert (body_of(empty), index_of(empty)) == ([], 1)
    for ltime in range(300):
        _fire(handle, ltime, "deploy" if ltime % 2 else "restart", bytes([ltime % 256]))
    reply = await ask(desk, "/v1/event/list")
    found: Any = body_of(reply)
    assert [event["LTime"] for event in found] == list(range(300 - EVENTS_KEPT, 300))
    assert index_of(reply) == _folded(found[-1]["ID"])
    named: Any = body_of(await ask(desk, "/v1/event/list?name=restart"))
    assert {event["Name"] for event in named} == {"restart"}
    assert len({event["ID"] for event in found}) == EVENTS_KEPT


def _folded(id: str) -> int:
    raw = UUID(id).bytes
    return int.from_bytes(raw[:8], "big") ^ int.from_bytes(raw[8:], "big")


async def test_an_event_has_the_same_id_on_every_agent_and_its_payload_in_base64() -> None:
    one, other = FakeHandle(), FakeHandle()
    desks = make_desk(one), make_desk(other)
    for handle in (one, other):
        _fire(handle, 7, "deploy", b"v2")
        _fire(handle, 8, "deploy", None)
    told = [body_of(await ask(desk, "/v1/event/list")) for desk in desks]
    assert told[0] == told[1]
    assert [event["Payload"] for event in told[0]] == ["djI=", None]  # type: ignore[attr-defined]


async def test_events_are_held_while_the_newest_is_the_one_that_is_known(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    _fire(handle, 1, "deploy")
    index = index_of(await ask(desk, "/v1/event/list?name=deploy"))
    at_once = trio.current_time()
    await ask(desk, f"/v1/event/list?index={index ^ 1}&wait=60s")
    assert trio.current_time() == at_once
    answers: list[Reply] = []

    async def wait() -> None:
        answers.append(await ask(desk, f"/v1/event/list?name=deploy&index={index}&wait=60s"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(5)
        _fire(handle, 2, "restart")
        await trio.sleep(5)
        assert answers == []
        _fire(handle, 3, "deploy")
        await trio.testing.wait_all_tasks_blocked()
        assert index_of(answers[0]) != index
    assert len(body_of(answers[0])) == 2  # type: ignore[arg-type]


async def test_the_machine() -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    machine: Any = body_of(await ask(desk, "/v1/agent/host"))
    assert machine["Memory"]["total"] >= machine["Memory"]["available"] > 0
    assert machine["Host"]["os"] == "linux"
