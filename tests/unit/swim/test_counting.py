"""What is counted of suspicions: those that ran out though more accusers were wanted."""

from __future__ import annotations

from gossipd.wire.messages import Suspect
from support.swim_harness import SwimHarness


def counted(*accusers: str) -> dict[str, int]:
    """Return the counts of a node that heard these accuse "f", until "f" is dead."""
    swim = SwimHarness()
    swim.knows(*"bcdef")
    swim.outbox.ledger.counts.clear()
    for accuser in accusers:
        swim.receive(Suspect("f", 1, accuser), at=1.0)
    while not swim.outbox.ledger.counts.get("dead-adopted"):
        deadline = swim.swim.next_deadline()
        assert deadline is not None
        swim.swim.handle_deadline(deadline)
    return swim.outbox.ledger.counts


def test_a_suspicion_that_nobody_confirmed_is_counted_when_it_runs_out() -> None:
    assert counted("b")["suspicion-unconfirmed"] == 1


def test_one_that_was_confirmed_often_enough_is_not() -> None:
    counts = counted("b", "c", "d")
    assert "suspicion-unconfirmed" not in counts
    assert counts["dead-adopted"] == 1
