"""What slow, wrong and too many clients of the local socket can and cannot do to it."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from gossipd.query.framing import OBJECT_BYTES_MAX, encode
from gossipd.rpc.server import Limits, serve_rpc
from gossipd.serf.events import ChangeKind
from support.fake_handle import FakeHandle, make_member
from support.rpc_service import LOG, Peer, Server, serving

TOTAL = 2000


async def read_records(peer: Peer, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Read records of a stream until there are enough of them."""
    records: list[Any] = []
    while not enough(records):
        await peer.read()
        records.append(await peer.read())
    return records


async def overwhelm(server: Server, stream: dict[str, Any]) -> Peer:
    """Return a client that missed events because it did not read while another did."""
    near, far = trio.testing.lockstep_stream_pair()  # holds nothing: a send waits for its reader
    server.nursery.start_soon(server.service.serve_connection, far)
    slow, quick = Peer(near), await server.greet()
    assert await slow.ask("handshake", {"Version": 1}) == ""
    assert await slow.ask("stream", stream) == ""
    assert await quick.ask("stream", {"Type": "*"}) == ""
    for port in range(TOTAL):
        server.handle.change(ChangeKind.JOIN, make_member("b", port=port))
        server.handle.change(ChangeKind.UPDATE, make_member("b", port=port))
        seen = await read_records(quick, lambda records: len(records) == 2)
        assert [record["Members"][0]["Port"] for record in seen] == [port, port]
    assert (await quick.ask("members", has_body=True))[0] == ""
    return slow


async def test_a_slow_reader_is_told_what_it_lost_and_delays_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving() as server:
        slow = await overwhelm(server, {"Type": "member-join", "Gaps": True})
        records = await read_records(slow, gap_in)
        ports = [record["Members"][0]["Port"] for record in records[:-1]]
        assert ports == list(range(len(ports)))
        assert len(ports) >= 512
        assert records[-1] == {"Event": "gap", "Lost": TOTAL - len(ports)}
        server.handle.change(ChangeKind.JOIN, make_member("c"))
        (after,) = await read_records(slow, lambda so_far: len(so_far) == 1)
        assert after["Members"][0]["Name"] == "c"


def gap_in(records: list[Any]) -> bool:
    return any(record["Event"] == "gap" for record in records)


