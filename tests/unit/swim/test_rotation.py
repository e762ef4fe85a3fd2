"""Probe order and random choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from random import Random

from gossipd.swim.rotation import ShuffledRotation


def rotation_of(names: str, seed: int = 1) -> ShuffledRotation:
    rotation = ShuffledRotation(Random(seed))
    for name in names:
        rotation.insert(name)
    return rotation


def nobody() -> Collection[str]:
    return ()


def test_case_82_every_live_node_is_probed_once_before_any_is_probed_again() -> None:
    rotation = rotation_of("abcde")
    for _ in range(20):
        targets: list[str] = []
        while len(targets) < 4:
            target = rotation.next_target(lambda name: name != "c", nobody)
            if target is not None:
                targets.append(target)
        assert sorted(targets) == ["a", "b", "d", "e"]


def test_case_82_the_order_changes_from_pass_to_pass() -> None:
    rotation = rotation_of("abcdefgh")
    passes = {
        tuple(rotation.next_target(lambda name: True, nobody) for _ in range(8)) for _ in range(10)
    }
    assert len(passes) > 5


def test_case_90_names_that_expired_leave_when_the_list_wraps() -> None:
    rotation = rotation_of("abc")
    for _ in range(3):
        assert rotation.next_target(lambda name: True, lambda: ["b"]) is not None
    assert len(rotation) == 3
    assert rotation.next_target(lambda name: True, lambda: ["b"]) in ("a", "c")
    assert len(rotation) == 2


def test_a_pass_that_finds_nobody_ends() -> None:
    assert rotation_of("abc").next_target(lambda name: False, nobody) is None
    assert rotation_of("").next_target(lambda name: True, nobody) is None


def test_a_wrap_counts_as_one_look() -> None:
    rotation = rotation_of("a")
    targets = [rotation.next_target(lambda name: True, nobody) for _ in range(4)]
    assert targets == ["a", None, "a", None]


def test_a_newcomer_can_enter_at_any_place() -> None:
    places = set()
    for seed in range(60):
        rotation = rotation_of("abcde", seed)
        rotation.insert("z")
        order = [rotation.next_target(lambda name: True, nobody) for _ in range(6)]
        places.add(order.index("z"))
    assert places == set(range(6))


def test_equal_seeds_give_equal_orders() -> None:
    first, second = rotation_of("abcdef", 9), rotation_of("abcdef", 9)
    for _ in range(30):
        assert first.next_target(lambda name: True, nobody) == second.next_target(
            lambda name: True, nobody
        )


def test_choice_is_distinct_and_only_of_accepted_names() -> None:
    for names in ("abcd", "abcdefghijklmnopqrst"):
        rotation = rotation_of(names)
        for _ in range(50):
            chosen = rotation.choose(3, lambda name: name not in "ab")
            assert len(set(chosen)) == len(chosen)
            assert not set(chosen) & {"a", "b"}
    assert rotation_of("ab").choose(3, lambda name: name == "a") == ["a"]
    assert rotation_of("ab").choose(0, lambda name: True) == []


def test_choice_is_even() -> None:
    rotation = rotation_of("abcdefghijkl")
    counts = Counter(name for _ in range(2000) for name in rotation.choose(2, lambda name: True))
    assert min(counts.values()) > 250
    assert max(counts.values()) < 420
