"""A failed member that pings us is back: it is tried again at once, and not too often."""

from __future__ import annotations

import pytest

from gossipd.serf.effects import Reconnect
from gossipd.serf.events import ReconnectTried
from gossipd.serf.reconnect import SPLIT_INTERVAL_MIN
from gossipd.swim.events import StrangerPinged
from support.serf_harness import SerfHarness, address_of


@pytest.fixture
def serf() -> SerfHarness:
    harness = SerfHarness()
    for name in ("b", "c", "d", "e"):
        harness.join(name)
    harness.die("b", "c", at=1.0)
    harness.outbox.take_effects()
    harness.outbox.take_events()
    return harness


def tried_after_ping(serf: SerfHarness, name: str, at: float, source: str = "") -> list[str]:
    serf.serf.handle(StrangerPinged(name, address_of(source or name)), at)
    effects = serf.outbox.take_effects()
    return [effect.node for effect in effects if isinstance(effect, Reconnect)]


def test_a_failed_member_that_pings_us_is_tried_at_once(serf: SerfHarness) -> None:
    assert tried_after_ping(serf, "b", 40.0) == ["b"]
    assert [event.member.name for event in serf.events_of(ReconnectTried)] == ["b"]


def test_whoever_pings_from_elsewhere_makes_us_dial_nobody(serf: SerfHarness) -> None:
    assert tried_after_ping(serf, "b", 40.0, source="x") == []


@pytest.mark.parametrize("name", ["d", "us", "stranger"])
def test_only_who_has_failed_is_tried(serf: SerfHarness, name: str) -> None:
    assert tried_after_ping(serf, name, 40.0) == []


def test_pings_make_us_try_somebody_every_few_seconds_at_most(serf: SerfHarness) -> None:
    moments = (40.0, 40.1, 40.0 + SPLIT_INTERVAL_MIN / 2, 40.0 + SPLIT_INTERVAL_MIN)
    found = [tried_after_ping(serf, name, at) for at in moments for name in ("b", "c")]
    assert found == [["b"], [], [], [], [], [], ["b"], []]
