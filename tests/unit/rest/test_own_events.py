"""The stream of events: order, resumption, slow readers, signs of life, an end."""

from __future__ import annotations

import pytest
import trio

from gossipd.catalog.events import ServiceChanged
from gossipd.rest.desk import Desk
from gossipd.rest.happening.words import KINDS
from gossipd.rest.own import events as own_events
from gossipd.rest.own.events import READERS_MAX, EventPieces
from gossipd.rest.values import Refused, Streamed
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.swim.events import AckObserved
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.own_desk import ask, ask_json, make_desk, next_of, sse, swim_member


def join(handle: FakeHandle, name: str) -> None:
    handle.happen(MemberChange(ChangeKind.JOIN, make_member(name)))


async def follow(desk: Desk, last: str = "", **query: str) -> EventPieces:
    headers = {"last-event-id": last} if last else {}
    streamed = await ask(own_events.events, desk, headers=headers, query=query)
    assert isinstance(streamed, Streamed)
    assert isinstance(streamed.pieces, EventPieces)
    return streamed.pieces


async def test_what_happens_is_told_in_order_with_ids(autojump_clock: object) -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    join(handle, "before")
    pieces = await follow(desk)
    assert sse(await anext(pieces))[0]["retry"] == "1000"
    join(handle, "b")
    join(handle, "c")
    first, second = sse(await anext(pieces))
    assert [first["data"]["text"], second["data"]["text"]] == ["b joined", "c joined"]
    assert first["id"] == f"{desk.timeline.life}-2"
    await pieces.aclose()


async def test_a_reader_goes_on_behind_what_it_has_seen(autojump_clock: object) -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    for name in "bcd":
        join(handle, name)
    pieces = await follow(desk, f"{desk.timeline.life}-2")
    await anext(pieces)
    assert [event["data"]["text"] for event in sse(await anext(pieces))] == ["d joined"]
    pieces = await follow(desk, "1234-2")
    await anext(pieces)
    assert len(sse(await anext(pieces))) == 3, "numbers of another life mean nothing"


async def test_a_reader_may_ask_for_some_of_the_past(autojump_clock: object) -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    for name in "bcd":
        join(handle, name)
    pieces = await follow(desk, backlog="2")
    await anext(pieces)
    assert [event["data"]["node"] for event in sse(await anext(pieces))] == ["c", "d"]


async def test_a_slow_reader_is_told_how_much_it_lost(autojump_clock: object) -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    pieces = await follow(desk)
    await anext(pieces)
    kept = 1024
    for number in range(kept + 7):
        join(handle, f"n{number}")
    lost, first, *rest = sse(await anext(pieces))
    assert (lost["event"], lost["data"]) == ("lost", {"count": 7})
    assert first["data"]["node"] == "n7"
    count = 1 + len(rest)
    while count < kept:
        count += len(sse(await anext(pieces)))
    assert count == kept


async def test_silence_is_broken_by_signs_of_life(autojump_clock: object) -> None:
    pieces = await follow(make_desk(FakeHandle()))
    await anext(pieces)
    began = trio.current_time()
    assert sse(await anext(pieces))[0]["event"] == ":"
    assert trio.current_time() - began == own_events.HEARTBEAT_SECONDS


async def test_with_the_state_it_comes_first_and_rows_follow(autojump_clock: object) -> None:
    handle = FakeHandle(make_view(make_member("a"), make_member("b")))
    desk = make_desk(handle)
    pieces = await follow(desk, state="")
    state = await next_of(pieces, "state")
    assert [row["name"] for row in state["data"]["members"]] == ["a", "b"]
    handle.happen(AckObserved(swim_member("b"), 0.005, None))
    row = (await next_of(pieces, "member"))["data"]
    assert (row["name"], row["ack"]["rtt_ms"]) == ("b", 5.0)
    handle.show(make_instance("b", "web"))
    handle.happen(ServiceChanged("web", handle.index))
    service = (await next_of(pieces, "service"))["data"]
    assert (service["name"], service["passing"]) == ("web", 1)
    handle.hide("b", "web")
    handle.happen(ServiceChanged("web", handle.index))
    assert (await next_of(pieces, "service"))["data"]["gone"] is True
    assert (await next_of(pieces, "node"))["data"]["name"] == "a"


async def test_a_reader_is_shown_the_last_word_however_often_it_changed(
    autojump_clock: object,
) -> None:
    handle = FakeHandle(make_view(make_member("a"), make_member("b")))
    desk = make_desk(handle)
    pieces = await follow(desk, state="")
    await anext(pieces)
    for milliseconds in range(200):
        handle.happen(AckObserved(swim_member("b"), milliseconds / 1000, None))
    rows = [event for event in sse(await anext(pieces)) if event["event"] == "member"]
    assert [row["data"]["ack"]["rtt_ms"] for row in rows] == [199.0]


async def test_a_member_that_is_forgotten_is_shown_as_gone(autojump_clock: object) -> None:
    handle = FakeHandle(make_view(make_member("a")))
    desk = make_desk(handle)
    pieces = await follow(desk, state="")
    await anext(pieces)
    handle.happen(MemberChange(ChangeKind.REAP, make_member("b")))
    assert (await next_of(pieces, "member"))["data"] == {"name": "b", "gone": True}


async def test_readers_are_bounded_and_let_go(autojump_clock: object) -> None:
    desk = make_desk(FakeHandle())
    readers = [await follow(desk) for _ in range(READERS_MAX)]
    with pytest.raises(Refused) as refused:
        await follow(desk)
    assert refused.value.status == 503
    await readers.pop().aclose()
    readers.append(await follow(desk))
    for reader in readers:
        await reader.aclose()
        await reader.aclose()
    assert not desk.timeline.followers


async def test_the_timeline_is_asked_for_by_kind_node_and_number() -> None:
    handle = FakeHandle()
    desk = make_desk(handle)
    for name in "bcd":
        join(handle, name)
    handle.happen(MemberChange(ChangeKind.LEAVE, make_member("d")))
    answer = await ask_json(own_events.timeline, desk)
    assert (answer["oldest"], answer["newest"], len(answer["lines"])) == (1, 4, 4)
    for query, texts in (
        ({"kind": "left"}, ["d left"]),
        ({"node": "c"}, ["c joined"]),
        ({"after": "3"}, ["d left"]),
        ({"limit": "2"}, ["d joined", "d left"]),
        ({"level": "good,bad", "node": "d"}, ["d joined"]),
        ({"service": "web"}, []),
    ):
        answer = await ask_json(own_events.timeline, desk, query=query)
        assert [line["text"] for line in answer["lines"]] == texts
    assert len(set(KINDS)) == len(KINDS)
