"""The local socket's rules, over in-memory streams and a fake node."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgpack
import pytest
import trio
import trio.testing

from gossipd.errors import Unavailable, UsageError
from gossipd.node.view import Suspicion
from gossipd.query.framing import encode
from gossipd.rpc.server import Limits, Service, serve_rpc
from gossipd.serf.events import ChangeKind
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view


class Peer:
    """The client's end: sends objects, reads objects."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._unpacker = msgpack.Unpacker(strict_map_key=False)
        self._seq = 100

    async def send(self, *objects: object) -> None:
        await self.stream.send_all(encode(*objects))

    async def read(self) -> Any:
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                data = await self.stream.receive_some()
                if not data:
                    raise EOFError from None
                self._unpacker.feed(data)

    async def ask(self, command: str, *body: object, has_body: bool = False) -> Any:
        """Send a request; return its header's error, or (error, body)."""
        self._seq += 1
        await self.send({"Command": command, "Seq": self._seq}, *body)
        header = await self.read()
        assert header["Seq"] == self._seq
        return (header["Error"], await self.read()) if has_body else header["Error"]

    async def is_closed(self) -> bool:
        try:
            await self.read()
        except (EOFError, trio.BrokenResourceError):
            return True
        return False


class Server:
    """A service over in-memory streams."""

    def __init__(self, nursery: trio.Nursery, handle: FakeHandle, service: Service) -> None:
        self.nursery = nursery
        self.handle = handle
        self.service = service

    def connect(self) -> Peer:
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.service.serve_connection, theirs)
        return Peer(ours)

    async def greet(self) -> Peer:
        peer = self.connect()
        assert await peer.ask("handshake", {"Version": 1}) == ""
        return peer


LOG: list[tuple[str, str]] = []


@contextlib.asynccontextmanager
async def serving(
    handle: FakeHandle | None = None, *, auth: str | None = None, limits: Limits | None = None
) -> AsyncIterator[Server]:
    LOG.clear()
    handle = handle or FakeHandle()
    service = Service(handle, auth, limits or Limits(), lambda *line: LOG.append(line))
    async with trio.open_nursery() as nursery:
        yield Server(nursery, handle, service)
        nursery.cancel_scope.cancel()
    assert service.connections == 0


async def test_a_command_before_the_handshake_is_refused_and_the_connection_closed() -> None:
    async with serving() as server:
        peer = server.connect()
        assert await peer.ask("members-filtered") == "Handshake required"
        assert await peer.is_closed()


async def test_another_version_is_refused_and_may_be_followed_by_the_right_one() -> None:
    async with serving() as server:
        peer = server.connect()
        assert await peer.ask("handshake", {"Version": 2}) == "Unsupported IPC version"
        assert await peer.ask("handshake", None) == "Unsupported IPC version"
        assert await peer.ask("handshake", {"Version": 1}) == ""
        assert await peer.ask("handshake", {"Version": 1}) == "Handshake already performed"
        assert (await peer.ask("members", has_body=True))[0] == ""


async def test_an_unknown_command_is_refused_and_the_connection_closed() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("bogus") == "Unsupported command"
        assert await peer.is_closed()


async def test_without_token_every_command_is_refused_once_with_its_body_dropped() -> None:
    async with serving(auth="s3cret") as server:
        peer = await server.greet()
        assert await peer.ask("members-filtered", {"Name": "a"}) == "Authentication required"
        assert await peer.ask("bogus") == "Authentication required"
        assert await peer.ask("auth", {"AuthKey": "nope"}) == "Invalid authentication token"
        assert await peer.ask("auth", {"AuthKey": b"s3cret"}) == ""
        assert await peer.ask("auth", {"AuthKey": "nope"}) == "Invalid authentication token"
        assert (await peer.ask("members", has_body=True))[0] == ""
        assert ("WARN", "agent.ipc: Client sending commands before auth") in LOG


async def test_without_a_token_set_only_the_empty_one_is_right() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("auth", {"AuthKey": ""}) == ""
        assert await peer.ask("auth", {"AuthKey": "x"}) == "Invalid authentication token"


