"""``AsyncClient`` under trio and under asyncio, against a server in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from gossipd.client.aio import AsyncClient
from gossipd.client.aio_link import AsyncLink, Inbox
from gossipd.client.connection import DaemonUnreachable, RequestRefused
from gossipd.client.endpoint import find_endpoint
from gossipd.rpc.server import Limits
from gossipd.serf.events import ChangeKind, QueryAcked
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_thread import RpcThread, rpc_thread
from support.waiting import wait_for


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RpcThread]:
    handle = FakeHandle(make_view(make_member("b"), make_member("a", tags={"role": "web"})))
    with rpc_thread(tmp_path, handle) as running:
        yield running


def run(backend: str, work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(20):
            await work()

    anyio.run(limited, backend=backend)


both = pytest.mark.parametrize("backend", ["trio", "asyncio"])


@both
def test_commands_and_answers(server: RpcThread, backend: str) -> None:
    server.handle.joinable = {"x"}

    async def work() -> None:
        for where in (server.path, f"127.0.0.1:{server.port}"):
            async with AsyncClient(where) as client:
                assert [m.name for m in await client.members()] == ["a", "b"]
                assert [m.name for m in await client.members_filtered(name="b")] == ["b"]
                assert await client.join(["x"]) == 1
                await client.force_leave("z")
                await client.set_tags({"k": "v"})
                assert await client.tags() == {"role": "web"}
                with pytest.raises(RequestRefused):
                    await client.join(["y"])

    run(backend, work)


@both
def test_several_tasks_share_one_client(server: RpcThread, backend: str) -> None:
    server.handle.acks = ["a", "b"]

    async def work() -> None:
        async with AsyncClient(server.path) as client, anyio.create_task_group() as tasks:

            async def ask() -> None:
                for _ in range(20):
                    assert len(await client.members()) == 2

            for _ in range(5):
                tasks.start_soon(ask)
            async with client.reachability() as acks:
                assert [name async for name in acks] == ["a", "b"]
                assert [name async for name in acks] == []  # it is over, and stays so

    run(backend, work)


@both
def test_a_query_that_is_left_before_its_end_makes_room_for_others(
    server: RpcThread, backend: str
) -> None:
    server.handle.replies = [QueryAcked(1, "a"), None]

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            for _ in range(Limits().queries_max + 1):
                async with client.query("load") as replies:
                    assert (await anext(replies)).node == "a"

    run(backend, work)


@both
def test_streams_follow_events_and_end_with_their_context(server: RpcThread, backend: str) -> None:
    handle = server.handle

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            async with client.stream("member-join") as events, client.monitor() as lines:
                change = lambda: handle.change(ChangeKind.JOIN, make_member("c"))  # noqa: E731
                await anyio.to_thread.run_sync(server.do, change)
                event = await anext(events)
                assert event.members[0].name == "c"
                await anyio.to_thread.run_sync(server.do, lambda: handle.log("INFO", "hello"))
                assert (await anext(lines)).text == "hello"
            assert len(await client.members()) == 3
            # the daemon has been told by now; the task that followed for us ends by its turn
            ended = partial(
                wait_for, lambda: not server.do(lambda: handle.feeds), 10, "the end of both"
            )
            await anyio.to_thread.run_sync(ended)

    run(backend, work)


@both
def test_a_reader_that_is_too_slow_is_told_how_many_it_lost(
    server: RpcThread, backend: str
) -> None:
    handle = server.handle
    total = 3_000

    async def work() -> None:
        async with AsyncClient(server.path) as client, client.stream("member-join") as events:

            def burst() -> None:
                for port in range(total):
                    handle.change(ChangeKind.JOIN, make_member("c", port=port))

            await anyio.to_thread.run_sync(server.do, burst)
            await client.members()
            seen = lost = 0
            while seen + lost < total:
                event = await anext(events)
                if event.kind == "gap":
                    lost += event.lost
                else:
                    seen += 1
            assert lost > 0
            assert seen >= 512

    run(backend, work)


@both
def test_a_loss_is_told_at_its_place_even_if_the_reader_never_catches_up(backend: str) -> None:
    async def work() -> None:
        link, inbox = AsyncLink(find_endpoint("unused", {}, 0)), Inbox(3)
        for body in ("1", "2", "3", "lost", "lost"):
            inbox.put(body)
        seen = [await link.next_record(inbox) for _ in range(2)]
        inbox.put("4")
        seen += [await link.next_record(inbox) for _ in range(3)]
        inbox.close()
        assert seen == [("1", 0), ("2", 0), ("3", 0), (None, 2), ("4", 0)]

    run(backend, work)


@both
def test_a_cancelled_request_leaves_the_connection_usable(server: RpcThread, backend: str) -> None:
    async def work() -> None:
        async with AsyncClient(server.path) as client:
            with anyio.move_on_after(0):
                await client.members()
            assert len(await client.members()) == 2

    run(backend, work)


@both
def test_a_daemon_that_ends_is_noticed_by_everybody_who_waits(
    server: RpcThread, backend: str
) -> None:
    async def work() -> None:
        async with AsyncClient(server.path) as client:
            async with client.stream() as events:
                await client.leave()
                with pytest.raises(DaemonUnreachable):
                    await anext(events)
            with pytest.raises(DaemonUnreachable):
                await client.members()

    run(backend, work)


@both
def test_a_client_that_is_entered_again_connects_afresh(server: RpcThread, backend: str) -> None:
    async def work() -> None:
        client = AsyncClient(server.path)
        for _ in range(2):
            async with client:
                assert len(await client.members()) == 2

    run(backend, work)


@both
def test_nobody_at_the_socket_and_a_wrong_token(tmp_path: Path, backend: str) -> None:
    with rpc_thread(tmp_path, auth="s3cret") as server:

        async def work() -> None:
            with pytest.raises(DaemonUnreachable, match="gossipd agent"):
                await AsyncClient(str(tmp_path / "none")).__aenter__()
            with pytest.raises(DaemonUnreachable, match="not a host name"):
                await AsyncClient("\u00e9..b:1").__aenter__()
            with pytest.raises(RequestRefused, match="Invalid authentication token"):
                await AsyncClient(server.path, auth="nope").__aenter__()
            async with AsyncClient(server.path, auth="s3cret") as client:
                assert len(await client.members()) == 1

        run(backend, work)
