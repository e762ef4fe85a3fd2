"""News that came too early: kept until its owner is known, and no more than there is room for."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.catalog.early_news import EARLY_BYTES_MAX, EARLY_MAX, EARLY_SECONDS, EarlyNews

SOURCE = Address(b"\x7f\x00\x00\x01", 7946)


def payloads(early: EarlyNews, owner: str, now: float) -> list[bytes]:
    return [message.payload for message in early.take(owner, now)]


def test_what_is_kept_of_an_owner_is_given_out_once_and_in_order() -> None:
    early = EarlyNews()
    for owner, payload in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        early.keep(owner, payload, SOURCE, 0.0)
    assert payloads(early, "a", 1.0) == [b"1", b"3"]
    assert payloads(early, "a", 1.0) == []
    assert payloads(early, "b", 1.0) == [b"2"]


def test_what_is_too_old_is_not_given_out() -> None:
    early = EarlyNews()
    early.keep("a", b"old", SOURCE, 0.0)
    early.keep("a", b"new", SOURCE, 1.0)
    assert payloads(early, "a", EARLY_SECONDS + 0.5) == [b"new"]


def test_of_too_many_the_oldest_go() -> None:
    early = EarlyNews()
    for number in range(EARLY_MAX + 2):
        early.keep("a", b"%d" % number, SOURCE, 0.0)
    assert payloads(early, "a", 0.0)[0] == b"2"


def test_of_too_much_the_oldest_go_and_room_is_made_by_what_was_taken() -> None:
    early = EarlyNews()
    half = bytes(EARLY_BYTES_MAX // 2)
    for owner in ("a", "b", "c"):
        early.keep(owner, half, SOURCE, 0.0)
    assert payloads(early, "a", 0.0) == []
    assert payloads(early, "b", 0.0) == [half]
    early.keep("d", half, SOURCE, 0.0)
    assert payloads(early, "c", 0.0) == [half]
