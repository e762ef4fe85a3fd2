"""Nodes without an agent, written into the catalog."""

from __future__ import annotations

import pytest

from gossipd.rest.consul.external import Externals, claimed_node, node_meta
from gossipd.services.definition import Service
from gossipd.services.instance import Instance
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.rest_writes import Writer

EXTERNALS = Externals(lambda name: False)
EXTERNALS.put("ext", make_instance("alder", "db", "ext/s1"))
REGISTER, DEREGISTER = "/v1/catalog/register", "/v1/catalog/deregister"
EXT = {
    "Node": "ext",
    "Address": "127.0.0.75",
    "NodeMeta": {"external-node": "true", "rack": "r1"},
    "Service": {"ID": "s1", "Service": "db", "Port": 80, "Meta": {"v": "1"},
                "Weights": {"Passing": 0, "Warning": 0}},
    "Check": {"Node": "ext", "CheckID": "c", "Name": "n", "Status": "passing", "Output": "ok",
              "Notes": "why", "Definition": {"HTTP": "http://127.0.0.75/", "Interval": "30s"}},
}  # fmt: skip


async def adopted(**changes: object) -> Writer:
    writer = Writer()
    assert await writer.said(REGISTER, EXT | changes) == (200, "true")
    return writer


def instances(writer: Writer, name: str = "db") -> tuple[Instance, ...]:
    return writer.handle.service(name).instances


def checks(writer: Writer, name: str = "db") -> dict[str, tuple[str, str]]:
    return {
        EXTERNALS.shown_check(one.service, check.id): (check.status, check.output)
        for one in instances(writer, name)
        for check in one.checks
    }


async def test_a_node_without_an_agent_is_adopted() -> None:
    writer = await adopted()
    (one,) = instances(writer)
    assert (one.owner, one.service.id, one.status) == ("alder", "ext/s1", "passing")
    assert claimed_node(one.service) == "ext"
    assert node_meta(one.service) == {"external-node": "true", "rack": "r1"}
    own = writer.handle.own_services().services[0].service
    assert EXTERNALS.shown_service(own).id == "s1"
    plain = EXTERNALS.shown_service(one.service)
    assert (plain.address, plain.port, plain.meta) == ("127.0.0.75", 80, {"v": "1"})
    assert [(check.name, check.status) for check in one.checks] == [("n", "passing")]
    assert checks(writer) == {"c": ("passing", "ok")}
    assert own.checks[0].notes == "why"


async def test_what_belongs_to_the_agent_itself_is_shown_as_it_is() -> None:
    service = Service(id="web", name="web", meta={"external-node": "yes"})
    assert EXTERNALS.shown_service(service) == service
    assert EXTERNALS.shown_check(service, "web/c") == "web/c"


async def test_a_status_that_was_written_stands_and_can_be_written_anew() -> None:
    writer = await adopted()
    writer.at(86400.0)
    assert checks(writer) == {"c": ("passing", "ok")}
    again = {"CheckID": "c", "Name": "n", "Notes": "why", "Status": "critical", "Output": "gone"}
    body = EXT | {"Check": again}
    assert await writer.said(REGISTER, body) == (200, "true")
    assert checks(writer) == {"c": ("critical", "gone")}
    del body["Service"]
    assert await writer.said(REGISTER, body | {"Check": None, "Checks": [
        again | {"Status": "passing", "Output": ""},
        {"Name": "second", "Status": "warning", "ServiceID": "s1"},
    ]}) == (200, "true")  # fmt: skip
    assert checks(writer) == {"c": ("passing", ""), "second": ("warning", "")}
    assert instances(writer)[0].status == "warning"


async def test_a_service_that_is_written_again_is_replaced_and_keeps_its_checks() -> None:
    writer = await adopted()
    service = {"ID": "s1", "Service": "db", "Port": 81, "Address": "127.0.0.76", "Tags": ["x"]}
    body = {"Node": "ext", "Address": "127.0.0.75", "Service": service}
    assert await writer.said(REGISTER, body) == (200, "true")
    (one,) = instances(writer)
    assert (one.address, one.service.port, one.service.tags) == ("127.0.0.76", 81, ("x",))
    assert node_meta(one.service)["rack"] == "r1"
    assert checks(writer) == {"c": ("passing", "ok")}


async def test_a_check_of_the_node_counts_for_each_of_its_services() -> None:
    writer = await adopted()
    second = EXT | {"Service": {"Service": "cache"}, "NodeMeta": {"rack": "r2"},
                    "Check": {"Name": "ping", "Status": "critical"}}  # fmt: skip
    assert await writer.said(REGISTER, second) == (200, "true")
    assert checks(writer)["ping"][0] == checks(writer, "cache")["ping"][0] == "critical"
    assert instances(writer)[0].status == instances(writer, "cache")[0].status == "critical"
    assert instances(writer, "cache")[0].service.id == "ext/cache"
    assert node_meta(instances(writer)[0].service) == {"rack": "r2"}


