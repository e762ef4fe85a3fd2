"""Selectors name hosts, leave to chance what they say, and refuse the rest."""

from __future__ import annotations

from random import Random

import pytest

from gossipd_sim.errors import ScenarioError
from gossipd_sim.selectors import (
    Selection,
    host_names,
    join_names,
    named_hosts,
    plain_names,
)

TEN = host_names(10)


def selection(seed: int = 1, **groups: tuple[str, ...]) -> Selection:
    return Selection(TEN, groups, Random(seed))


def test_names_ranges_and_unions_come_out_once_and_in_the_order_of_the_hosts() -> None:
    assert selection().pick("n007, n001-n003,n002") == ("n001", "n002", "n003", "n007")


def test_all_is_everybody() -> None:
    assert selection().pick("all") == TEN


def test_rest_is_whoever_was_not_named_before() -> None:
    assert selection().pick("rest", beside=TEN[:8]) == TEN[8:]


def test_a_group_stands_for_its_members() -> None:
    assert selection(rack=("n002", "n009")).pick("rack,n000") == ("n000", "n002", "n009")


def test_chance_takes_as_many_as_asked_for_and_follows_the_seed() -> None:
    first = selection(1).pick("random:4")
    assert len(set(first)) == 4
    assert selection(1).pick("random:4") == first
    assert any(selection(seed).pick("random:4") != first for seed in range(2, 8))


@pytest.mark.parametrize(("share", "count"), [("1%", 1), ("10%", 1), ("25%", 2), ("100%", 10)])
def test_a_share_is_rounded_and_at_least_one(share: str, count: int) -> None:
    assert len(selection().pick(share)) == count


def test_chance_within_a_group_stays_within_it() -> None:
    chosen = selection(rack=("n002", "n004", "n009")).pick("random:2 of rack")
    assert len(chosen) == 2
    assert set(chosen) < {"n002", "n004", "n009"}


def test_chance_takes_only_the_possible_and_spares_the_spare() -> None:
    for seed in range(20):
        chosen = selection(seed).pick("random:2", possible=TEN[:4], spare=("n001",))
        assert set(chosen) < {"n000", "n002", "n003"}


def test_a_union_of_chances_takes_nobody_twice() -> None:
    assert selection().pick("random:5,random:5") == TEN


def test_parts_of_a_division_have_nobody_in_common_and_rest_takes_what_is_left() -> None:
    for seed in range(20):
        parts = selection(seed).divide(["30%", "rest", "n004"])
        assert [len(part) for part in parts] == [3, 6, 1]
        assert sorted(name for part in parts for name in part) == list(TEN)


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("n010", "no host n010"),
        ("n001,", "names no host"),
        ("n005-n002", "backwards"),
        ("racks", "neither a host"),
        ("random:0", "random:5"),
        ("random:x", "random:5"),
        ("random:11", "asks for 11 hosts; there are 10"),
        ("0%", "share"),
        ("101%", "share"),
        ("nan%", "share"),
        ("random:1 of racks", "neither a host"),
        ("n001-n999999", "at most"),
        ("", "names no host"),
    ],
)
def test_what_names_nobody_is_refused_with_the_reason(selector: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        selection().pick(selector)


def test_a_named_host_that_is_not_possible_is_refused_by_name() -> None:
    with pytest.raises(ScenarioError, match="n003 is not up"):
        selection().pick("n002-n003", possible=("n002",), why="up")


def test_a_division_refuses_a_host_in_two_parts_and_an_empty_part() -> None:
    with pytest.raises(ScenarioError, match="n003 is in two parts"):
        selection().divide(["n000-n003", "n003-n009"])
    with pytest.raises(ScenarioError, match="empty"):
        selection().divide(["n000-n009", "rest"])


def test_joined_names_read_back_as_the_same_names() -> None:
    names = ("n000", "n001", "n002", "n005", "n006", "n009")
    assert join_names(names) == "n000-n002,n005,n006,n009"
    assert plain_names(join_names(names)) == names


def test_joined_names_read_back_for_any_subset() -> None:
    random = Random(3)
    for _ in range(200):
        names = tuple(sorted(random.sample(TEN, random.randint(1, 10))))
        assert plain_names(join_names(names)) == names


def test_plain_names_take_no_chance() -> None:
    with pytest.raises(ScenarioError, match="random:1"):
        plain_names("n001,random:1")
    assert named_hosts("n001,random:1,rack") == ("n001",)


def test_names_above_a_thousand_hosts_keep_their_order() -> None:
    names = host_names(1002)
    assert names[-1] == "n1001"
    assert plain_names("n999-n1001") == names[999:]