async def test_members_have_serfs_eleven_fields_in_alphabetical_order() -> None:
    handle = FakeHandle(make_view(make_member("a", "10.1.2.3", 7001, tags={"role": "web"})))
    async with serving(handle) as server:
        peer = await server.greet()
        error, body = await peer.ask("members", has_body=True)
    assert error == ""
    assert list(body["Members"][0].items()) == [
        ("Addr", b"\x0a\x01\x02\x03"),
        ("DelegateCur", 5),
        ("DelegateMax", 5),
        ("DelegateMin", 2),
        ("Name", "a"),
        ("Port", 7001),
        ("ProtocolCur", 2),
        ("ProtocolMax", 5),
        ("ProtocolMin", 1),
        ("Status", "alive"),
        ("Tags", {"role": "web"}),
    ]


async def test_a_suspected_member_shows_by_whom_and_for_how_long() -> None:
    suspicion = Suspicion("b", 1, 98.0, 104.0)
    view = make_view(make_member("a"), make_member("c"), suspicions={"c": suspicion})
    async with serving(FakeHandle(view)) as server:
        peer = await server.greet()
        _, body = await peer.ask("members", has_body=True)
        assert "Suspicion" not in body["Members"][0]
        shown = body["Members"][1]["Suspicion"]
        assert shown == {"By": "b", "Confirmations": 1, "For": 2.0, "Remaining": 4.0}
        server.handle.clock = 101.0
        _, body = await peer.ask("members", has_body=True)
        assert body["Members"][1]["Suspicion"]["For"] == 3.0


async def test_the_same_view_is_encoded_once() -> None:
    async with serving() as server:
        view = server.handle.view()
        first = server.service.members.body(view, 1.0)
        assert server.service.members.body(view, 2.0) is first
        changed = make_view(make_member("a"), make_member("b"))
        assert server.service.members.body(changed, 3.0) != first


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, ["a", "b", "c"]),
        (None, ["a", "b", "c"]),
        ({"Status": "ali|left"}, ["c"]),
        ({"Status": "alive", "Name": "b|c"}, ["b"]),
        ({"Tags": {"role": "web"}}, ["a"]),
        ({"Tags": {"role": ".*"}}, ["a", "b", "c"]),
        ([{}, "alive", "b"], ["b"]),
        ({b"Name": b"a"}, ["a"]),
    ],
)
async def test_filters_match_whole_values(body: object, names: list[str]) -> None:
    view = make_view(
        make_member("a", tags={"role": "web"}),
        make_member("b", tags={"role": "db"}),
        make_member("c", status=MemberStatus.LEFT),
    )
    async with serving(FakeHandle(view)) as server:
        peer = await server.greet()
        error, reply = await peer.ask("members-filtered", body, has_body=True)
        assert error == ""
        assert [member["Name"] for member in reply["Members"]] == names


async def test_a_bad_pattern_is_named_with_an_empty_body_behind() -> None:
    async with serving() as server:
        peer = await server.greet()
        error, body = await peer.ask("members-filtered", {"Name": "("}, has_body=True)
        assert error.startswith("Failed to compile regex: ")
        assert body == {"Members": []}
        assert (await peer.ask("members", has_body=True))[0] == ""


async def test_join_counts_and_fails_only_when_nobody_was_reached() -> None:
    handle = FakeHandle()
    handle.joinable = {"10.0.0.1"}
    async with serving(handle) as server:
        peer = await server.greet()
        assert await peer.ask("join", {"Existing": []}, has_body=True) == ("", {"Num": 0})
        body = {"Existing": ["10.0.0.1", "10.0.0.2:1"], "Replay": True}
        assert await peer.ask("join", body, has_body=True) == ("", {"Num": 1})
        error, reply = await peer.ask("join", {"Existing": ["10.0.0.2:1"]}, has_body=True)
        line = "Failed to join 10.0.0.2: connection refused"
        assert (error, reply) == (f"1 error occurred:\n\t* {line}\n\n", {"Num": 0})
        server.handle.refusals["join"] = UsageError("Serf can't Join after Leave or Shutdown")
        error, reply = await peer.ask("join", {"Existing": ["x"]}, has_body=True)
        assert (error, reply) == ("Serf can't Join after Leave or Shutdown", {"Num": 0})
    assert handle.calls[1] == ("join", ("10.0.0.1", "10.0.0.2:1"), True)


