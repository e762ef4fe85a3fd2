"""Whom questions and events are for: what is written and what is read agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.errors import UsageError
from gossipd.serf.filters import FILTERS_MAX, Audience, are_met_untrusted
from gossipd.wire.dialect import LIST_ITEMS_MAX

NAMES = st.sampled_from(["us", "b", "", "ä", "\udcff"])
TAGS = st.sampled_from(["role", "zone", "ä"])


@given(
    nodes=st.lists(NAMES, max_size=3),
    tags=st.dictionaries(TAGS, st.sampled_from(["", "^$", "w", "^web$", "[äb]", "."]), max_size=3),
    name=NAMES,
    own=st.dictionaries(TAGS, st.sampled_from(["", "web", "b", "ä"]), max_size=3),
)
def test_the_asker_and_the_asked_agree_whom_a_query_is_for(
    nodes: list[str], tags: dict[str, str], name: str, own: dict[str, str]
) -> None:
    audience = Audience(nodes, tags)
    assert audience.has(name, own) == are_met_untrusted(audience.filters(), name, own)


def test_everybody_is_no_filter() -> None:
    assert Audience((), {}).filters() == ()
    assert Audience((), {}).has("anybody", {})


def test_no_more_is_given_than_nodes_read() -> None:
    with pytest.raises(UsageError, match=f"at most {LIST_ITEMS_MAX} can be given"):
        Audience(["n"] * (LIST_ITEMS_MAX + 1), {})
    tags = {str(number): "x" for number in range(FILTERS_MAX)}
    with pytest.raises(UsageError, match=f"at most {FILTERS_MAX - 1} can be given"):
        Audience((), tags)
    tags.popitem()
    assert len(Audience(["n"], tags).filters()) == FILTERS_MAX
