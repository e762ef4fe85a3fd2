"""Keys as text: what is base64, and where what is not stops to be."""

from __future__ import annotations

import contextlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.errors import WireError
from gossipd.query.key_text import decode_key_untrusted


@given(st.binary(max_size=40))
def test_what_is_base64_comes_back(key: bytes) -> None:
    text = b64encode(key).decode()
    assert decode_key_untrusted(text) == key
    assert decode_key_untrusted("\n".join([text[:3], text[3:], ""])) == key


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("@@@", 0), ("A", 0), ("AA", 0), ("AAA", 0), ("AA=", 3), ("AA=A", 2), ("AA=\nA", 3),
        ("AA=\n", 4), ("AA==x", 4), ("AAA=x", 4), ("AAA==", 4), ("=", 0), ("A=", 1),
        ("AAAA\n=", 5), ("AAAAA", 4), ("AAAAAA=\n\n", 9), ("AA\n", 1), ("A\nA\nA\n", 3),
        ("ABCDEFGHIJ*", 10), ("ABCDEFGHIJKLMNOP\u00e9", 16), ("AB==CD==", 4), ("____", 0),
    ],
)  # fmt: skip
def test_the_place_is_the_one_that_serf_names(text: str, at: int) -> None:
    """Each of these was held against a Serf agent 0.9.4."""
    with pytest.raises(WireError) as caught:
        decode_key_untrusted(text)
    assert caught.value.detail == f"illegal base64 data at input byte {at}"


@given(st.text(alphabet="AB=\n@+/\udcff", max_size=12))
def test_any_text_is_a_key_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        assert len(decode_key_untrusted(text)) == len(text.replace("\n", "").rstrip("=")) * 3 // 4
