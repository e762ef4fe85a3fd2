"""What was written through HTTP is what HTTP reads, on a real core."""

from __future__ import annotations

import json
from typing import Any

from gossipd.rest.consul.reads.health import ROUTES as HEALTH
from gossipd.rest.values import Reply
from support.http_desk import ask
from support.rest_writes import Writer


async def entries(writer: Writer, name: str, query: str = "") -> Any:
    reply = await ask(writer.desk, f"/v1/health/service/{name}{query}", routes=HEALTH)
    assert isinstance(reply, Reply)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


async def test_an_own_check_is_told_with_its_notes_and_times() -> None:
    writer = Writer()
    check: dict[str, str] = {
        "TCP": "127.0.0.61:9001",
        "Interval": "15s",
        "Timeout": "2s",
        "Notes": "why",
    }
    body = {"Name": "web", "ID": "web-a", "Checks": [check, {"TTL": "9s"}]}
    await writer.put("/v1/agent/service/register", body)
    (entry,) = await entries(writer, "web")
    told = {one["CheckID"]: one for one in entry["Checks"]}
    one = told["service:web-a:1"]
    assert (one["Notes"], one["Interval"], one["Timeout"]) == ("why", "15s", "2s")
    assert (one["Name"], one["Type"], one["Status"]) == ("Service 'web' check", "tcp", "critical")
    assert told["service:web-a:2"]["Interval"] == ""
    check |= {"Notes": "other", "Name": "seen by others, too"}
    await writer.put("/v1/agent/service/register", body)
    (entry,) = await entries(writer, "web")
    assert {one["Notes"] for one in entry["Checks"]} == {"other", ""}


async def test_a_node_without_an_agent_is_read_as_it_was_written() -> None:
    writer = Writer()
    body = {"Node": "ext", "Address": "127.0.0.75", "NodeMeta": {"rack": "r1"},
            "Service": {"ID": "s1", "Service": "db", "Port": 80, "Meta": {"v": "1"}},
            "Check": {"CheckID": "c", "Name": "n", "Status": "passing",
                      "Output": "ok"}}  # fmt: skip
    assert await writer.said("/v1/catalog/register", body) == (200, "true")
    (entry,) = await entries(writer, "db", "?passing&node-meta=rack:r1")
    node, service = entry["Node"], entry["Service"]
    assert (node["Node"], node["Address"], node["Meta"]) == ("ext", "127.0.0.75", {"rack": "r1"})
    assert (service["ID"], service["Port"], service["Meta"]) == ("s1", 80, {"v": "1"})
    (check,) = entry["Checks"]
    assert [check[key] for key in ("Node", "CheckID", "Name", "Status", "Output", "ServiceID")] == [
        "ext", "c", "n", "passing", "ok", "s1",
    ]  # fmt: skip
    assert await entries(writer, "db", "?node-meta=rack:r2") == []


async def test_maintenance_is_read_as_the_checks_that_clients_look_for() -> None:
    writer = Writer()
    await writer.put("/v1/agent/service/register", {"Name": "web", "ID": "web-a"})
    await writer.put("/v1/agent/service/maintenance/web-a?enable=true&reason=works")
    await writer.put("/v1/agent/maintenance?enable=true&reason=night")
    (entry,) = await entries(writer, "web")
    told = {one["CheckID"]: (one["Name"], one["Output"], one["Status"]) for one in entry["Checks"]}
    assert told["_service_maintenance:web-a"] == ("Service Maintenance Mode", "works", "critical")
    assert told["_node_maintenance"] == ("Node Maintenance Mode", "night", "critical")
    await writer.put("/v1/agent/service/maintenance/web-a?enable=false")
    await writer.put("/v1/agent/maintenance?enable=false")
    (entry,) = await entries(writer, "web", "?passing")
    assert [one["CheckID"] for one in entry["Checks"]] == ["serfHealth"]
