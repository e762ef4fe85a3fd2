"""``GET /v1/sd/prometheus``: which targets there are, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.rest.consul.external import external_id, external_meta
from gossipd.rest.desk import Desk
from gossipd.rest.sd_prometheus import list_targets
from gossipd.rest.values import JSON, Refused, Reply, Request
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance


def make_desk(handle: FakeHandle) -> Desk:
    return Desk(
        handle, HttpConfig(), datacenter="dc1", ledger=Ledger(), log=lambda level, text: None
    )


def cluster() -> FakeHandle:
    handle = FakeHandle(
        make_view(
            make_member("a", "10.0.0.1", tags={"role": "web", "rack-1": "x"}),
            make_member("b", "10.0.0.2"),
            make_member("c", "10.0.0.3", status=MemberStatus.FAILED),
            make_member("d", "10.0.0.4", status=MemberStatus.LEFT),
        )
    )
    handle.show(make_instance("a", port=8080, tags=("http", "v2"), meta={"path": "/m"}, zone="z1"))
    handle.show(make_instance("b", port=8080, tags=("http",), status="critical"))
    handle.show(make_instance("b", "mail", "mail-1", port=25, address="2001:db8::5"))
    handle.show(make_instance("b", "cron"))
    return handle


async def ask(desk: Desk, **query: str | tuple[str, ...]) -> list[dict[str, Any]]:
    values = {key: (one,) if isinstance(one, str) else one for key, one in query.items()}
    reply = await list_targets(Request(method="GET", path="/v1/sd/prometheus", query=values), desk)
    assert isinstance(reply, Reply)
    assert reply.content_type == JSON
    groups: list[dict[str, Any]] = json.loads(reply.body)
    return groups


def targets(groups: list[dict[str, Any]]) -> list[str]:
    return [target for group in groups for target in group["targets"]]


async def test_every_instance_is_a_target_the_failing_ones_too() -> None:
    groups = await ask(make_desk(cluster()))
    assert targets(groups) == ["10.0.0.1", "[2001:db8::5]:25", "10.0.0.1:8080", "10.0.0.1:8080"]
    labels = groups[2]["labels"]
    assert labels == {
        "__meta_gossipd_service": "web",
        "__meta_gossipd_service_id": "web",
        "__meta_gossipd_address": "10.0.0.1",
        "__meta_gossipd_port": "8080",
        "__meta_gossipd_status": "passing",
        "__meta_gossipd_tags": ",http,v2,",
        "__meta_gossipd_node": "a",
        "__meta_gossipd_node_address": "10.0.0.1",
        "__meta_gossipd_node_status": "alive",
        "__meta_gossipd_doubtful": "false",
        "__meta_gossipd_draining": "false",
        "__meta_gossipd_weight": "1",
        "__meta_gossipd_zone": "z1",
        "__meta_gossipd_datacenter": "dc1",
        "__meta_gossipd_service_meta_path": "/m",
        "__meta_gossipd_node_tag_role": "web",
        "__meta_gossipd_node_tag_rack_1": "x",
    }
    assert groups[3]["labels"]["__meta_gossipd_status"] == "critical"


async def test_parameters_that_mean_nothing_make_no_other_answer() -> None:
    desk = make_desk(cluster())
    for number in range(3):
        await ask(desk, service="web", any=str(number))
    assert len(desk.reading.kept) == 1


async def test_services_tags_and_health_are_chosen_by_the_query() -> None:
    desk = make_desk(cluster())
    assert targets(await ask(desk, service="mail")) == ["[2001:db8::5]:25"]
    assert len(await ask(desk, service=("mail", "web"))) == 3
    assert len(await ask(desk, tag="http")) == 2
    assert len(await ask(desk, tag=("http", "v2"))) == 1
    assert len(await ask(desk, service="web", passing="")) == 1
    assert len(await ask(desk, service="web", passing="false")) == 2
    assert await ask(desk, service="nobody") == []
    assert targets(await ask(desk, service="web", passing="1", port="9100")) == ["10.0.0.1:9100"]


async def test_members_are_targets_for_their_daemons_metrics() -> None:
    handle = cluster()
    handle.degraded_members = {"b": "round trip 90ms, usually 1ms"}
    desk = make_desk(handle)
    groups = await ask(desk, members="true")
    assert targets(groups) == ["10.0.0.1:8500", "10.0.0.2:8500", "10.0.0.3:8500"]
    assert groups[0]["labels"] == {
        "__meta_gossipd_member": "a",
        "__meta_gossipd_address": "10.0.0.1",
        "__meta_gossipd_port": "7946",
        "__meta_gossipd_status": "alive",
        "__meta_gossipd_datacenter": "dc1",
        "__meta_gossipd_tag_role": "web",
        "__meta_gossipd_tag_rack_1": "x",
    }
    assert groups[1]["labels"]["__meta_gossipd_degraded"].startswith("round trip")
    assert groups[2]["labels"]["__meta_gossipd_status"] == "failed"
    assert targets(await ask(desk, members="", passing="", port="9100")) == [
        "10.0.0.1:9100",
        "10.0.0.2:9100",
    ]


async def test_a_node_without_agent_is_shown_as_it_was_written() -> None:
    handle = cluster()
    meta = external_meta("router", {"site": "x"}, {"snmp": "v2"})
    id = external_id("router", "snmp")
    handle.show(make_instance("a", "snmp", id, port=161, address="10.9.9.9", meta=meta))
    (group,) = await ask(make_desk(handle), service="snmp")
    labels = group["labels"]
    assert group["targets"] == ["10.9.9.9:161"]
    assert labels["__meta_gossipd_node"] == "router"
    assert labels["__meta_gossipd_service_id"] == "snmp"
    assert labels["__meta_gossipd_service_meta_snmp"] == "v2"
    assert labels["__meta_gossipd_node_address"] == "10.9.9.9"
    assert not any("external" in name or "node_tag" in name for name in labels)


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "٣"])
async def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(Refused) as refused:
        await ask(make_desk(cluster()), members="", port=port)
    assert refused.value.status == 400


@pytest.mark.parametrize("members", [{}, {"members": ""}])
async def test_a_long_answer_gives_way_to_others_and_is_kept_if_nothing_changed(
    members: dict[str, str],
) -> None:
    handle = FakeHandle(make_view(*[make_member(f"n{place:03}") for place in range(450)]))
    handle.show_together("web", [make_instance(f"n{place:03}", port=80) for place in range(450)])
    desk, turns, answered = make_desk(handle), 0, trio.Event()

    async def want() -> None:
        assert len(await ask(desk, **members)) == 450
        answered.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(want)
        while not answered.is_set():
            turns += 1
            await trio.lowlevel.checkpoint()
            if turns == 2:
                handle.current = make_view(*handle.current.members)
    assert turns >= 5
    assert len(desk.reading.kept) == 0
    await ask(desk, **members)
    assert len(desk.reading.kept) == 1


async def test_the_same_answer_is_sent_again_until_something_changes() -> None:
    handle = cluster()
    desk = make_desk(handle)
    request = Request(method="GET", path="/v1/sd/prometheus")
    first = await list_targets(request, desk)
    assert await list_targets(request, desk) is first
    handle.show(make_instance("b", "mail", "mail-2", port=25))
    second = await list_targets(request, desk)
    assert second is not first
    assert isinstance(second, Reply)
    assert b"mail-2" in second.body


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4))
async def test_whatever_keys_there_are_labels_are_legal(meta: dict[str, str]) -> None:
    handle = FakeHandle()
    handle.show(make_instance("a", port=1, meta=meta))
    (group,) = await ask(make_desk(handle))
    for name in group["labels"]:
        assert name.isascii()
        assert name.replace("_", "a").isalnum()
