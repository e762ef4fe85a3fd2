"""Values: equal by type and fields, printable, replaceable, without a dictionary each."""

from __future__ import annotations

import copy
import pickle

import pytest

from gossipd.value import Value, fields_of, is_required, prepare, replace


class Point(Value):
    x: int
    y: int = 2


class Spot(Value):
    x: int
    y: int = 2


class Named(Point):
    name: str = ""


class Options(Value, kw_only=True):
    low: float = 0.5
    high: float


class Nothing(Value):
    pass


class One(Value):
    it: object


def test_fields_come_by_position_by_name_and_by_default() -> None:
    point = Point(1)
    assert (point.x, point.y) == (1, 2)
    assert Point(y=5, x=1) == Point(1, 5)
    assert fields_of(Named) == ("x", "y", "name")
    assert Named(1, name="n").name == "n"


def test_equality_needs_the_same_type_and_the_same_fields() -> None:
    assert Point(1) == Point(1, 2)
    assert Point(1) != Point(2)
    assert Point(1) != Spot(1)
    assert Point(1) != (1, 2)
    assert One((1,)) != One(1)
    assert Nothing() == Nothing()


def test_equal_values_have_equal_hashes() -> None:
    assert len({Point(1), Point(1, 2), Point(3)}) == 2
    assert hash(Nothing()) == hash(Nothing())


def test_a_value_says_what_it_is() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2)"


def test_keyword_only_values_refuse_positions_and_may_default_in_any_order() -> None:
    assert Options(high=1.0).low == 0.5
    with pytest.raises(TypeError):
        Options(0.1, 0.2)  # type: ignore[call-arg]


@pytest.mark.parametrize("fields", [{}, {"x": 1, "z": 2}])
def test_missing_and_unknown_fields_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(**fields)


def test_a_class_has_its_own_constructor_whichever_is_used_first() -> None:
    class Base(Value):
        x: int

    class Derived(Base):
        y: int = 3

    with pytest.raises(TypeError):
        Base(1, 2)  # type: ignore[call-arg]
    assert repr([Base(1), Derived(1), Derived(1, 2), Base(x=5)]) == (
        "[Base(x=1), Derived(x=1, y=3), Derived(x=1, y=2), Base(x=5)]"
    )


def test_required_fields_are_known_before_any_value_is_made() -> None:
    class Unused(Named, kw_only=True):
        low: float = 0.5
        high: float

    required = [field for field in fields_of(Unused) if is_required(Unused, field)]
    assert required == ["x", "high"]


def test_replacing_leaves_the_original_and_knows_its_fields() -> None:
    point = Point(1)
    assert replace(point, y=7) == Point(1, 7)
    assert point == Point(1)
    with pytest.raises(TypeError):
        replace(point, z=1)


def test_values_have_no_dictionary() -> None:
    assert not hasattr(Point(1), "__dict__")
    assert not hasattr(Named(1), "__dict__")
    with pytest.raises(AttributeError):
        Point(1).z = 1  # type: ignore[attr-defined]


def test_values_match_by_position() -> None:
    match Point(1, 3):
        case Point(1, y):
            assert y == 3
        case _:
            pytest.fail("did not match")


def test_values_can_be_copied_and_pickled() -> None:
    point = Point(1, 5)
    assert copy.copy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point


def test_the_values_of_a_module_can_be_prepared_for_their_first_use() -> None:
    class Early(Value):
        a: int
        b: int = 2

    class EarlyByName(Value, kw_only=True):
        a: int

    before = Early.__init__, EarlyByName.__init__
    prepare({"Early": Early, "EarlyByName": EarlyByName, "Value": Value, "x": 1, "int": int})
    assert (Early.__init__, EarlyByName.__init__) != before
    assert Early.__init__ is not before[0]
    assert EarlyByName.__init__ is not before[1]
    assert (Early(1).b, EarlyByName(a=3).a) == (2, 3)
    with pytest.raises(TypeError):
        EarlyByName(3)  # type: ignore[call-arg]
