"""All routes of the HTTP face; each room of handlers adds a line."""

from __future__ import annotations

from collections.abc import Iterator

from gossipd.config.faces import HttpConfig
from gossipd.rest.desk import Desk
from gossipd.rest.values import OPEN, TEXT, Reply, Request, Route
from gossipd.value import replace

LENIENT = ("/v1/agent/join/", "/v1/agent/force-leave/")


async def name_us(request: Request, desk: Desk) -> Reply:
    """Answer ``/`` with the program's name."""
    return Reply(body=b"gossipd\n", content_type=TEXT)


def all_routes(config: HttpConfig) -> tuple[Route, ...]:
    """Return the routes that this face answers; loads their handlers."""
    from gossipd.rest import metrics_route, sd_prometheus
    from gossipd.rest.consul import refusals
    from gossipd.rest.consul.reads import agent as reads_agent
    from gossipd.rest.consul.reads import catalog as reads_catalog
    from gossipd.rest.consul.reads import cluster as reads_cluster
    from gossipd.rest.consul.reads import health as reads_health
    from gossipd.rest.consul.reads import machine as reads_machine
    from gossipd.rest.consul.writes import agent as writes_agent
    from gossipd.rest.consul.writes import catalog as writes_catalog
    from gossipd.rest.consul.writes import check as writes_check
    from gossipd.rest.consul.writes import event as writes_event
    from gossipd.rest.consul.writes import service as writes_service
    from gossipd.rest.openapi import document as openapi
    from gossipd.rest.own import events as own_events
    from gossipd.rest.own import graph as own_graph
    from gossipd.rest.own import state as own_state
    from gossipd.rest.ui import page as own_page

    own = Route(method="GET", pattern="/", handler=name_us, level=OPEN, summary="Name the program.")
    routes = (
        own,
        *metrics_route.ROUTES,
        *openapi.ROUTES,
        *own_events.ROUTES,
        *own_graph.ROUTES,
        *own_page.ROUTES,
        *own_state.ROUTES,
        *reads_agent.ROUTES,
        *reads_catalog.ROUTES,
        *reads_cluster.ROUTES,
        *reads_health.ROUTES,
        *reads_machine.ROUTES,
        *sd_prometheus.ROUTES,
        *writes_agent.ROUTES,
        *writes_catalog.ROUTES,
        *writes_check.ROUTES,
        *writes_event.ROUTES,
        *writes_service.ROUTES,
        *refusals.ROUTES,
    )
    return (*routes, *(_lenient(routes) if config.lenient_methods else ()))


def _lenient(routes: tuple[Route, ...]) -> Iterator[Route]:
    """Yield the routes that old clients ask with GET (consul-http.md, section 2)."""
    for route in routes:
        if route.method == "PUT" and route.pattern.startswith(LENIENT):
            yield replace(route, method="GET")
