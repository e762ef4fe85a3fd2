"""Compounds; numbers are the cases of gossip.md, section 23."""

from __future__ import annotations

import pytest

from gossipd.errors import WireError
from gossipd.wire.compound import make_compounds, split_compound_untrusted


def test_case_20_three_messages_come_back_in_order() -> None:
    parts = [b"\x00one", b"\x02two!", b"\x08three"]
    (packed,) = make_compounds(parts)
    assert packed[:8] == b"\x07\x03\x00\x04\x00\x05\x00\x06"
    assert split_compound_untrusted(packed) == (tuple(parts), 0)


def test_case_21_a_cut_part_is_lost_and_those_before_it_live() -> None:
    (packed,) = make_compounds([b"\x00one", b"\x02two", b"\x08three"])
    assert split_compound_untrusted(packed[:-7]) == ((b"\x00one",), 2)


def test_case_22_a_table_shorter_than_its_count_is_refused() -> None:
    for data in (b"\x07", b"\x07\xc8" + bytes(399)):
        with pytest.raises(WireError) as caught:
            split_compound_untrusted(data)
        assert caught.value.reason == "truncated"


def test_case_23_256_messages_make_a_compound_of_255_and_one_of_1() -> None:
    packed = make_compounds([bytes([8, number]) for number in range(256)])
    split = [split_compound_untrusted(each) for each in packed]
    assert [(len(parts), lost) for parts, lost in split] == [(255, 0), (1, 0)]
    assert split[1][0] == (b"\x08\xff",)


def test_no_messages_make_no_compound() -> None:
    assert make_compounds([]) == []
