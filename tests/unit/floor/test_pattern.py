"""Patterns of peers and clients: RE2's syntax, never exponential, bad ones refused."""

from __future__ import annotations

import pytest

from gossipd.errors import WireError
from gossipd.pattern import PATTERN_BYTES_MAX, Pattern


def test_a_search_is_not_anchored_and_a_whole_match_is() -> None:
    pattern = Pattern("eb")
    assert pattern.search("web")
    assert not pattern.matches_whole("web")


def test_an_alternation_is_anchored_as_a_whole() -> None:
    assert not Pattern("ali|x").matches_whole("alive")
    assert Pattern("ali|alive").matches_whole("alive")


def test_the_empty_pattern_matches_only_empty_text_as_a_whole() -> None:
    assert Pattern("").matches_whole("")
    assert not Pattern("").matches_whole("a")


@pytest.mark.parametrize("expression", ["(", "[a", "(?=a)", r"(a)\1", "a{1001}", "*", "\udcff"])
def test_what_re2_does_not_accept_is_refused_with_its_reason(expression: str) -> None:
    with pytest.raises(WireError) as caught:
        Pattern(expression)
    assert caught.value.reason == "bad-pattern"
    assert caught.value.detail


def test_a_pattern_beyond_the_limit_is_refused() -> None:
    with pytest.raises(WireError, match="1024"):
        Pattern("a" * (PATTERN_BYTES_MAX + 1))


def test_a_pattern_that_makes_backtracking_matchers_explode_just_fails() -> None:
    assert not Pattern("(a+)+$").search("a" * 10_000 + "b")


def test_text_that_is_no_utf8_can_be_matched() -> None:
    assert Pattern("^web.*$").search("web\udcff")


def test_a_refused_pattern_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WireError):
        Pattern("(")
    assert capfd.readouterr().err == ""
