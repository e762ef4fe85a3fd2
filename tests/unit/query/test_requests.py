"""Requests are read leniently, never wrongly, and go back to what they came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.errors import WireError
from gossipd.query import commands, requests
from gossipd.query.commands import COMMANDS
from gossipd.query.event_filter import EventFilter
from gossipd.query.requests import read_header_untrusted

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.binary(max_size=5)
)  # fmt: skip
OUR_FIELDS = {"FullTime", "Gaps", "Immediate", "NeverAnswers", "Nodes", "Prompt", "Senders"}
FIELDS = sorted({name for row in COMMANDS.values() for name in row.names or ()} | OUR_FIELDS)
BODIES = (
    SCALARS
    | st.lists(SCALARS, max_size=8)
    | st.dictionaries(
        st.sampled_from(FIELDS),
        SCALARS
        | st.lists(SCALARS, max_size=3)
        | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3),
    )
)


@given(st.sampled_from(sorted(COMMANDS)), BODIES)
def test_any_body_makes_a_request_or_a_wire_error(command: str, body: object) -> None:
    try:
        request = commands.read_request_untrusted(command, body)
    except WireError:
        return
    assert request.command == command
    again = request.body()
    if again is not None:
        assert commands.read_request_untrusted(command, again).body() == again


@given(SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS))
def test_any_header_is_read_or_a_wire_error(value: object) -> None:
    try:
        header = read_header_untrusted(value)
    except WireError:
        return
    assert 0 <= header.seq < 2**64


def test_headers_in_other_forms() -> None:
    for value in (
        {"Command": "stop", "Seq": 3},
        {b"Seq": 3, b"Command": b" stop "},
        ["stop", 3],
        {"Command": "stop", "Seq": 3, "command": "x"},
    ):
        header = read_header_untrusted(value)
        assert (header.command, header.seq) == ("stop", 3)
    assert read_header_untrusted(None).command == ""


def test_payloads_in_all_forms_of_both_dialects() -> None:
    for form in ("ab", b"ab", [97, 98]):
        request = commands.read_request_untrusted("event", {"Name": "n", "Payload": form})
        assert isinstance(request, requests.UserEvent)
        assert request.payload == b"ab"
    nothing: tuple[object, ...] = ("", b"", [], None)
    for empty in nothing:
        request = commands.read_request_untrusted("event", {"Name": "n", "Payload": empty})
        assert isinstance(request, requests.UserEvent)
        assert request.payload is None
    unfit: tuple[object, ...] = (7, [300], ["a"], {})
    for wrong in unfit:
        with pytest.raises(WireError):
            commands.read_request_untrusted("event", {"Payload": wrong})


def test_event_filters_are_alternatives() -> None:
    chosen = EventFilter("member-join,user:deploy,query")
    assert chosen.wants_member_event("member-join")
    assert not chosen.wants_member_event("member-leave")
    assert chosen.wants_user_event("deploy")
    assert not chosen.wants_user_event("other")
    assert chosen.wants_query("any")
    for text in ("", "*", "user,*"):
        everything = EventFilter(text)
        assert everything.wants_member_event("member-reap")
        assert everything.wants_user_event("x")
        assert everything.wants_query("x")
    assert EventFilter("user:").wants_user_event("x")
    assert not EventFilter("user").wants_query("x")


@pytest.mark.parametrize(
    "request_",
    [
        requests.UserEvent("x", b"1", True),
        requests.Stream("*"),
        requests.Query("x", b"1", timeout_ns=5),
    ],
)
def test_what_serf_has_too_is_written_as_serf_would(request_: requests.Request) -> None:
    body = request_.body()
    assert body is not None
    assert set(body) == set(COMMANDS[request_.command].names or ())


def test_our_own_fields_travel_when_they_say_something() -> None:
    event = requests.UserEvent("x", nodes=["a"], tags={"role": "w.*"})
    assert event.body() == {
        "Coalesce": False, "Name": "x", "Payload": None, "Nodes": ["a"], "Tags": {"role": "w.*"},
    }  # fmt: skip
    stream = requests.Stream(
        "user", True, wants_senders=True, is_immediate=True, never_answers=True
    )
    assert stream.body() == {
        "Type": "user", "Gaps": True, "Senders": True, "Immediate": True, "NeverAnswers": True,
    }  # fmt: skip
    query = requests.Query("x", full_time=True, is_prompt=True).body()
    assert query is not None
    assert query["FullTime"] is True
    assert query["Prompt"] is True
