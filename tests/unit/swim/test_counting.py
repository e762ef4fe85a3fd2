"""What is counted of suspicions and probes."""

from __future__ import annotations

from gossipd.config.model import SwimConfig
from gossipd.wire.messages import Ack, Suspect
from support.swim_harness import SwimHarness, alive


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


def test_suspicions_are_counted_as_they_begin_are_confirmed_and_refuted() -> None:
    swim = SwimHarness()
    swim.knows(*"bcdef")
    swim.outbox.ledger.counts.clear()
    swim.receive(Suspect("f", 1, "b"), at=1.0)
    swim.receive(Suspect("f", 1, "c"), at=1.1)
    swim.receive(Suspect("f", 1, "c"), at=1.2)
    swim.receive(alive("f", 2), at=1.3)
    counts = swim.outbox.ledger.counts
    assert counts["suspicion-raised"] == 1
    assert counts["suspicion-confirmed"] == 1
    assert counts["suspicion-refuted"] == 1
    assert "accusation-refuted" not in counts


def test_claims_against_us_are_counted_when_we_answer_them() -> None:
    swim = SwimHarness()
    swim.knows("b")
    swim.receive(Suspect("us", 1, "b"), at=1.0)
    assert swim.outbox.ledger.counts["accusation-refuted"] == 1


def test_a_probe_that_is_not_answered_is_missed_and_then_failed() -> None:
    swim = SwimHarness(SwimConfig(push_pull_interval=0.0))
    swim.knows("b")
    at, ping, _ = swim.run_to_probe()
    swim.receive(Ack(ping.seq), at=at + 0.01)
    assert "probe-missed" not in swim.outbox.ledger.counts
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    assert swim.outbox.ledger.counts["probe-missed"] == 1
    assert "probe-failed" not in swim.outbox.ledger.counts
    swim.run_until(at + 1.0)
    assert swim.outbox.ledger.counts["probe-failed"] == 1
