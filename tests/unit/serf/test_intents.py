from __future__ import annotations

from gossipd.serf.intents import IntentBuffer
from gossipd.wire.serf_messages import JoinIntent, LeaveIntent, MemberStatus
from support.serf_harness import SerfHarness


def test_only_a_newer_intent_replaces_what_is_buffered() -> None:
    intents = IntentBuffer(300.0)
    assert intents.put("b", is_leave=True, ltime=5, now=1.0)
    assert not intents.put("b", is_leave=False, ltime=5, now=2.0)
    assert intents.put("b", is_leave=False, ltime=6, now=3.0)
    kept = intents.get("b")
    assert kept is not None
    assert (kept.is_leave, kept.ltime, kept.at) == (False, 6, 3.0)


def test_intents_expire_after_the_timeout_and_not_before() -> None:
    intents = IntentBuffer(300.0)
    intents.put("a", is_leave=True, ltime=1, now=0.0)
    intents.put("b", is_leave=True, ltime=1, now=10.0)
    intents.put("a", is_leave=True, ltime=2, now=20.0)
    intents.expire(310.0)
    assert len(intents) == 2
    intents.expire(311.0)
    assert (intents.get("b"), len(intents)) == (None, 1)


def test_above_the_maximum_the_intent_longest_unchanged_goes() -> None:
    intents = IntentBuffer(300.0, maximum=2)
    for name in ("a", "b", "c"):
        intents.put(name, is_leave=True, ltime=1, now=0.0)
    assert intents.get("a") is None
    assert len(intents) == 2


def test_names_no_member_can_have_are_not_remembered() -> None:
    intents = IntentBuffer(300.0)
    assert not intents.put("b" * 513, is_leave=True, ltime=5, now=1.0)
    assert intents.put("b" * 512, is_leave=True, ltime=5, now=1.0)
    assert len(intents) == 1


def test_an_expired_leave_intent_does_not_touch_a_member_that_comes_later() -> None:
    serf = SerfHarness()
    serf.receive(LeaveIntent(9, "b"), at=1.0)
    serf.advance(320.0)
    serf.rejoin("b", at=321.0)
    assert serf.status("b") is MemberStatus.ALIVE


def test_a_buffered_join_intent_is_gossiped_once_and_an_older_leave_not_at_all() -> None:
    serf = SerfHarness()
    serf.receive(JoinIntent(5, "b"))
    serf.receive(JoinIntent(5, "b"))
    serf.receive(LeaveIntent(4, "b"))
    assert len(serf.gossiped()) == 1
