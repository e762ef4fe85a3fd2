"""What was written through HTTP is what HTTP reads, on a real core."""

from __future__ import annotations

import json
from typing import Any

from gossipd.rest.reads_health import ROUTES as HEALTH
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
