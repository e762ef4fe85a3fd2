"""Events, queries, keys and coordinates through both clients, against a server in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from gossipd.client.aio import AsyncClient
from gossipd.client.blocking import Client
from gossipd.client.connection import KeysRefused, RequestRefused
from gossipd.coordinate import Coordinate
from gossipd.errors import UsageError, WireError
from gossipd.query.records import read_event_untrusted
from gossipd.query.replies import read_coordinate_untrusted, read_keys_untrusted
from gossipd.serf.events import (
    ChangeKind,
    MembersChanged,
    QueryAcked,
    QueryAnswered,
    QueryReceived,
    UserEventReceived,
)
from gossipd.serf.question import KeyReport, Question
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_thread import RpcThread, rpc_thread

KEY = "AAECAwQFBgcICQoLDA0ODw=="


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RpcThread]:
    handle = FakeHandle(make_view(make_member("b"), make_member("a", tags={"role": "web"})))
    handle.coordinates = {
        "a": Coordinate(vec=(0.003, *[0.0] * 7), height=0.001),
        "b": Coordinate(vec=(0.0, 0.004, *[0.0] * 6), height=0.002, adjustment=-0.0005),
        "c": Coordinate(height=0.001, adjustment=-1.0),
    }
    with rpc_thread(tmp_path, handle) as running:
        yield running


def run(backend: str, work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(20):
            await work()

    anyio.run(limited, backend=backend)


both = pytest.mark.parametrize("backend", ["trio", "asyncio"])

REPLIES: list[QueryAcked | QueryAnswered | None] = [
    QueryAcked(1, "a"), QueryAnswered(1, "a", b"0.42"), QueryAnswered(1, "b", None),
    QueryAnswered(1, "a", b"again"), QueryAcked(1, "a"),
]  # fmt: skip
CALLS = [
    ("event", "deploy", b"v1", True, (), {}),
    ("event", "x", b"\xff", False, ("a",), {"role": "w"}),
    ("ask", Question(
        name="load", payload=b"now", nodes=("a",), tags={"role": "w"}, wants_acks=True,
        relay_factor=3, timeout=1.5, full_time=True,
    )),
    ("ask", Question(name="load", wants_acks=True)),
]  # fmt: skip


def test_events_and_queries_of_the_blocking_client(server: RpcThread) -> None:
    server.handle.replies = REPLIES
    with Client(server.path) as client:
        client.event("deploy", "v1")
        client.event("x", b"\xff", may_coalesce=False, nodes=["a"], tags={"role": "w"})
        replies = client.query(
            "load", "now", nodes=["a"], tags={"role": "w"}, relay_factor=3, timeout=1.5,
            full_time=True,
        )  # fmt: skip
        assert [(r.kind, r.node, r.payload) for r in replies] == [
            ("ack", "a", None), ("response", "a", b"0.42"), ("response", "b", None),
            ("response", "a", b"again"), ("ack", "a", None),
        ]  # fmt: skip
        outcome = client.ask("load")
        assert (outcome.acks, outcome.responses) == (["a"], {"a": b"0.42", "b": None})
        assert server.handle.calls == CALLS
        server.handle.refusals["ask"] = UsageError("query exceeds limit of 1024 bytes")
        with pytest.raises(RequestRefused, match="1024 bytes"):
            client.query("load", b"x" * 2000)


@both
def test_events_and_queries_of_the_async_client(server: RpcThread, backend: str) -> None:
    server.handle.replies = REPLIES

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            await client.event("deploy", "v1")
            await client.event("x", b"\xff", may_coalesce=False, nodes=["a"], tags={"role": "w"})
            async with client.query(
                "load", "now", nodes=["a"], tags={"role": "w"}, relay_factor=3, timeout=1.5,
                full_time=True,
            ) as replies:  # fmt: skip
                assert [reply.payload async for reply in replies][1] == b"0.42"
            outcome = await client.ask("load")
            assert (outcome.acks, outcome.responses) == (["a"], {"a": b"0.42", "b": None})
            assert server.handle.calls == CALLS

    run(backend, work)


def test_a_query_that_is_left_early_does_not_disturb_what_follows(server: RpcThread) -> None:
    server.handle.replies = REPLIES
    with Client(server.path) as client:
        assert next(client.query("load")).node == "a"
        assert len(client.members()) == 2
        assert len(list(client.query("load"))) == 5


def emit_messages(handle: FakeHandle) -> None:
    handle.emit(UserEventReceived(4, "deploy", b"v1", True, "b"))
    handle.emit(QueryReceived(70, 9, "load", None, "b", 200.0))


def test_streamed_messages_are_typed_and_queries_answered(server: RpcThread) -> None:
    with Client(server.path) as client:
        events = client.stream("user,query")
        server.do(lambda: emit_messages(server.handle))
        event, query = next(events), next(events)
        assert (event.kind, event.name, event.payload, event.ltime) == ("user", "deploy", b"v1", 4)
        assert (event.sender, event.may_coalesce) == ("b", True)
        assert (query.kind, query.name, query.payload, query.sender) == ("query", "load", None, "b")
        client.respond(query.number, "0.42")
        assert server.handle.calls == [("respond", 70, b"0.42")]
        with pytest.raises(RequestRefused, match="No pending queries matching ID"):
            client.respond(77)
        assert events.next_within(0.001) is None
        server.do(lambda: emit_messages(server.handle))
        later = events.next_within(10.0)
        assert later is not None
        assert later.name == "deploy"


@both
def test_streamed_messages_of_the_async_client(server: RpcThread, backend: str) -> None:
    async def work() -> None:
        async with AsyncClient(server.path) as client, client.stream("user,query") as events:
            await anyio.to_thread.run_sync(server.do, lambda: emit_messages(server.handle))
            assert (await anext(events)).sender == "b"
            await client.respond((await anext(events)).number, b"0.42")
            assert server.handle.calls == [("respond", 70, b"0.42")]

    run(backend, work)


def test_a_stream_may_be_immediate_and_never_answer(server: RpcThread) -> None:
    with Client(server.path) as client:
        client.stream("member-join", immediate=True, never_answers=True)
        client.follow()
        first, second = server.do(lambda: list(server.handle.feeds))
        assert (first.coalesced, first.may_answer) == (False, None)
        assert (second.coalesced, second.may_answer) == (True, None)


def test_keys_and_what_members_said_of_them(server: RpcThread) -> None:
    server.handle.key_report = KeyReport(2, 2, 0, {}, {KEY: 2}, {KEY: 1})
    with Client(server.path) as client:
        found = client.list_keys()
        assert (found.keys, found.primary_keys, found.nodes) == ({KEY: 2}, {KEY: 1}, 2)
        for change in (client.install_key, client.use_key, client.remove_key):
            assert change(KEY).responses == 2
        with pytest.raises(RequestRefused, match="illegal base64 data at input byte 0"):
            client.install_key("@")
        failed = KeyReport(2, 2, 1, {"b": "no"}, {}, {}, "1/2 nodes reported failure")
        server.handle.key_report = failed
        with pytest.raises(KeysRefused, match="1/2 nodes reported failure") as caught:
            client.use_key(KEY)
        assert caught.value.reply.messages == {"b": "no"}
        assert caught.value.reply.errors == 1


@both
def test_keys_and_coordinates_of_the_async_client(server: RpcThread, backend: str) -> None:
    server.handle.key_report = KeyReport(1, 1, 0, {}, {KEY: 1}, {KEY: 1})

    async def work() -> None:
        async with AsyncClient(server.path) as client:
            assert (await client.list_keys()).keys == {KEY: 1}
            assert (await client.install_key(KEY)).nodes == 1
            await client.use_key(KEY)
            await client.remove_key(KEY)
            assert await client.rtt("a", "b") == pytest.approx(0.0075)
            assert await client.coordinate("zz") is None

    run(backend, work)


def test_round_trips_are_estimated_as_serf_does(server: RpcThread) -> None:
    with Client(server.path) as client:
        assert client.rtt("a", "b") == pytest.approx(0.0075)
        assert client.rtt("a", "c") == pytest.approx(0.005)  # adjusted it would be negative
        assert client.rtt("a", "zz") is None
        a = client.coordinate("a")
        assert a is not None
        assert (a.vec[0], a.height, a.adjustment, a.error) == (0.003, 0.001, 0.0, 1.5)


def test_one_record_of_many_members(server: RpcThread) -> None:
    with Client(server.path) as client:
        events = client.stream("member-failed")
        both_of_them = (make_member("a"), make_member("b"))
        server.do(lambda: server.handle.emit(MembersChanged(ChangeKind.FAILED, both_of_them)))
        assert [member.name for member in next(events).members] == ["a", "b"]


def test_a_burst_of_events_can_be_skipped(server: RpcThread) -> None:
    with Client(server.path) as client:
        events = client.stream("user")

        def burst() -> None:
            for ltime in range(5):
                server.handle.emit(UserEventReceived(ltime, "x", None, False))

        server.do(burst)
        assert next(events).ltime == 0
        skipped = 0
        for _ in range(1000):  # they come beside the answers, in their own time
            client.members()
            skipped += events.skip_ready()
            if skipped >= 4:
                break
        assert skipped == 4
        assert events.next_within(0.001) is None


@pytest.mark.parametrize(
    "body",
    [
        {"Event": "user", "Name": 7, "LTime": 1},
        {"Event": "user", "Name": "x", "LTime": "1"},
        {"Event": "user", "Name": "x", "LTime": 1, "Payload": 7},
        {"Event": "query", "Name": "x", "LTime": 1, "ID": None},
        {"Event": "query", "Name": "x", "LTime": 1, "Sender": b"b"},
    ],
)
def test_records_of_a_wrong_form_are_noticed(body: object) -> None:
    with pytest.raises(WireError):
        read_event_untrusted(body)


@pytest.mark.parametrize(
    "body",
    [
        None, {}, {"NumNodes": 1, "NumResp": 1}, {"NumNodes": 1, "NumResp": 1, "NumErr": "0"},
        {"NumNodes": 1, "NumResp": 1, "NumErr": 0, "Keys": [KEY]},
    ],
)  # fmt: skip
def test_key_answers_of_a_wrong_form_are_noticed(body: object) -> None:
    with pytest.raises(WireError):
        read_keys_untrusted(body)


@pytest.mark.parametrize(
    "body",
    [None, {}, {"Ok": True}, {"Ok": True, "Coord": {"Vec": ["x"], "Height": 1.0}},
     {"Ok": True, "Coord": {"Vec": [1.0], "Height": None, "Adjustment": 0.0, "Error": 1.0}}],
)  # fmt: skip
def test_coordinates_of_a_wrong_form_are_noticed(body: object) -> None:
    with pytest.raises(WireError):
        read_coordinate_untrusted(body)
