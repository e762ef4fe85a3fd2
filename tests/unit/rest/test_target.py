"""Path and query of a request: decoded once, nothing tidied up."""

from __future__ import annotations

import contextlib
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.rest.transport.target import PARAMETERS_MAX, SEGMENTS_MAX, read_target_untrusted
from gossipd.rest.values import Refused

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@settings(deadline=None)
@given(
    st.lists(TEXTS.filter(lambda text: text not in (".", "..")), min_size=1, max_size=5),
    st.lists(st.tuples(TEXTS.filter(lambda name: name.lower() != "token"), TEXTS), max_size=5),
)
def test_what_clients_encode_comes_back(
    segments: list[str], parameters: list[tuple[str, str]]
) -> None:
    raw = "/" + "/".join(quote(segment, safe="") for segment in segments)
    target = read_target_untrusted(f"{raw}?{urlencode(parameters)}".encode())
    assert target.segments == tuple(segments)
    wanted: dict[str, tuple[str, ...]] = {}
    for name, value in parameters:
        wanted[name] = (*wanted.get(name, ()), value)
    assert target.query == wanted
    assert target.secrets == ()


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/", ("",)),
        ("/v1/agent/service/a%2Fb", ("v1", "agent", "service", "a/b")),
        ("/v1/a%252Fb", ("v1", "a%2Fb")),
        ("/v1/a+b", ("v1", "a+b")),
        ("//v1", ("", "v1")),
        ("/v1/", ("v1", "")),
        ("/v1#part", ("v1",)),
        ("http://host:8500/v1/x", ("v1", "x")),
        ("HTTPS://host", ("",)),
        ("http://host?x=1/2", ("",)),
        ("*", ("*",)),
        ("/v1/%C3%BC", ("v1", "ü")),
        ("/v1/service:a;b=c,d", ("v1", "service:a;b=c,d")),
        ("/v1/...", ("v1", "...")),
    ],
)
def test_a_path_means_its_segments(raw: str, segments: tuple[str, ...]) -> None:
    assert read_target_untrusted(raw.encode()).segments == segments


@pytest.mark.parametrize(
    "raw",
    [
        b"v1/agent/self",
        b"",
        b"host:443",
        b"file:///etc/passwd",
        b"/v1/../etc/passwd",
        b"/v1/%2e%2e/x",
        b"/v1/%2E/x",
        b"/./v1",
        b"/v1/%zz",
        b"/v1/%4",
        b"/v1/%",
        b"/v1/%+1",
        b"/v1/%ff",
        b"/v1/%c0%ae",
        b"/v1/\xff",
        b"/v1/%00",
        b"/v1/%0a",
        b"/v1/%7f",
        b"/x?a=%ff",
        b"/x?a=%0",
        b"/x?a=%00",
        b"/" + b"a/" * SEGMENTS_MAX,
        b"/x?" + b"a&" * PARAMETERS_MAX,
    ],
)
def test_a_path_that_plays_tricks_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_target_untrusted(raw)
    assert refused.value.status == 400
    assert len(refused.value.text) < 80


def test_flags_come_in_three_shapes() -> None:
    query = read_target_untrusted(b"/x?stale&cached=&passing=1&&=x").query
    assert query == {"stale": ("",), "cached": ("",), "passing": ("1",), "": ("x",)}


def test_texts_of_several_lines_pass_in_a_query() -> None:
    assert read_target_untrusted(b"/x?note=a%0Ab+c%2B").query == {"note": ("a\nb c+",)}


def test_a_token_is_handed_over_and_shown_nowhere() -> None:
    target = read_target_untrusted(b"/x?a=1&token=s3cret&Tok%65n=other&b=2")
    assert target.secrets == ("s3cret", "other")
    assert target.query == {"a": ("1",), "b": ("2",)}
    assert target.shown == "/x?a=1&token=hidden&Token=hidden&b=2"


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_target_or_refused(raw: bytes) -> None:
    with contextlib.suppress(Refused):
        target = read_target_untrusted(raw)
        assert all(segment not in (".", "..") for segment in target.segments)
