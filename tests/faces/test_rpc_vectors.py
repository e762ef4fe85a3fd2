"""Sessions recorded against Serf, replayed: the same requests must get the same answers.

The client's bytes are sent as they were recorded; the server's objects are
compared with the recording. The node behind the server is a fake that is
given the members, log lines and refusals which the recording shows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
import trio
import trio.testing

from gossipd.address import Address
from gossipd.errors import UsageError
from gossipd.node.handle import JoinResult
from gossipd.rpc.server import Limits, Service
from gossipd.serf.events import SerfMember
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view

VECTORS = Path(__file__).parents[1] / "interop" / "vectors" / "rpc"

SAME = [
    "auth-ok", "auth-sequence", "auth-wrong", "dialect-array-structs", "force-leave",
    "force-leave-prune", "force-leave-unknown", "handshake-bad-version", "handshake-twice",
    "join-bad-address", "join-good", "join-partial", "join-unresolvable", "leave", "members",
    "members-after-force-leave", "members-after-prune", "members-detailed", "members-filtered",
    "members-filtered-failed", "members-filtered-none", "monitor-errors-and-stop",
    "no-handshake", "pipelined", "query-reserved-prefix", "reachability",
    "session-serfclient-auth", "stats", "stats-json", "stats-encrypted",
    "stream-errors-and-stop", "tags-set-delete", "tags-too-large", "unknown-command",
]  # fmt: skip
"""Recordings whose every answer must be ours too."""

DIFFERENT = {
    "auth-missing": "the refused body is read, so there is one error and not two (rpc.md 4)",
    "members-filtered-bad-regex": "an error and an empty body instead of closing (rpc.md 6)",
    "dialect-bin-key": "keys sent as bin are understood (rpc.md 2.2)",
    "dialect-payload-forms": "this version does not send user events",
}
"""Recordings from which we differ on purpose, and why; each has a test below."""


def load(name: str) -> list[dict[str, Any]]:
    exchange: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())["exchange"]
    return exchange


def objects(data: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(data)
    return list(unpacker)


def as_member(record: dict[str, Any]) -> SerfMember:
    return SerfMember(
        record["Name"],
        Address(record["Addr"], record["Port"]),
        record["Tags"],
        MemberStatus[record["Status"].upper()],
        Versions(
            record["ProtocolMin"], record["ProtocolMax"], record["ProtocolCur"],
            record["DelegateMin"], record["DelegateMax"], record["DelegateCur"],
        ),
        1,
    )  # fmt: skip


class RecordedHandle(FakeHandle):
    """A fake node that knows what the recorded one knew."""

    def __init__(self, exchange: list[dict[str, Any]]) -> None:
        super().__init__()
        self.joins: list[JoinResult] = []
        self.own_name = "a"
        members: dict[str, SerfMember] = {}
        for step in exchange:
            if step["dir"] != "s>c":
                continue
            found = objects(bytes.fromhex(step["bytes_hex"]))
            for header, body in zip(found, [*found[1:], {}], strict=False):
                self._learn(header, body, members)
        if members:
            self.current = make_view(*members.values(), name=self.own_name)

    def _learn(
        self, header: dict[str, Any], body: dict[str, Any], members: dict[str, SerfMember]
    ) -> None:
        for record in body.get("Members", ()):
            members[record["Name"]] = as_member(record)
        if "Num" in body:
            lines = header["Error"].split("\n\t* ")[1:]
            errors = tuple(line.rstrip("\n") for line in lines)
            self.joins.append(JoinResult(body["Num"], errors))
        if "Log" in body and all(line.text != body["Log"] for line in self.log_ring):
            self.log("ERR", body["Log"])
        if body.get("Type") == "ack":
            self.acks.append(body["From"])
        if "tags exceeds" in header.get("Error", ""):
            self.refusals["tags"] = UsageError(header["Error"])
        if "agent" in body:
            own = make_member(body["agent"]["name"], tags=body["tags"])
            members.setdefault(own.name, own)
            self.own_name = own.name

    async def join(self, addresses: Any, *, replay: bool = False) -> JoinResult:
        await trio.lowlevel.checkpoint()
        return self.joins.pop(0)


async def replay(name: str, *, limit: float = 5) -> tuple[list[Any], list[Any], bool]:
    """Return (recorded answers, ours, whether we closed first)."""
    exchange = load(name)
    recorded: list[Any] = []
    ours: list[Any] = []
    unpacker = msgpack.Unpacker(strict_map_key=False)
    auth = "s3cret" if name.startswith("auth") or name.endswith("-auth") else None
    service = Service(RecordedHandle(exchange), auth, Limits(), lambda level, text: None)
    is_closed = False
    async with trio.open_nursery() as nursery:
        near, far = trio.testing.memory_stream_pair()
        nursery.start_soon(service.serve_connection, far)
        for step in exchange:
            data = bytes.fromhex(step["bytes_hex"])
            if step["dir"] == "c>s":
                if data and not is_closed:
                    await near.send_all(data)
                continue
            recorded += objects(data)
            while len(ours) < len(recorded) and not is_closed:
                with trio.move_on_after(limit) as patience:
                    received = await near.receive_some()
                    is_closed = not received
                    unpacker.feed(received)
                    ours += list(unpacker)
                if patience.cancelled_caught:
                    break
        nursery.cancel_scope.cancel()
    return recorded, ours, is_closed


def comparable(value: Any) -> Any:
    """Drop what differs from run to run and build to build (rpc.md, section 0)."""
    if not isinstance(value, dict):
        return value
    if "Members" in value:
        return sorted(value["Members"], key=lambda member: str(member["Name"]))
    if "serf" in value and "runtime" in value:
        sections = ("agent", "event_handlers", "runtime", "serf", "tags")
        shown = {name: sorted(value[name]) for name in sections}
        return shown | {"event_handlers": [], "agent": value["agent"], "tags": value["tags"]}
    return value


def in_fixed_order(value: Any) -> list[list[str]]:
    """Return the key order of fixed records; free maps have none."""
    records = value.get("Members", []) if isinstance(value, dict) else []
    return [list(record) for record in [*records, value] if "serf" not in record]


@pytest.mark.parametrize("name", SAME)
async def test_the_answers_are_serfs(name: str, autojump_clock: trio.testing.MockClock) -> None:
    recorded, ours, _ = await replay(name)
    assert [comparable(value) for value in ours] == [comparable(value) for value in recorded]
    assert [in_fixed_order(value)[-1:] for value in ours] == [
        in_fixed_order(value)[-1:] for value in recorded
    ]


def test_every_recording_of_ours_is_there_and_named_once() -> None:
    names = [*SAME, *DIFFERENT]
    assert len(set(names)) == len(names)
    assert {path.stem for path in VECTORS.glob("*.json")} >= set(names)


async def test_a_refused_body_is_not_taken_for_a_header(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorded, ours, _ = await replay("auth-missing")
    assert [value["Error"] for value in recorded] == ["", *["Authentication required"] * 2]
    assert [value["Error"] for value in ours] == ["", "Authentication required"]


async def test_a_bad_pattern_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    exchange = load("members-filtered-bad-regex")
    requests = b"".join(bytes.fromhex(s["bytes_hex"]) for s in exchange if s["dir"] == "c>s")
    ours = await ask(requests, 3)
    assert ours[1]["Error"].startswith("Failed to compile regex: error parsing regexp: missing")
    assert ours[2] == {"Members": []}


async def test_a_bin_key_is_understood(autojump_clock: trio.testing.MockClock) -> None:
    exchange = load("dialect-bin-key")
    requests = b"".join(bytes.fromhex(s["bytes_hex"]) for s in exchange if s["dir"] == "c>s")
    assert await ask(requests, 2) == [{"Error": "", "Seq": 0}, {"Error": "", "Seq": 1}]


async def test_all_payload_forms_are_read_though_events_are_not_sent_yet(
    autojump_clock: trio.testing.MockClock,
) -> None:
    exchange = load("dialect-payload-forms")
    requests = b"".join(bytes.fromhex(s["bytes_hex"]) for s in exchange if s["dir"] == "c>s")
    ours = await ask(requests, 7)
    refusal = "this version of gossipd does not send user events"
    assert [value["Error"] for value in ours[1:6]] == [refusal] * 5
    assert ours[6]["Error"] == "bad request: Payload is not text or bytes"


async def ask(requests: bytes, answers: int) -> list[Any]:
    """Return the first answers to ``requests`` sent in one piece."""
    service = Service(FakeHandle(), None, Limits(), lambda level, text: None)
    unpacker = msgpack.Unpacker(strict_map_key=False)
    ours: list[Any] = []
    async with trio.open_nursery() as nursery:
        near, far = trio.testing.memory_stream_pair()
        nursery.start_soon(service.serve_connection, far)
        await near.send_all(requests)
        while len(ours) < answers:
            received = await near.receive_some()
            assert received
            unpacker.feed(received)
            ours += list(unpacker)
        nursery.cancel_scope.cancel()
    return ours
