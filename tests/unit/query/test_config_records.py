"""Bodies of config and reload: what one end writes the other reads; garbage is a WireError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.settings import Setting
from gossipd.errors import WireError
from gossipd.query.config_records import (
    read_reload_untrusted,
    read_settings_untrusted,
    reload_body,
    settings_body,
)

SETTINGS = st.builds(
    Setting,
    st.text(max_size=5),
    st.text(max_size=5),
    st.text() | st.booleans() | st.integers() | st.lists(st.text()).map(tuple),
    st.text(),
)
GARBAGE = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Settings", "Table", "Key", "From", "Value", "Applied", "Kept"]), inner
        )
    ),
    max_leaves=10,
)


@given(st.lists(SETTINGS))
def test_settings_come_back_as_they_were(settings: list[Setting]) -> None:
    assert read_settings_untrusted(settings_body(settings)) == tuple(settings)


@given(GARBAGE)
def test_garbage_is_refused_as_a_bad_reply(body: object) -> None:
    for read in (read_settings_untrusted, read_reload_untrusted):
        with contextlib.suppress(WireError):
            read(body)


def test_a_report_comes_back_as_it_was() -> None:
    found = read_reload_untrusted(reload_body(("a",), ("b", "c"), ()))
    assert (found.applied, found.needs_restart, found.kept) == (("a",), ("b", "c"), ())
    with pytest.raises(WireError):
        read_reload_untrusted({"Applied": ["a"], "Kept": [1], "NeedsRestart": []})
