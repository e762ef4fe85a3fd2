"""User events fired through HTTP."""

from __future__ import annotations

import json

import pytest

from gossipd.errors import Unavailable
from gossipd.rest.consul.shapes import event_id
from gossipd.serf.events import UserEventReceived
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.rest_writes import Writer

FIRE = "/v1/event/fire/deploy"


def shop() -> tuple[Writer, FakeHandle]:
    handle = FakeHandle(make_view(*map(make_member, ("a", "birch", "cedar"))))
    handle.show(make_instance("birch", "web", tags=("blue",)))
    handle.show(make_instance("cedar", "web", tags=("green",)))
    return Writer(handle=handle), handle


async def test_an_event_is_sent_and_told_with_the_id_it_has_everywhere() -> None:
    writer = Writer()
    heard = writer.heard()
    reply = await writer.put(FIRE, b"v2")
    assert reply.status == 200
    (event,) = [one for one in heard if isinstance(one, UserEventReceived)]
    assert (event.name, event.payload, event.is_own) == ("deploy", b"v2", True)
    assert json.loads(reply.body) == {
        "ID": event_id(event),
        "Name": "deploy",
        "Payload": "djI=",
        "NodeFilter": "",
        "ServiceFilter": "",
        "TagFilter": "",
        "Version": 1,
        "LTime": 0,
    }
    again = json.loads((await writer.put(FIRE, b"v2")).body)
    assert again["ID"] != event_id(event)


async def test_no_payload_is_null() -> None:
    writer, handle = shop()
    reply = await writer.put(FIRE)
    assert json.loads(reply.body)["Payload"] is None
    assert handle.calls == [("event", "deploy", None, False, (), {})]


@pytest.mark.parametrize(
    ("filters", "nodes"),
    [
        ("node=^birch$", ("birch",)),
        ("node=r", ("birch", "cedar")),
        ("service=web", ("birch", "cedar")),
        ("service=web&tag=bl", ("birch",)),
        ("service=web&node=cedar", ("cedar",)),
    ],
)
async def test_filters_are_expressions_for_nodes(filters: str, nodes: tuple[str, ...]) -> None:
    writer, handle = shop()
    reply = await writer.put(f"{FIRE}?{filters}", b"x")
    assert reply.status == 200
    assert handle.calls == [("event", "deploy", b"x", False, nodes, {})]


async def test_an_event_has_a_name() -> None:
    writer, handle = shop()
    assert await writer.said("/v1/event/fire/", b"x") == (400, "Missing name")
    assert handle.calls == []


async def test_an_event_for_nobody_is_not_sent() -> None:
    writer, handle = shop()
    reply = await writer.put(f"{FIRE}?service=none", b"x")
    assert json.loads(reply.body)["ServiceFilter"] == "none"
    assert handle.calls == []


@pytest.mark.parametrize(
    ("query", "body", "text"),
    [
        ("?tag=x", b"", "Cannot provide tag filter without service filter"),
        ("?node=(", b"", "Invalid node filter: error parsing regexp: missing ): ("),
        ("", b"x" * 513, "body: 513 bytes; at most 512 are taken"),
        ("", b"x" * 512, "user event exceeds configured limit of 512 bytes before encoding"),
    ],
)
async def test_events_that_cannot_be(query: str, body: bytes, text: str) -> None:
    assert await Writer().said(FIRE + query, body) == (400, text)


async def test_an_event_that_cannot_be_sent_now() -> None:
    writer, handle = shop()
    handle.refusals["event"] = Unavailable("the event clock is at its end")
    assert await writer.said(FIRE) == (503, "the event clock is at its end")