async def test_a_slow_reader_that_did_not_ask_gets_no_gap_but_the_log_tells(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving() as server:
        slow = await overwhelm(server, {"Type": "member-join"})
        kept = 0
        with trio.move_on_after(1):
            while True:
                await slow.read()
                assert (await slow.read())["Event"] == "member-join"
                kept += 1
        assert 512 <= kept < TOTAL
        dropping = f"agent.ipc: Dropping event to ipc.client: local ({TOTAL - kept} lost)"
        assert ("WARN", dropping) in LOG
        server.handle.change(ChangeKind.JOIN, make_member("c"))
        (after,) = await read_records(slow, lambda so_far: len(so_far) == 1)
        assert after["Members"][0]["Name"] == "c"


async def test_a_client_that_does_not_read_its_answer_cannot_hold_up_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    near, far = trio.testing.lockstep_stream_pair()
    limits = Limits(last_words_seconds=2.0)
    async with serving(limits=limits) as server:
        server.nursery.start_soon(server.service.serve_connection, far)
        slow = Peer(near)
        assert await slow.ask("handshake", {"Version": 1}) == ""
        await slow.send({"Command": "members", "Seq": 1})
        began = trio.current_time()
    assert trio.current_time() - began <= 2.0


async def test_losses_are_logged_once_per_second(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as server:
        for count in range(10):
            server.service.report_lost("event", "local", count)
            await trio.sleep(0.1)
        assert len(LOG) == 1
        await trio.sleep(1)
        server.service.report_lost("event", "local", 1)
        assert LOG[1:] == [
            ("WARN", "agent.ipc: Dropping event to ipc.client: local (46 lost)"),
        ]


async def test_a_request_of_64_megabytes_is_refused_unread() -> None:
    async with serving() as server:
        peer = await server.greet()
        head = b"\xdb" + (64 << 20).to_bytes(4, "big")
        await peer.send({"Command": "event", "Seq": 7})
        await peer.stream.send_all(b"\x82\xa4Name\xa1x\xa7Payload" + head)
        assert await peer.read() == {"Error": "request too large", "Seq": 7}
        assert await peer.is_closed()


@pytest.mark.parametrize(
    "data",
    [b"\x91" * 100, b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff"],
    ids=["nested", "array", "map", "bin"],
)
async def test_headers_that_declare_too_much_are_refused_unread(data: bytes) -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.stream.send_all(data)
        assert await peer.read() == {"Error": "request too large", "Seq": 0}
        assert await peer.is_closed()


async def test_an_object_that_is_never_completed_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving() as server:
        peer, idle = await server.greet(), await server.greet()
        await peer.send({"Command": "join", "Seq": 3})
        started = trio.current_time()
        assert (await peer.read())["Seq"] == 3
        assert trio.current_time() - started == pytest.approx(30.0)
        assert await peer.is_closed()
        await trio.sleep(3600)
        assert (await idle.ask("members", has_body=True))[0] == ""


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\n", b"\xc1"])
async def test_other_protocols_are_turned_away(data: bytes) -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.stream.send_all(data)
        with contextlib.suppress(EOFError, trio.BrokenResourceError):
            assert "Error" in await peer.read()
        assert await peer.is_closed()


@pytest.mark.parametrize("seq", [-1, 1.5, "1", True, 2**64 - 1, None])
async def test_numbers_outside_u64_end_the_connection(seq: object) -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.send({"Command": "stop", "Seq": seq, "Extra": [1]}, {"Stop": 1})
        answer = await peer.read()
        if seq is None or seq == 2**64 - 1:
            assert answer == {"Error": "", "Seq": seq or 0}
        else:
            assert answer["Error"]
            assert await peer.is_closed()


async def test_wrong_fields_are_named_and_the_connection_goes_on() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert "Payload" in await peer.ask("event", {"Name": "x", "Payload": 7})
        assert "RelayFactor" in await peer.ask("query", {"RelayFactor": 256})
        error, body = await peer.ask("join", {"Existing": "a"}, has_body=True)
        assert "Existing" in error
        assert body == {"Num": 0}
        assert "Tags" in await peer.ask("tags", {"Tags": {"k": 1}})
        assert (await peer.ask("members", has_body=True))[0] == ""
        assert "body" in await peer.ask("tags", 7)
        assert await peer.is_closed()


async def test_a_stray_empty_body_behind_a_bodiless_command_is_ignored() -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.send({"Command": "members", "Seq": 1}, {}, {"Command": "stats", "Seq": 2})
        assert await peer.read() == {"Error": "", "Seq": 1}
        await peer.read()
        assert await peer.read() == {"Error": "", "Seq": 2}


async def test_pipelined_requests_are_answered_in_order_also_byte_by_byte() -> None:
    requests = encode(
        {"Command": "handshake", "Seq": 0},
        {"Version": 1},
        {"Command": "members-filtered", "Seq": 1},
        {"Status": "none"},
        {"Seq": 2, "Command": "get-coordinate"},
        {"Node": "zz"},
    )
    for size in (1, len(requests)):
        async with serving() as server:
            peer = server.connect()
            for at in range(0, len(requests), size):
                await peer.stream.send_all(requests[at : at + size])
            seqs = [(await peer.read())["Seq"]]
            for _ in range(2):
                seqs.append((await peer.read())["Seq"])
                await peer.read()
            assert seqs == [0, 1, 2]


async def test_a_slow_command_does_not_stop_another_connection() -> None:
    async with serving() as server:
        server.handle.blocked = trio.Event()
        slow, quick = await server.greet(), await server.greet()
        await slow.send({"Command": "join", "Seq": 1}, {"Existing": ["x"]})
        assert (await quick.ask("members", has_body=True))[0] == ""
        server.handle.blocked.set()
        assert (await slow.read())["Seq"] == 1


async def test_connections_above_the_limit_are_closed_at_once() -> None:
    async with serving(limits=Limits(connections_max=1)) as server:
        await server.greet()
        assert await server.connect().is_closed()


async def test_half_of_the_descriptors_are_left_to_peers_and_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (4, 4))
    async with serving() as server:
        await server.greet()
        await server.greet()
        assert await server.connect().is_closed()
        monkeypatch.setattr("resource.getrlimit", lambda _: (resource.RLIM_INFINITY, 4))
        await server.greet()


async def test_streams_are_bounded_on_one_connection_and_on_all_together() -> None:
    async with serving(limits=Limits(streams_max=2, streams_in_all_max=3)) as server:
        one, other = await server.greet(), await server.greet()
        assert [await one.ask("stream", {"Type": "*"}) for _ in range(3)] == [
            "", "", "too many streams on this connection",
        ]  # fmt: skip
        refused = "too many streams on all connections together"
        assert [await other.ask("stream", {"Type": "*"}) for _ in range(2)] == ["", refused]
        assert await one.ask("stop", {"Stop": 102}) == ""
        await trio.testing.wait_all_tasks_blocked()
        assert await other.ask("stream", {"Type": "*"}) == ""
        assert await one.ask("stream", {"Type": "*"}) == refused
        await other.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert await one.ask("stream", {"Type": "*"}) == ""


async def test_clients_that_are_refused_again_and_again_do_not_fill_the_log(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(auth="s3cret", limits=Limits(connections_max=1)) as server:
        peer = await server.greet()
        for _ in range(5):
            assert await server.connect().is_closed()
            assert await peer.ask("members") == "Authentication required"
        await trio.sleep(1)
        assert await server.connect().is_closed()
        assert await peer.ask("members") == "Authentication required"
        refused = "agent.ipc: Refused client: local (too many connections)"
        untrusted = "agent.ipc: Client sending commands before auth"
        assert [text for level, text in LOG if level == "WARN"] == [
            refused,
            untrusted,
            f"{refused} (4 more since the last such line)",
            f"{untrusted} (4 more since the last such line)",
        ]


async def test_a_client_that_goes_leaves_nothing_behind() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("stream", {"Type": "*"}) == ""
        assert await peer.ask("monitor", {"LogLevel": "INFO"}) == ""
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert server.service.connections == 0
        assert server.handle.feeds == []
        assert server.handle.log_feeds == []


class FailingListener(trio.abc.Listener[Any]):
    """Fails to accept as often as it is told, then hands out one stream."""

    def __init__(self, stream: trio.abc.Stream, failures: list[int]) -> None:
        self._stream: trio.abc.Stream | None = stream
        self._failures = failures

    async def accept(self) -> Any:
        await trio.lowlevel.checkpoint()
        if self._failures:
            number = self._failures.pop(0)
            raise OSError(number, os.strerror(number))
        stream, self._stream = self._stream, None
        if stream is None:
            await trio.sleep_forever()
        return stream

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_the_server_outlives_what_keeps_it_from_accepting(
    nursery: trio.Nursery, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    listener = FailingListener(theirs, [errno.ECONNABORTED] + [errno.EMFILE] * 15)
    lines: list[str] = []

    async def serve(*, task_status: trio.TaskStatus[None]) -> None:
        await serve_rpc(
            [listener],
            FakeHandle(),
            log=lambda _level, line: lines.append(line),
            task_status=task_status,
        )

    await nursery.start(serve)
    assert await Peer(ours).ask("handshake", {"Version": 1}) == ""
    failures = [line for line in lines if "Failed to accept" in line]
    assert failures[0] == "agent.ipc: Failed to accept client: Software caused connection abort"
    assert len(failures) == 2
    assert not caplog.records


async def test_a_client_that_cannot_be_served_is_refused_and_ends_nothing(
    nursery: trio.Nursery, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gossipd.rpc.service", None)  # as after an upgrade
    lines: list[str] = []
    _ours, theirs = trio.testing.memory_stream_pair()
    listener = FailingListener(theirs, [])

    async def serve(*, task_status: trio.TaskStatus[None]) -> None:
        await serve_rpc(
            [listener],
            FakeHandle(),
            log=lambda level, line: lines.append(f"{level} {line}"),
            task_status=task_status,
        )

    await nursery.start(serve)
    await trio.testing.wait_all_tasks_blocked()
    (line,) = lines
    assert line.startswith("WARN agent.ipc: Refused client: restart, the program changed: ")
    with pytest.raises(trio.ClosedResourceError):
        await theirs.receive_some()


def test_what_a_request_may_weigh_is_the_same_on_both_sides() -> None:
    assert Limits().object_bytes_max == OBJECT_BYTES_MAX