async def test_commands_reach_the_node_and_its_refusals_the_client() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("force-leave", {"Node": "c", "Prune": 1}) == ""
        assert await peer.ask("tags", {"Tags": {"k": "v", "n": None}, "DeleteTags": ["x"]}) == ""
        assert server.handle.calls == [
            ("force-leave", "c", True),
            ("tags", {"k": "v", "n": ""}, ("x",)),
        ]
        too_long = "Encoded length of tags exceeds limit of 512 bytes"
        server.handle.refusals["tags"] = UsageError(too_long)
        server.handle.refusals["force-leave"] = Unavailable("timed out broadcasting node removal")
        assert await peer.ask("tags", {"Tags": {}}) == too_long
        timed_out = "timed out broadcasting node removal"
        assert await peer.ask("force-leave", {"Node": "c"}) == timed_out


async def test_leave_is_answered_before_the_connection_closes() -> None:
    async with serving() as server:
        server.handle.refusals["leave"] = UsageError("Leave already in progress")
        peer = await server.greet()
        assert await peer.ask("leave") == "Leave already in progress"
        server.handle.refusals.clear()
        assert await peer.ask("leave") == ""
        assert await peer.is_closed()


async def test_leave_is_answered_even_when_the_daemon_ends_at_once() -> None:
    handle = FakeHandle()
    handle.blocked = trio.Event()
    async with serving(handle) as server:
        peer = await server.greet()
        await peer.send({"Command": "leave", "Seq": 9})
        await trio.testing.wait_all_tasks_blocked()
        handle.blocked.set()
        server.nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert await peer.read() == {"Error": "", "Seq": 9}


async def test_stats_are_text_in_serfs_sections_and_our_own() -> None:
    view = make_view(make_member("a", tags={"role": "web"}), make_member("b"))
    async with serving(FakeHandle(view)) as server:
        peer = await server.greet()
        error, stats = await peer.ask("stats", has_body=True)
    assert error == ""
    assert all(isinstance(v, str) for section in stats.values() for v in section.values())
    assert stats["agent"] == {"name": "a"}
    assert stats["tags"] == {"role": "web"}
    assert stats["serf"] == {
        "coordinate_resets": "0", "encrypted": "false", "event_queue": "0", "event_time": "1",
        "failed": "0", "health_score": "0", "intent_queue": "0", "left": "0",
        "member_time": "7", "members": "2", "query_queue": "0", "query_time": "2",
    }  # fmt: skip
    assert set(stats["runtime"]) == {
        "arch", "cpu_count", "goroutines", "max_procs", "os", "version",
    }  # fmt: skip
    assert stats["gossipd_dropped"] == {"bad-checksum": "2"}
    assert stats["gossipd_lost"] == {"datagrams-unsent": "3"}


async def test_commands_of_later_versions_are_refused_with_the_body_the_table_demands() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert "user events" in await peer.ask("event", {"Name": "x", "Payload": [1, 2]})
        assert "queries" in await peer.ask("query", {"Name": "load"})
        error = await peer.ask("query", {"Name": "_serf_keys"})
        assert error == "Queries cannot contain the '_serf_' prefix"
        error = await peer.ask("query", {"Name": "_serf_ping", "Payload": b"x"})
        assert error == "Queries cannot contain the '_serf_' prefix"
        assert await peer.ask("respond", {"ID": 1}) == "No pending queries matching ID"
        error, body = await peer.ask("list-keys", has_body=True)
        assert "keys" in error
        assert body == {"Keys": {}, "Messages": {}, "NumErr": 0, "NumNodes": 0, "NumResp": 0}
        error, body = await peer.ask("install-key", {"Key": "x"}, has_body=True)
        assert body["Keys"] is None
        error, body = await peer.ask(" get-coordinate", {"Node": "zz"}, has_body=True)
        assert error == ""
        assert body == {
            "Coord": {"Adjustment": 0.0, "Error": 0.0, "Height": 0.0, "Vec": None},
            "Ok": False,
        }


