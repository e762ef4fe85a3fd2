"""A shared table behaves as a plain dict, and tells in what two of them differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.shared import Base, SharedDict

NAMES = st.sampled_from("abcdef")
STEPS = st.lists(st.tuples(NAMES, st.one_of(st.none(), st.integers(1, 9))), max_size=30)


def base(size: int) -> Base[int]:
    made: Base[int] = Base()
    made.update({name: 10 + number for number, name in enumerate("abcdef"[:size])})
    return made


def apply(
    table: SharedDict[int], plain: dict[str, int], steps: list[tuple[str, int | None]]
) -> None:
    for name, value in steps:
        if value is not None:
            table[name] = plain[name] = value
        elif name in plain:
            del table[name], plain[name]
        else:
            with pytest.raises(KeyError):
                del table[name]


@given(st.integers(0, 6), STEPS)
def test_it_holds_what_a_dict_would_hold(size: int, steps: list[tuple[str, int | None]]) -> None:
    shared = base(size)
    before = dict(shared)
    table, plain = SharedDict(shared), dict(shared)
    apply(table, plain, steps)
    assert dict(table.items()) == plain
    assert sorted(table.values()) == sorted(plain.values())
    assert sorted(table) == sorted(plain)
    assert len(table) == len(plain)
    assert [table.get(name) for name in "abcdefx"] == [plain.get(name) for name in "abcdefx"]
    assert [name in table for name in "abcdefx"] == [name in plain for name in "abcdefx"]
    assert shared == before


@given(st.integers(0, 6), STEPS, STEPS)
def test_what_two_do_not_share_is_told(
    size: int, ours: list[tuple[str, int | None]], theirs: list[tuple[str, int | None]]
) -> None:
    shared = base(size)
    one, other = SharedDict(shared), SharedDict(shared)
    apply(one, dict(shared), ours)
    apply(other, dict(shared), theirs)
    differing = dict(one.unlike(other))
    for name, value in one.items():
        if other.get(name) != value:
            assert differing[name] == value
    assert list(differing) == [name for name in one if name in differing]


def test_tables_of_other_bases_share_nothing() -> None:
    one, other = SharedDict(base(3)), SharedDict(base(3))
    assert dict(one.unlike(other)) == dict(one.unlike({})) == dict(one)


@given(st.integers(0, 6), STEPS)
def test_sums_and_snapshots_follow_what_was_changed(
    size: int, steps: list[tuple[str, int | None]]
) -> None:
    table, plain = SharedDict(base(size)), dict(base(size))
    snapshot = table.snapshot()
    apply(table, plain, steps)
    assert table.total(weight) == sum(value * ord(name) for name, value in plain.items())
    assert dict(snapshot) == dict(base(size))


def weight(name: str, value: int) -> int:
    return value * ord(name)
