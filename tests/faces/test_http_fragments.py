"""Entries of instances that are kept as text: when they are written anew."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable

import pytest
import trio

from gossipd.catalog.events import OwnServicesChanged, ServiceChanged
from gossipd.node.view import Suspicion, View
from gossipd.rest.consul.external import external_id, external_meta
from gossipd.rest.consul.reads import fragments
from gossipd.rest.desk import Desk
from gossipd.rest.values import Reply
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.services.definition import CheckDefinition, CheckState, ServiceState
from gossipd.services.instance import Instance
from gossipd.services.own import OwnService, OwnServices
from gossipd.value import replace
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ask, body_of, index_of, make_desk

WEB = "/v1/health/service/web"


def _handle(instances: int = 50) -> FakeHandle:
    names = [f"n{place:03}" for place in range(instances)]
    handle = FakeHandle(make_view(make_member("a"), *map(make_member, names)))
    for name in names:
        handle.show(_checked(make_instance(name)))
    return handle


def _checked(instance: Instance) -> Instance:
    check = CheckDefinition(id="c", name="c", kind="tcp")
    service = replace(instance.service, checks=(check,))
    state = CheckState("c", "c", "tcp", "passing", "it answers")
    return replace(instance, service=service, checks=(state,))


def _own(instance: Instance, reason: str) -> OwnServices:
    own = OwnService(service=instance.service, state=ServiceState(maintenance=reason))
    return OwnServices(services=(own,))


def _external(address: str, name: str, id: str) -> Instance:
    meta = external_meta("router", {}, {})
    return make_instance("n000", name, external_id("router", id), address=address, meta=meta)


async def test_a_change_of_one_instance_writes_one_entry() -> None:
    handle = _handle()
    desk = make_desk(handle)
    await ask(desk, WEB)
    await ask(desk, f"{WEB}?passing")
    assert desk.reading.fragments.made == 50
    handle.show(make_instance("n007", status="critical"))
    handle.happen(ServiceChanged("web", handle.index))
    reply = await ask(desk, WEB)
    assert desk.reading.fragments.made == 51
    assert body_of(reply) == body_of(await ask(make_desk(handle), WEB))


async def test_a_node_that_changes_or_is_suspected_has_its_entries_written_anew() -> None:
    handle = _handle()
    desk = make_desk(handle)
    await ask(desk, WEB)
    tagged = make_member("n007", tags={"rack": "r1"})
    handle.change(ChangeKind.UPDATE, tagged)
    handle.happen(MemberChange(ChangeKind.UPDATE, tagged))
    assert b'"rack":"r1"' in (await ask(desk, WEB)).body
    assert desk.reading.fragments.made == 51
    suspicion = Suspicion("n001", 0, since=99.0, deadline=104.0)
    handle.current = replace(handle.current, suspicions={"n008": suspicion})
    assert b"suspected by n001" in (await ask(desk, WEB)).body
    assert desk.reading.fragments.made == 52
    handle.current = replace(handle.current, suspicions={})
    assert b"suspected" not in (await ask(desk, WEB)).body


async def test_what_this_agent_registers_is_written_anew_when_anything_of_it_changes() -> None:
    """Reasons of maintenance are told of no other agent's instances, so they are in no record."""
    handle = _handle(1)
    own = make_instance("a", status="critical", maintenance="maintenance")
    handle.show(own)
    handle.own = _own(own, "")
    desk = make_desk(handle)
    await ask(desk, WEB)
    handle.current = replace(handle.current, version=5)
    await ask(desk, WEB)
    assert desk.reading.fragments.made == 2
    handle.own = _own(own, "new disks")
    handle.happen(OwnServicesChanged())
    assert b"new disks" in (await ask(desk, WEB)).body
    assert desk.reading.fragments.made == 3


async def test_a_node_without_an_agent_that_changes_has_its_entries_written_anew() -> None:
    handle = _handle(1)
    handle.show(_external("10.9.0.1", "web", "zzz"))
    desk = make_desk(handle)
    assert b"10.9.0.1" in (await ask(desk, WEB)).body
    handle.show(_external("10.9.0.2", "db", "aaa"))  # the first id says what the node is
    handle.happen(ServiceChanged("db", handle.index))
    assert b"10.9.0.2" in (await ask(desk, WEB)).body
    assert desk.reading.fragments.made == 3


async def test_no_more_than_a_bound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "CHARACTERS_MAX", 3000)
    desk = make_desk(_handle())
    assert len(body_of(await ask(desk, WEB))) == 50  # type: ignore[arg-type]
    assert desk.reading.fragments._characters <= 3000
    assert 1 <= len(desk.reading.fragments) <= 5


