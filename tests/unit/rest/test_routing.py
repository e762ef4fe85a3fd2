"""Which route a path means."""

from __future__ import annotations

import pytest

from gossipd.config.faces import HttpConfig
from gossipd.rest.consul.refusals import ROUTES as REFUSALS
from gossipd.rest.desk import Desk
from gossipd.rest.table import all_routes
from gossipd.rest.transport.routing import UNKNOWN, Table
from gossipd.rest.values import Refused, Reply, Request, Route


async def handler(request: Request, desk: Desk) -> Reply:
    return Reply()


def route(method: str, pattern: str) -> Route:
    return Route(method=method, pattern=pattern, handler=handler)


TABLE = Table(
    [
        route("GET", "/"),
        route("GET", "/v1/agent/services"),
        route("GET", "/v1/agent/service/{id}"),
        route("PUT", "/v1/agent/service/register"),
        route("PUT", "/v1/agent/service/deregister/{service_id}"),
        route("GET", "/v1/health/service/{name}"),
        route("GET", "/v1/health/state/{state}"),
        route("GET", "/v1/catalog/nodes"),
        route("GET", "/v1/catalog/node/{node}"),
        route("GET", "/v1/gossipd/impact/{kind}/{name}"),
        route("GET", "/ui/{file*}"),
    ]
)


def matched(method: str, path: str) -> tuple[str, dict[str, str]]:
    match = TABLE.match(method, path.removeprefix("/").split("/"))
    return match.route.pattern, dict(match.names)


@pytest.mark.parametrize(
    ("method", "path", "pattern", "names"),
    [
        ("GET", "/", "/", {}),
        ("HEAD", "/", "/", {}),
        ("GET", "/v1/agent/services", "/v1/agent/services", {}),
        ("GET", "/v1/agent/services/", "/v1/agent/services", {}),
        ("GET", "/v1/agent/service/web", "/v1/agent/service/{id}", {"id": "web"}),
        ("GET", "/v1/agent/service/web/1", "/v1/agent/service/{id}", {"id": "web/1"}),
        ("PUT", "/v1/agent/service/register", "/v1/agent/service/register", {}),
        (
            "PUT",
            "/v1/agent/service/deregister/a/b/c",
            "/v1/agent/service/deregister/{service_id}",
            {"service_id": "a/b/c"},
        ),
        (
            "GET",
            "/v1/gossipd/impact/service/web",
            "/v1/gossipd/impact/{kind}/{name}",
            {"kind": "service", "name": "web"},
        ),
        ("GET", "/ui/", "/ui/{file*}", {"file": ""}),
        ("GET", "/ui/a/b.js", "/ui/{file*}", {"file": "a/b.js"}),
    ],
)
def test_a_path_finds_its_route(
    method: str, path: str, pattern: str, names: dict[str, str]
) -> None:
    assert matched(method, path) == (pattern, names)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v2", 404, UNKNOWN),
        ("GET", "/v1", 404, UNKNOWN),
        ("GET", "//", 404, UNKNOWN),
        ("GET", "//v1/agent/services", 404, UNKNOWN),
        ("GET", "/v1/agent/services/x", 404, UNKNOWN),
        ("GET", "/V1/agent/services", 404, UNKNOWN),
        ("GET", "/ui", 404, UNKNOWN),
        ("GET", "/v1/agent/service/register", 405, "method GET not allowed"),
        ("POST", "/v1/agent/service/register", 405, "method POST not allowed"),
        ("X" * 40, "/v1/catalog/nodes", 405, "method of this name not allowed"),
        ("GET", "/v1/health/service/", 400, "Missing service name"),
        ("GET", "/v1/health/state/", 400, "Missing check state"),
        ("GET", "/v1/catalog/node/", 400, "Missing node name"),
        ("PUT", "/v1/agent/service/deregister/", 400, "Missing deregister service id"),
    ],
)
def test_a_path_that_nothing_answers(method: str, path: str, status: int, text: str) -> None:
    with pytest.raises(Refused) as refused:
        matched(method, path)
    assert (refused.value.status, refused.value.text) == (status, text)


def test_what_is_allowed() -> None:
    assert TABLE.allow(["v1", "agent", "service", "register"]) == "OPTIONS, PUT"
    assert TABLE.allow(["v1", "catalog", "nodes"]) == "GET, HEAD, OPTIONS"
    assert "PUT" in TABLE.allow(["*"])
    with pytest.raises(Refused):
        TABLE.allow(["v3"])


@pytest.mark.parametrize("pattern", ["/v1/{a}", "/v1/x"])
def test_two_routes_for_the_same_are_a_defect(pattern: str) -> None:
    with pytest.raises(ValueError):
        Table([route("GET", pattern), route("GET", pattern.replace("{a}", "{b}"))])


@pytest.mark.parametrize("pattern", ["/v1/{a*}/x", "/v1/{a/x"])
def test_a_pattern_that_is_none_is_a_defect(pattern: str) -> None:
    with pytest.raises(ValueError):
        Table([route("GET", pattern)])


async def test_what_needs_consensus_is_refused_with_501() -> None:
    table = Table(REFUSALS)
    for path in ("v1/kv/a/b", "v1/kv/", "v1/session/create", "v1/txn", "v1/query", "v1/internal/x"):
        for method in ("GET", "PUT", "DELETE", "POST"):
            match = table.match(method, path.split("/"))
            with pytest.raises(Refused) as refused:
                await match.route.handler(Request(method=method, path=path), None)  # type: ignore[arg-type]
            assert refused.value.status == 501
            assert len(refused.value.text) < 80
            assert refused.value.headers == (("X-Gossipd-Unsupported", "consensus"),)
    match = table.match("PUT", ["v1", "kv", "x"])
    with pytest.raises(Refused, match=r"^KV store not offered by gossipd: needs consensus$"):
        await match.route.handler(Request(method="PUT", path="/v1/kv/x"), None)  # type: ignore[arg-type]


async def test_access_control_lists_are_off() -> None:
    match = Table(REFUSALS).match("PUT", ["v1", "acl", "bootstrap"])
    with pytest.raises(Refused, match=r"^ACL support disabled$") as refused:
        await match.route.handler(Request(method="PUT", path="/v1/acl"), None)  # type: ignore[arg-type]
    assert refused.value.status == 401


def test_all_routes_fit_together() -> None:
    Table(all_routes(HttpConfig()))
    Table(all_routes(HttpConfig(lenient_methods=True)))
