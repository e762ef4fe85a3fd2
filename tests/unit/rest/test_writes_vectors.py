"""All writes that real clients were recorded sending: each is answered as it was then.

What is refused instead is listed here by client and kind of check, so that nothing
else can come to be refused unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossipd.config.faces import HttpConfig
from support.fake_handle import FakeHandle, make_member, make_view
from support.rest_writes import Writer, is_write

RECORDED = Path(__file__).parents[2] / "interop" / "vectors" / "consul" / "requests.jsonl"
NOT_RUN = {
    "go-consul-api-1.34": {"GRPC"},
    "py-consul-1.8.0": {"GRPC", "Docker"},
    "python-consul2-0.1.5": {"Docker"},
    "python-consul-1.1.0": {"Docker"},
    "node-consul-2.0.1": {"GRPC", "H2PING"},
}
"""Checks that clients were recorded registering, and that gossipd does not run."""
_FIELDS = {"GRPC": "grpc", "Docker": "docker_container_id", "H2PING": "h2ping"}


def recorded() -> Iterator[dict[str, Any]]:
    for line in RECORDED.read_text().splitlines():
        request = json.loads(line)
        if request["method"] == "PUT":
            yield request


WRITES = [one for one in recorded() if is_write(one["path"])]
NODES_OWN = ("/v1/agent/join/", "/v1/agent/force-leave/", "/v1/agent/leave")


def kinds_not_run(body: object) -> set[str]:
    """Return which kinds of checks that gossipd does not run are in a recorded body."""
    if not isinstance(body, dict):
        return set()
    checks = [*(body.get("checks") or body.get("Checks") or [])]
    checks += [body[key] for key in ("check", "Check") if body.get(key)]
    fields = {key.lower() for check in checks for key, value in check.items() if value}
    return {kind for kind, field in _FIELDS.items() if field in fields}


def without(body: dict[str, Any], kinds: set[str]) -> dict[str, Any]:
    """Return a recorded registration without the checks of ``kinds``."""
    fields = {_FIELDS[kind] for kind in kinds}

    def stays(check: dict[str, Any]) -> bool:
        return not fields & {key.lower() for key, value in check.items() if value}

    left = dict(body)
    for key in ("checks", "Checks"):
        if left.get(key):
            left[key] = [check for check in left[key] if stays(check)]
    for key in ("check", "Check"):
        if left.get(key) and not stays(left[key]):
            del left[key]
    return left


async def writer_for(path: str) -> Writer:
    """Return a node as the clients found it: a service, a check, a member to command."""
    if path.startswith(NODES_OWN):
        handle = FakeHandle(make_view(make_member("alder"), make_member("cedar")))
        handle.joinable.add("127.0.0.62")
        return Writer(handle=handle)
    writer = Writer(HttpConfig(script_checks=True))
    for target, body in (
        ("/v1/agent/service/register", {"Name": "web", "ID": "web-a", "Check": {"TTL": "1s"}}),
        ("/v1/agent/check/register", {"Name": "n1", "ID": "c1", "ServiceID": "web-a",
                                      "TTL": "1s"}),
        ("/v1/catalog/register", {"Node": "ext", "Address": "127.0.0.75",
                                  "Service": {"Service": "ext", "ID": "s1"}}),
    ):  # fmt: skip
        assert (await writer.put(target, body)).status == 200
    return writer


def target_of(request: dict[str, Any]) -> str:
    return f"{request['path']}?{request['query']}".removesuffix("?")


def body_of(request: dict[str, Any]) -> object:
    body = request["body"]
    return body.encode() if isinstance(body, str) else body


def test_all_of_them_are_looked_at() -> None:
    assert len(WRITES) > 100
    others = {one["path"].split("/")[2] for one in recorded()} - {
        one["path"].split("/")[2] for one in WRITES
    }
    assert others == {"kv", "session", "txn"}  # what a cluster without consensus does not offer
    found: dict[str, set[str]] = {}
    for one in WRITES:
        found.setdefault(one["client"], set()).update(kinds_not_run(one["body"]))
    assert found == NOT_RUN


@pytest.mark.parametrize(
    "request_", WRITES, ids=[f"{one['client']}:{one['path']}:{i}" for i, one in enumerate(WRITES)]
)
async def test_a_recorded_write_is_answered_as_it_was(request_: dict[str, Any]) -> None:
    writer = await writer_for(request_["path"])
    refused = kinds_not_run(request_["body"])
    if refused:
        status, text = await writer.said(target_of(request_), request_["body"])
        assert status == 400
        assert text.startswith("Invalid check: type not supported by gossipd: ")
        assert text.rpartition(" ")[2] in refused
    body = without(request_["body"], refused) if refused else body_of(request_)
    reply = await writer.put(target_of(request_), body)
    assert reply.status == request_["status"], reply.body
    if "/catalog/" in request_["path"]:
        assert reply.body == b"true"
    elif "/event/" in request_["path"]:
        assert json.loads(reply.body)["Payload"] == "djI="
    elif reply.status == 200:
        assert reply.body == b""
    else:
        assert reply.body.startswith(b'Unknown check ID "ghost". Ensure that the check ID is')
