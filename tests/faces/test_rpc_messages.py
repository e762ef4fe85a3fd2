"""Events, queries, keys and coordinates on the local socket, over a fake node."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from gossipd.coordinate import Coordinate
from gossipd.errors import Unavailable, UsageError
from gossipd.rpc import pending
from gossipd.rpc.pending import PendingQueries
from gossipd.rpc.questions import DONE_LAG_SECONDS
from gossipd.rpc.server import Limits
from gossipd.serf.events import (
    ChangeKind,
    MembersChanged,
    QueryAcked,
    QueryAnswered,
    QueryReceived,
    UserEventReceived,
)
from gossipd.serf.question import KeyReport, Question
from support.fake_handle import FakeHandle, make_member
from support.rpc_service import Peer, serving

KEY = "AAECAwQFBgcICQoLDA0ODw=="


def asked(number: int, name: str = "load", *, deadline: float = 105.0) -> QueryReceived:
    return QueryReceived(number, 7, name, b"x", "b", deadline)


async def records_until_done(peer: Peer) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while not records or records[-1]["Type"] != "done":
        assert (await peer.read())["Error"] == ""
        records.append(await peer.read())
    return records


# --- event --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"Name": "x"}, ("event", "x", None, False, (), {})),
        ({"Name": "x", "Payload": b""}, ("event", "x", None, False, (), {})),
        ({"Name": "x", "Payload": "p", "Coalesce": True}, ("event", "x", b"p", True, (), {})),
        (["x", [1, 2], 1], ("event", "x", b"\x01\x02", True, (), {})),
        (
            {"Name": "x", "Nodes": ["a"], "Tags": {"role": "web"}},
            ("event", "x", None, False, ("a",), {"role": "web"}),
        ),
    ],
)
async def test_an_event_reaches_the_node(body: object, call: tuple[object, ...]) -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("event", body) == ""
        assert server.handle.calls == [call]


async def test_what_the_node_says_of_a_too_large_event_is_the_answer() -> None:
    text = "user event exceeds configured limit of 512 bytes before encoding"
    async with serving() as server:
        server.handle.refusals["event"] = UsageError(text)
        peer = await server.greet()
        assert await peer.ask("event", {"Name": "x", "Payload": b"1" * 600}) == text
        assert await peer.ask("event", {"Name": "x", "Payload": 7}) == (
            "bad request: Payload is not text or bytes"
        )
        assert (await peer.ask("members", has_body=True))[0] == ""


# --- query --------------------------------------------------------------------


async def test_a_query_sends_acks_and_answers_and_then_done() -> None:
    handle = FakeHandle()
    handle.replies = [
        QueryAcked(1, "a"),
        QueryAnswered(1, "a", b"0.42"),
        QueryAnswered(1, "b", b""),
    ]
    async with serving(handle) as server:
        peer = await server.greet()
        body = {
            "Name": "load", "Payload": "now", "FilterNodes": ["a", "b"], "FilterTags": {"r": "w"},
            "RequestAck": True, "RelayFactor": 2, "Timeout": 600_000_000,
        }  # fmt: skip
        assert await peer.ask("query", body) == ""
        assert await records_until_done(peer) == [
            {"From": "a", "Payload": None, "Type": "ack"},
            {"From": "a", "Payload": b"0.42", "Type": "response"},
            {"From": "b", "Payload": None, "Type": "response"},
            {"From": "", "Payload": None, "Type": "done"},
        ]
    question = Question(
        name="load", payload=b"now", nodes=("a", "b"), tags={"r": "w"}, wants_acks=True,
        relay_factor=2, timeout=0.6,
    )  # fmt: skip
    assert handle.calls == [("ask", question)]


async def test_no_timeout_is_the_default_and_the_full_time_can_be_asked_for() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("query", {"Name": "x", "Timeout": 0, "FullTime": True}) == ""
        await records_until_done(peer)
        assert server.handle.calls == [("ask", Question(name="x", full_time=True))]


@pytest.mark.parametrize("name", ["load", "_serf_ping"])
async def test_done_lags_behind_the_last_answer_unless_the_client_is_prompt(
    autojump_clock: trio.testing.MockClock, name: str
) -> None:
    handle = FakeHandle()
    handle.replies = [QueryAcked(1, "a"), QueryAnswered(1, "a", b"x")]
    async with serving(handle) as server:
        for is_prompt, lag in ((False, DONE_LAG_SECONDS), (True, 0)):
            peer = await server.greet()
            query = {"Name": name, "RequestAck": True, "Prompt": is_prompt}
            started = trio.current_time()
            assert await peer.ask("query", query) == ""
            assert (await records_until_done(peer))[-1]["Type"] == "done"
            assert trio.current_time() - started == pytest.approx(lag)


async def test_a_query_can_be_stopped_and_says_nothing_more() -> None:
    handle = FakeHandle()
    handle.replies = [QueryAcked(1, "a"), None]
    async with serving(handle, limits=Limits(queries_max=1)) as server:
        peer = await server.greet()
        for seq in (7, 7, 8):
            await peer.send({"Command": "query", "Seq": seq}, {"Name": "x", "RequestAck": True})
            assert await peer.read() == {"Error": "", "Seq": seq}
            assert await peer.read() == {"Error": "", "Seq": seq}
            assert (await peer.read())["Type"] == "ack"
            assert await peer.ask("stop", {"Stop": seq}) == ""
            await trio.testing.wait_all_tasks_blocked()
        assert (await peer.ask("members", has_body=True))[0] == ""


async def test_a_negative_timeout_is_over_at_once() -> None:
    async with serving() as server:
        peer = await server.greet()
        for name in ("load", "_serf_ping"):
            assert await peer.ask("query", {"Name": name, "Timeout": -1}) == ""
            assert [r["Type"] for r in await records_until_done(peer)] == ["done"]
        assert server.handle.calls == []


async def test_a_refused_query_has_no_records_and_the_connection_stays() -> None:
    async with serving() as server:
        peer = await server.greet()
        for name, payload in (("_serf_keys", None), ("_serf_ping", b"x")):
            error = await peer.ask("query", {"Name": name, "Payload": payload})
            assert error == "Queries cannot contain the '_serf_' prefix"
        server.handle.refusals["ask"] = UsageError("query exceeds limit of 1024 bytes")
        assert await peer.ask("query", {"Name": "x"}) == "query exceeds limit of 1024 bytes"
        server.handle.refusals["ask"] = Unavailable("too many queries are open")
        assert await peer.ask("query", {"Name": "x"}) == "too many queries are open"
        error = await peer.ask("query", {"Name": "x", "RelayFactor": 256})
        assert error == "bad request: RelayFactor is not an integer within 0..255"
        assert (await peer.ask("members", has_body=True))[0] == ""


async def test_queries_of_one_connection_are_bounded_and_run_beside_each_other() -> None:
    handle = FakeHandle()
    handle.replies = [None]
    async with serving(handle, limits=Limits(queries_max=2)) as server:
        peer = await server.greet()
        assert await peer.ask("query", {"Name": "x"}) == ""
        assert await peer.ask("query", {"Name": "y"}) == ""
        error = await peer.ask("query", {"Name": "z"})
        assert error == "too many queries at a time on this connection"
        other = await server.greet()
        assert await other.ask("query", {"Name": "z"}) == ""


async def test_a_ping_is_asked_with_all_that_the_request_says() -> None:
    async with serving() as server:
        peer = await server.greet()
        ping = {
            "Name": "_serf_ping", "RequestAck": True, "FilterNodes": ["b"], "RelayFactor": 2,
            "FilterTags": {"role": "eb"}, "Timeout": 9_000_000_000, "FullTime": True,
        }  # fmt: skip
        assert await peer.ask("query", ping) == ""
        await records_until_done(peer)
        asked = Question(
            name="_serf_ping", nodes=("b",), tags={"role": "eb"}, wants_acks=True,
            relay_factor=2, timeout=9.0, full_time=True,
        )  # fmt: skip
        assert server.handle.calls == [("ask", asked)]
        error = await peer.ask("query", {"Name": "_serf_ping", "FilterTags": {"role": "("}})
        assert "role" in error
        assert "error parsing regexp" in error


async def test_more_tag_filters_than_a_node_can_have_tags_are_refused() -> None:
    many = {str(number): "x" for number in range(257)}
    told = "Failed to compile regex: more than 256 tags to match"
    async with serving() as server:
        peer = await server.greet()
        error = await peer.ask("query", {"Name": "_serf_ping", "FilterTags": many})
        assert error == "257 tag filters: at most 127 can be given"
        answer = await peer.ask("members-filtered", {"Tags": many}, has_body=True)
        assert answer == (told, {"Members": []})


# --- stream and respond -------------------------------------------------------


async def test_streams_show_user_events_and_queries_as_serf_does() -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.send({"Command": "stream", "Seq": 5}, {"Type": "user:deploy,query"})
        assert await peer.read() == {"Error": "", "Seq": 5}
        emit = server.handle.emit
        emit(UserEventReceived(3, "other", b"p", False, "b"))
        emit(UserEventReceived(4, "deploy", b"p", True, "b"))
        emit(UserEventReceived(5, "deploy", b"", False, "b"))
        emit(asked(70, "_serf_conflict"))
        emit(asked(71))
        bodies = []
        for _ in range(3):
            assert await peer.read() == {"Error": "", "Seq": 5}
            bodies.append(list((await peer.read()).items()))
    assert bodies == [
        [
            ("Coalesce", True), ("Event", "user"), ("LTime", 4), ("Name", "deploy"),
            ("Payload", b"p"),
        ],
        [
            ("Coalesce", False), ("Event", "user"), ("LTime", 5), ("Name", "deploy"),
            ("Payload", None),
        ],
        [("Event", "query"), ("ID", 1), ("LTime", 7), ("Name", "load"), ("Payload", b"x")],
    ]  # fmt: skip


async def test_a_client_that_asks_is_told_who_sent() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("stream", {"Type": "user,query", "Senders": True}) == ""
        server.handle.emit(UserEventReceived(4, "deploy", None, True, "b"))
        server.handle.emit(asked(71))
        for _ in range(2):
            await peer.read()
            assert (await peer.read())["Sender"] == "b"


async def test_one_record_may_hold_many_members() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("stream", {"Type": "member-join"}) == ""
        joined = (make_member("b"), make_member("c"))
        server.handle.emit(MembersChanged(ChangeKind.JOIN, joined))
        await peer.read()
        record = await peer.read()
        assert [member["Name"] for member in record["Members"]] == ["b", "c"]


async def test_a_stream_is_coalesced_and_may_answer_what_it_is_shown() -> None:
    async with serving() as server:
        peer = await server.greet()
        assert await peer.ask("stream", {"Type": "query:load,user"}) == ""
        (feed,) = server.handle.feeds
        assert feed.coalesced
        assert feed.may_answer is not None
        names = ("load", "other", "_serf_ping")
        assert [feed.may_answer(name) for name in names] == [True, False, False]


async def test_a_client_may_ask_for_events_at_once_and_promise_not_to_answer() -> None:
    async with serving() as server:
        peer = await server.greet()
        body = {"Type": "*", "Immediate": True, "NeverAnswers": True}
        assert await peer.ask("stream", body) == ""
        (feed,) = server.handle.feeds
        assert not feed.coalesced
        assert feed.may_answer is None


async def test_answers_go_to_the_query_that_was_shown_under_their_number() -> None:
    async with serving() as server:
        peer, other = await server.greet(), await server.greet()
        assert await peer.ask("stream", {"Type": "query:load"}) == ""
        assert await peer.ask("stream", {"Type": "query:who"}) == ""
        assert await other.ask("stream", {"Type": "query:who"}) == ""
        for query in (asked(71, "load"), asked(72, "who")):
            server.handle.emit(query)
            await peer.read()
            await peer.read()
        await other.read()
        assert (await other.read())["ID"] == 1
        assert await peer.ask("respond", {"ID": 2, "Payload": b"me"}) == ""
        assert await peer.ask("respond", {"ID": 1}) == ""
        assert server.handle.calls == [("respond", 72, b"me"), ("respond", 71, None)]
        nothing = "No pending queries matching ID"
        assert await peer.ask("respond", {"ID": 3}) == nothing
        assert await other.ask("respond", {"ID": 2}) == nothing
        server.handle.refusals["respond"] = UsageError("response already sent")
        prefixed = "failed to respond to key query: response already sent"
        assert await peer.ask("respond", {"ID": 2, "Payload": b"again"}) == prefixed
        server.handle.clock = 105.5
        assert await peer.ask("respond", {"ID": 2, "Payload": b"late"}) == nothing


def test_pending_queries_are_forgotten_at_their_deadline_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending, "PENDING_MAX", 3)
    queries = PendingQueries()
    assert queries.register(asked(10, deadline=5.0), 1.0) == 1
    assert queries.find(1, 5.0) == 10
    assert queries.find(1, 5.1) is None
    assert queries.register(asked(11, deadline=9.0), 6.0) == 2
    assert len(queries) == 1
    for number in (12, 13, 14):
        queries.register(asked(number, deadline=9.0), 6.0)
    assert len(queries) == 3
    assert [queries.find(number, 7.0) for number in (2, 3, 4, 5)] == [None, 12, 13, 14]


# --- keys and coordinates -----------------------------------------------------


async def test_key_commands_reach_the_node_and_show_what_members_said() -> None:
    handle = FakeHandle()
    async with serving(handle) as server:
        peer = await server.greet()
        empty = {"Messages": {}, "NumErr": 0, "NumNodes": 1, "NumResp": 1}
        for command in ("install-key", "use-key", "remove-key"):
            answer = await peer.ask(command, {"Key": KEY}, has_body=True)
            assert answer == ("", {"Keys": None, **empty})
        handle.key_report = KeyReport(2, 2, 0, {}, {KEY: 2}, {KEY: 1})
        error, body = await peer.ask("list-keys", has_body=True)
        assert (error, list(body.items())) == (
            "",
            [
                ("Keys", {KEY: 2}), ("Messages", {}), ("NumErr", 0), ("NumNodes", 2),
                ("NumResp", 2), ("PrimaryKeys", {KEY: 1}),
            ],
        )  # fmt: skip
        failed = {"a": "Removing the primary key is not allowed"}
        handle.key_report = KeyReport(2, 2, 1, failed, {}, {}, "1/2 nodes reported failure")
        answer = await peer.ask("remove-key", {"Key": KEY}, has_body=True)
        assert answer == (
            "1/2 nodes reported failure",
            {"Keys": None, "Messages": failed, "NumErr": 1, "NumNodes": 2, "NumResp": 2},
        )
    key = bytes(range(16))
    assert handle.calls == [
        ("install-key", key), ("use-key", key), ("remove-key", key),
        ("list-keys", None), ("remove-key", key),
    ]  # fmt: skip


async def test_a_key_that_is_no_base64_is_refused_with_the_body_its_clients_wait_for() -> None:
    zeros = {"Messages": {}, "NumErr": 0, "NumNodes": 0, "NumResp": 0}
    async with serving() as server:
        peer = await server.greet()
        answer = await peer.ask("install-key", {"Key": "@@@"}, has_body=True)
        assert answer == ("illegal base64 data at input byte 0", {"Keys": None, **zeros})
        server.handle.refusals["list-keys"] = Unavailable("too many queries are open")
        answer = await peer.ask("list-keys", has_body=True)
        assert answer == ("too many queries are open", {"Keys": {}, **zeros})
        assert ("install-key", b"") not in server.handle.calls


async def test_coordinates_are_shown_and_unknown_ones_are_not_ok() -> None:
    handle = FakeHandle()
    vec = (0.25, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0)
    handle.coordinates = {"b": Coordinate(vec=vec, error=0.5, adjustment=-0.125, height=0.0625)}
    async with serving(handle) as server:
        peer = await server.greet()
        error, body = await peer.ask("get-coordinate", {"Node": "b"}, has_body=True)
        shown = {"Adjustment": -0.125, "Error": 0.5, "Height": 0.0625, "Vec": list(vec)}
        assert (error, body) == ("", {"Coord": shown, "Ok": True})
        assert list(body["Coord"]) == ["Adjustment", "Error", "Height", "Vec"]
        error, body = await peer.ask(" get-coordinate", {"Node": "zz"}, has_body=True)
        nowhere = {"Adjustment": 0.0, "Error": 0.0, "Height": 0.0, "Vec": None}
        assert (error, body) == ("", {"Coord": nowhere, "Ok": False})
