"""Answers that are held until something changes (consul-http.md, section 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from gossipd.catalog.events import ServiceChanged
from gossipd.external_node import EXTERNAL_NODE
from gossipd.rest.consul.nodes import node_id
from gossipd.rest.consul.reads.blocking import WAIT_MAX
from gossipd.rest.desk import Desk
from gossipd.rest.values import Reply
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.services.instance import Instance
from support.fake_handle import FakeHandle, make_member
from support.fake_services import make_instance
from support.http_desk import Clock, ask, body_of, index_of, make_desk, vector_handle

WEB = "/v1/health/service/web"


def _show(handle: FakeHandle, instance: Instance) -> None:
    handle.show(instance)
    handle.happen(ServiceChanged(instance.service.name, handle.index))


async def _held(call: Callable[[], Awaitable[Reply]]) -> tuple[float, Reply]:
    began = trio.current_time()
    reply = await call()
    return trio.current_time() - began, reply


async def _index(desk: Desk, target: str = WEB) -> int:
    return index_of(await ask(desk, target))


@pytest.mark.parametrize("step", [-1000, -1, 1, 1000])
async def test_another_index_than_the_present_one_is_answered_at_once(
    autojump_clock: trio.testing.MockClock, step: int
) -> None:
    desk = make_desk(vector_handle())
    index = await _index(desk)
    took, reply = await _held(lambda: ask(desk, f"{WEB}?index={index + step}&wait=60s"))
    assert took == 0
    assert index_of(reply) == index


async def test_the_present_index_is_held_for_the_wait_and_a_sixteenth_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    desk = make_desk(vector_handle())
    index = await _index(desk)
    holds = []
    for _ in range(20):
        took, reply = await _held(lambda: ask(desk, f"{WEB}?index={index}&wait=16s"))
        holds.append(took)
        assert index_of(reply) == index
        assert len(reply.body) > 100
    assert all(16 <= took <= 17 for took in holds)
    assert len(set(holds)) > 1
    assert desk.reading.topics.waiting == 0


@pytest.mark.parametrize(
    ("wait", "low", "high"),
    [
        ("", 300, 300 * 17 / 16),
        ("&wait=", 300, 300 * 17 / 16),
        ("&wait=0s", 300, 300 * 17 / 16),
        ("&wait=120000ms", 120, 127.5),
        ("&wait=1m30s", 90, 96),
        ("&wait=525s", 525, 560),
        ("&wait=9000h", WAIT_MAX, WAIT_MAX * 17 / 16),
    ],
)
async def test_how_long_a_wait_is(
    autojump_clock: trio.testing.MockClock, wait: str, low: float, high: float
) -> None:
    desk = make_desk(vector_handle())
    took, _ = await _held(lambda: _again(desk, wait))
    assert low <= took <= high


async def _again(desk: Desk, more: str) -> Reply:
    return await ask(desk, f"{WEB}?index={await _index(desk)}{more}")


async def test_a_change_is_answered_in_the_pass_after_it_and_wakes_nobody_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    answers: dict[str, tuple[float, Reply]] = {}

    async def wait_for(target: str) -> None:
        index = await _index(desk, target)
        answers[target] = await _held(lambda: ask(desk, f"{target}?index={index}&wait=5m"))

    async with trio.open_nursery() as nursery:
        targets = (
            WEB,
            "/v1/health/service/mail",
            "/v1/catalog/services",
            "/v1/catalog/nodes",
            "/v1/health/state/any",
            "/v1/catalog/node/birch",
            "/v1/health/node/alder",
        )
        for target in targets:
            nursery.start_soon(wait_for, target)
        await trio.sleep(7)
        web_b = next(one for one in handle.service("web").instances if one.service.id == "web-b")
        _show(handle, make_instance("birch", "web", "web-b", status="critical", tags=("http",)))
        assert web_b.status == "warning"
        await trio.testing.wait_all_tasks_blocked()
        assert {target: took for target, (took, _) in answers.items()} == {
            WEB: 7,
            "/v1/catalog/services": 7,  # the tag green went
            "/v1/health/state/any": 7,
            "/v1/catalog/node/birch": 7,
        }
        assert desk.reading.topics.woken == 4
        _show(handle, make_instance("alder", "mail", "mail-9", tags=("smtp",)))
        await trio.testing.wait_all_tasks_blocked()
        assert set(answers) == {*targets} - {"/v1/catalog/nodes"}
        nursery.cancel_scope.cancel()
    assert desk.reading.topics.waiting == 0


async def test_words_of_a_check_wake_nobody_and_are_in_the_next_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    index = await _index(desk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, desk, f"{WEB}?index={index}&wait=5m")
        await trio.sleep(1)
        web_a = handle.service("web").instances[0]
        check = web_a.checks[0]
        said = type(check)(check.id, check.name, check.kind, check.status, "200 in 9 ms")
        fields = {name: getattr(web_a, name) for name in Instance.__match_args__}
        _show(handle, Instance(**{**fields, "checks": (said,)}))
        await trio.testing.wait_all_tasks_blocked()
        assert desk.reading.topics.woken == 0
        assert len(nursery.child_tasks) == 1
        nursery.cancel_scope.cancel()
    reply = await ask(desk, WEB)
    assert index_of(reply) == index
    assert b"200 in 9 ms" in reply.body


async def test_a_change_between_the_look_and_the_wait_is_not_lost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    index = await _index(desk)
    _show(handle, make_instance("birch", "web", "web-n"))  # told, and nobody looked yet
    took, reply = await _held(lambda: ask(desk, f"{WEB}?index={index}&wait=5m"))
    assert took == 0
    assert index_of(reply) > index


async def test_who_waits_for_a_service_that_nobody_knows_gets_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    target = "/v1/health/service/cache?passing"
    index = await _index(desk, target)
    found: list[object] = []

    async def wait() -> None:
        found.append(body_of(await ask(desk, f"{target}&index={index}")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(3)
        _show(handle, make_instance("alder", "queue"))
        await trio.sleep(3)
        assert found == []
        _show(handle, make_instance("cedar", "cache"))
    assert isinstance(found[0], list)
    assert [entry["Service"]["ID"] for entry in found[0]] == ["cache"]


@pytest.mark.parametrize("path", ["catalog/node", "catalog/node-services", "health/node"])
@pytest.mark.parametrize("is_external", [False, True])
async def test_who_waits_for_the_id_of_a_node_that_is_not_there_gets_it(
    autojump_clock: trio.testing.MockClock, path: str, is_external: bool
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    target = f"/v1/{path}/{node_id('linden').upper()}"
    index = await _index(desk, target)
    found: list[tuple[float, Reply]] = []

    async def wait() -> None:
        found.append(await _held(lambda: ask(desk, f"{target}?index={index}&wait=5m")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(3)
        _show(handle, make_instance("alder", "queue"))  # of no concern
        await trio.sleep(3)
        assert found == []
        if is_external:
            meta = {EXTERNAL_NODE: "linden"}
            _show(handle, make_instance("alder", "db", "linden/db", meta=meta))
        else:
            member = make_member("linden")
            handle.change(ChangeKind.JOIN, member)
            handle.happen(MemberChange(ChangeKind.JOIN, member))
    ((took, reply),) = found
    assert took == 6
    assert path == "health/node" or b'"Node":"linden"' in reply.body
    again = index_of(reply)
    assert again > index
    # and from then on it is that node's changes that count
    async with trio.open_nursery() as nursery:
        index = again
        nursery.start_soon(wait)
        await trio.sleep(2)
        assert len(found) == 1
        _show(handle, make_instance("linden", "mail"))
        if is_external:
            _show(handle, make_instance("alder", "db", "linden/db-2", meta=meta))
    assert found[1][0] == 2


async def test_a_client_that_goes_away_leaves_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    desk = make_desk(vector_handle())
    index = await _index(desk)
    for _ in range(50):
        with trio.move_on_after(1):
            await ask(desk, f"{WEB}?index={index}")
    assert desk.reading.topics.waiting == 0
    assert desk.reading.topics._waiters == {}


async def test_who_waits_for_several_topics_leaves_none_of_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    target = "/v1/catalog/services?node-meta=rack:r1"  # names, nodes and definitions
    index = await _index(desk, target)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, desk, f"{target}&index={index}")
        await trio.sleep(1)
        assert desk.reading.topics.waiting == 3
        _show(handle, make_instance("alder", "queue"))
    assert desk.reading.topics._waiters == {}


async def test_a_restart_is_answered_at_once_and_goes_on_above(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle, wall = vector_handle(), Clock()
    index = await _index(make_desk(handle, wall=wall))
    wall.seconds += 2
    again = make_desk(vector_handle(), wall=wall)
    took, reply = await _held(lambda: ask(again, f"{WEB}?index={index}&wait=5m"))
    assert took == 0
    assert index_of(reply) > index


async def test_a_thousand_waiters_of_one_service_are_all_answered_by_one_change(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = vector_handle()
    desk = make_desk(handle)
    index = await _index(desk)
    mail = await _index(desk, "/v1/health/service/mail")
    answered: list[Reply] = []

    async def wait() -> None:
        answered.append(await ask(desk, f"{WEB}?index={index}"))

    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            nursery.start_soon(wait)
        others = trio.CancelScope()

        async def wait_for_mail() -> None:
            with others:
                await ask(desk, f"/v1/health/service/mail?index={mail}")

        nursery.start_soon(wait_for_mail)
        await trio.sleep(1)
        _show(handle, make_instance("birch", "web", "web-n"))
        await trio.testing.wait_all_tasks_blocked()
        assert len(answered) == 1000
        assert len({id(reply) for reply in answered}) == 1
        assert desk.reading.topics.woken == 1000
        others.cancel()
