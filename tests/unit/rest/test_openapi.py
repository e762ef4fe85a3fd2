"""The description of the API: whole, true to the routes, and well-formed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gossipd.config.faces import HttpConfig
from gossipd.rest.openapi import answers as openapi_shapes
from gossipd.rest.openapi import document as openapi
from gossipd.rest.openapi import parameters as openapi_parameters
from gossipd.rest.table import all_routes
from gossipd.rest.values import OPEN, Reply, Request, Route
from support.fake_handle import FakeHandle
from support.own_desk import make_desk

ROUTES = all_routes(HttpConfig())
OFFERED = [route for route in ROUTES if not route.summary.startswith(openapi.REFUSED)]
PATTERNS = {route.pattern for route in OFFERED}
DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.document(ROUTES, "dc1")))


def named(route: Route) -> str:
    return f"{route.method} {route.pattern}"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@pytest.mark.parametrize("route", OFFERED, ids=named)
def test_every_route_is_described(route: Route) -> None:
    assert openapi_parameters.is_described(route), "say in TABLE what it takes, NONE if nothing"
    assert route.summary
    has_shape = route.pattern in openapi_shapes.ANSWERS or route.pattern in openapi_shapes.OTHERS
    assert has_shape or route.method == "PUT", "say in ANSWERS what it answers"
    path = route.pattern.replace("*}", "}")
    assert route.method.lower() in DOCUMENT["paths"][path]


@pytest.mark.parametrize(
    "table",
    [
        openapi_parameters.TABLE,
        openapi_shapes.ANSWERS,
        openapi_shapes.OTHERS,
        openapi_shapes.BODIES,
        {pattern: None for pattern, _ in openapi_parameters.ALWAYS},
    ],
)
def test_nothing_is_described_that_no_route_answers(table: dict[str, object]) -> None:
    assert set(table) <= PATTERNS


def test_what_is_refused_is_described_as_refused() -> None:
    paths = DOCUMENT["paths"]
    assert set(paths["/v1/kv"]["get"]["responses"]) >= {"501"}
    assert "401" in paths["/v1/acl"]["put"]["responses"]
    assert "200" not in paths["/v1/kv"]["get"]["responses"]


def test_each_operation_has_a_name_of_its_own_and_the_parts_of_its_path() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    for path, _, operation in operations():
        of_path = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert of_path == re.findall(r"\{(\w+)\}", path)
        keys = [(each["in"], each["name"]) for each in operation["parameters"]]
        assert len(set(keys)) == len(keys), f"{path}: a parameter is there twice"


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    for name in set(re.findall(r'"#/components/schemas/(\w+)"', text)):
        assert name in DOCUMENT["components"]["schemas"]


def test_required_keys_are_described() -> None:
    def walk(schema: object) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            if "required" in schema and "properties" in schema:
                yield schema
            for each in schema.values():
                yield from walk(each)
        elif isinstance(schema, list):
            for each in schema:
                yield from walk(each)

    for schema in walk(DOCUMENT):
        assert set(schema["required"]) <= set(schema["properties"])


def test_what_needs_a_token_says_so() -> None:
    levels = {named(route): route.level for route in OFFERED}
    assert "security" not in DOCUMENT["paths"]["/"]["get"]
    for route in OFFERED:
        operation = DOCUMENT["paths"][route.pattern.replace("*}", "}")][route.method.lower()]
        assert ("security" in operation) == (levels[named(route)] != OPEN)


async def test_the_document_is_served_and_kept() -> None:
    desk = make_desk(FakeHandle())
    request = Request(method="GET", path="/v1/openapi.json")
    first, again = await openapi.describe(request, desk), await openapi.describe(request, desk)
    assert isinstance(first, Reply)
    assert again is first
    assert json.loads(first.body)["openapi"] == "3.1.0"