async def test_taking_back_a_check_a_service_and_the_node() -> None:
    writer = await adopted()
    await writer.put(REGISTER, EXT | {"Service": {"Service": "cache"}, "Check": None})
    await writer.put("/v1/agent/service/register", {"Name": "web"})
    assert await writer.said(DEREGISTER, {"Node": "ext", "CheckID": "c"}) == (200, "true")
    assert checks(writer) == {}
    assert await writer.said(DEREGISTER, {"node": "ext", "serviceid": "s1"}) == (200, "true")
    assert [one.service.id for one in writer.handle.own_services().services] == ["ext/cache", "web"]
    for _ in range(2):
        assert await writer.said(DEREGISTER, {"Node": "ext"}) == (200, "true")
        assert [one.service.id for one in writer.handle.own_services().services] == ["web"]
    assert await writer.said(DEREGISTER, {"Node": "ghost", "ServiceID": "x"}) == (200, "true")


async def test_neither_kind_of_registration_takes_the_id_of_the_other() -> None:
    writer = await adopted()
    said = await writer.said("/v1/agent/service/register", {"Name": "web", "ID": "ext/s1"})
    assert said == (400, "ID: it is one of node 'ext', which has no agent")
    assert instances(writer)[0].service.id == "ext/s1"
    await writer.put("/v1/agent/service/register", {"Name": "web", "ID": "ext/s2"})
    body: dict[str, object] = {**EXT, "Service": {"Service": "web", "ID": "s2"}}
    text = "ID: this agent has a service 'ext/s2' of its own"
    assert await writer.said(REGISTER, body) == (400, text)
    # nor does that of a node whose name goes on with a slash
    body = {**EXT, "Node": "ext/s1", "Service": {"Service": "db", "ID": "x"}, "Check": None}
    assert await writer.said(REGISTER, body) == (200, "true")
    body = {**EXT, "Service": {"Service": "db", "ID": "s1/x"}}
    text = "ID: this agent has a service 'ext/s1/x' of its own"
    assert await writer.said(REGISTER, body) == (400, text)


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"Node": ""}, 400, "Must provide node"),
        ({"Address": None}, 400, "Must provide address"),
        ({"Datacenter": "dc9"}, 500, "No path to datacenter"),
        ({"Node": "alder"}, 403, "Node 'alder' runs an agent: use that node's agent"),
        ({"Service": None}, 400,
         "Service: missing; a node without an agent is kept by its services"),
        ({"Service": {"ID": "x"}}, 400, "Service.Service: missing service name"),
        ({"Service": {"Service": "x", "Port": -1}}, 400,
         "Service.Port: -1 is not a whole number within 0..65535"),
        ({"NodeMeta": {"a b": ""}}, 400,
         "Invalid Node Meta: key 'a b': only A-Z, a-z, 0-9, _ and -"),
        ({"Check": {"Status": "passing"}}, 400, "Missing check name"),
        ({"Check": {"Name": "n", "Status": "fine"}}, 400,
         "Status for checks must be 'passing', 'warning', 'critical'"),
        ({"Check": {"Name": "n", "Node": "other"}}, 400, "Check.Node: 'other' is another node"),
        ({"Check": {"Name": "n", "ServiceID": "x"}}, 404, 'ServiceID "x" does not exist'),
        ({"Node": "n" * 200}, 400, "ID: 203 characters; at most 128 are taken"),
        ({"Check": {"CheckID": "c" * 160}}, 400,
         "Checks[0].Name: 160 characters; at most 128 are taken"),
    ],
)  # fmt: skip
async def test_what_cannot_be_written(changes: dict[str, object], status: int, text: str) -> None:
    writer = Writer()
    assert await writer.said(REGISTER, EXT | changes) == (status, text)
    assert not writer.handle.own_services().services


async def test_what_another_agent_keeps_is_written_there() -> None:
    handle = FakeHandle(make_view(make_member("a"), make_member("birch")))
    writer = Writer(handle=handle)
    other = make_instance("birch", "db", "ext/s1", meta={"external-node": "ext"})
    handle.show(other)
    text = "Node 'ext' is kept by agent 'birch': write there"
    assert await writer.said(REGISTER, EXT) == (403, text)
    assert await writer.said(DEREGISTER, {"Node": "ext"}) == (403, text)
    handle.show(
        make_instance("birch", "db", "ext/s1", meta={"external-node": "ext"}, owner_status="failed")
    )
    assert await writer.said(DEREGISTER, {"Node": "ext"}) == (200, "true")
    assert await writer.said(REGISTER, EXT) == (200, "true")
