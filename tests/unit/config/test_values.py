"""Single values: durations, switches, tags and keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.values import count_from, list_from, seconds_from, switch_from, tags_from
from gossipd.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("200ms", 0.2),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        ("0", 0.0),
        ("2", 2.0),
        (3, 3.0),
        (0.25, 0.25),
        ("100us", 1e-4),
        ("100µs", 1e-4),
    ],
)
def test_durations_are_numbers_of_seconds_or_go_durations(text: object, seconds: float) -> None:
    assert seconds_from(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "s", "1x", "1 s", ".s", "1.2.3s", "-1s", -1, True, "nan", [], 10**400]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ConfigError):
        seconds_from(value)


@given(st.text(alphabet="0123456789.hmsuµn -e", max_size=12))
def test_any_text_is_a_duration_from_zero_on_or_refused(text: str) -> None:
    try:
        assert seconds_from(text) >= 0
    except ConfigError:
        return


def test_switches_take_the_usual_words_and_nothing_else() -> None:
    assert switch_from("Yes") is True
    assert switch_from("off") is False
    for value in ("maybe", "", 1, None):
        with pytest.raises(ConfigError):
            switch_from(value)


def test_counts_are_whole_numbers_from_zero_on() -> None:
    assert count_from("12") == 12
    assert count_from(0) == 0
    for value in (-1, "1.5", True, "²", None, 10**400, "1" * 5000):
        with pytest.raises(ConfigError):
            count_from(value)


def test_a_tag_may_hold_anything_behind_its_first_equals_sign() -> None:
    assert tags_from(("a=b=c", "d=")) == {"a": "b=c", "d": ""}
    with pytest.raises(ConfigError):
        tags_from(("=x",))


def test_a_single_text_is_split_at_commas_but_a_list_is_not() -> None:
    assert list_from("a, b,,c") == ("a", "b", "c")
    assert list_from(["a,b"]) == ("a,b",)
