"""LZW beyond the vectors; numbers are the cases of gossip.md, section 23."""

from __future__ import annotations

import random

import pytest

from gossipd.errors import WireError
from gossipd.wire.lzw import CLEAR, compress, decompress_untrusted, portions_untrusted


def codes_to_bytes(codes: list[tuple[int, int]]) -> bytes:
    """Pack (code, width) pairs from the low end."""
    pool = bits = 0
    for code, width in codes:
        pool |= code << bits
        bits += width
    return pool.to_bytes((bits + 7) // 8, "little")


def refusal(data: bytes, size_max: int = 1000) -> str:
    with pytest.raises(WireError) as caught:
        decompress_untrusted(data, size_max)
    return caught.value.reason


def test_case_26_the_code_after_255_new_pairs_has_ten_bits() -> None:
    data = bytes(range(256))
    nine_bits = [(256, 9), *((value, 9) for value in range(255))]
    assert compress(data) == codes_to_bytes([*nine_bits, (255, 10), (257, 10)])


def test_case_27_a_full_table_is_cleared_and_codes_start_at_nine_bits_again() -> None:
    data = random.Random(4).randbytes(9000)
    packed = compress(data)
    assert decompress_untrusted(packed, len(data)) == data
    assert compress(data[:3000]) != packed[: len(compress(data[:3000]))]


@pytest.mark.parametrize(
    "codes",
    [
        [(256, 9), (97, 9)],
        [(256, 9), (259, 9)],
        [(256, 9), (97, 9), (260, 9)],
        [(256, 9), (97, 9), (256, 9), (258, 9)],
    ],
)
def test_case_28_an_early_end_or_an_impossible_code_is_refused(
    codes: list[tuple[int, int]],
) -> None:
    assert refusal(codes_to_bytes(codes)) == "bad-compression"


def test_case_31_expansion_stops_at_the_limit() -> None:
    packed = compress(bytes(10_000))
    assert decompress_untrusted(packed, 10_000) == bytes(10_000)
    assert refusal(packed, 9_999) == "too-large"


def test_every_length_around_a_change_of_width_comes_back() -> None:
    data = random.Random(9).randbytes(4200)
    for length in (*range(250, 262), *range(766, 774), *range(3830, 3845)):
        assert decompress_untrusted(compress(data[:length]), length) == data[:length]


def test_work_is_done_in_portions_also_where_nothing_comes_out() -> None:
    data = random.Random(9).randbytes(200_000)
    portions = list(portions_untrusted(compress(data), len(data)))
    assert b"".join(portions) == data
    assert len(portions) > 5
    clears = portions_untrusted(codes_to_bytes([(CLEAR, 9)] * 80_000), 1000)
    assert [next(clears) for _ in range(3)] == [b""] * 3
    run = list(portions_untrusted(compress(bytes(5_000_000)), 5_000_000))
    assert sum(map(len, run)) == 5_000_000
    assert max(map(len, run)) < 1_100_000
