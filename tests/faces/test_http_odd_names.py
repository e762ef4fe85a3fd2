"""Members and tags that are no UTF-8, as Serf lets them through: every read is answered."""

from __future__ import annotations

import json

import pytest

from gossipd.rest import sd_prometheus
from gossipd.rest.consul.nodes import node_id
from gossipd.rest.own import graph as own_graph
from gossipd.rest.own import state as own_state
from gossipd.rest.transport.render import prettied
from gossipd.serf.events import UserEventReceived
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ROUTES, ask, make_desk

ODD = "caf\udce9"
ALL = (*ROUTES, *own_state.ROUTES, *own_graph.ROUTES, *sd_prometheus.ROUTES)
NAMES = {"service": "web", "name": "web", "state": "any", "kind": "service", "node": "a"}


def paths() -> list[str]:
    found = []
    for route in ALL:
        path = route.pattern.replace("*", "")
        for name, value in NAMES.items():
            path = path.replace(f"{{{name}}}", value)
        if route.method == "GET" and "{" not in path:
            found.append(path)
    return found


@pytest.mark.parametrize("us", ["a", ODD])
@pytest.mark.parametrize("path", paths())
async def test_one_odd_member_spoils_no_answer(path: str, us: str) -> None:
    members = (
        make_member("a", "10.0.0.1"),
        make_member(ODD, "10.0.0.2", tags={"k\udcff": "v\udcfe"}),
    )
    handle = FakeHandle(make_view(*members))
    handle.current = make_view(*(members if us == "a" else members[::-1]))
    handle.show(make_instance(ODD, "web", "w1"))
    desk = make_desk(handle)
    handle.happen(UserEventReceived(7, ODD, None, False))
    reply = await ask(desk, path, routes=ALL)
    assert reply.status < 500
    assert (await prettied(reply)).body.decode()
    if reply.status == 200 and "json" in reply.content_type:
        json.loads(reply.body)


def test_odd_names_have_ids_of_their_own() -> None:
    assert len({node_id(name) for name in (ODD, "caf\udcea", "caf?", "caf\ufffd")}) == 4
    assert node_id("cedar") == node_id("cedar")
