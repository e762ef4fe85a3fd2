"""Whatever happens: an index that is the same means an answer that is the same.

A desk that lives through all changes is compared with one that is made anew after each
of them, so nothing is kept for too long, and every index is held against the contents
that were answered with it before.
"""

from __future__ import annotations

import json
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.catalog.events import OwnServicesChanged, ServiceChanged
from gossipd.external_node import EXTERNAL_NODE
from gossipd.serf.events import ChangeKind, LeaveNoted, MemberChange
from gossipd.services.definition import CheckDefinition, CheckState, NodeState
from gossipd.services.instance import Instance
from gossipd.services.own import OwnServices
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ask, body_of, index_of, make_desk

TARGETS = (
    "/v1/catalog/nodes",
    "/v1/catalog/nodes?node-meta=rack:r1",
    "/v1/catalog/services",
    "/v1/catalog/services?node-meta=rack:r1",
    "/v1/catalog/services?filter=ServicePort+==+80",
    "/v1/catalog/service/web",
    "/v1/catalog/service/web?tag=x",
    "/v1/catalog/node/a",
    "/v1/catalog/node/b",
    "/v1/catalog/node/printer",
    "/v1/catalog/node-services/b",
    "/v1/health/service/web",
    "/v1/health/service/web?passing",
    "/v1/health/service/web?node-meta=rack:r1",
    "/v1/health/service/db?filter=Checks.Status+!=+passing",
    "/v1/health/checks/web",
    "/v1/health/node/a",
    "/v1/health/node/b",
    "/v1/health/state/any",
    "/v1/health/state/critical",
    "/v1/health/state/any?node-meta=rack:r1",
)
NODES = st.sampled_from(["a", "b", "c"])


def _instance(
    owner: str,
    name: str,
    status: str,
    tags: tuple[str, ...],
    port: int,
    weight: int,
    is_foreign: bool,
    output: str,
) -> Instance:
    made = make_instance(
        owner,
        name,
        f"printer/{name}" if is_foreign else "",
        status=status,
        tags=tags,
        port=port,
        weight=weight,
        meta={EXTERNAL_NODE: "printer"} if is_foreign else {},
        address="10.0.0.9" if is_foreign else "",
        checks=(CheckState("n", "n", "ttl", status, output),),
    )
    checked = replace(made.service, checks=(CheckDefinition(id="n"),))
    return replace(made, service=checked)


INSTANCES = st.builds(
    _instance,
    owner=NODES,
    name=st.sampled_from(["web", "db"]),
    status=st.sampled_from(["passing", "warning", "critical"]),
    tags=st.sampled_from([(), ("x",), ("x", "y")]),
    port=st.sampled_from([80, 81]),
    weight=st.sampled_from([1, 5]),
    is_foreign=st.booleans(),
    output=st.sampled_from(["", "ok"]),
)
MEMBERS = st.builds(
    lambda name, host, tags, status: make_member(name, host, tags=tags, status=status),
    name=NODES,
    host=st.sampled_from(["10.0.0.1", "10.0.0.2"]),
    tags=st.sampled_from([{}, {"rack": "r1"}, {"rack": "r2"}]),
    status=st.sampled_from([s for s in MemberStatus if s is not MemberStatus.NONE]),
)
OWN_NODE = st.builds(
    lambda why, status: OwnServices(
        node=NodeState(maintenance=why, checks=(CheckState("d", "d", "ttl", status),))
    ),
    why=st.sampled_from(["", "disk"]),
    status=st.sampled_from(["passing", "critical"]),
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("show"), INSTANCES),
        st.tuples(st.just("hide"), INSTANCES),
        st.tuples(st.just("member"), MEMBERS),
        st.tuples(st.just("own"), OWN_NODE),
    ),
    max_size=12,
)


def _change(handle: FakeHandle, kind: str, what: Any) -> None:
    if kind == "member":
        handle.change(ChangeKind.UPDATE, what)
        if what.status is MemberStatus.LEAVING:
            handle.happen(LeaveNoted(what.name))
        else:
            handle.happen(MemberChange(ChangeKind.UPDATE, what))
    elif kind == "own":
        handle.own = what
        handle.happen(OwnServicesChanged())
    else:
        name = what.service.name
        if kind == "show":
            handle.show(what)
        elif what.key in {one.key for one in handle.service(name).instances}:
            handle.hide(what.owner, name, what.service.id)
        handle.happen(ServiceChanged(name, handle.index))


def _contents(item: object) -> object:
    """Return ``item`` without what changes no index: words of checks, and indexes themselves."""
    if isinstance(item, dict):
        dropped = ("Output", "CreateIndex", "ModifyIndex")
        return {key: _contents(value) for key, value in item.items() if key not in dropped}
    return [_contents(each) for each in item] if isinstance(item, list) else item


def _plain(item: object) -> object:
    if isinstance(item, dict):
        dropped = ("CreateIndex", "ModifyIndex")
        return {key: _plain(value) for key, value in item.items() if key not in dropped}
    return [_plain(each) for each in item] if isinstance(item, list) else item


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_the_same_index_means_the_same_contents(changes: list[tuple[str, Any]]) -> None:
    async def live() -> None:
        handle = FakeHandle(make_view(make_member("a"), make_member("b", tags={"rack": "r1"})))
        desk = make_desk(handle)
        seen: dict[tuple[str, int], str] = {}
        last = dict.fromkeys(TARGETS, 0)
        for kind, what in [("", None), *changes]:
            if kind:
                _change(handle, kind, what)
            anew = make_desk(handle)
            for target in TARGETS:
                reply, fresh = await ask(desk, target), await ask(anew, target)
                assert _plain(body_of(reply)) == _plain(body_of(fresh)), target
                index = index_of(reply)
                assert index >= last[target], target
                last[target] = index
                contents = json.dumps(_contents(body_of(reply)))
                assert seen.setdefault((target, index), contents) == contents, target
            anew.reading.close()

    trio.run(live)
