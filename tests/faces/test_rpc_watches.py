"""Watches over the local socket: the set first, then each change once, per service, resumable."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.query.framing import encode
from gossipd.rpc.server import Limits
from gossipd.rpc.service_desk import STEP_SECONDS, WATCHES_A_STEP
from support.fake_handle import FakeHandle
from support.fake_services import make_instance
from support.rpc_service import LOG, Peer, serving
from support.rpc_thread import rpc_thread


async def watch(peer: Peer, name: str = "web", index: int = 0, seq: int = 7) -> None:
    await peer.send({"Command": "service-watch", "Seq": seq}, {"Name": name, "Index": index})
    assert await peer.read() == {"Error": "", "Seq": seq}


async def record(peer: Peer, seq: int = 7) -> Any:
    assert await peer.read() == {"Error": "", "Seq": seq}
    return await peer.read()


def told(body: Any) -> tuple[str, str]:
    return body["Kind"], body["Instance"]["Owner"]


async def nothing_comes(peer: Peer) -> bool:
    await trio.testing.wait_all_tasks_blocked()
    with trio.move_on_after(0.01) as scope:
        await peer.read()
    return scope.cancelled_caught


async def test_a_watch_begins_with_the_set_and_tells_each_change_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = FakeHandle()
    handle.show(make_instance("a"))
    async with serving(handle) as server:
        peer = await server.greet()
        await watch(peer)
        first = await record(peer)
        assert (first["Kind"], first["Index"], first["Guarded"]) == ("set", handle.index, False)
        assert [one["Owner"] for one in first["Instances"]] == ["a"]
        handle.show(make_instance("b"))
        handle.show(make_instance("b", status="critical"))
        handle.hide("a", "web")
        found = [await record(peer) for _ in range(3)]
        assert [told(one) for one in found] == [("up", "b"), ("changed", "b"), ("down", "a")]
        assert [one["Index"] for one in found] == [handle.index - 2, handle.index - 1, handle.index]
        assert await nothing_comes(peer)


async def test_another_service_wakes_nobody(autojump_clock: trio.testing.MockClock) -> None:
    handle = FakeHandle()
    async with serving(handle) as server:
        peer = await server.greet()
        await watch(peer)
        assert (await record(peer))["Instances"] == []
        handle.show(make_instance("a", "db"))
        assert await nothing_comes(peer)
        assert (handle.watchers_of("web"), handle.watchers_of("db")) == (1, 0)


async def test_a_watch_resumes_where_it_was(autojump_clock: trio.testing.MockClock) -> None:
    handle = FakeHandle()
    handle.show(make_instance("a"))
    index = handle.index
    handle.show(make_instance("b"))
    async with serving(handle) as server:
        peer = await server.greet()
        await watch(peer, index=index)
        assert told(await record(peer)) == ("up", "b")
        other = await server.greet()
        await watch(other, index=handle.index)
        assert await nothing_comes(other)
        handle.hide("b", "web")
        assert told(await record(peer)) == ("down", "b")
        assert told(await record(other)) == ("down", "b")


async def test_an_index_that_is_forgotten_or_of_another_life_begins_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = FakeHandle()
    handle.log_max = 2
    handle.show(make_instance("a"))
    index = handle.index
    for number in range(4):
        handle.show(make_instance("b", port=number))
    async with serving(handle) as server:
        peer = await server.greet()
        await watch(peer, index=index)
        assert (await record(peer))["Kind"] == "set"
        await watch(peer, index=handle.index + 99, seq=8)
        assert (await record(peer, seq=8))["Kind"] == "set"
        handle.begin_again()
        await watch(peer, index=index, seq=9)
        assert (await record(peer, seq=9))["Kind"] == "set"


async def test_a_stopped_watch_is_told_nothing(autojump_clock: trio.testing.MockClock) -> None:
    handle = FakeHandle()
    async with serving(handle) as server:
        peer = await server.greet()
        await watch(peer)
        await record(peer)
        assert await peer.ask("stop", {"Stop": 7}) == ""
        handle.show(make_instance("a"))
        assert await nothing_comes(peer)
        assert handle.watchers_of("web") == 0


async def test_a_watch_ends_with_its_connection(autojump_clock: trio.testing.MockClock) -> None:
    handle = FakeHandle()
    async with serving(handle) as server:
        peer, other = await server.greet(), await server.greet()
        await watch(peer)
        await watch(other)
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (handle.watchers_of("web"), server.service.desk.watches) == (1, 1)


async def test_a_client_that_does_not_read_is_told_what_it_missed_as_a_set(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = FakeHandle()
    handle.log_max = 3
    async with serving(handle) as server:
        slow, quick = await server.greet(), await server.greet()
        await watch(slow)
        await watch(quick)
        await record(slow)
        await record(quick)
        for number in range(10):
            handle.show(make_instance("a", port=number))
            assert (await record(quick))["Index"] == handle.index
        await trio.testing.wait_all_tasks_blocked()
        bodies: list[Any] = []
        while not bodies or bodies[-1]["Index"] < handle.index:
            bodies.append(await record(slow))
        kinds = [one["Kind"] for one in bodies]
        assert kinds in (["up", "set"], ["up", *["changed"] * 9])
        assert await nothing_comes(slow)


async def test_watches_are_bounded() -> None:
    async with serving(limits=Limits(watches_max=2, watches_in_all_max=3)) as server:
        peer, other = await server.greet(), await server.greet()
        for seq in (1, 2):
            await watch(peer, seq=seq)
            await record(peer, seq=seq)
        assert "too many watches on this" in await peer.ask("service-watch", {"Name": "x"})
        await watch(other, seq=1)
        await record(other, seq=1)
        assert "on all connections" in await other.ask("service-watch", {"Name": "x"})
        assert [line for level, line in LOG if level == "ERR"] == []


async def test_a_number_is_used_once() -> None:
    async with serving() as server:
        peer = await server.greet()
        await watch(peer)
        await record(peer)
        await peer.send({"Command": "service-watch", "Seq": 7}, {"Name": "db"})
        assert (await peer.read())["Error"] == "Stream with given sequence exists"


def test_watches_over_a_real_socket_lose_nothing_when_it_is_full(tmp_path: Path) -> None:
    handle = FakeHandle()
    handle.log_max = 10_000
    with rpc_thread(tmp_path, handle) as server, socket.socket(socket.AF_UNIX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(server.path)
        client.sendall(encode({"Command": "handshake", "Seq": 1}, {"Version": 1}))
        for seq in (2, 3):
            client.sendall(
                encode({"Command": "service-watch", "Seq": seq}, {"Name": "web", "Index": 0})
            )
        unpacker = msgpack.Unpacker()
        unpacker.feed(client.recv(65_536))
        for number in range(3000):
            server.do(partial(handle.show, make_instance("a", port=number, tags=("x" * 200,))))
        told: dict[int, list[int]] = {2: [], 3: []}
        client.settimeout(10)
        seq = 0
        while not all(told.values()) or any(one[-1] < handle.index for one in told.values()):
            for one in unpacker:
                if "Seq" in one:
                    seq = one["Seq"]
                elif "Index" in one:
                    told[seq].append(one["Index"])
                    if one["Kind"] == "set":
                        assert len(told[seq]) == 1
            if any(not one or one[-1] < handle.index for one in told.values()):
                unpacker.feed(client.recv(65_536))
        for indices in told.values():
            first = indices[0] + 1 if indices[0] else handle.index - 2999
            assert indices[1:] == list(range(first, handle.index + 1))


class WatchingClient(socket.socket):
    """Watches a service at a server in a thread; has read what the watch begins with."""

    def __init__(self, path: str) -> None:
        super().__init__(socket.AF_UNIX)
        self.settimeout(10)
        self.connect(path)
        self._unpacker = msgpack.Unpacker()
        hello = encode({"Command": "handshake", "Seq": 1}, {"Version": 1})
        self.sendall(hello + encode({"Command": "service-watch", "Seq": 2}, {"Name": "web"}))
        self.read_until(0)

    def read_until(self, index: int) -> None:
        """Return once a record has come of ``index``, or a later one."""
        while self.read().get("Index", -1) < index:
            pass

    def read(self) -> Any:
        """Return the next object."""
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                self._unpacker.feed(self.recv(65_536))

    @property
    def has_record(self) -> bool:
        """Whether there is something to read right now."""
        return bool(select.select([self], [], [], 0)[0])


def test_the_first_watches_have_their_record_when_the_step_is_over(tmp_path: Path) -> None:
    handle = FakeHandle()
    moment = [100.0]
    handle.now = lambda: moment[0]  # type: ignore[method-assign]

    def show(*ports: int) -> int:
        moment[0] += 2 * STEP_SECONDS
        for port in ports:
            handle.show(make_instance("a", port=port))
        return sum(client.has_record for client in clients)

    with rpc_thread(tmp_path, handle) as server, contextlib.ExitStack() as ends:
        path = server.path
        clients = [ends.enter_context(WatchingClient(path)) for _ in range(WATCHES_A_STEP + 3)]
        for ports in ((1,), (2, 3, 4), (5,)):
            assert server.do(partial(show, *ports)) == WATCHES_A_STEP
            for client in clients:
                client.read_until(handle.index)
            assert not any(client.has_record for client in clients), "nothing is told twice"


def test_who_commands_a_change_and_watches_has_its_record_before_the_answer(
    tmp_path: Path,
) -> None:
    with rpc_thread(tmp_path) as server, WatchingClient(server.path) as client:
        body = {"Service": {"id": "web-1", "name": "web"}, "Held": False}
        client.sendall(encode({"Command": "service-register", "Seq": 3}, body))
        objects = [client.read() for _ in range(4)]
    assert [one["Seq"] for one in objects[::2]] == [2, 3]
    assert told(objects[1])[0] == "up"
    assert objects[3] == {"Warnings": []}


def test_a_few_changes_at_once_are_told_in_their_steps_as_long_as_few_watch(
    tmp_path: Path,
) -> None:
    handle = FakeHandle()
    handle.now = lambda: 100.0  # type: ignore[method-assign]
    bytes_after: list[int] = []

    def show(port: int) -> None:
        handle.show(make_instance("a", port=port))
        bytes_after.append(len(client.recv(65_536, socket.MSG_PEEK)))

    def show_many() -> None:
        for port in range(2 * WATCHES_A_STEP):
            show(port)

    with rpc_thread(tmp_path, handle) as server, WatchingClient(server.path) as client:
        server.do(show_many)
        at_once = bytes_after[:WATCHES_A_STEP]
        assert at_once == sorted(set(at_once))
        assert set(bytes_after[WATCHES_A_STEP:]) == {at_once[-1]}, "from now on it is a task's"
        client.read_until(handle.index)


def test_a_defect_in_telling_ends_neither_the_step_nor_the_daemon() -> None:
    async def run() -> None:
        handle = FakeHandle()
        async with serving(handle) as server:
            peer = await server.greet()
            await watch(peer)
            await record(peer)
            changes = handle.service_changes
            handle.service_changes = lambda *_: 1 // 0  # type: ignore[assignment,method-assign]
            handle.show(make_instance("a"))
            await trio.testing.wait_all_tasks_blocked()
            assert {level for level, line in LOG if "ZeroDivisionError" in line} == {"ERR"}
            handle.service_changes = changes  # type: ignore[method-assign]
            handle.show(make_instance("b"))
            assert [told(await record(peer)) for _ in range(2)] == [("up", "a"), ("up", "b")]

    trio.run(run)


def test_a_client_that_reads_nothing_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    handle = FakeHandle()
    with socket.socket(socket.AF_UNIX) as client:
        with rpc_thread(tmp_path, handle) as server:
            client.connect(server.path)
            client.sendall(encode({"Command": "handshake", "Seq": 1}, {"Version": 1}))
            client.sendall(encode({"Command": "service-watch", "Seq": 2}, {"Name": "web"}))
            server.wait_for(lambda: handle.watchers_of("web") == 1)
            for number in range(3000):
                server.do(partial(handle.show, make_instance("a", port=number, zone="z" * 300)))
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert handle.watchers_of("web") == 0


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.integers(1, 8), st.integers(0, 30))
def test_a_watch_replayed_is_the_view_however_it_is_read_and_resumed(
    steps: list[tuple[str, bool, int]], log_max: int, resumed_after: int
) -> None:
    trio.run(_replay, steps, log_max, resumed_after)


async def _replay(steps: list[tuple[str, bool, int]], log_max: int, resumed_after: int) -> None:
    handle = FakeHandle()
    handle.log_max = log_max
    async with serving(handle) as server:
        peer = await server.greet()
        await watch(peer)
        seen: dict[str, int] = {}
        index = await follow(peer, seen, -1)
        for count, (owner, is_shown, port) in enumerate(steps):
            is_there = any(one.owner == owner for one in handle.service("web").instances)
            if is_shown:
                handle.show(make_instance(owner, port=port))
            elif is_there:
                handle.hide(owner, "web")
            if port == 0:  # now and then it is read
                while index < handle.service("web").index:
                    index = await follow(peer, seen, index)
            if count == resumed_after:
                await peer.stream.aclose()
                peer = await server.greet()
                await watch(peer, index=index)
                index = index or -1  # 0 asks for the set
        while index < handle.service("web").index:
            index = await follow(peer, seen, index)
        shown = {one.owner: one.service.port for one in handle.service("web").instances}
        assert seen == shown


async def follow(peer: Peer, seen: dict[str, int], index: int) -> int:
    """Take one record into what was ``seen``; its index is above that of the one before."""
    body = await record(peer)
    assert body["Index"] > index
    if body["Kind"] == "set":
        seen.clear()
    for one in body["Instances"] if body["Kind"] == "set" else [body["Instance"]]:
        if body["Kind"] == "down":
            del seen[one["Owner"]]
        else:
            assert (one["Owner"] in seen) == (body["Kind"] == "changed")
            seen[one["Owner"]] = one["Service"].get("port", 0)
    return int(body["Index"])
