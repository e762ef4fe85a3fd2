"""``GET /metrics`` of a node, as a handler answers it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.rest.desk import Desk
from gossipd.rest.metrics_route import ROUTES, show_metrics, show_telemetry
from gossipd.rest.values import READ, Reply, Request
from support.fake_handle import FakeHandle


def make_desk(handle: FakeHandle | None = None, wall: Callable[[], float] = time.time) -> Desk:
    return Desk(
        handle or FakeHandle(),
        HttpConfig(),
        datacenter="dc1",
        ledger=Ledger(),
        log=lambda level, text: None,
        wall=wall,
    )


async def test_the_route_answers_with_what_the_node_and_the_face_counted() -> None:
    desk = make_desk()
    desk.ledger.count("gossipd.http.requests.2xx.GET./metrics")
    reply = await show_metrics(Request(method="GET", path="/metrics"), desk)
    assert isinstance(reply, Reply)
    lines = reply.body.decode().splitlines()
    assert 'gossipd_members{status="alive"} 1.0' in lines
    assert 'gossipd_http_requests_total{status="2xx",method="GET",route="/metrics"} 1.0' in lines
    assert 'gossipd_input_dropped_total{reason="bad-checksum"} 2.0' in lines
    assert reply.content_type.startswith("text/plain; version=0.0.4")


async def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    request = Request(
        method="GET",
        path="/metrics",
        headers={"accept": "application/openmetrics-text;version=1.0.0;q=0.8"},
    )
    reply = await show_metrics(request, make_desk())
    assert reply.body.endswith(b"# EOF\n")
    assert reply.content_type.startswith("application/openmetrics-text")


def test_whoever_may_read_may_scrape() -> None:
    (route,) = (route for route in ROUTES if route.pattern == "/metrics")
    assert (route.method, route.level, route.waits) == ("GET", READ, False)


async def telemetry(desk: Desk, **query: str) -> dict[str, Any]:
    values = {name: (value,) for name, value in query.items()}
    reply = await show_telemetry(
        Request(method="GET", path="/v1/agent/metrics", query=values), desk
    )
    assert isinstance(reply, Reply)
    found: dict[str, Any] = json.loads(reply.body)
    return found


async def test_consuls_clients_are_told_what_happened_since_they_asked_last() -> None:
    now = [1_700_000_000.0]
    desk = make_desk(wall=lambda: now[0])
    await telemetry(desk)
    desk.ledger.count("agent.ipc.accept", 5)
    desk.ledger.measure("gossipd.step", 2.0)
    desk.ledger.measure("gossipd.step", 4.0)
    now[0] += 20.0
    found = await telemetry(desk)
    assert found.keys() == {"Timestamp", "Gauges", "Points", "Counters", "Samples"}
    assert found["Timestamp"] == "2023-11-14 22:13:20 +0000 UTC"
    gauges = {gauge["Name"]: gauge["Value"] for gauge in found["Gauges"]}
    assert gauges["serf-agent.memberlist.health.score"] == 0
    counters = {counter["Name"]: counter for counter in found["Counters"]}
    assert counters["serf-agent.agent.ipc.accept"] == {
        "Name": "serf-agent.agent.ipc.accept", "Count": 5, "Rate": 0.25, "Sum": 5,
        "Min": 1.0, "Max": 1.0, "Mean": 1.0, "Stddev": 0.0, "Labels": {},
    }  # fmt: skip
    samples = {sample["Name"]: sample for sample in found["Samples"]}
    step = samples["serf-agent.gossipd.step"]
    assert (step["Min"], step["Max"], step["Mean"], step["Count"]) == (2.0, 4.0, 3.0, 2)
    now[0] += 5.0
    assert await telemetry(desk) == found
    now[0] += 5.0
    assert (await telemetry(desk))["Counters"] == []


async def test_prometheus_may_ask_at_consuls_place() -> None:
    request = Request(method="GET", path="/v1/agent/metrics", query={"format": ("prometheus",)})
    reply = await show_telemetry(request, make_desk())
    assert b"gossipd_members{" in reply.body
