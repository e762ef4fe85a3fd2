"""The balancer: who may be chosen, what is kept over changes, what it tells of itself."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.balance.balancer import Balancer
from gossipd.balance.no_instance import NoInstance
from gossipd.balance.policies import POLICIES
from gossipd.balance.settings import BalanceSettings
from gossipd.services.definition import CRITICAL, PASSING, WARNING
from gossipd.services.instance import CHANGED, DOWN, OWNER_FAILED, UP, Instance
from support.instances import change, instance, reset

A, B, C = (instance(owner) for owner in "abc")


def balancer(*instances: Instance, policy: str = "round-robin", **settings: float) -> Balancer:
    made = Balancer(
        "web",
        Random(1),
        policy=policy,
        settings=BalanceSettings(breaker_jitter=0.0, **settings),  # type: ignore[arg-type]
    )
    made.apply(reset(*instances), 0.0)
    return made


def picked(made: Balancer, count: int = 30, now: float = 0.0) -> set[str]:
    owners = set()
    for _ in range(count):
        pick = made.pick(now)
        owners.add(pick.instance.owner)
        pick.done(now, latency=0.01)
    return owners


def fail(made: Balancer, owner: str, times: int, now: float = 0.0) -> None:
    """Let so many requests to ``owner`` fail."""
    others = [i.key for i in made.instances if i.owner != owner]
    picks = [made.pick(now, exclude=others) for _ in range(times)]
    for pick in picks:
        pick.done(now, ok=False, latency=0.01)


def test_without_instances_there_is_none() -> None:
    with pytest.raises(NoInstance, match="web: no instance is registered"):
        balancer().pick(0.0)


def test_an_excluded_one_is_not_chosen_again() -> None:
    made = balancer(A, B)
    for _ in range(5):
        assert made.pick(0.0, exclude=[A.key]).instance == B
    with pytest.raises(NoInstance, match="no other of 2"):
        made.pick(0.0, exclude=[A.key, B.key])


@pytest.mark.parametrize(
    "fields",
    [
        {"is_draining": True},
        {"maintenance": "disk"},
        {"weight": 0},
        {"status": CRITICAL},
        {"status": CRITICAL, "owner_status": OWNER_FAILED},
        {"is_doubtful": True},
    ],
)
def test_what_the_catalog_advises_against_gets_no_new_requests(fields: dict[str, Any]) -> None:
    made = balancer(A, B)
    made.apply(change(CHANGED, B, **fields), 1.0)
    assert picked(made, now=1.0) == {"a"}


def test_a_warning_one_takes_part() -> None:
    assert picked(balancer(A, instance("b", status=WARNING))) == {"a", "b"}


def test_doubtful_ones_are_used_when_no_certain_one_is_left() -> None:
    doubtful = instance("b", is_doubtful=True)
    made = balancer(A, doubtful)
    assert picked(made) == {"a"}
    assert made.pick(0.0, exclude=[A.key]).instance == doubtful
    made.apply(change(DOWN, A), 1.0)
    assert picked(made) == {"b"}


def test_as_a_last_resort_draining_ones_then_those_that_fail_checks() -> None:
    draining, failing = instance("a", is_draining=True), instance("b", status=CRITICAL)
    made = balancer(draining, failing)
    assert picked(made) == {"a"}
    assert made.snapshot(0.0).is_panicking
    made.apply(change(DOWN, draining), 1.0)
    assert picked(made) == {"b"}
    with pytest.raises(NoInstance, match="none of 1 instances passes"):
        balancer(failing, fail_open=False).pick(0.0)


def test_nobody_asks_an_instance_in_maintenance_or_of_a_failed_node() -> None:
    made = balancer(
        instance("a", maintenance="disk"),
        instance("b", status=CRITICAL, owner_status=OWNER_FAILED),
    )
    with pytest.raises(NoInstance):
        made.pick(0.0)


def test_a_broken_one_is_left_alone_and_tried_again_later() -> None:
    made = balancer(A, B)
    fail(made, "b", 3)
    assert picked(made, now=0.5) == {"a"}
    assert picked(made, now=1.5) == {"a", "b"}
    assert {r.breaker for r in made.snapshot(1.5).instances} == {"closed"}


def test_failures_in_a_row_eject_for_a_time_that_grows() -> None:
    made = balancer(A, B, breaker_failures=100)
    fail(made, "b", 5)
    assert picked(made, now=9.9) == {"a"}
    assert picked(made, now=10.0) == {"a", "b"}
    fail(made, "b", 5, now=11.0)
    assert picked(made, now=30.9) == {"a"}
    assert picked(made, now=31.1) == {"a", "b"}


def test_at_most_a_share_is_ejected_and_a_single_one_never() -> None:
    alone = balancer(A, breaker_failures=100)
    fail(alone, "a", 20)
    assert alone.snapshot(0.0).instances[0].ejected_for == 0.0
    three = balancer(A, B, C, breaker_failures=100)
    for owner in "abc":
        fail(three, owner, 20)
    assert sum(report.ejected_for > 0 for report in three.snapshot(0.0).instances) == 1


def test_a_poor_success_rate_ejects_without_failures_in_a_row() -> None:
    made = balancer(A, B, C)
    for number in range(120):
        pick = made.pick(number * 0.01)
        is_ok = pick.instance != C or number % 2 == 0
        pick.done(number * 0.01, ok=is_ok, latency=0.01)
    assert picked(made, now=10.5) == {"a", "b"}


def test_in_a_panic_all_are_used() -> None:
    made = balancer(A, B, C)
    for owner in "abc":
        fail(made, owner, 3)
    assert made.snapshot(0.0).is_panicking
    assert picked(made) == {"a", "b", "c"}


def test_history_is_kept_over_changes_and_resets() -> None:
    made = balancer(A, B)
    fail(made, "b", 3)
    made.apply(change(CHANGED, B, load=0.5), 0.1)
    made.apply(reset(A, instance("b", load=0.7), C, index=9), 0.2)
    assert made.index == 9
    assert picked(made, now=0.5) == {"a", "c"}
    made.apply(change(DOWN, A, index=10), 0.6)
    assert [i.owner for i in made.instances] == ["b", "c"]


@pytest.mark.parametrize("fields", [{"epoch": 2}, {"owner_address": "127.0.0.9"}])
def test_another_life_starts_with_a_clean_sheet(fields: dict[str, Any]) -> None:
    made = balancer(A, B)
    fail(made, "b", 3)
    made.apply(change(CHANGED, B, **fields), 0.1)
    assert picked(made, now=0.5) == {"a", "b"}


def test_one_that_was_critical_and_passes_again_is_tried_at_once() -> None:
    made = balancer(A, B)
    fail(made, "b", 3)
    made.apply(change(CHANGED, B, status=CRITICAL), 0.1)
    made.apply(change(CHANGED, B, status=PASSING), 0.2)
    assert picked(made, now=0.5) == {"a", "b"}


def test_newcomers_start_slowly_but_a_first_set_does_not() -> None:
    made = balancer(A)
    made.apply(change(UP, B), 5.0)
    weights = {r.owner: r.weight for r in made.snapshot(10.0).instances}
    assert weights == {"a": 1.0, "b": 0.5}


def test_done_counts_once_and_a_caller_who_gave_up_says_nothing() -> None:
    made = balancer(A)
    pick = made.pick(0.0)
    assert made.snapshot(0.0).instances[0].outstanding == 1
    pick.done(0.2)
    pick.done(0.3, ok=False)
    made.pick(1.0).done(9.0, ok=None)
    (report,) = made.snapshot(9.0).instances
    assert (report.outstanding, report.requests, report.failures) == (0, 2, 0)
    assert report.latency == pytest.approx(0.2, rel=0.7)


def test_a_failure_that_was_fast_counts_as_slow() -> None:
    made = balancer(A)
    made.pick(0.0).done(0.001, ok=False)
    assert made.snapshot(0.001).instances[0].latency == 1.0


def test_it_goes_on_when_the_daemon_is_away_and_says_so() -> None:
    made = balancer(A)
    made.lost_sight(5.0)
    made.lost_sight(6.0)
    assert made.pick(8.0).instance == A
    assert made.snapshot(8.0).stale_for == 3.0
    made.in_sight()
    assert made.snapshot(8.0).stale_for is None


def test_distances_hold_for_instances_that_come_later() -> None:
    made = balancer(A, B, policy="nearest")
    made.set_distances({"a": 0.05, "b": 0.01, "c": 0.001})
    assert picked(made) == {"b"}
    made.apply(change(UP, C), 1.0)
    assert picked(made) == {"c"}


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -1.0])
def test_distances_that_are_no_times_are_not_known(nonsense: float) -> None:
    made = balancer(A, B, policy="nearest")
    made.set_distances({"a": nonsense, "b": 0.01})
    assert picked(made) == {"b"}
    made.set_distances({"a": nonsense, "b": nonsense})
    assert picked(made) == {"a", "b"}


def test_keys_do_not_wander_with_the_load() -> None:
    made = balancer(instance("a", weight=8), instance("b", weight=8), policy="hash")
    before = [made.pick(0.0, key=f"{n}").instance.owner for n in range(50)]
    made.apply(change(CHANGED, made.instances[0], weight=2, load=0.9), 1.0)
    assert [made.pick(1.0, key=f"{n}").instance.owner for n in range(50)] == before


def test_a_queue_out_of_proportion_is_passed_over() -> None:
    made = balancer(A, B, C)
    for _ in range(300):
        pick = made.pick(0.0)
        if pick.instance != B:  # which hangs
            pick.done(0.0, latency=0.01)
    waiting = [report.outstanding for report in made.snapshot(0.0).instances]
    assert waiting == [0, 5, 0]


def test_queues_in_proportion_to_weights_are_no_crowd() -> None:
    made = balancer(instance("a", weight=1), instance("b", weight=9), policy="weighted")
    for _ in range(100):
        made.pick(0.0)
    assert [report.outstanding for report in made.snapshot(0.0).instances] == [10, 90]
    alone = balancer(A)
    assert [alone.pick(0.0).instance for _ in range(50)] == [A] * 50


def test_a_hot_key_stays_where_it_is() -> None:
    made = balancer(A, B, C, policy="hash")
    assert len({made.pick(0.0, key="hot").instance.owner for _ in range(50)}) == 1


FIELDS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([PASSING, WARNING, CRITICAL]),
        "is_draining": st.booleans(),
        "is_doubtful": st.booleans(),
        "weight": st.integers(0, 3),
        "zone": st.sampled_from(["", "x", "y"]),
    }
)


@given(
    policy=st.sampled_from(POLICIES),
    told=st.lists(FIELDS, min_size=1, max_size=6),
    steps=st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=40),
)
def test_it_never_chooses_ejected_or_draining_ones_unless_it_panics(
    policy: str, told: list[dict[str, object]], steps: list[tuple[bool, float]]
) -> None:
    made = balancer(*(instance(f"n{n}", **fields) for n, fields in enumerate(told)), policy=policy)
    now = 0.0
    for is_ok, passed in steps:
        now += passed
        try:
            pick = made.pick(now)
        except NoInstance:
            assert not any(report.takes_requests for report in made.snapshot(now).instances)
            continue
        view = made.snapshot(now)
        (report,) = [r for r in view.instances if r.owner == pick.instance.owner]
        if not view.is_panicking:
            assert report.takes_requests
            assert report.ejected_for == 0.0
            assert report.breaker != "open"
        pick.done(now, ok=is_ok, latency=0.01)
        assert made.budget.left(now) >= 0
    assert all(report.outstanding == 0 for report in made.snapshot(now).instances)


def test_a_late_answer_of_one_that_is_gone_hides_no_trouble_of_its_successor() -> None:
    made = balancer(A, B, eject_failures=1000)
    before = [made.pick(0.0, exclude=[B.key]) for _ in range(3)]
    made.apply(change(DOWN, A), 1.0)
    made.apply(change(UP, A), 2.0)
    fail(made, "a", 3, now=2.0)
    for pick in before:
        pick.done(2.0, ok=False)  # breaks the breaker of the one that was there before
    assert picked(made, now=2.5) == {"b"}
