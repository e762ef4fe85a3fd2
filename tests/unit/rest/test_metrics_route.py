"""``GET /metrics`` of a node, as a handler answers it."""

from __future__ import annotations

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.rest.desk import Desk
from gossipd.rest.metrics_route import ROUTES, show_metrics
from gossipd.rest.values import READ, Reply, Request
from support.fake_handle import FakeHandle


def make_desk(handle: FakeHandle | None = None) -> Desk:
    return Desk(
        handle or FakeHandle(),
        HttpConfig(),
        datacenter="dc1",
        ledger=Ledger(),
        log=lambda level, text: None,
    )


async def test_the_route_answers_with_what_the_node_and_the_face_counted() -> None:
    desk = make_desk()
    desk.ledger.count("gossipd.http.requests.2xx.GET./metrics")
    reply = await show_metrics(Request(method="GET", path="/metrics"), desk)
    assert isinstance(reply, Reply)
    lines = reply.body.decode().splitlines()
    assert 'gossipd_members{status="alive"} 1.0' in lines
    assert 'gossipd_http_requests_total{method="GET",route="/metrics",status="2xx"} 1.0' in lines
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
