"""Node names that HTTP or DNS cannot show as they are, and what is said of them at start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.agent.naming import BETTER, warning_of_name
from gossipd.catalog.admission import is_dns_label


@pytest.mark.parametrize("name", ["a", "web-1", "x" * 63, "A1"])
def test_a_plain_name_is_worth_no_line(name: str) -> None:
    assert warning_of_name(name, by_http=True, by_dns=True) == ""


@pytest.mark.parametrize(
    ("name", "http", "dns"),
    [
        ("caf\udce9", "no UTF-8, so HTTP shows ?", "points to its address"),
        ("a\nb", "do not print", "points to its address"),
        ("café", "", "none of a host, so DNS points to its address"),
        ("my host", "", "none of a host, so DNS points to its address"),
        ("x" * 64, "", "no labels of 1 to 63 bytes, so DNS points to its address"),
        ("a..b", "", "no labels of 1 to 63 bytes, so DNS points to its address"),
        ("db_1", "", "many resolvers and all of TLS refuse a host name with _"),
        ("db1.example.org", "", "takes its dots for the ends of labels"),
    ],
)
def test_what_follows_is_said_for_each_face_that_is_on(name: str, http: str, dns: str) -> None:
    by_http = warning_of_name(name, by_http=True, by_dns=False)
    by_dns = warning_of_name(name, by_http=False, by_dns=True)
    both = warning_of_name(name, by_http=True, by_dns=True)
    assert (http in by_http) if http else (by_http == "")
    assert dns in by_dns
    assert http in both
    assert dns in both
    assert both.endswith(BETTER)
    assert warning_of_name(name, by_http=False, by_dns=False) == ""


@given(st.text(st.characters(codec=None), min_size=1, max_size=80))
def test_any_name_is_told_in_one_line_that_every_log_takes(name: str) -> None:
    line = warning_of_name(name, by_http=True, by_dns=True)
    assert line.isascii()
    assert line.isprintable()
    assert not (is_dns_label(name) and line)
