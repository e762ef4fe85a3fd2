"""Captured traffic of real Serf nodes through our Serf layer (gossip.md, section 24)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossipd.address import Address
from gossipd.serf.events import MessageIgnored
from gossipd.swim.events import MemberJoined
from gossipd.swim.member import Member, MemberState
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.messages import UserPayload, Versions
from gossipd.wire.packet import PacketLayers
from gossipd.wire.serf_codec import decode_serf_untrusted, encode_tags
from gossipd.wire.serf_messages import (
    FLAG_NO_BROADCAST,
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    UserEvent,
)
from support.serf_harness import SerfHarness

VECTORS = Path(__file__).parent / "vectors" / "gossip"

STATE_BEGIN = b"\x02\x86\xaaEventLTime"
"""Type byte, map of six, first key: how every user state of a real node begins."""


def _entries(file: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((VECTORS / file).read_text())
    return entries


def _payloads(file: str) -> Iterator[bytes]:
    layers = PacketLayers(entropy=lambda count: bytes(count))
    for entry in _entries(file):
        for data in layers.open_packet_untrusted(bytes.fromhex(entry["bytes_hex"])).messages:
            message = decode_untrusted(data)
            if isinstance(message, UserPayload):
                yield message.payload


@pytest.mark.parametrize("file", ["udp_plain.json", "udp_compressed.json"])
def test_captured_messages_are_forwarded_byte_for_byte_or_not_at_all(file: str) -> None:
    kinds = set()
    for payload in _payloads(file):
        message = decode_serf_untrusted(payload)
        kinds.add(type(message))
        serf = SerfHarness()
        serf.join(*"abcd")
        serf.events()
        serf.receive(payload)
        travels = isinstance(message, JoinIntent | LeaveIntent | UserEvent) or (
            isinstance(message, Query) and not message.flags & FLAG_NO_BROADCAST
        )
        assert serf.gossiped() == ([payload] if travels else [])
        if not isinstance(message, QueryResponse):
            assert serf.events_of(MessageIgnored) == []
    assert {Query, QueryResponse} <= kinds


def test_our_answer_about_a_name_conflict_has_the_bytes_of_a_real_one() -> None:
    payloads = set(_payloads("udp_compressed.json"))
    answers = [
        message
        for message in map(decode_serf_untrusted, sorted(payloads))
        if isinstance(message, QueryResponse) and (message.payload or b"")[:1] == b"\x06"
    ]
    questions = [
        payload
        for payload in sorted(payloads)
        if isinstance(message := decode_serf_untrusted(payload), Query)
        and message.name == "_serf_conflict"
    ]
    serf = SerfHarness()
    c2 = Address(bytes((127, 0, 0, 31)), 7946)
    meta = encode_tags({"role": "web"})
    versions = Versions(1, 5, 2, 2, 5, 5)
    serf.serf.handle(MemberJoined(Member("c2", c2, meta, versions, MemberState.ALIVE, 1, 0.0)), 0.0)
    serf.receive(questions[0])
    [(_, ours)] = serf.sent()
    assert isinstance(ours, QueryResponse)
    assert ours.payload == answers[0].payload


def test_captured_states_merge_and_bring_the_clocks_up() -> None:
    merged = 0
    for entry in _entries("tcp_plain.json"):
        state = entry["decoded"].get("user_state")
        if not state or "fields" not in state:
            continue
        data = bytes.fromhex(entry["bytes_hex"])
        serf = SerfHarness()
        serf.events()
        serf.serf.merge_state(data[data.rindex(STATE_BEGIN) :], True, False, 1.0)
        assert serf.events_of(MessageIgnored) == []
        assert serf.serf.member_time >= state["fields"]["LTime"]
        assert serf.serf.event_time >= state["fields"]["EventLTime"]
        assert not serf.serf.has_payloads
        merged += 1
    assert merged > 0
