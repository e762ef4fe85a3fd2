"""Entries of instances that are kept as text: when they are written anew."""

from __future__ import annotations

import pytest

from gossipd.catalog.events import ServiceChanged
from gossipd.node.view import Suspicion
from gossipd.rest.consul.reads import fragments
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.value import replace
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ask, body_of, make_desk

WEB = "/v1/health/service/web"


def _handle(instances: int = 50) -> FakeHandle:
    names = [f"n{place:02}" for place in range(instances)]
    handle = FakeHandle(make_view(make_member("a"), *map(make_member, names)))
    for name in names:
        handle.show(make_instance(name))
    return handle


async def test_a_change_of_one_instance_writes_one_entry() -> None:
    handle = _handle()
    desk = make_desk(handle)
    await ask(desk, WEB)
    await ask(desk, f"{WEB}?passing")
    assert desk.reading.fragments.made == 50
    handle.show(make_instance("n07", status="critical"))
    handle.happen(ServiceChanged("web", handle.index))
    reply = await ask(desk, WEB)
    assert desk.reading.fragments.made == 51
    assert body_of(reply) == body_of(await ask(make_desk(handle), WEB))


async def test_a_node_that_changes_or_is_suspected_has_its_entries_written_anew() -> None:
    handle = _handle()
    desk = make_desk(handle)
    await ask(desk, WEB)
    tagged = make_member("n07", tags={"rack": "r1"})
    handle.change(ChangeKind.UPDATE, tagged)
    handle.happen(MemberChange(ChangeKind.UPDATE, tagged))
    assert b'"rack":"r1"' in (await ask(desk, WEB)).body
    assert desk.reading.fragments.made == 51
    suspicion = Suspicion("n01", 0, since=99.0, deadline=104.0)
    handle.current = replace(handle.current, suspicions={"n08": suspicion})
    assert b"suspected by n01" in (await ask(desk, WEB)).body
    assert desk.reading.fragments.made == 52
    handle.current = replace(handle.current, suspicions={})
    assert b"suspected" not in (await ask(desk, WEB)).body


async def test_what_this_agent_registers_is_always_written_as_it_is() -> None:
    handle = _handle(1)
    handle.show(make_instance("a"))
    desk = make_desk(handle)
    for made in (2, 3):
        await ask(desk, WEB)
        assert desk.reading.fragments.made == made
        handle.current = replace(handle.current, version=made)


async def test_no_more_than_a_bound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "CHARACTERS_MAX", 3000)
    desk = make_desk(_handle())
    assert len(body_of(await ask(desk, WEB))) == 50  # type: ignore[arg-type]
    assert desk.reading.fragments._characters <= 3000
    assert 1 <= len(desk.reading.fragments._kept) <= 5
