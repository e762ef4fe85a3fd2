"""Each policy by itself, on candidates made by hand."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.balance.candidate import Candidate
from gossipd.balance.draw import Draw
from gossipd.balance.load import LeastOutstanding, TwoChoices
from gossipd.balance.locality import Nearest, ZoneFirst
from gossipd.balance.rendezvous import Rendezvous
from gossipd.balance.rotation import RoundRobin, SmoothWeighted, WeightedRandom
from gossipd.balance.settings import BalanceSettings
from support.instances import instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.draw import Policy

SETTINGS = BalanceSettings()


def candidates(**weights: int) -> list[Candidate]:
    return [Candidate(instance(o, weight=w), None, SETTINGS) for o, w in sorted(weights.items())]


def draws(
    policy: Policy, pool: list[Candidate], count: int, *, key: str | None = None, seed: int = 1
) -> list[str]:
    random = Random(seed)
    made = []
    for number in range(count):
        draw = Draw(pool, pool, key or f"key-{number}", 0.0, random)
        made.append(policy.choose(draw).instance.owner)
    return made


def test_round_robin_goes_round_and_a_missing_one_shifts_nobody_else() -> None:
    pool, policy = candidates(a=1, b=9, c=1), RoundRobin()
    assert draws(policy, pool, 4) == ["a", "b", "c", "a"]
    assert draws(policy, pool[::2], 3) == ["c", "a", "c"]
    assert draws(policy, pool, 3) == ["a", "b", "c"]


def test_weighted_random_follows_weights() -> None:
    counts = Counter(draws(WeightedRandom(), candidates(a=1, b=3), 4000))
    assert counts["b"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_smooth_weighted_spreads_the_heavy_one_as_nginx_does() -> None:
    chosen = draws(SmoothWeighted(), candidates(a=5, b=1, c=1), 7)
    assert chosen == ["a", "a", "b", "a", "c", "a", "a"]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 3))
def test_smooth_weighted_is_exact_over_each_cycle(weights: list[int], cycles: int) -> None:
    names = [f"n{number}" for number in range(len(weights))]
    policy, pool = SmoothWeighted(), candidates(**dict(zip(names, weights, strict=True)))
    for _ in range(cycles):
        counts = Counter(draws(policy, pool, sum(weights)))
        assert [counts[name] for name in names] == weights


def test_least_outstanding_counts_requests_by_weight() -> None:
    a, b = pool = candidates(a=1, b=4)
    for number in range(3):
        b.start(number, 0.0)
    a.start(9, 0.0)
    assert set(draws(LeastOutstanding(), pool, 20)) == {"b"}
    a.finish(9)
    assert set(draws(LeastOutstanding(), pool, 50)) == {"a", "b"}  # equal now: 1/1 and 4/4


def test_two_choices_take_the_cheaper_and_see_one_that_hangs() -> None:
    a, b = pool = candidates(a=1, b=1)
    a.latency.add(0.02, 0.0)
    b.latency.add(0.01, 0.0)
    assert set(draws(TwoChoices(), pool, 20)) == {"b"}
    b.start(1, -5.0)  # no answer for five seconds by now
    assert set(draws(TwoChoices(), pool, 20)) == {"a"}


def test_a_newcomer_without_an_answer_is_asked_once_and_not_more() -> None:
    a, b = pool = candidates(a=1, b=1)
    a.latency.add(0.02, 0.0)
    assert "b" in draws(TwoChoices(), pool, 20)
    b.start(1, 0.0)
    assert set(draws(TwoChoices(), pool, 20)) == {"a"}


def test_the_nearest_band_shares_and_unknown_distances_come_last() -> None:
    pool = candidates(a=1, b=1, c=1, d=1)
    for candidate, distance in zip(pool, (0.0100, 0.0140, 0.0160, None), strict=True):
        candidate.distance = distance
    policy = Nearest(SETTINGS)
    assert set(draws(policy, pool, 50)) == {"a", "b"}
    assert set(draws(policy, pool[2:], 50)) == {"c"}
    assert set(draws(policy, pool[3:], 5)) == {"d"}


def zoned(*zones: str) -> list[Candidate]:
    return [Candidate(instance(f"n{n}", zone=z), None, SETTINGS) for n, z in enumerate(zones)]


def local_part(pool: list[Candidate], everyone: list[Candidate], zone: str = "x") -> float:
    policy, random = ZoneFirst(zone, SETTINGS), Random(1)
    chosen = [policy.choose(Draw(pool, everyone, None, 0.0, random)) for _ in range(2000)]
    return sum(c.instance.zone == zone for c in chosen) / len(chosen)


def test_the_own_zone_keeps_what_it_can_carry_and_spills_the_rest() -> None:
    everyone = zoned("x", "x", "x", "x", "y", "y")
    assert local_part(everyone, everyone) == 1.0
    assert local_part(everyone[1:], everyone) == 1.0  # three of four, with some to spare
    assert local_part(everyone[2:], everyone) == pytest.approx(0.7, abs=0.04)
    assert local_part(everyone[3:], everyone) == pytest.approx(0.35, abs=0.04)
    assert local_part(everyone[4:], everyone) == 0.0


def test_without_a_zone_all_share() -> None:
    everyone = zoned("x", "y")
    assert local_part(everyone, everyone, zone="") == 0.0  # nobody is "here"
    policy, random = ZoneFirst("", SETTINGS), Random(1)
    chosen = {policy.choose(Draw(everyone, everyone, None, 0.0, random)) for _ in range(50)}
    assert len(chosen) == 2


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 20), min_size=2),
    st.data(),
)
def test_rendezvous_moves_only_what_it_must(weights: dict[str, int], data: st.DataObject) -> None:
    policy, pool = Rendezvous(), candidates(**weights)
    before = draws(policy, pool, 60)
    gone = data.draw(st.sampled_from(sorted(weights)))
    without = draws(policy, [c for c in pool if c.instance.owner != gone], 60)
    for was, now in zip(before, without, strict=True):
        assert now == was or was == gone
    heavier = draws(policy, candidates(**(weights | {gone: weights[gone] + 5})), 60)
    for was, now in zip(before, heavier, strict=True):
        assert now in (was, gone)


def test_rendezvous_gives_each_its_share_of_keys_and_is_the_same_everywhere() -> None:
    counts = Counter(draws(Rendezvous(), candidates(a=1, b=1, c=2), 8000))
    assert counts["c"] / 8000 == pytest.approx(0.5, abs=0.03)
    assert counts["a"] / 8000 == pytest.approx(0.25, abs=0.03)
    # fixed for ever: other clients, other versions
    assert draws(Rendezvous(), candidates(a=1, b=1, c=2), 8) == EXPECTED
    assert len(set(draws(Rendezvous(), candidates(a=1, b=1), 50, key="one"))) == 1


EXPECTED = ["c", "c", "a", "c", "c", "c", "b", "c"]


@pytest.mark.parametrize("policy", [RoundRobin(), WeightedRandom(), SmoothWeighted(), Rendezvous()])
def test_a_newcomers_share_grows_over_the_window(policy: Policy) -> None:
    old, new = (Candidate(instance(o), s, SETTINGS) for o, s in (("a", None), ("b", 0.0)))
    shares = []
    random = Random(3)
    for now in (0.0, 2.5, 5.0, 20.0):
        made = [
            policy.choose(Draw([old, new], [old, new], f"{n}", now, random)) for n in range(3000)
        ]
        shares.append(sum(c is new for c in made) / len(made))
    assert shares == sorted(shares)
    assert shares[0] <= 0.12
    assert shares[-1] == pytest.approx(0.5, abs=0.03)
