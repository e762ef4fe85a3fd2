"""``client.connection.Connection``: recorded answers of Serf, read whole and byte by byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from gossipd.client.connection import Connection, Record, Reply, as_timeout_ns
from gossipd.errors import UsageError, WireError
from gossipd.query import commands, requests, service_requests
from gossipd.query.framing import encode
from gossipd.query.records import (
    read_event_untrusted,
    read_log_untrusted,
    read_member_untrusted,
    read_members_untrusted,
    read_query_record_untrusted,
)

VECTORS = Path(__file__).parents[1] / "interop" / "vectors" / "rpc"


def recorded_by_serf() -> list[str]:
    """Return the recordings of the ``serf`` command: its numbers begin at 1, as ours do."""
    return [
        path.stem
        for path in sorted(VECTORS.glob("*.json"))
        if json.loads(path.read_text())["client"].startswith("serf 0")
    ]


def objects(data: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(data)
    return list(unpacker)


def without_defaults(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value not in (None, "", 0, {}, [])}


@pytest.mark.parametrize("name", recorded_by_serf())
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_requests_are_as_serf_sends_them_and_its_answers_are_understood(
    name: str, size: int
) -> None:
    connection = Connection()
    answered: set[int] = set()
    asked: set[int] = set()
    for step in json.loads((VECTORS / f"{name}.json").read_text())["exchange"]:
        data = bytes.fromhex(step["bytes_hex"])
        if step["dir"] == "c>s":
            found = iter(objects(data))
            for header in found:
                command = header["Command"]
                body = next(found) if commands.COMMANDS[command].names else None
                request = commands.read_request_untrusted(command, body)
                seq, sent = connection.request(request)
                assert seq == header["Seq"]
                ours = objects(sent)
                assert ours[0] == header
                if body is not None:
                    assert without_defaults(ours[1]) == without_defaults(body)
                asked.add(seq)
            continue
        for at in range(0, len(data), size):
            connection.feed(data[at : at + size])
            while (message := connection.next_message_untrusted()) is not None:
                if isinstance(message, Reply):
                    answered.add(message.seq)
                else:
                    assert isinstance(message.body, dict)
    if name == "members-filtered-bad-regex":
        asked.discard(2)  # Serf closes the connection without an answer
    assert answered == asked


def greeted(*ask: requests.Request) -> Connection:
    connection = Connection()
    for request in ask:
        connection.request(request)
    return connection


def test_messages_of_unknown_numbers_are_skipped() -> None:
    connection = greeted(requests.Plain("members"))
    connection.feed(encode({"Error": "Authentication required", "Seq": 9}, {"Error": "", "Seq": 8}))
    connection.feed(encode({"Error": "Authentication required", "Seq": 1}))
    reply = connection.next_message_untrusted()
    assert isinstance(reply, Reply)
    assert (reply.seq, reply.error, reply.body) == (1, "Authentication required", None)


def test_records_that_come_after_a_stop_are_skipped_with_their_bodies() -> None:
    connection = greeted(requests.Stream("*"))
    connection.feed(encode({"Error": "", "Seq": 1}, {"Error": "", "Seq": 1}, {"Event": "user"}))
    assert isinstance(connection.next_message_untrusted(), Reply)
    assert isinstance(connection.next_message_untrusted(), Record)
    connection.request(requests.Stop(1))
    connection.feed(encode({"Error": "", "Seq": 2}))
    assert isinstance(connection.next_message_untrusted(), Reply)
    connection.request(requests.Plain("leave"))
    connection.feed(encode({"Error": "", "Seq": 1}, {"Event": "user"}, {"Error": "", "Seq": 3}))
    reply = connection.next_message_untrusted()
    assert isinstance(reply, Reply)
    assert reply.seq == 3


@pytest.mark.parametrize("data", [b"\xc1", encode(1), encode({"Seq": "x"}), encode({"Error": 1})])
def test_what_is_no_message_is_a_wire_error(data: bytes) -> None:
    connection = greeted(requests.Plain("members"))
    connection.feed(data)
    with pytest.raises(WireError):
        connection.next_message_untrusted()


@pytest.mark.parametrize("body", [None, 1, [], {}, {"Members": 1}, {"Members": [1]}, {"Log": 1}])
def test_bodies_of_a_wrong_form_are_wire_errors(body: object) -> None:
    readers = (
        read_members_untrusted, read_event_untrusted, read_log_untrusted,
        read_query_record_untrusted, read_member_untrusted,
    )  # fmt: skip
    for read in readers:
        with pytest.raises(WireError):
            read(body)


@pytest.mark.parametrize(
    ("timeout", "nanoseconds"), [(None, 0), (1.5, 1_500_000_000), (0, 1), (1e-12, 1), (-1e-12, -1)]
)
def test_only_none_is_the_default_timeout(timeout: float | None, nanoseconds: int) -> None:
    assert as_timeout_ns(timeout) == nanoseconds


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), float("-inf")])
def test_a_timeout_that_is_no_time_is_refused(timeout: float) -> None:
    with pytest.raises(UsageError, match="a timeout of"):
        as_timeout_ns(timeout)


def test_what_the_daemon_would_hang_up_for_is_not_sent() -> None:
    connection = Connection()
    with pytest.raises(UsageError, match="event: too large to be sent: a string of 70000 bytes"):
        connection.request(requests.UserEvent("x", b"x" * 70_000))
    table = {"name": "web", "meta": {"k": "v" * 70_000}}
    with pytest.raises(UsageError, match=r"^meta\.k: 70000 bytes; at most 512 are taken"):
        connection.request(service_requests.RegisterService(table))
    assert connection.request(requests.UserEvent("x", b"x" * 60_000))[0] == 1
    many = requests.Join([f"10.0.{n // 256}.{n % 256}:7946" for n in range(10_000)], False)
    assert connection.request(many)[0] == 2  # large, but in pieces
