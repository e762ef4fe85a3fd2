"""The local socket's commands, over in-memory streams and a fake node."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gossipd.errors import Unavailable, UsageError
from gossipd.node.view import Suspicion
from gossipd.rpc.server import Limits
from gossipd.serf.events import ChangeKind
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_service import COUNTED, LOG, MEASURED, serving


async def test_a_command_before_the_handshake_is_refused_and_the_connection_closed() -> None:
    async with serving() as server:
        peer = server.connect()
        assert await peer.ask("members-filtered") == "Handshake required"
        assert await peer.is_closed()


async def test_clients_and_commands_are_counted_for_metrics() -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.ask("members", has_body=True)
        await server.greet()
    assert sorted(COUNTED) == ["agent.ipc.accept"] * 2 + ["agent.ipc.command"] * 3
    assert [name for name, _ in MEASURED] == ["gossipd.rpc.request"] * 3
    assert all(0 <= milliseconds < 60_000 for _, milliseconds in MEASURED)


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


async def test_after_a_leave_the_client_may_hang_up_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(limits=Limits(farewell_seconds=0.25)) as server:
        peer = await server.greet()
        assert await peer.ask("leave") == ""
        answered = trio.current_time()
        await peer.send({"Command": "members", "Seq": 7})  # not answered any more
        assert await peer.is_closed()
        assert trio.current_time() - answered == pytest.approx(0.25)
        polite = await server.greet()
        assert await polite.ask("leave") == ""
        answered = trio.current_time()
        await polite.stream.aclose()
        while server.service.connections:
            await trio.lowlevel.checkpoint()
        assert trio.current_time() == answered


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
    handle = FakeHandle(view)
    handle.event_handlers = {"user:deploy": "./deploy.sh"}
    async with serving(handle) as server:
        peer = await server.greet()
        error, stats = await peer.ask("stats", has_body=True)
    assert error == ""
    assert stats["event_handlers"] == {"user:deploy": "./deploy.sh"}
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
    assert "gossipd_degraded" not in stats


async def test_stats_say_who_is_degraded_and_why() -> None:
    handle = FakeHandle()
    handle.degraded_members = {"b": "round trip 90ms, usually 1ms"}
    async with serving(handle) as server:
        peer = await server.greet()
        _, stats = await peer.ask("stats", has_body=True)
    assert stats["gossipd_degraded"] == {"b": "round trip 90ms, usually 1ms"}


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
