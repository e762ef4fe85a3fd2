"""Recorded sessions of Serf's RPC, replayed against real agents on the in-memory network.

Where ``test_rpc_vectors.py`` has a fake node that repeats what the recording
shows, here two agents of the recorded names, addresses and tags must come to
the same answers by themselves. Clients answer the query ``load`` for them, as
a handler did for the recorded ones. Lamport times, coordinates and the order
in which two nodes answer are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
import pytest
import trio
import trio.testing

from gossipd.agent.handle import AgentHandle
from gossipd.config.model import CatalogConfig, NodeConfig
from gossipd.rpc.server import Limits
from gossipd.rpc.service import Service
from gossipd.serf.events import QueryReceived
from gossipd.serf.question import Question
from gossipd.value import replace
from support.memory_agents import Running
from support.memory_network import MemoryNetwork
from support.rpc_recordings import VECTORS, load, messages, objects, sent

LOADS = {"a": b"0.42\n", "b": b"0.17\n"}
FIRST_KEY = bytes(range(32))
TOKEN = "s3cret"

ALONE = [
    "auth-ok", "auth-sequence", "auth-wrong", "handshake-bad-version", "handshake-twice",
    "monitor-errors-and-stop", "no-handshake", "stream-errors-and-stop", "tags-too-large",
    "unknown-command", "session-serfclient-auth",
]  # fmt: skip
PAIRS = [
    "dialect-array-structs", "event", "event-no-payload-no-coalesce", "event-too-large",
    "event-too-large-encoded", "force-leave-unknown", "get-coordinate",
    "get-coordinate-default-self", "get-coordinate-unknown", "interleaving", "join-bad-address",
    "join-good", "join-partial", "leave", "keys-list-unencrypted", "members",
    "members-detailed", "members-filtered", "members-filtered-none", "pipelined", "query",
    "query-filtered-no-ack", "query-json",
    "query-relay", "query-reserved-prefix", "query-too-large", "reachability", "respond",
    "session-asyncserf", "session-serfclient-msgpack06", "session-serfclient-msgpack1",
    "session-serfio", "session-trio-serf", "stats", "stats-json", "tags-set-delete",
]  # fmt: skip
ROTATION = ["stats-encrypted", "keys-list", "keys-install", "keys-install-again", "keys-list-two",
            "keys-use-unknown", "keys-use", "keys-remove-primary", "keys-remove",
            "keys-remove-unknown", "keys-install-bad-size", "keys-install-bad-base64"]  # fmt: skip
"""One after another on the same two agents, as they were recorded."""

DEATHS = (
    ["members-filtered-failed", "force-leave", "members-after-force-leave"],
    ["members-filtered-failed", "force-leave-prune", "members-after-prune"],
)
ELSEWHERE = {
    "auth-missing": "differs on purpose (test_rpc_vectors.py)",
    "dialect-bin-key": "differs on purpose (test_rpc_vectors.py)",
    "dialect-payload-forms": "differs on purpose (test_rpc_vectors.py)",
    "members-filtered-bad-regex": "differs on purpose (test_rpc_vectors.py)",
    "join-unresolvable": "needs a resolver (tests/agent/test_join.py)",
    "stream-and-monitor": "shows updates twice, which is Serf's fault (test_coalesce.py)",
    "stream-filtered": "shows updates twice, which is Serf's fault (test_coalesce.py)",
    "stream-member-life": "shows updates twice, which is Serf's fault (test_coalesce.py)",
}
"""Recordings that are not replayed here, and why."""


class Cluster:
    """Agents on one network, and clients that answer the query ``load``."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.network = MemoryNetwork(nursery)
        self.handles: dict[str, AgentHandle] = {}

    async def start(
        self,
        name: str,
        ip: str,
        tags: Mapping[str, str],
        key: bytes = b"",
        nursery: trio.Nursery | None = None,
    ) -> None:
        nursery = nursery or self.nursery
        running = Running(self.network, name, ip)
        # as one of Serf's: with services announced, tags would have twelve bytes less
        catalog = CatalogConfig(enabled=False)
        node = NodeConfig(name=name, tags=tags, keys=(key,) if key else (), catalog=catalog)
        running.config = replace(running.config, node=node)
        handle = self.handles[name] = await running.start(nursery)
        if self.handles[name] is not next(iter(self.handles.values())):
            (first, *_) = self.handles.values()
            assert (await first.join([ip])).contacted == 1
        await nursery.start(self._answer, handle, LOADS.get(name))

    async def _answer(
        self,
        handle: AgentHandle,
        load: bytes | None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async with handle.subscribe(may_answer=lambda name: name == "load") as events:
            task_status.started()
            async for event in events:
                if isinstance(event, QueryReceived) and event.name == "load":
                    await handle.respond(event.number, load)

    async def settled(self) -> None:
        """Wait until all know each other and where they are."""
        names = list(self.handles)

        def knows(handle: AgentHandle) -> bool:
            members = [member.name for member in handle.view().members]
            return members == sorted(names) and None not in map(handle.coordinate, names)

        with trio.fail_after(60):
            while not all(map(knows, self.handles.values())):  # noqa: ASYNC110
                await trio.sleep(0.1)


async def replay(name: str, handle: AgentHandle, asker: AgentHandle | None) -> list[Any]:
    """Return the server's objects; ``asker`` asks what the recording shows as asked."""
    auth = TOKEN if name.startswith("auth") or name.endswith("-auth") else None
    unpacker = msgpack.Unpacker(strict_map_key=False)
    exchange, ours, expected, began = load(name), list[Any](), 0, trio.current_time()
    async with trio.open_nursery() as nursery:
        service = Service(handle, auth, Limits(), lambda level, text: None, nursery=nursery)
        near, far = trio.testing.memory_stream_pair()
        nursery.start_soon(service.serve_connection, far)
        is_closed = False
        for step in exchange:
            await trio.sleep_until(began + step["t_ms"] / 1e3)
            data = bytes.fromhex(step["bytes_hex"])
            if step["dir"] == "c>s":
                if data and not is_closed:
                    await near.send_all(data)
                continue
            for one in objects(data):
                expected += 1
                if one.get("Event") == "query" and asker is not None:
                    nursery.start_soon(_ask, asker, one["Name"])
            with trio.move_on_after(10):
                while len(ours) < expected and not is_closed:
                    received = await near.receive_some()
                    is_closed = not received
                    unpacker.feed(received)
                    ours += list(unpacker)
        nursery.cancel_scope.cancel()
    return ours


async def _ask(handle: AgentHandle, name: str) -> None:
    async with handle.ask(Question(name=name, timeout=1.5)) as replies:
        async for _ in replies:
            pass


def by_number(found: Sequence[Any]) -> dict[int, list[Any]]:
    """Return what was sent under each number; query records but the last in no order."""
    grouped: dict[int, list[Any]] = {}
    for header, body in messages(found):
        if not isinstance(body, dict) or "Log" not in body:  # another agent, another log
            grouped.setdefault(header["Seq"], []).append((header["Error"], comparable(body)))
    for replies in grouped.values():
        if any(isinstance(body, dict) and "From" in body for _, body in replies):
            assert replies[-1][1]["Type"] == "done"
            replies.sort(key=repr)
    return grouped


def comparable(body: Any) -> Any:
    """Drop what is of one run."""
    if not isinstance(body, dict):
        return body
    if "Members" in body:
        return body | {"Members": sorted(body["Members"], key=lambda m: str(m["Name"]))}
    if "serf" in body and "runtime" in body:
        shown = {name: sorted(body[name]) for name in ("runtime", "serf")}
        return shown | {name: body[name] for name in ("agent", "tags")}
    if "Coord" in body:
        return body if not body["Ok"] else {"Ok": True, "keys": sorted(body["Coord"])}
    return {key: value for key, value in body.items() if key not in ("LTime", "PrimaryKeys")}


def recorded_tags(name: str) -> dict[str, Mapping[str, str]]:
    """Return the tags that the recorded members had in the beginning, by name."""
    tags: dict[str, Mapping[str, str]] = {}
    for one in sent(load(name), "s>c"):
        for member in one.get("Members", ()) if isinstance(one, dict) else ():
            tags.setdefault(member["Name"], member["Tags"])
        if isinstance(one, dict) and "agent" in one:
            tags.setdefault(one["agent"]["name"], one["tags"])
    return tags


def test_every_recording_is_replayed_or_has_its_reason() -> None:
    replayed = {*ALONE, *PAIRS, *ROTATION, *DEATHS[0], *DEATHS[1]}
    assert replayed & set(ELSEWHERE) == set()
    assert replayed | set(ELSEWHERE) == {path.stem for path in VECTORS.glob("*.json")}


@pytest.mark.parametrize("name", ALONE)
async def test_one_agent_answers_as_the_recorded_one(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery)
        own = "s" if "auth" in name else "a"
        await cluster.start(own, "127.0.0.46", {})
        ours = await replay(name, cluster.handles[own], None)
        assert by_number(ours) == by_number(sent(load(name), "s>c"))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", PAIRS)
async def test_two_agents_answer_as_the_recorded_ones(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    tags = recorded_tags(name)
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery)
        await cluster.start("a", "127.0.0.41", tags.get("a", {}))
        await cluster.start("b", "127.0.0.42", tags.get("b", {"role": "db"}))
        await cluster.settled()
        ours = await replay(name, cluster.handles["a"], cluster.handles["b"])
        assert by_number(ours) == by_number(sent(load(name), "s>c"))
        nursery.cancel_scope.cancel()


async def test_two_agents_rotate_their_keys_as_the_recorded_ones(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery)
        for number in (1, 2):
            await cluster.start(f"ek{number}", f"127.0.0.5{number}", {}, FIRST_KEY)
        await cluster.settled()
        for name in ROTATION:
            ours = await replay(name, cluster.handles["ek1"], None)
            assert by_number(ours) == by_number(sent(load(name), "s>c")), name
        nursery.cancel_scope.cancel()


async def test_a_third_agent_dies_and_is_declared_gone_as_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery)
        tags = recorded_tags("members-after-force-leave")
        await cluster.start("a", "127.0.0.41", tags["a"])
        await cluster.start("b", "127.0.0.42", tags["b"])
        for sessions in DEATHS:
            async with trio.open_nursery() as third:
                await cluster.start("c", "127.0.0.43", tags["c"], nursery=third)
                await cluster.settled()
                third.cancel_scope.cancel()
            del cluster.handles["c"]
            await trio.sleep(60)  # until c is declared dead
            for name in sessions:
                ours = await replay(name, cluster.handles["a"], None)
                assert by_number(ours) == by_number(sent(load(name), "s>c")), name
                await trio.sleep(5)  # while what was said reaches everybody
        nursery.cancel_scope.cancel()
