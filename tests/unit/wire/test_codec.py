"""SWIM message bodies; numbers are the cases of gossip.md, section 23."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.wire.codec import decode_untrusted, encode
from gossipd.wire.dialect import LIST_ITEMS_MAX, pack
from gossipd.wire.messages import Ack, Alive, IndirectPing, Nack, Ping, Suspect, Versions
from gossipd.wire.reasons import EMPTY, MALFORMED, UNKNOWN_KIND

HOME = Address(b"\x7f\x00\x00\x01", 7946)


def refusal(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        decode_untrusted(data)
    return caught.value.reason


def test_case_1_a_string_of_31_bytes_has_one_header_byte_and_of_32_three() -> None:
    assert encode(Ping(1, "n" * 31))[7:8] == b"\xbf"
    assert encode(Ping(1, "n" * 32))[7:10] == b"\xda\x00\x20"


def test_case_2_a_byte_string_of_200_has_a_raw_header_never_str8_or_bin() -> None:
    assert encode(Ack(1, b"p" * 200)) == (
        b"\x02\x82\xa7Payload\xda\x00\xc8" + b"p" * 200 + b"\xa5SeqNo\x01"
    )


def test_case_3_no_payload_is_nil_and_an_empty_one_is_empty() -> None:
    assert encode(Ack(1, None)) == b"\x02\x82\xa7Payload\xc0\xa5SeqNo\x01"
    assert encode(Ack(1, b"")) == b"\x02\x82\xa7Payload\xa0\xa5SeqNo\x01"
    assert decode_untrusted(encode(Ack(1, None))) == Ack(1, None)
    assert decode_untrusted(encode(Ack(1, b""))) == Ack(1, b"")


def test_case_4_keys_are_sorted_and_empty_source_fields_are_left_out() -> None:
    assert encode(Ping(5, "b")) == b"\x00\x82\xa4Node\xa1b\xa5SeqNo\x05"
    assert encode(IndirectPing(5, HOME, "b", True, HOME, "a")) == (
        b"\x01\x88\xa4Nack\xc3\xa4Node\xa1b\xa4Port\xcd\x1f\x0a\xa5SeqNo\x05"
        b"\xaaSourceAddr\xa4\x7f\x00\x00\x01\xaaSourceNode\xa1a\xaaSourcePort\xcd\x1f\x0a"
        b"\xa6Target\xa4\x7f\x00\x00\x01"
    )


def test_case_5_an_unknown_key_is_skipped_with_its_nested_value() -> None:
    body = b"\x83\xa5Extra\x81\xa1a\x93\x01\xc0\xcb" + bytes(8) + b"\xa4Node\xa1b\xa5SeqNo\x05"
    assert decode_untrusted(b"\x00" + body) == Ping(5, "b")


def test_case_6_str8_bin8_and_other_integer_widths_are_accepted() -> None:
    body = (
        b"\x84\xa4Node\xd9\x01b\xa5SeqNo\xcf\x00\x00\x00\x00\x00\x00\x00\x05"
        b"\xaaSourceAddr\xc4\x04\x7f\x00\x00\x01\xaaSourcePort\xd1\x1f\x0a"
    )
    assert decode_untrusted(b"\x00" + body) == Ping(5, "b", HOME)


@pytest.mark.parametrize(
    "number", [b"\xff", b"\xd0\x80", b"\xcf" + b"\xff" * 8, b"\xca" + bytes(4)]
)
def test_case_7_a_sequence_number_that_is_no_u32_refuses_the_message(number: bytes) -> None:
    assert refusal(b"\x00\x81\xa5SeqNo" + number) == MALFORMED


def test_case_8_bytes_after_the_map_are_ignored() -> None:
    assert decode_untrusted(b"\x00\x82\xa4Node\xa1b\xa5SeqNo\x05TAIL") == Ping(5, "b")


def test_case_13_half_a_source_is_none() -> None:
    only_port = b"\x00\x82\xa5SeqNo\x05\xaaSourcePort\xcd\x1f\x0a"
    assert decode_untrusted(only_port) == Ping(5, "")


def test_case_68_fewer_than_six_version_bytes_are_no_versions() -> None:
    for count, expected in ((0, None), (1, None), (5, None), (6, Versions(1, 2, 3, 4, 5, 6))):
        data = b"\x04" + pack({"Node": "a", "Vsn": bytes(range(1, count + 1))})
        message = decode_untrusted(data)
        assert isinstance(message, Alive)
        assert message.versions == expected


def test_the_usual_versions_are_one_shared_value() -> None:
    first = decode_untrusted(encode(Alive("a", 1, HOME, b"", Versions())))
    second = decode_untrusted(encode(Alive("b", 1, HOME, b"", Versions())))
    assert isinstance(first, Alive)
    assert isinstance(second, Alive)
    assert first.versions is second.versions


def test_an_alive_without_meta_says_nil_as_a_real_node_does() -> None:
    assert b"\xa4Meta\xc0" in encode(Alive("a", 1, HOME, b"", None))


def test_a_name_keeps_bytes_that_are_no_utf8() -> None:
    message = decode_untrusted(b"\x03\x83\xa4From\xa2\xff\xc3\xabIncarnation\x01\xa4Node\xa1b")
    assert message == Suspect("b", 1, "\udcff\udcc3")
    assert b"\xff\xc3" in encode(message)


def test_an_address_of_a_strange_length_is_an_unknown_one() -> None:
    message = decode_untrusted(b"\x04" + pack({"Node": "a", "Addr": b"1234567", "Port": 5}))
    assert isinstance(message, Alive)
    assert message.address == Address(b"", 5)


def test_a_mapped_address_keeps_its_sixteen_bytes() -> None:
    mapped = Address(bytes(10) + b"\xff\xff\x7f\x00\x00\x01", 7946)
    message = Alive("a", 1, mapped, b"\xff\x80", Versions())
    assert decode_untrusted(encode(message)) == message


def test_nil_is_the_zero_value_and_a_repeated_key_counts_last() -> None:
    assert decode_untrusted(b"\x00\xc0") == Ping(0, "")
    assert decode_untrusted(b"\x0b\x82\xa5SeqNo\x01\xa5SeqNo\x02") == Nack(2)
    assert decode_untrusted(b"\x00\x82\xa4Node\xc0\xa5SeqNo\xc0") == Ping(0, "")


def test_a_struct_may_be_a_list_in_declaration_order() -> None:
    assert decode_untrusted(b"\x00\x92\x0c\xa1b") == Ping(12, "b")
    assert decode_untrusted(b"\x0b\x93\x0c\x01\x02") == Nack(12)


def test_a_boolean_may_be_zero_or_one_but_not_two() -> None:
    for raw, expected in ((b"\x00", False), (b"\x01", True), (b"\xc3", True)):
        message = decode_untrusted(b"\x01\x81\xa4Nack" + raw)
        assert isinstance(message, IndirectPing)
        assert message.wants_nack is expected
    assert refusal(b"\x01\x81\xa4Nack\x02") == MALFORMED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", EMPTY),
        (b"\x06\x80", UNKNOWN_KIND),
        (b"\x0e\x80", UNKNOWN_KIND),
        (b"\xf4", UNKNOWN_KIND),
        (b"\x00", MALFORMED),
        (b"\x00\xc1", MALFORMED),
        (b"\x00\xa4ping", MALFORMED),
        (b"\x00\x81\xa4Node\x05", MALFORMED),
        (b"\x00\x81\x91\x01\x02", MALFORMED),
        (b"\x00" + b"\x91" * 5000, MALFORMED),
        (b"\x00\xdc" + (LIST_ITEMS_MAX + 1).to_bytes(2, "big") + b"\xc0" * 5000, MALFORMED),
        (b"\x00\xdd\xff\xff\xff\xff", MALFORMED),
    ],
)
def test_what_is_no_message_is_refused_with_a_stable_reason(data: bytes, reason: str) -> None:
    assert refusal(data) == reason
