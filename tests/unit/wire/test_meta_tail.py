"""The tail behind the tags of the node meta: what it says, and what ignores it."""

from __future__ import annotations

import pytest

from gossipd.errors import UsageError
from gossipd.serf.tags import META_BYTES_MAX, encode_own_tags
from gossipd.wire.meta_tail import EPOCH_MAX, TAIL_BYTES, epoch_of_untrusted, meta_tail
from gossipd.wire.serf_codec import decode_tags_untrusted

TAGS = {"role": "web", "dc": "east"}


@pytest.mark.parametrize("epoch", [1, 2**32, EPOCH_MAX])
def test_the_tail_says_the_epoch_and_changes_no_tag(epoch: int) -> None:
    meta = encode_own_tags(TAGS, meta_tail(epoch))
    assert meta.startswith(encode_own_tags(TAGS))
    assert epoch_of_untrusted(meta) == epoch
    assert decode_tags_untrusted(meta) == (TAGS, True)


def test_the_bytes_of_the_tail_are_these() -> None:
    assert meta_tail(0x1234) == bytes.fromhex("c1676401 0000000000001234")
    assert len(meta_tail(1)) == TAIL_BYTES


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        b"\xff\x80",
        encode_own_tags(TAGS),
        meta_tail(1),  # no meta before it
        b"\xff\x80" + meta_tail(1)[:-1],
        b"\xff\x80" + meta_tail(1) + b"\x00",
        b"\xff\x80\xc1gd\x02" + bytes(7) + b"\x01",  # another protocol
        b"\xff\x80\xc1gd\x01" + bytes(8),  # no epoch
        b"\xff\x80\xc1gd\x01" + b"\xff" * 8,
    ],
)
def test_a_meta_without_a_sensible_tail_announces_nothing(meta: bytes) -> None:
    assert epoch_of_untrusted(meta) is None


def test_own_tags_have_the_room_that_the_tail_leaves() -> None:
    def tags(length: int) -> dict[str, str]:
        return {"t": "x" * length}

    room = META_BYTES_MAX - len(encode_own_tags(tags(100))) + 100
    assert len(encode_own_tags(tags(room))) == META_BYTES_MAX
    with pytest.raises(UsageError, match=r"exceeds limit of 512 bytes$"):
        encode_own_tags(tags(room + 1))
    assert len(encode_own_tags(tags(room - TAIL_BYTES), meta_tail(1))) == META_BYTES_MAX
    with pytest.raises(UsageError, match=r"limit of 500 bytes \(512 with catalog.enabled = false"):
        encode_own_tags(tags(room - TAIL_BYTES + 1), meta_tail(1))
