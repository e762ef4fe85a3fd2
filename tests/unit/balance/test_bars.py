"""What balancing must achieve, in seeded simulations: a slow, a dead, a failing instance."""

from __future__ import annotations

import pytest

from gossipd.balance.policies import HASH, LEAST, P2C, POLICIES
from support.requests_simulated import Outcome, Server, simulate

SEEDS = range(3)


def three(**third: float) -> list[Server]:
    return [Server("a"), Server("b"), Server("c", **third)]  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", [20.0, 200.0, 800.0])
def test_p2c_sends_a_tenfold_slower_one_at_most_a_tenth(seed: int, rate: float) -> None:
    outcome = simulate(three(latency=0.1), P2C, seed=seed, rate=rate)
    assert outcome.errors == 0
    assert outcome.share("c") <= 0.10
    assert outcome.share("c") > 0  # it is tried now and then, or nobody knew when it recovers


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_dead_one_gets_five_requests_and_no_caller_sees_it(policy: str, seed: int) -> None:
    outcome = simulate(three(fails_after=0.0005), policy, seed=seed)
    assert outcome.errors == 0
    # power of two choices may ask it so rarely that it is not even ejected
    assert outcome.first_ejected.get("c", outcome.requests["c"]) <= 5
    # and after that a trial now and then
    assert outcome.requests["c"] <= 12


@pytest.mark.parametrize("seed", SEEDS)
def test_one_that_hangs_gets_few_requests_before_its_first_time_out(seed: int) -> None:
    outcome = simulate(three(fails_after=1.0), P2C, seed=seed)
    assert outcome.errors == 0
    assert outcome.first_ejected.get("c", outcome.requests["c"]) <= 5


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != HASH])
@pytest.mark.parametrize("rate", [200.0, 1000.0])
def test_whatever_the_policy_few_requests_wait_for_one_that_hangs(policy: str, rate: float) -> None:
    outcome = simulate(three(fails_after=1.0), policy, rate=rate, seconds=5.0)
    assert outcome.errors == 0
    asked = outcome.first_ejected.get("c", outcome.requests["c"])
    assert asked <= (20 if rate < 1000.0 else 40)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_that_begins_to_hang_is_seen_before_its_first_time_out(seed: int) -> None:
    servers = three()
    outcome = simulate(servers, P2C, seed=seed, seconds=6.0)
    before = outcome.requests["c"]

    def hang() -> None:
        servers[2].fails_after = 1.0

    servers = three()
    outcome = simulate(servers, P2C, seed=seed, seconds=6.0, at=[(5.0, hang)])
    assert outcome.errors == 0
    # a sixth of the run is left: a fair share of it were 67 requests
    assert outcome.requests["c"] - before * 5 / 6 < 40


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", [P2C, LEAST])
def test_failing_fast_attracts_nobody(policy: str, seed: int) -> None:
    servers = [Server("a", latency=0.05), Server("b", latency=0.05), Server("c", latency=0.0001)]
    servers[2].failure_rate = 1.0
    outcome = simulate(servers, policy, seed=seed)
    assert outcome.errors == 0
    assert outcome.share("c") < 0.01


@pytest.mark.parametrize("seed", SEEDS[:2])
@pytest.mark.parametrize("policy", POLICIES)
def test_one_that_dies_under_load_costs_no_caller_an_error(policy: str, seed: int) -> None:
    servers = three()

    def die() -> None:
        servers[2].fails_after = 0.0005

    def live() -> None:
        servers[2].fails_after = None

    outcome = simulate(
        servers, policy, seed=seed, rate=100.0, seconds=60.0, at=[(5.0, die), (20.0, live)]
    )
    assert outcome.errors == 0
    # it took part again after it had come back
    assert outcome.share("c") > 0.08


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_one_that_recovers_is_found_out(seed: int) -> None:
    servers = three(latency=0.1)
    slow = simulate(servers, P2C, seed=seed, rate=50.0, seconds=20.0).requests["c"]

    def recover() -> None:
        servers[2].latency = 0.01

    servers = three(latency=0.1)
    outcome = simulate(servers, P2C, seed=seed, rate=50.0, seconds=100.0, at=[(20.0, recover)])
    # 80 seconds are left: a third of the requests were 1,333
    assert outcome.requests["c"] - slow > 800


def test_one_that_fails_every_third_request_is_ejected_by_its_rate() -> None:
    servers = [Server(name) for name in "abcde"]
    servers[4].failure_rate = 0.33
    outcome = simulate(servers, "round-robin", seconds=60.0)
    assert outcome.share("e") < 0.15
    assert outcome.errors <= 2


def test_when_all_fail_they_are_all_used_and_retries_stay_within_the_budget() -> None:
    servers = [Server(name, failure_rate=1.0) for name in "abc"]
    outcome = simulate(servers, P2C, rate=300.0)
    assert min(outcome.requests.values()) > 0.2 * outcome.calls
    assert outcome.retries <= 0.2 * outcome.calls + 10 * (20 + 10)


def test_the_same_seed_gives_the_same_run() -> None:
    def run() -> Outcome:
        return simulate(three(failure_rate=0.1), P2C, seed=7, seconds=5.0)

    assert run() == run()
