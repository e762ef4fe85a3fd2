"""The recorded failure of a real node, and what this node does in the place of its prober.

``timeline_failure_refute.json``: agents a, b, c and d; d was stopped at 0 and
continued after 12 s. We play a: the same answers must lead to the same
messages at the same distances.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gossipd.config.model import SwimConfig
from gossipd.swim.effects import Send
from gossipd.swim.events import MemberFailed, MemberJoined
from gossipd.swim.member import MemberState
from gossipd.value import replace
from gossipd.wire.messages import Ack, IndirectPing, Nack, Ping, Suspect
from support.swim_harness import SwimHarness, address_of, alive, ping_requests

VECTOR = (
    Path(__file__).parents[2] / "interop" / "vectors" / "gossip" / "timeline_failure_refute.json"
)


def moment(what: str, source: str) -> float:
    """Return when ``source`` first sent something beginning with or holding ``what``."""
    (timeline,) = json.loads(VECTOR.read_text())
    for event in timeline["decoded"]["events"]:
        if event["from"] == source and what in event["what"]:
            return float(event["t_ms"]) / 1000
    raise AssertionError(f"{source} never sent {what}")


def playing_a() -> SwimHarness:
    harness = SwimHarness(SwimConfig(push_pull_interval=0.0), name="a")
    harness.knows("b", "c", "d")
    return harness


def probe_of_d(swim: SwimHarness) -> tuple[float, Ping]:
    at, ping, _ = swim.run_to_probe()
    while ping.node != "d":
        swim.receive(Ack(ping.seq), at=at + 0.001, source=ping.node)
        at, ping, _ = swim.run_to_probe()
    swim.forget()
    return at, ping


def test_the_recorded_distances_are_ours() -> None:
    recorded_ping = moment("ping{SeqNo=55, Node=d}", "a")
    recorded = [
        moment("indirectPing{SeqNo=55, Node=d, Nack=True}", "a") - recorded_ping,
        moment("suspect{Node=d, Incarnation=1, From=a}", "a") - recorded_ping,
        moment("dead{Node=d, Incarnation=1, From=a}", "a") - recorded_ping,
    ]

    swim = playing_a()
    at, ping = probe_of_d(swim)
    asked = swim.swim.next_deadline()
    assert asked is not None
    swim.run_until(asked)
    requests = ping_requests(swim.effects())
    assert {request.seq for request in requests} == {ping.seq}
    assert len(requests) == 2
    suspected = swim.swim.next_deadline()
    assert suspected is not None
    swim.swim.handle_deadline(suspected)
    assert swim.state("d") is MemberState.SUSPECT
    assert swim.gossiped() == [Suspect("d", 1, "a")]
    swim.receive(Suspect("d", 1, "c"), at=suspected + 0.019, source="c")
    swim.receive(Suspect("d", 1, "b"), at=suspected + 2.0, source="b")
    died = swim.swim.suspicions()["d"].deadline
    swim.swim.handle_deadline(died)
    assert [type(event) for event in swim.events() if isinstance(event, MemberFailed)]

    ours = [asked - at, suspected - at, died - at]
    assert ours == pytest.approx(recorded, abs=0.01)


def test_a_helper_pings_at_once_and_nacks_after_the_recorded_time() -> None:
    asked = moment("indirectPing{SeqNo=55, Node=d, Nack=True}", "a")
    recorded = moment("nackResp{SeqNo=55}", "b") - asked

    swim = playing_a()
    request = IndirectPing(55, address_of("d"), "d", True, address_of("b"), "b")
    swim.receive(request, at=10.0)
    assert [type(effect.message) for effect in swim.effects() if isinstance(effect, Send)] == [Ping]
    while (deadline := swim.swim.next_deadline()) is not None:
        swim.swim.handle_deadline(deadline)
        if (address_of("b"), Nack(55)) in swim.sent():
            assert deadline - 10.0 == pytest.approx(recorded, abs=0.01)
            return
    raise AssertionError("no nack was sent")


def test_the_recorded_refutation_brings_the_node_back() -> None:
    moment("alive{Node=d, Incarnation=2}", "d")
    swim = playing_a()
    swim.receive(Suspect("d", 1, "b"), at=1.0)
    swim.run_until(30.0)
    assert swim.state("d") is MemberState.DEAD
    swim.forget()
    swim.receive(replace(alive("d"), incarnation=2), at=31.0, source="d")
    assert swim.events() == [MemberJoined(swim.member("d"), address_of("d"))]
