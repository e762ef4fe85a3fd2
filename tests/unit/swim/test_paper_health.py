"""Local health by the rules of the Lifeguard paper (IV-A) beside those of memberlist's code."""

from __future__ import annotations

import pytest

from gossipd.config.model import SwimConfig
from gossipd.wire.messages import IndirectPing, Nack, Suspect
from support.swim_harness import SwimHarness, address_of, ping_requests


def harness(*, paper: bool) -> SwimHarness:
    swim = SwimHarness(SwimConfig(push_pull_interval=0.0, paper_health=paper))
    swim.knows("b", "c", "d", "e")
    return swim


@pytest.mark.parametrize(("paper", "nacks", "score"), [
    (False, 0, 3), (False, 2, 1), (False, 3, 0),
    (True, 0, 2), (True, 2, 2), (True, 3, 1),
])  # fmt: skip
def test_a_failed_probe_counts_by_its_missing_nacks(paper: bool, nacks: int, score: int) -> None:
    swim = harness(paper=paper)
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.9)
    for _ in range(nacks):
        swim.receive(Nack(ping.seq), at=at + 0.9)
    swim.run_until(at + 1.0)
    assert swim.swim.health_score == score


@pytest.mark.parametrize(("paper", "due"), [(False, 0.5), (True, 0.4)])
def test_a_helper_nacks_in_time_by_the_paper(paper: bool, due: float) -> None:
    swim = harness(paper=paper)
    request = IndirectPing(7, address_of("c"), "c", True, address_of("b"), "b")
    swim.receive(request, at=0.1)
    swim.run_until(0.1 + due - 0.01)
    assert [m for _, m in swim.sent() if isinstance(m, Nack)] == []
    swim.run_until(0.1 + due)
    assert [m for _, m in swim.sent() if isinstance(m, Nack)] == [Nack(7)]


@pytest.mark.parametrize(("paper", "wait"), [(False, 0.5), (True, 1.0)])
def test_bad_health_stretches_the_wait_for_the_ack_by_the_paper(paper: bool, wait: float) -> None:
    swim = harness(paper=paper)
    swim.receive(Suspect("us", 1, "b"), at=0.1)
    assert swim.swim.health_score == 1
    at, _, _ = swim.run_to_probe()
    swim.run_until(at + wait - 0.01)
    assert ping_requests(swim.effects()) == []
    swim.run_until(at + wait)
    assert len(ping_requests(swim.effects())) == 3