async def test_a_ping_sends_acks_and_then_done() -> None:
    handle = FakeHandle()
    handle.acks = ["a", "b"]
    async with serving(handle) as server:
        peer = await server.greet()
        assert await peer.ask("query", {"Name": "_serf_ping", "RequestAck": True}) == ""
        records = []
        for _ in range(3):
            assert (await peer.read())["Error"] == ""
            records.append(await peer.read())
    assert records == [
        {"From": "a", "Payload": None, "Type": "ack"},
        {"From": "b", "Payload": None, "Type": "ack"},
        {"From": "", "Payload": None, "Type": "done"},
    ]


async def test_a_ping_ends_at_its_own_timeout(autojump_clock: trio.testing.MockClock) -> None:
    handle = FakeHandle()
    handle.acks = ["a", None]
    async with serving(handle) as server:
        peer = await server.greet()
        started = trio.current_time()
        query = {"Name": "_serf_ping", "Timeout": 2_000_000_000}
        assert await peer.ask("query", query) == ""
        await peer.read()
        assert (await peer.read())["Type"] == "done"
        assert trio.current_time() - started == pytest.approx(2.0)


async def test_a_stream_gets_the_events_it_asked_for_until_stopped() -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.send({"Command": "stream", "Seq": 5}, {"Type": "member-join,user:x"})
        assert await peer.read() == {"Error": "", "Seq": 5}
        b = make_member("b", tags={"dc": "east"})
        server.handle.change(ChangeKind.UPDATE, make_member("a"))
        server.handle.change(ChangeKind.JOIN, b)
        assert await peer.read() == {"Error": "", "Seq": 5}
        record = await peer.read()
        assert list(record) == ["Event", "Members"]
        assert record["Event"] == "member-join"
        assert record["Members"][0]["Name"] == "b"
        server.handle.change(ChangeKind.JOIN, b)
        await peer.send({"Command": "stop", "Seq": 6}, {b"Stop": 5})
        while (header := await peer.read())["Seq"] != 6:
            await peer.read()
        assert header == {"Error": "", "Seq": 6}
        server.handle.change(ChangeKind.JOIN, b)
        assert await peer.ask("stop", {"Stop": 12345}) == ""
        await trio.testing.wait_all_tasks_blocked()
        assert server.handle.feeds == []


async def test_bad_filters_and_a_used_number_are_refused() -> None:
    async with serving() as server:
        peer = await server.greet()
        for text in ("foo", "user,", "member-*", "member-join, user", "*:x"):
            assert await peer.ask("stream", {"Type": text}) == "Invalid event filter"
        for text in ("", "*", "user:", "query:load,member-reap"):
            assert await peer.ask("stream", {"Type": text}) == ""
        await peer.send({"Command": "stream", "Seq": 101}, {"Type": "user"})
        await peer.read()
        await peer.send({"Command": "stream", "Seq": 101}, {"Type": "user"})
        error = await peer.read()
        assert error == {"Error": "Stream with given sequence exists", "Seq": 101}


async def test_a_monitor_sends_the_kept_lines_first_and_only_its_level() -> None:
    handle = FakeHandle()
    handle.log("INFO", "one")
    handle.log("DEBUG", "two")
    handle.log("WARN", "three")
    async with serving(handle) as server:
        peer = await server.greet()
        assert await peer.ask("monitor", {"LogLevel": "loud"}) == "Unknown log level: LOUD"
        assert await peer.ask("monitor", {}) == "Unknown log level: "
        assert await peer.ask("monitor", {"LogLevel": "Info"}) == ""
        handle.log("ERR", "four")
        lines = []
        for _ in range(3):
            await peer.read()
            lines.append(await peer.read())
        assert lines == [{"Log": "one"}, {"Log": "three"}, {"Log": "four"}]
        assert await peer.ask("monitor", {"LogLevel": "ERR"}) == "Monitor already exists"


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
