"""Both balancers on real watches: a daemon's socket, changes, its end and its return."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.to_thread
import pytest

from gossipd.balance.reports import BalancerReport
from gossipd.client import following
from gossipd.client.aio import AsyncClient
from gossipd.client.at import At
from gossipd.client.blocking import Client
from gossipd.coordinate import Coordinate
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.rpc_thread import rpc_thread
from support.waiting import wait_for


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_FIRST", 0.01)


def seen_by(web: Any, owners: set[str]) -> None:
    wait_for(
        lambda: {i.owner for i in web.instances} == owners,
        10,
        f"{owners} to be seen",
        interval=0.01,
    )


def owner(at: At) -> str:
    return at.instance.owner


def test_a_balancer_follows_a_daemon_over_its_restart(tmp_path: Path) -> None:
    handle = FakeHandle()
    handle.show(make_instance("a", port=80))
    handle.show(make_instance("b", port=80))
    with rpc_thread(tmp_path, handle) as server:
        with Client(server.path) as client:
            web = client.balancer("web", policy="round-robin", random=Random(1))
        web.__enter__()  # its client is closed by now
        assert {web.call(owner) for _ in range(4)} == {"a", "b"}
        server.do(lambda: handle.show(make_instance("c", port=80)))
        seen_by(web, {"a", "b", "c"})
        server.do(lambda: handle.hide("a", "web"))
        seen_by(web, {"b", "c"})
        report: BalancerReport = web.snapshot()
        assert report.stale_for is None
        assert report.index > 0

    def is_stale() -> bool:
        return web.snapshot().stale_for is not None

    wait_for(is_stale, 10, "the loss to be noticed", interval=0.01)
    assert web.call(owner) in ("b", "c")
    (tmp_path / "rpc.sock").unlink(missing_ok=True)
    handle.show(make_instance("d", port=80))
    with rpc_thread(tmp_path, handle):
        seen_by(web, {"b", "c", "d"})
        assert not is_stale()
        web.close()
    assert web.call(owner) in ("b", "c", "d")


def test_distances_come_from_the_daemons_coordinates(tmp_path: Path) -> None:
    handle = FakeHandle(make_view(make_member("a"), make_member("b"), make_member("c")))
    for name, x in (("a", 0.0), ("b", 0.05), ("c", 0.01)):
        handle.coordinates[name] = Coordinate(vec=(x,) + (0.0,) * 7)
    handle.show(make_instance("b", port=80))
    handle.show(make_instance("c", port=80))
    with (
        rpc_thread(tmp_path, handle) as server,
        Client(server.path) as client,
        client.balancer("web", policy="nearest") as web,
    ):
        wait_for(lambda: web.snapshot().instances[0].distance, 10, "distances", interval=0.01)
        assert {web.call(owner) for _ in range(10)} == {"c"}


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_the_async_balancer_follows_too(tmp_path: Path, backend: str) -> None:
    handle = FakeHandle()
    handle.show(make_instance("a", port=80))

    async def send(at: At) -> str:
        return owner(at)

    async def work(path: str) -> None:
        with anyio.fail_after(20):
            async with AsyncClient(path) as client, client.balancer("web") as web:
                assert await web.call(send) == "a"
                await anyio.to_thread.run_sync(
                    lambda: server.do(lambda: handle.show(make_instance("b", port=80)))
                )
                await anyio.to_thread.run_sync(seen_by, web, {"a", "b"})

    with rpc_thread(tmp_path, handle) as server:
        anyio.run(work, server.path, backend=backend)
