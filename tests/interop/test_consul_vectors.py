"""Every GET that real clients were recorded to send is answered in the shape they accepted.

``vectors/consul``: what the clients sent, and the replies that they parsed without a
complaint. Values of ours are others (indexes, ids); keys and types must be there.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from gossipd.rest.values import Reply
from gossipd.serf.events import UserEventReceived
from support.http_desk import ROUTES, ask, make_desk, names_in, vector_handle, vector_instance

VECTORS = Path(__file__).parent / "vectors" / "consul"
FREE = ("Meta", "NodeMeta", "ServiceMeta", "Tags", "TaggedAddresses", "ServiceTaggedAddresses")
"""Maps whose keys are values."""


def _lines(name: str) -> list[dict[str, Any]]:
    text = (VECTORS / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@cache
def _replies() -> list[dict[str, Any]]:
    return _lines("replies.jsonl")


def _questions() -> list[tuple[str, str]]:
    """Return paths and queries of all GETs that handlers of reads are for."""
    found = {
        (request["path"], request["query"]): None
        for request in _lines("requests.jsonl")
        if request["method"] == "GET" and _is_read(request["path"])
    }
    return list(found)


def _is_read(path: str) -> bool:
    return any(names_in(route.pattern, path.split("/")) is not None for route in ROUTES)


def _recorded(path: str, query: str) -> dict[str, Any]:
    """Return the reply that was served: that with most of the parameters, of the first phase
    if there is one."""
    given = parse_qsl(query, keep_blank_values=True)
    fitting = [
        reply
        for reply in _replies()
        if reply["method"] == "GET"
        and reply["path"] == unquote(path)
        and all((name, value) in given for name, value in (reply.get("query") or {}).items())
    ]
    return max(fitting, key=lambda r: (len(r.get("query") or {}), -(r.get("phase") or 1)))


def _unlike(ours: object, theirs: object, path: str = "") -> list[str]:
    """Return what of the shape of ``theirs`` is missing in ``ours``, or is of another type."""
    if theirs is None or (type(theirs) in (int, float) and type(ours) in (int, float)):
        return []
    if type(ours) is not type(theirs):
        return [f"{path}: {type(ours).__name__} instead of {type(theirs).__name__}"]
    found = []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        is_free = path.rpartition(".")[2] in FREE
        for key, value in theirs.items():
            if key in ours:
                found += _unlike(ours[key], value, f"{path}.{key}")
            elif not is_free:
                found.append(f"{path}.{key} is missing")
    elif isinstance(theirs, list) and isinstance(ours, list) and theirs and ours:
        for each in ours:
            found += _unlike(each, theirs[0], f"{path}[]")
    return found


async def _answer(path: str, query: str) -> Reply:
    handle = vector_handle()
    desk = make_desk(handle)
    handle.happen(UserEventReceived(7, "deploy", b"v2", False))
    if "cache" in path:
        handle.show(vector_instance("cedar", "cache-1"))
    return await ask(desk, f"{path}?{query}" if query else path)


def test_the_recordings_hold_what_is_tested_here() -> None:
    paths = {path for path, _ in _questions()}
    assert len(_questions()) == 80
    assert {"/v1/agent/self", "/v1/health/service/web", "/v1/event/list"} <= paths
    left_out = {
        request["path"].split("/")[2]
        for request in _lines("requests.jsonl")
        if request["method"] == "GET" and not _is_read(request["path"])
    }
    assert left_out == {"acl", "agent", "kv", "query", "session"}  # refused; join by GET


@pytest.mark.parametrize(("path", "query"), _questions())
async def test_a_recorded_question_is_answered_in_the_shape_that_was_accepted(
    path: str, query: str
) -> None:
    recorded, reply = _recorded(path, query), await _answer(path, query)
    assert reply.status == recorded["status"]
    wanted = {name for name in recorded["headers"] if name.startswith("X-")}
    assert wanted <= {name for name, _ in reply.headers}
    if not recorded["headers"]["Content-Type"].startswith("application/json"):
        assert reply.content_type.startswith(recorded["headers"]["Content-Type"])
        return
    assert reply.content_type == "application/json"
    body = json.loads(reply.body)
    if path == "/v1/catalog/services":  # its keys are names: the recorded ones had one more
        assert all(type(tags) is list for tags in body.values())
        assert set(body) <= set(recorded["body"])
    else:
        assert _unlike(body, recorded["body"]) == []


@pytest.mark.parametrize(
    "name",
    [
        "catalog-nodes", "catalog-service-web", "catalog-service-mail", "catalog-node",
        "health-service-web", "health-service-web-passing", "health-service-web-rack-r1",
        "health-service-web-filter", "health-checks-web", "health-node-alder",
        "health-state-critical", "coordinate-nodes", "event-list", "agent-services",
        "agent-checks", "agent-members",
    ],
)  # fmt: skip
async def test_the_values_are_those_that_were_recorded_but_for_ids_and_indexes(name: str) -> None:
    recorded = next(reply for reply in _replies() if reply["name"] == name)
    query = "&".join(f"{key}={value}" for key, value in (recorded.get("query") or {}).items())
    reply = await _answer(recorded["path"], query.replace(" ", "+"))
    assert _values(json.loads(reply.body), recorded["body"]) == _values(recorded["body"])


OWN = {"ID", "id", "CreateIndex", "ModifyIndex", "Interval", "Timeout", "DelegateCur"}
"""Keys whose values are ours: ids of nodes and events, times, our own check's definition."""


def _values(item: object, like: object = None) -> object:
    """Return ``item`` without what is ours by nature, and without keys that ``like`` lacks."""
    if isinstance(item, dict):
        keys = like if isinstance(like, dict) else item
        return {
            key: _values(value, keys.get(key))
            for key, value in item.items()
            if key in keys and not (key in OWN and not str(value).startswith(("web", "mail")))
        }
    if isinstance(item, list):
        first = like[0] if isinstance(like, list) and like else None
        return [
            _values(each, like[place] if isinstance(like, list) and place < len(like) else first)
            for place, each in enumerate(item)
        ]
    return item
