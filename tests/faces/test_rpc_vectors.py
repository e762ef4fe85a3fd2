"""Sessions recorded against Serf, replayed: the same requests must get the same answers.

The client's bytes are sent as they were recorded; the server's objects are
compared with the recording. The node behind the server is a fake that is
given the members, events, replies and refusals which the recording shows.
"""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
import trio
import trio.testing

from gossipd.rpc.server import Limits
from gossipd.rpc.service import Service
from support.fake_handle import FakeHandle
from support.rpc_recordings import (
    VECTORS,
    Message,
    RecordedHandle,
    as_event,
    load,
    messages,
    objects,
    sent,
)

DIFFERENT = {
    "auth-missing": "the refused body is read, so there is one error and not two (rpc.md 4)",
    "members-filtered-bad-regex": "an error and an empty body instead of closing (rpc.md 6)",
    "dialect-bin-key": "keys sent as bin are understood (rpc.md 2.2)",
    "dialect-payload-forms": "a wrong payload is answered instead of closing (rpc.md 2.4)",
}
"""Recordings from which we differ on purpose, and why; each has a test below.

``docs/serf-compatibility.md`` tells operators. In all other recordings every
answer must be ours too, but for the extra keys that ``comparable`` names.
"""
NAMES = sorted(path.stem for path in VECTORS.glob("*.json"))
SAME = [name for name in NAMES if name not in DIFFERENT]
RECORDINGS = 72
"""Sessions in the folder: none is left out."""


async def replay(name: str, *, limit: float = 5) -> tuple[list[Any], list[Any], bool]:
    """Return (recorded answers, ours, whether we closed first)."""
    exchange = load(name)
    handle = RecordedHandle(exchange)
    recorded: list[Any] = []
    ours: list[Any] = []
    unpacker = msgpack.Unpacker(strict_map_key=False)
    auth = "s3cret" if name.startswith("auth") or name.endswith("-auth") else None
    is_closed = False
    async with trio.open_nursery() as nursery:
        service = Service(handle, auth, Limits(), lambda level, text: None, nursery=nursery)
        near, far = trio.testing.memory_stream_pair()
        nursery.start_soon(service.serve_connection, far)
        for number, step in enumerate(exchange):
            data = bytes.fromhex(step["bytes_hex"])
            handle.clock = step["t_ms"] / 1e3
            if step["dir"] == "c>s":
                if data and not is_closed:
                    await near.send_all(data)
                continue
            for one in objects(data):
                if "Event" in one:
                    handle.emit(as_event(one, number, handle.clock))
                recorded.append(one)
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
        members = sorted(value["Members"], key=lambda member: str(member["Name"]))
        return value | {"Members": members}
    if "serf" in value and "runtime" in value:
        sections = ("agent", "event_handlers", "runtime", "serf", "tags")
        shown = {name: sorted(value[name]) for name in sections}
        whole = ("agent", "event_handlers", "tags")
        return shown | {name: value[name] for name in whole}
    if isinstance(value.get("Keys"), dict):
        return {key: value[key] for key in value if key != "PrimaryKeys"}
    return value


def by_number(found: list[Message]) -> dict[int, list[Any]]:
    """Return what was sent under each number, in order.

    Between the numbers the order is chance where records of several are on their way
    (rpc.md, section 5).
    """
    grouped: dict[int, list[Any]] = {}
    for header, body in found:
        grouped.setdefault(header["Seq"], []).append((header["Error"], comparable(body)))
    return grouped


def answered_in_order(found: list[Message]) -> list[int]:
    """Return the numbers in the order in which they were answered for the first time."""
    return list(dict.fromkeys(header["Seq"] for header, _ in found))


def in_fixed_order(value: Any) -> list[list[str]]:
    """Return the key order of fixed records; free maps have none."""
    records = value.get("Members", []) if isinstance(value, dict) else []
    whole = [value] if isinstance(value, dict) and "serf" not in value else []
    return [[key for key in record if key != "PrimaryKeys"] for record in [*records[:1], *whole]]


@pytest.mark.parametrize("name", SAME)
async def test_the_answers_are_serfs(name: str, autojump_clock: trio.testing.MockClock) -> None:
    recorded, ours, _ = await replay(name)
    theirs_messages, our_messages = messages(recorded), messages(ours)
    assert by_number(our_messages) == by_number(theirs_messages)
    assert answered_in_order(our_messages) == answered_in_order(theirs_messages)
    ordered = {seq: [in_fixed_order(body) for _, body in bodies]
               for seq, bodies in by_number(our_messages).items()}  # fmt: skip
    assert ordered == {
        seq: [in_fixed_order(body) for _, body in bodies]
        for seq, bodies in by_number(theirs_messages).items()
    }


def test_no_recording_is_left_out() -> None:
    assert len(NAMES) == RECORDINGS
    assert set(DIFFERENT) <= set(NAMES)


async def test_a_refused_body_is_not_taken_for_a_header(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorded, ours, _ = await replay("auth-missing")
    assert [value["Error"] for value in recorded] == ["", *["Authentication required"] * 2]
    assert [value["Error"] for value in ours] == ["", "Authentication required"]


async def test_a_bad_pattern_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    ours = await ask("members-filtered-bad-regex", 3)
    assert ours[1]["Error"].startswith("Failed to compile regex: error parsing regexp: missing")
    assert ours[2] == {"Members": []}


async def test_a_bin_key_is_understood(autojump_clock: trio.testing.MockClock) -> None:
    ours = await ask("dialect-bin-key", 2)
    assert ours == [{"Error": "", "Seq": 0}, {"Error": "", "Seq": 1}]


async def test_all_payload_forms_are_read_and_a_wrong_one_is_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handle = FakeHandle()
    ours = await ask("dialect-payload-forms", 7, handle)
    assert [value["Error"] for value in ours[:6]] == [""] * 6
    assert ours[6]["Error"] == "bad request: Payload is not text or bytes"
    payloads = [call[2] for call in handle.calls]
    assert payloads == [b"as-str", b"as-bin", b"ab", None, b"z" * 40]


async def ask(name: str, answers: int, handle: FakeHandle | None = None) -> list[Any]:
    """Return the first answers to the requests of a recording, sent in one piece."""
    requests = b"".join(
        bytes.fromhex(step["bytes_hex"]) for step in load(name) if step["dir"] == "c>s"
    )
    assert sent(load(name), "c>s")
    unpacker = msgpack.Unpacker(strict_map_key=False)
    ours: list[Any] = []
    async with trio.open_nursery() as nursery:
        service = Service(
            handle or FakeHandle(), None, Limits(), lambda level, text: None, nursery=nursery
        )
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
