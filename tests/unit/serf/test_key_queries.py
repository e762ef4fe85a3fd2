from __future__ import annotations

import pytest

from gossipd.errors import WireError
from gossipd.serf.key_queries import (
    CHANGES,
    FIXED_KEYS,
    LIST_KEYS,
    NOT_ENCRYPTED,
    NOTHING_TO_LIST,
    answer_key_query_untrusted,
)
from gossipd.wire.internal_query_codec import decode_key_response_untrusted, encode_key_request
from gossipd.wire.serf_messages import KeyRequest

REQUEST = encode_key_request(KeyRequest(b"k" * 16))


@pytest.mark.parametrize("name", CHANGES)
def test_case_133_without_encryption_a_change_fails_with_a_message(name: str) -> None:
    answer = decode_key_response_untrusted(
        answer_key_query_untrusted(name, REQUEST, encrypted=False)
    )
    assert (answer.ok, answer.message) == (False, NOT_ENCRYPTED)


@pytest.mark.parametrize("name", CHANGES)
def test_with_encryption_a_change_fails_because_keys_are_fixed(name: str) -> None:
    answer = decode_key_response_untrusted(
        answer_key_query_untrusted(name, REQUEST, encrypted=True)
    )
    assert (answer.ok, answer.message) == (False, FIXED_KEYS)


@pytest.mark.parametrize(("encrypted", "text"), [(False, NOTHING_TO_LIST), (True, FIXED_KEYS)])
def test_listing_fails_with_a_message(encrypted: bool, text: str) -> None:
    answer = decode_key_response_untrusted(
        answer_key_query_untrusted(LIST_KEYS, None, encrypted=encrypted)
    )
    assert (answer.ok, answer.message) == (False, text)


def test_an_illegal_request_gets_a_result_and_an_empty_one_nothing() -> None:
    answer = decode_key_response_untrusted(
        answer_key_query_untrusted(CHANGES[0], b"\x07\xc1", encrypted=True)
    )
    assert not answer.ok
    assert "not legal" in answer.message
    with pytest.raises(WireError):
        answer_key_query_untrusted(CHANGES[0], b"", encrypted=True)
