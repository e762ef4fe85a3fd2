"""``AsyncServiceBalancer`` under trio and asyncio, on a watch told by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import anyio
import pytest

from gossipd.balance.no_instance import NoInstance
from gossipd.client import following
from gossipd.client.aio import AsyncClient
from gossipd.client.aio_balancing import AsyncServiceBalancer
from gossipd.client.at import At
from gossipd.client.connection import RequestRefused
from gossipd.errors import Unavailable, UsageError
from gossipd.query.replies import CoordinateReply
from gossipd.services.definition import NodeState
from gossipd.services.instance import DOWN, UP
from gossipd.services.own import OwnServices
from support.fake_watch import AsyncFakeDaemon
from support.instances import change, instance, reset

A, B, C = (instance(owner) for owner in "abc")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_FIRST", 0.001)


def run(backend: str, work: Callable[[AsyncFakeDaemon], Awaitable[None]], *instances: Any) -> None:
    async def limited() -> None:
        daemon = AsyncFakeDaemon(reset(*instances))
        with anyio.fail_after(20):
            await work(daemon)
        daemon.close()

    anyio.run(limited, backend=backend)


def balancer(daemon: AsyncFakeDaemon, **options: Any) -> AsyncServiceBalancer:
    return AsyncServiceBalancer("web", daemon.connect, random=Random(1), **options)


async def owner(at: At) -> str:
    await anyio.lowlevel.checkpoint()
    return at.instance.owner


both = pytest.mark.parametrize("backend", ["trio", "asyncio"])


@both
def test_it_follows_and_chooses(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        async with balancer(daemon) as web:
            assert web.instances == (A, B)
            await daemon.tell(change(UP, C))
            await daemon.tell(change(DOWN, A, index=3))
            assert web.instances == (B, C)
            async with web.pick() as at:
                assert at.instance in (B, C)
                assert sum(r.outstanding for r in web.snapshot().instances) == 1
            assert {await web.call(owner) for _ in range(20)} <= {"b", "c"}

    run(backend, work, A, B)


@both
def test_an_attempt_that_hangs_is_cancelled_and_another_is_asked(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        async def send(at: At) -> str:
            if at.instance == A:
                await anyio.sleep_forever()
            return at.instance.owner

        async with balancer(daemon, policy="round-robin") as web:
            got = [await web.call(send, idempotent=True, timeout=0.2) for _ in range(3)]
            assert got == ["b", "b", "b"]
            assert web.snapshot().instances[0].failures >= 1

    run(backend, work, A, B)


@both
def test_a_time_out_of_all_attempts_is_the_callers(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        async def send(at: At) -> None:
            await anyio.sleep_forever()

        async with balancer(daemon) as web:
            with pytest.raises(TimeoutError):
                await web.call(send, idempotent=True, timeout=0.05)
            with anyio.move_on_after(0.01):  # the caller's own patience: no verdict
                await web.call(send)
            (a, b) = web.snapshot().instances
            assert a.outstanding + b.outstanding == 0
            assert a.failures + b.failures == 2 + 1

    run(backend, work, A, B)


@both
def test_errors_leave_as_they_are(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        with pytest.raises(KeyError):  # noqa: PT012 - what leaves the block is the subject
            async with balancer(daemon) as web, web.pick() as at:
                at.fail()
                raise KeyError(at.host)
        with pytest.raises(NoInstance):
            async with balancer(daemon) as web, web.pick(exclude=web.instances):
                pass

    run(backend, work, A)


@both
def test_it_goes_on_while_the_daemon_is_away_and_resumes(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        async with balancer(daemon) as web:
            daemon.is_away = True
            await daemon.tell(None)
            assert web.snapshot().stale_for is not None
            assert await web.call(owner) == "a"
            daemon.is_away = False
            await daemon.back.wait()
            await daemon.tell(change(UP, B))
            assert web.snapshot().stale_for is None
            assert daemon.asked_from == [0, 1]
            assert web.instances == (A, B)

    run(backend, work, A)


@both
def test_entering_fails_when_no_daemon_answers_or_it_refuses(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        daemon.is_away = True
        with pytest.raises(Unavailable, match=r"web: no answer .* nobody answers"):
            async with balancer(daemon, wait=0.05):
                pass
        daemon.is_away = False
        daemon.refusal = RequestRefused("Unsupported command")
        with pytest.raises(RequestRefused):
            async with balancer(daemon):
                pass

    run(backend, work, A)


@both
def test_it_may_be_entered_again_and_keeps_what_it_knew(backend: str) -> None:
    async def work(daemon: AsyncFakeDaemon) -> None:
        web = balancer(daemon)
        for _ in range(2):
            async with web:
                assert await web.call(owner) == "a"
            assert web.snapshot().stale_for is not None

    run(backend, work, A)


@both
def test_zone_and_distances_are_looked_up(backend: str) -> None:
    near, far = instance("a", zone="x"), instance("b", zone="y")

    async def work(daemon: AsyncFakeDaemon) -> None:
        daemon.own = OwnServices(node=NodeState(zone="y"))
        async with balancer(daemon, policy="zone") as web:
            assert {await web.call(owner) for _ in range(20)} == {"b"}
        for name, x in (("here", 0.0), ("a", 0.001), ("b", 0.05)):
            daemon.places[name] = CoordinateReply((x,) + (0.0,) * 7, 1e-5, 0.0, 0.1)
        async with balancer(daemon, policy="nearest") as web:
            await anyio.lowlevel.checkpoint()
            assert {await web.call(owner) for _ in range(20)} == {"a"}

    run(backend, work, near, far)


@both
def test_distances_that_nobody_knew_are_asked_for_again(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "UNKNOWN_KEPT", 0.001)

    async def work(daemon: AsyncFakeDaemon) -> None:
        async with balancer(daemon, policy="nearest") as web:
            for name, x in (("here", 0.0), ("a", 0.001), ("b", 0.05)):
                daemon.places[name] = CoordinateReply((x,) + (0.0,) * 7, 1e-5, 0.0, 0.1)
            with anyio.fail_after(10):
                while web.snapshot().instances[1].distance is None:
                    await anyio.lowlevel.checkpoint()
            assert {await web.call(owner) for _ in range(20)} == {"a"}

    run(backend, work, instance("a"), instance("b"))


def test_a_client_makes_one_and_names_wrong_options() -> None:
    client = AsyncClient("/nowhere/s.sock")
    assert client.balancer("web", policy="hash").snapshot is not None
    with pytest.raises(UsageError, match=r"^policy: "):
        client.balancer("web", policy="?")
