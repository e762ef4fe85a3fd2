from __future__ import annotations

import pytest

from gossipd.errors import UsageError
from gossipd.serf.effects import SetMeta
from gossipd.serf.events import MessageIgnored
from gossipd.serf.tags import change_tags, encode_own_tags
from gossipd.swim.events import MemberJoined
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import Versions
from gossipd.wire.serf_codec import encode_tags
from support.serf_harness import SerfHarness, address_of


def _with_meta(meta: bytes) -> MemberJoined:
    return MemberJoined(Member("b", address_of("b"), meta, Versions(), MemberState.ALIVE, 1, 0.0))


def test_case_98_no_tags_are_ff80() -> None:
    assert SerfHarness().meta == bytes.fromhex("ff80")


def test_case_99_a_meta_without_the_magic_byte_is_the_legacy_role() -> None:
    serf = SerfHarness()
    serf.serf.handle(_with_meta(b"web"), 0.0)
    assert serf.serf.members["b"].tags == {"role": "web"}


def test_case_100_tags_above_512_bytes_are_refused_and_nothing_changes() -> None:
    serf = SerfHarness(tags={"role": "web"})
    with pytest.raises(UsageError) as refused:
        serf.serf.set_tags({"x": "y" * 512}, ["role"], 7, 1.0)
    assert str(refused.value) == "Encoded length of tags exceeds limit of 512 bytes"
    assert serf.serf.tags == {"role": "web"}
    assert serf.outbox.take_effects() == []
    with pytest.raises(UsageError):
        SerfHarness(tags={"x": "y" * 512})


def test_tags_of_exactly_512_bytes_pass() -> None:
    room = 512 - len(encode_tags({"x": "y" * 100})) + 100
    assert len(encode_own_tags({"x": "y" * room})) == 512


def test_case_101_tags_before_the_first_bad_value_are_kept_and_the_cut_is_told() -> None:
    serf = SerfHarness()
    serf.events()
    serf.serf.handle(_with_meta(b"\xff\x82\xa1a\xa1b\xa1c\x05"), 0.0)
    assert serf.serf.members["b"].tags == {"a": "b"}
    [ignored] = serf.events_of(MessageIgnored)
    assert ignored.reason == "tags-cut"


def test_case_102_a_tag_change_asks_for_new_meta() -> None:
    serf = SerfHarness(tags={"role": "web", "old": "1"})
    serf.serf.set_tags({"dc": "east"}, ["old", "unknown"], 7, 1.0)
    meta = encode_tags({"dc": "east", "role": "web"})
    assert serf.outbox.take_effects() == [SetMeta(meta, 7)]
    assert serf.serf.tags == {"dc": "east", "role": "web"}


def test_deletes_are_applied_before_sets() -> None:
    assert change_tags({"a": "1", "b": "2"}, {"a": "3"}, ["a", "b"]) == {"a": "3"}


def test_a_tail_behind_the_tags_is_ignored() -> None:
    serf = SerfHarness()
    serf.events()
    serf.serf.handle(_with_meta(encode_tags({"a": "b"}) + b"\x01\x02"), 0.0)
    assert serf.serf.members["b"].tags == {"a": "b"}
    assert serf.events_of(MessageIgnored) == []
