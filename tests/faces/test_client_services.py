"""Both clients ask, register, hold and watch, against a server in a thread."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import anyio
import anyio.to_thread
import pytest
from anyio import CancelScope

from gossipd.client import aio_link, following, keeping, link
from gossipd.client.aio import AsyncClient
from gossipd.client.aio_keeping import keep_registered
from gossipd.client.aio_services import AsyncServiceCalls
from gossipd.client.blocking import Client
from gossipd.client.connection import DaemonUnreachable, RequestRefused
from gossipd.errors import UsageError
from gossipd.query.requests import Leave
from gossipd.services.definition import CheckState
from gossipd.services.instance import Instance, ServiceChange, ServiceReset
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, FROM_CONNECTION
from gossipd.services.reading import read_check, read_service
from support.fake_handle import FakeHandle
from support.fake_services import make_instance
from support.rpc_thread import RpcThread, rpc_thread


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RpcThread]:
    with rpc_thread(tmp_path) as running:
        yield running


def run(backend: str, work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(20):
            await work()

    anyio.run(limited, backend=backend)


both = pytest.mark.parametrize("backend", ["trio", "asyncio"])


def shown() -> Instance:
    return make_instance(
        "b", "web", "web-1", address="10.0.0.9", port=8080, tags=("v1",), meta={"k": "v"},
        tagged_addresses={"wan": ("192.0.2.1", 80)}, weight=3, needs=("db",),
        status="warning", load=0.5, zone="z", maintenance="why", is_draining=True, is_doubtful=True,
        checks=(CheckState("c", "n", "http", "warning", "429"),), epoch=7, version=9,
        owner_status="suspect", suspected_at=98.0, learned_at=99.0,
    )  # fmt: skip


def without_times(instance: Instance) -> dict[str, object]:
    fields = {field: getattr(instance, field) for field in Instance.__match_args__}
    del fields["suspected_at"], fields["learned_at"]
    return fields


def test_an_instance_arrives_as_it_was_sent(server: RpcThread) -> None:
    server.do(lambda: server.handle.show(shown()))
    with Client(server.path) as client:
        (one,) = client.service("web").instances
        assert without_times(one) == without_times(shown())
        assert one.suspected_at is not None
        assert one.learned_at - one.suspected_at == pytest.approx(1.0)
        assert (one.address, one.service.tagged_addresses["wan"]) == ("10.0.0.9", ("192.0.2.1", 80))
        assert client.service("web", tags=["v2"]).instances == ()
        assert len(client.service("web", meta={"k": "v"}, zone="z").instances) == 1
        assert client.service("web", passing=True).instances == ()
        assert [one.service.id for one in client.services_of("b")] == ["web-1"]
        assert client.services_of() == []
        (line,) = client.services()
        assert (line.name, line.warning, line.doubtful, line.needs) == ("web", 1, 1, ("db",))
        assert line == server.handle.services()[0]
        assert client.service("nothing").instances == ()
        with pytest.raises(RequestRefused, match="no network coordinate"):
            client.service("web", near="b")


def test_what_is_held_goes_with_the_block_or_the_connection(server: RpcThread) -> None:
    handle = server.handle
    handle.warnings = ("beware",)
    client = Client(server.path)
    with client.register("web", port=8080, check={"http": "/health"}) as held:
        assert (held.id, held.warnings) == ("web", ("beware",))
        (own,) = client.own_services().services
        assert (own.source, own.service.port) == (FROM_CONNECTION, 8080)
        assert own.service.checks[0].target == "http://127.0.0.1:8080/health"
    assert client.own_services().services == ()
    client.register({"name": "web", "id": "x"}, port=1)
    client.register(read_service({"name": "db"}))
    assert len(client.own_services().services) == 2
    client.close()
    server.wait_for(lambda: not handle.own.services)


def test_a_registration_is_kept_over_a_restart_of_the_daemon(tmp_path: Path) -> None:
    handle = FakeHandle()
    told: list[bool] = []
    changed = threading.Event()

    def note() -> None:
        told.append(kept.is_registered)
        changed.set()

    first = rpc_thread(tmp_path, handle)
    server = first.__enter__()
    with Client(server.path) as client:
        kept = client.keep_registered("web", port=1)
        kept.on_change = note
    with pytest.raises(RequestRefused), Client(server.path) as client:
        client.keep_registered("web", port=-1)
    assert [one.service.id for one in handle.own.services] == ["web"]
    first.__exit__(None, None, None)
    assert changed.wait(10)
    assert told == [False]
    assert isinstance(kept.trouble, DaemonUnreachable)
    changed.clear()
    (tmp_path / "rpc.sock").unlink()
    with rpc_thread(tmp_path, handle) as server:
        while not kept.is_registered:
            assert changed.wait(10)
            changed.clear()
        assert [one.service.id for one in handle.own.services] == ["web"]
        assert kept.trouble is None
        kept.release()
        server.wait_for(lambda: not handle.own.services)


def test_a_daemon_that_does_not_answer_holds_up_no_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "RELEASE_SECONDS", 0.01)
    monkeypatch.setattr(following, "RETRY_FIRST", 0.001)
    answers, is_stuck = threading.Event(), threading.Event()
    clients = [Mock(spec=Client)]

    def connect() -> Client:
        if clients:
            return clients.pop()
        is_stuck.set()
        answers.wait()
        raise DaemonUnreachable("at last")

    kept = keeping.KeptRegistration(connect, {"name": "web"})
    assert is_stuck.wait(10)
    kept.release()
    answers.set()
    kept.release()


def test_a_process_that_is_killed_takes_its_registration_along(server: RpcThread) -> None:
    code = (
        "import sys; from gossipd.client import Client; "
        "held = Client(sys.argv[1]).register('web', port=1); print('up', flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, server.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert len(server.handle.own.services) == 1
        process.kill()
        server.wait_for(lambda: not server.handle.own.services)


def test_commands_of_providers(server: RpcThread) -> None:
    with Client(server.path) as client:
        assert client.register_service("web", port=80) == ()
        client.register_check({"tcp": ":81"}, "web")
        client.register_check(read_check({"script": "df", "id": "disk"}))
        client.report("beat", "passing", "ok", load=0.5)
        client.report_load("web", 0.25)
        client.maintenance("web", "deploy")
        client.maintenance(reason=None)
        client.drain("web", 5)
        client.deregister_check("disk")
        with pytest.raises(RequestRefused, match=r"^checks\[0\]\.ttl: "):
            client.register("x", checks=[{"ttl": "soon"}])
        with pytest.raises(RequestRefused):
            client.deregister("nothing")
        client.leave(drain=3)
    verbs = [command[0] for command in server.handle.commands]
    assert verbs == [
        "register", "register-check", "register-check", "report", "load", "maintenance",
        "maintenance", "drain", "deregister-check", "deregister",
    ]  # fmt: skip
    assert server.handle.commands[0][2] == FROM_CLIENT
    assert server.handle.commands[5:7] == [
        ("maintenance", "web", "deploy"),
        ("maintenance", "", None),
    ]
    assert server.handle.calls[-1] == ("leave", 3.0)
    assert Leave(3).body() is None


def kinds(*updates: ServiceReset | ServiceChange | None) -> list[str]:
    return [
        "none" if one is None else "set" if isinstance(one, ServiceReset) else one.kind
        for one in updates
    ]


def test_a_watch_tells_the_set_and_then_each_change(server: RpcThread) -> None:
    handle = server.handle
    server.do(lambda: handle.show(make_instance("a")))
    with Client(server.path) as client:
        watch = client.watch("web")
        assert kinds(next(watch), watch.next_within(0)) == ["set", "none"]
        server.do(lambda: handle.show(make_instance("b")))
        assert kinds(next(watch)) == ["up"]
        assert watch.index == handle.index
        server.do(lambda: handle.hide("b", "web"))
        assert client.changed_within([watch], 10)
        assert not client.changed_within([watch], 0)
        again = client.watch("web", watch.index)
        assert kinds(again.next_within(10)) == ["down"]
        watch.close()
        server.do(lambda: handle.show(make_instance("c")))
        assert kinds(next(again)) == ["up"]


def test_a_watch_that_is_read_too_late_loses_nothing(
    server: RpcThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "RECORDS_MAX", 4)
    handle = server.handle
    handle.log_max = 100
    with Client(server.path) as client:
        watch = client.watch("web")
        for number in range(20):
            server.do(partial(handle.show, make_instance("a", port=number)))
            client.services()  # reads the records along
        updates = [next(watch)]
        while watch.index < handle.index:
            updates.append(next(watch))
        assert watch.next_within(0) is None
        indices = [one.index for one in updates if isinstance(one, ServiceChange)]
        assert indices == sorted(set(indices))
        assert len(indices) == 20 or isinstance(updates[0], ServiceReset)


def test_another_thread_ends_the_waiting(server: RpcThread) -> None:
    with Client(server.path) as client:
        waiting = threading.Thread(target=client.wait_for_end)
        waiting.start()
        client.shut_down()
        waiting.join(10)
        assert not waiting.is_alive()
        client.shut_down()


@both
def test_the_async_client_asks_and_registers(server: RpcThread, backend: str) -> None:
    handle = server.handle
    server.do(lambda: handle.show(shown()))

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            (one,) = (await client.service("web")).instances
            assert without_times(one) == without_times(shown())
            assert [line.name for line in await client.services()] == ["web"]
            assert len(await client.services_of("b")) == 1
            async with client.register("db", port=1) as held:
                assert (held.id, held.is_registered) == ("db", True)
                assert len((await client.own_services()).services) == 1
                await client.report("beat", "passing")
                await client.report_load("db", 0.5)
                await client.maintenance("db")
                await client.drain("db", 1)
                await client.register_check({"ttl": 5}, "db")
                await client.deregister_check("x")
            assert (await client.own_services()).services == ()
            assert await client.register_service("db") == ()
            with pytest.raises(RequestRefused, match=r"^port: "):
                async with client.register("x", port=-1):
                    pass
            await client.deregister("db")

    run(backend, work)


@both
def test_the_async_client_watches(
    server: RpcThread, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio_link, "RECORDS_MAX", 2)
    handle = server.handle
    server.do(lambda: handle.show(make_instance("a")))

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            async with client.watch("web") as updates:
                first = await anext(updates)
                assert isinstance(first, ServiceReset)
                for number in range(6):
                    await anyio.to_thread.run_sync(
                        server.do,
                        partial(handle.show, make_instance("a", port=number)),
                    )
                    await client.services()
                found = [first.view.index]
                while found[-1] < handle.index:
                    update = await anext(updates)
                    assert isinstance(update, ServiceChange)
                    found.append(update.index)
                assert found == list(range(found[0], found[0] + 7))
            await until(lambda: handle.watchers_of("web") == 0)
            async with client.watch("web", found[-2]) as updates:
                update = await anext(updates)
                assert isinstance(update, ServiceChange)
                assert update.index == found[-1]

    run(backend, work)


@both
def test_what_hinders_a_kept_registration_is_told_once(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RETRY_FIRST", 0.001)
    told: list[str] = []
    fails = [False, True, True, True, False]

    async def work() -> None:
        gone, is_back = anyio.Event(), anyio.Event()

        @asynccontextmanager
        async def connect() -> AsyncIterator[AsyncServiceCalls]:
            if fails.pop(0):
                raise DaemonUnreachable("nobody answers")
            client = AsyncMock(spec=AsyncServiceCalls)
            client.wait_for_end.side_effect = gone.wait if fails else anyio.sleep_forever
            yield client

        async with keep_registered(connect, {"name": "web"}) as held:

            def note() -> None:
                told.append(str(held.trouble))
                if held.is_registered:
                    is_back.set()

            held.on_change = note
            gone.set()
            await is_back.wait()

    run(backend, work)
    assert told == ["the daemon went away", "nobody answers", "None"]


@both
def test_what_is_kept_comes_back_with_the_daemon(tmp_path: Path, backend: str) -> None:
    handle = FakeHandle()
    handle.show(make_instance("b", "db"))
    told: list[bool] = []

    async def work() -> None:
        first = rpc_thread(tmp_path, handle)
        server = await anyio.to_thread.run_sync(first.__enter__)
        async with (
            AsyncClient(server.path) as client,
            client.register("web", port=1, keep=True) as held,
            client.watch("db", keep=True) as updates,
        ):
            held.on_change = lambda: told.append(held.is_registered)
            assert isinstance(await anext(updates), ServiceReset)
            assert len(handle.own.services) == 1
            index = handle.index
            await anyio.to_thread.run_sync(first.__exit__, None, None, None)
            (tmp_path / "rpc.sock").unlink()
            handle.show(make_instance("a", "db"))
            await until(lambda: told == [False])
            assert isinstance(held.trouble, DaemonUnreachable)
            with rpc_thread(tmp_path, handle):
                update = await anext(updates)
                assert isinstance(update, ServiceChange)
                assert index < update.index
                await until(lambda: told == [False, True])
                assert len(handle.own.services) == 1
                held.on_change = None
        await until(lambda: not handle.own.services)

    run(backend, work)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110
        await anyio.sleep(0.01)


@both
def test_what_cannot_be_kept_is_refused_at_once(server: RpcThread, backend: str) -> None:
    async def work() -> None:
        async with AsyncClient(server.path) as client:
            with pytest.raises(RequestRefused, match=r"^port: "):
                async with client.register("web", port=-1, keep=True):
                    pass
            with pytest.raises(ValueError, match="mine"):
                async with client.register("web", keep=True):
                    raise ValueError("mine")

    run(backend, work)


@both
def test_a_registration_whose_caller_was_cancelled_is_taken_back(
    server: RpcThread, backend: str
) -> None:
    handle = server.handle
    server.do(lambda: handle.register_service(read_service({"name": "other"}), FROM_CONFIG))

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            send = client._link._send
            for name in ("web", "other"):
                with anyio.CancelScope() as scope:

                    async def send_and_cancel(data: bytes, scope: CancelScope = scope) -> None:
                        await send(data)
                        scope.cancel()  # the answer is under way

                    client._link._send = send_and_cancel  # type: ignore[method-assign]
                    if name == "other":  # what was refused is not ours to take back
                        handle.refusal = UsageError("id: 'other' is the configuration's")
                    async with client.register(name):
                        raise AssertionError("it was entered")
            client._link._send = send  # type: ignore[method-assign]
            assert [one.service.id for one in (await client.own_services()).services] == ["other"]

    anyio.run(work, backend=backend)
    assert [call[0] for call in handle.commands] == [
        "register",
        "register",
        "deregister",
        "register",
    ]