async def test_what_is_kept_does_not_keep_former_views() -> None:
    """Of instances that are gone and of questions that nobody asks again."""
    gc.collect()
    of_others = _views()
    handle = _handle(1)
    desk = make_desk(handle)
    for place in range(10):
        name = f"batch-{place}"
        handle.show(make_instance("n000", name))
        handle.happen(ServiceChanged(name, handle.index))
        handle.current = make_view(*handle.current.members)
        await ask(desk, f"/v1/health/service/{name}")
        await ask(desk, f"/v1/health/service/{name}?passing")
        handle.hide("n000", name)
        handle.happen(ServiceChanged(name, handle.index))
    gc.collect()
    assert _views() - of_others <= 2
    assert len(desk.reading.fragments) == 10


def _views() -> int:
    return sum(type(item) is View for item in gc.get_objects())


class Meddler:
    """Counts the turns that others have while a long answer is written, and uses them."""

    def __init__(self, *changes: Callable[[], None]) -> None:
        self.turns = 0
        self._changes = list(changes)

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            self.turns += 1
            if self._changes and self.turns % 3 == 0:
                self._changes.pop(0)()
            await trio.lowlevel.checkpoint()


async def _meddled(
    handle: FakeHandle, target: str, *changes: Callable[[], None]
) -> tuple[Meddler, Reply, Desk]:
    desk, meddler = make_desk(handle), Meddler(*changes)
    async with trio.open_nursery() as nursery:
        await nursery.start(meddler.run)
        reply = await ask(desk, target)
        nursery.cancel_scope.cancel()
    return meddler, reply, desk


def _shown(reply: Reply) -> object:
    """Return a body without its indexes, which are each agent's own."""
    return json.loads(
        reply.body,
        object_pairs_hook=lambda pairs: [pair for pair in pairs if not pair[0].endswith("Index")],
    )


LONG = [
    WEB,
    f"{WEB}?passing",
    f"{WEB}?filter=Service.Port+==+0",
    "/v1/catalog/service/web",
    "/v1/catalog/service/web?filter=ServicePort+==+0",
    "/v1/health/checks/web",
    "/v1/health/checks/web?filter=Status+==+passing",
]


@pytest.mark.parametrize("target", LONG)
async def test_a_long_answer_gives_way_to_others(target: str) -> None:
    meddler, reply, desk = await _meddled(_handle(500), target)
    assert meddler.turns > len(reply.body) // (2 * fragments.PORTION)
    assert len(body_of(reply)) == desk.reading.fragments.made == 500  # type: ignore[arg-type]


@pytest.mark.parametrize("target", LONG)
async def test_what_changes_meanwhile_is_shown_as_it_is_at_the_end(target: str) -> None:
    handle = _handle(200)

    def change() -> None:
        handle.show(make_instance("n000", status="warning"))
        handle.happen(ServiceChanged("web", handle.index))

    def tag() -> None:
        tagged = make_member("n001", tags={"rack": "r1"})
        handle.change(ChangeKind.UPDATE, tagged)
        handle.happen(MemberChange(ChangeKind.UPDATE, tagged))

    def remove() -> None:
        handle.hide("n002", "web")
        handle.happen(ServiceChanged("web", handle.index))

    _, reply, desk = await _meddled(handle, target, change, tag, remove)
    assert _shown(reply) == _shown(await ask(make_desk(handle), target))
    assert index_of(reply) == desk.reading.topics.index(("service", "web"))
    assert ("rack" in str(body_of(reply))) is ("checks" not in target), "they show no node"
    assert desk.reading.fragments.made < 210


async def test_changes_all_the_time_delay_an_answer_only_so_much() -> None:
    handle = _handle(100)

    def change_all() -> None:
        for place in range(100):
            handle.show(make_instance(f"n{place:03}", port=handle.index % 60_000))
        handle.happen(ServiceChanged("web", handle.index))

    _, reply, desk = await _meddled(handle, WEB, *[change_all] * 1000)
    assert desk.reading.fragments.made <= 100 * (fragments.PASSES_MAX + 1)
    assert _shown(reply) == _shown(await ask(make_desk(handle), WEB))


async def test_many_who_want_the_same_long_answer_have_it_written_once() -> None:
    desk, replies = make_desk(_handle(100)), []
    target = f"{WEB}?filter=Service.Port+==+0"  # of which nothing is kept but the answer

    async def want() -> None:
        replies.append(await ask(desk, target))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(want)
    assert desk.reading.fragments.made == 100
    assert len({id(reply) for reply in replies}) == 1


async def test_who_hangs_up_leaves_a_long_answer_to_the_next_who_wants_it() -> None:
    desk, replies = make_desk(_handle(500)), []
    first = trio.CancelScope()

    async def want_first(task_status: trio.TaskStatus[None]) -> None:
        with first:
            task_status.started()
            await ask(desk, WEB)

    async def want() -> None:
        replies.append(await ask(desk, WEB))

    async with trio.open_nursery() as nursery:
        await nursery.start(want_first)
        await trio.lowlevel.checkpoint()
        nursery.start_soon(want)
        await trio.lowlevel.checkpoint()
        assert desk.reading._under_way
        first.cancel()
    assert first.cancelled_caught
    assert len(body_of(replies[0])) == 500  # type: ignore[arg-type]
    assert desk.reading._under_way == {}
