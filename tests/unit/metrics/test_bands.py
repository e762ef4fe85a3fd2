"""What is usual of a member, and when it leaves that: each sign by itself."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.metrics.bands import (
    LOSS,
    MISSED_MIN,
    REFUTATIONS,
    REFUTED_MIN,
    REFUTED_WITHIN,
    RTT,
    SAMPLES_MIN,
    WINDOW,
    Band,
    UsualLoss,
    misses_allowed,
    refutations_allowed,
)


def signs(band: Band) -> tuple[str, ...]:
    return band.signs


def usual(rtt: float = 0.001, jitter: float = 0.2, rounds: int = 200) -> tuple[Band, Random]:
    """Return a band that has seen ``rounds`` of the usual, without a sign."""
    band, random = Band(UsualLoss()), Random(1)
    for number in range(rounds):
        band.acked(rtt * random.lognormvariate(0, jitter), float(number))
        assert signs(band) == ()
    return band, random


def test_a_steady_member_is_well() -> None:
    band, _ = usual(rounds=2000)
    assert band.reason == ""


def test_a_slow_member_is_degraded_within_three_probes_and_says_why() -> None:
    band, _ = usual()
    for number in range(3):
        assert signs(band) == ()
        band.acked(0.08, 200.0 + number)
    assert signs(band) == (RTT,)
    assert band.reason.startswith("round trip 80ms, usually ")


def test_one_wild_round_trip_or_two_say_nothing() -> None:
    band, _ = usual()
    for number in range(50):
        for rtt in (0.4, 0.3, 0.001, 0.001, 0.001):
            band.acked(rtt, 200.0 + number)
            assert signs(band) == ()


def test_less_than_a_few_milliseconds_more_are_of_no_concern() -> None:
    band, _ = usual(0.0003)
    for number in range(20):
        band.acked(0.004, 200.0 + number)
    assert signs(band) == ()


def test_who_always_was_slow_is_well() -> None:
    band, _ = usual(0.3)
    assert signs(band) == ()


def test_a_jittery_link_has_a_wide_band() -> None:
    band, _ = usual(0.05, jitter=0.8, rounds=5000)
    assert signs(band) == ()


def test_it_is_well_again_only_well_inside_the_band() -> None:
    band, _ = usual(0.01, jitter=0.05)
    for number in range(6):
        band.acked(0.03, 200.0 + number)
    assert signs(band) == (RTT,)
    for number in range(6):
        band.acked(0.018, 210.0 + number)  # inside, but not by much
    assert signs(band) == (RTT,)
    for number in range(6):
        band.acked(0.01, 220.0 + number)
    assert signs(band) == ()


def test_a_change_that_stays_becomes_usual_but_not_soon() -> None:
    band, _ = usual()
    rounds = 0
    while signs(band) == (RTT,) or rounds < 5:
        band.acked(0.05, 200.0 + rounds)
        rounds += 1
        assert rounds < 5000
    assert rounds > 200


def test_nothing_is_said_before_there_are_samples() -> None:
    band = Band(UsualLoss())
    for number in range(SAMPLES_MIN - 6):
        band.acked(0.001, float(number))
    for _ in range(4):
        band.missed()
    band.acked(0.5, 20.0)
    assert signs(band) == ()


def test_acks_that_are_missed_are_told_above_what_is_usual() -> None:
    band, _ = usual()
    for _ in range(misses_allowed(0.005)):
        band.missed()
        assert signs(band) == ()
    band.missed()
    assert signs(band) == (LOSS,)
    assert "of the last 16 acks missed, usually" in band.reason
    for number in range(WINDOW):
        band.acked(0.001, 300.0 + number)
    assert signs(band) == ()


def test_what_is_judged_does_not_become_usual_at_once() -> None:
    band, random = usual()
    rounds = 0
    while signs(band) == ():
        rounds += 1
        if random.random() < 0.4:
            band.missed()
        else:
            band.acked(0.001, 200.0 + rounds)
    assert rounds <= WINDOW


def test_what_all_members_lose_is_usual_of_each() -> None:
    pool, random = UsualLoss(), Random(1)
    bands = [Band(pool) for _ in range(20)]
    for number in range(200):
        for band in bands:
            if random.random() < 0.1:
                band.missed()
            else:
                band.acked(0.001, float(number))
            assert signs(band) == () or number < 30
    assert 0.05 < pool.share < 0.15
    newcomer = Band(pool)
    for number in range(SAMPLES_MIN):
        newcomer.missed() if number % 3 == 0 else newcomer.acked(0.001, 0.0)
    assert signs(newcomer) == ()


def test_a_link_that_loses_always_may_lose_more() -> None:
    band, random = usual()
    for number in range(3000):
        if random.random() < 0.2:
            band.missed()
        else:
            band.acked(0.001, 200.0 + number)
        if number > 300:
            assert signs(band) == ()


def test_of_a_suspect_missed_acks_say_nothing_until_it_refutes() -> None:
    band, _ = usual()
    band.suspected("b")
    for _ in range(10):
        band.missed()
    assert signs(band) == ()
    band.refuted(300.0)
    for _ in range(6):
        band.missed()
    assert signs(band) == (LOSS,)


def refute(band: Band, accuser: str, at: float) -> None:
    band.suspected(accuser)
    band.refuted(at)


def test_who_has_to_refute_often_is_degraded_until_it_need_not() -> None:
    band, _ = usual()
    for number, accuser in enumerate("abc"):
        assert signs(band) == ()
        refute(band, accuser, 200.0 + 10 * number)
    assert signs(band) == (REFUTATIONS,)
    assert band.reason == "3 suspicions refuted within 5m"
    band.acked(0.001, 221.0)
    assert signs(band) == (REFUTATIONS,)
    band.acked(0.001, 211.0 + REFUTED_WITHIN)
    assert signs(band) == ()


def test_one_accuser_alone_may_be_the_one_at_fault() -> None:
    band, _ = usual()
    for number in range(10):
        refute(band, "a", 200.0 + number)
    assert signs(band) == ()
    refute(band, "b", 211.0)
    assert signs(band) == (REFUTATIONS,)


def test_accusers_whose_word_does_not_count_are_not_counted() -> None:
    band, _ = usual()
    for number in range(10):
        refute(band, "", 200.0 + number)
    assert signs(band) == ()


def test_who_always_has_to_refute_is_as_usual() -> None:
    band, _ = usual()
    warned = 0
    for number in range(300):
        at = 200.0 + 100 * number
        refute(band, "abcdef"[number % 6], at)
        warned += bool(signs(band))
        if number > 150:
            assert signs(band) == ()
    assert warned


@pytest.mark.parametrize(("usual", "allowed"), [(0.0, 2), (0.002, 3), (0.05, 7), (0.5, 15)])
def test_misses_that_are_allowed_grow_with_what_is_usual(usual: float, allowed: int) -> None:
    assert misses_allowed(usual) == allowed


def test_bounds_never_ask_for_the_impossible_where_little_is_usual() -> None:
    assert misses_allowed(0.1) < WINDOW
    assert misses_allowed(0.0) == MISSED_MIN - 1
    assert refutations_allowed(0.0) == REFUTED_MIN - 1


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1e9), st.none(), st.booleans())))
def test_whatever_comes_a_reason_goes_with_a_sign(inputs: list[float | bool | None]) -> None:
    band = Band(UsualLoss())
    for number, one in enumerate(inputs):
        if one is None:
            band.missed()
        elif one is True:
            band.suspected("a")
        elif one is False:
            band.refuted(float(number))
        else:
            band.acked(one, float(number))
        assert bool(signs(band)) == bool(band.reason)
