"""What a node does when somebody asks for a change of keys (cases 132, 133; texts of rpc.md)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from gossipd.errors import WireError
from gossipd.outbox import Outbox
from gossipd.serf.effects import SaveKeyring, SerfEffect
from gossipd.serf.events import KeyringChanged, SerfEvent
from gossipd.serf.key_queries import (
    EXPOSED,
    KEYS_MAX,
    NOT_ENCRYPTED,
    NOTHING_TO_LIST,
    SAVES_MAX,
    KeyQueries,
)
from gossipd.serf.queries import KEY_QUERIES
from gossipd.serf.question import KeyCommand
from gossipd.wire.internal_query_codec import decode_key_response_untrusted, encode_key_request
from gossipd.wire.keyring import Keyring
from gossipd.wire.serf_messages import KeyRequest, KeyResponse
from support.serf_harness import query_of

OLD, NEW = b"o" * 16, b"n" * 32
CHANGES = [f"_serf_{word}-key" for word in ("install", "use", "remove")]
INSTALL, USE, REMOVE = CHANGES
LIST = "_serf_list-keys"


class Asked:
    """A node's ring of keys, and what it answers."""

    def __init__(self, *keys: bytes, saves: bool = False, limit: int = 1024) -> None:
        self.ring = Keyring(keys) if keys else None
        self.outbox: Outbox[SerfEffect, SerfEvent] = Outbox()
        self.exposed = False
        self.queries = KeyQueries(
            self.ring, self.outbox, saves=saves, is_exposed=lambda: self.exposed
        )
        self.limit = limit

    def raw(self, name: str, key: bytes | None) -> bytes | None:
        query = query_of(name=name, payload=encode_key_request(KeyRequest(key)))
        return self.queries.answer_untrusted(query, lambda answer: len(answer) <= self.limit)

    def ask(self, name: str, key: bytes | None = None) -> KeyResponse:
        answer = self.raw(name, key)
        assert answer is not None
        return decode_key_response_untrusted(answer)

    @property
    def keys(self) -> tuple[bytes, ...]:
        assert self.ring is not None
        return self.ring.keys


def test_every_command_has_its_query() -> None:
    assert set(KEY_QUERIES) == {*CHANGES, LIST}
    assert set(KEY_QUERIES.values()) == set(KeyCommand)


def test_case_132_a_rotation_changes_the_live_ring() -> None:
    asked = Asked(OLD)
    assert asked.ask(INSTALL, NEW) == KeyResponse(True)
    rings = [list(asked.keys)]
    assert asked.ask(USE, NEW) == KeyResponse(True)
    rings.append(list(asked.keys))
    assert asked.ask(REMOVE, OLD) == KeyResponse(True)
    rings.append(list(asked.keys))
    assert rings == [[OLD, NEW], [NEW, OLD], [NEW]]
    assert asked.outbox.take_events() == [
        KeyringChanged(KeyCommand.INSTALL, "asker", 2),
        KeyringChanged(KeyCommand.USE, "asker", 2),
        KeyringChanged(KeyCommand.REMOVE, "asker", 1),
    ]
    assert asked.outbox.take_effects() == []


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        (INSTALL, b"short", "key size must be 16, 24 or 32 bytes"),
        (INSTALL, None, "key size must be 16, 24 or 32 bytes"),
        (USE, NEW, "Requested key is not in the keyring"),
        (REMOVE, OLD, "Removing the primary key is not allowed"),
    ],
)
def test_case_132_what_the_ring_does_not_permit_fails_with_a_message(
    name: str, key: bytes | None, text: str
) -> None:
    asked = Asked(OLD)
    assert asked.ask(name, key) == KeyResponse(False, text)
    assert asked.keys == (OLD,)
    assert asked.outbox.take_events() == []


def test_changes_may_be_repeated() -> None:
    asked = Asked(OLD)
    assert asked.ask(INSTALL, OLD).ok
    assert asked.ask(USE, OLD).ok
    assert asked.ask(REMOVE, NEW).ok
    assert asked.keys == (OLD,)


@pytest.mark.parametrize("name", CHANGES)
def test_case_133_without_encryption_a_change_fails_with_a_message(name: str) -> None:
    assert Asked().ask(name, NEW) == KeyResponse(False, NOT_ENCRYPTED)


def test_case_133_without_encryption_there_is_nothing_to_list() -> None:
    assert Asked().ask(LIST) == KeyResponse(False, NOTHING_TO_LIST)


@pytest.mark.parametrize("name", [*CHANGES, LIST])
def test_while_plaintext_counts_keys_are_neither_shown_nor_changed(name: str) -> None:
    asked = Asked(OLD)
    asked.exposed = True
    assert asked.ask(name, NEW) == KeyResponse(False, EXPOSED)
    assert asked.keys == (OLD,)
    asked.exposed = False
    assert asked.ask(LIST).ok


def test_a_list_says_which_key_is_the_primary_one() -> None:
    texts = tuple(b64encode(key).decode() for key in (NEW, OLD))
    assert Asked(NEW, OLD).ask(LIST) == KeyResponse(True, "", texts, texts[0])


def test_a_list_that_does_not_fit_is_truncated_and_says_so() -> None:
    keys = [bytes((number,)) * 16 for number in range(60)]
    asked = Asked(*keys, limit=900)
    answer = asked.ask(LIST)
    assert answer.ok
    assert answer.keys is not None
    shown = len(answer.keys)
    assert 20 < shown < 36
    assert answer.message == f"truncated key list response, showing first {shown} of 60 keys"
    assert answer.keys == tuple(b64encode(key).decode() for key in keys[:shown])
    asked.limit = len(asked.raw(LIST, None) or b"") - 1
    one_less = asked.ask(LIST).keys
    assert one_less is not None
    assert len(one_less) == shown - 1


def test_a_list_of_which_nothing_fits_is_a_failure() -> None:
    assert not Asked(OLD, limit=10).ask(LIST).ok


def test_an_illegal_request_gets_a_result_and_an_empty_one_nothing() -> None:
    asked = Asked(OLD)
    illegal = query_of(name=INSTALL, payload=b"\x07\xc1")
    answer = decode_key_response_untrusted(
        asked.queries.answer_untrusted(illegal, lambda _: True) or b""
    )
    assert not answer.ok
    assert "not legal" in answer.message
    with pytest.raises(WireError):
        asked.queries.answer_untrusted(query_of(name=INSTALL, payload=b""), lambda _: True)


def test_a_ring_does_not_grow_for_ever() -> None:
    asked = Asked(OLD)
    for number in range(1, KEYS_MAX):
        assert asked.ask(INSTALL, number.to_bytes(16, "big")).ok
    refused = asked.ask(INSTALL, NEW)
    assert (refused.ok, len(asked.keys)) == (False, KEYS_MAX)
    assert "remove some first" in refused.message
    assert asked.ask(INSTALL, OLD).ok, "it is there already"


# -- rings that are kept in a file --------------------------------------------------


def test_a_change_is_answered_when_it_was_saved() -> None:
    asked = Asked(OLD, saves=True)
    assert asked.raw(INSTALL, NEW) is None
    assert asked.keys == (OLD, NEW), "it counts at once"
    [effect] = asked.outbox.take_effects()
    assert effect == SaveKeyring(1, (OLD, NEW))
    saved = asked.queries.saved(1, "")
    assert saved is not None
    query, answer = saved
    assert query.name == INSTALL
    assert decode_key_response_untrusted(answer) == KeyResponse(True)
    assert asked.queries.saved(1, "") is None, "once"


def test_a_ring_that_could_not_be_saved_stays_changed_and_the_answer_is_a_failure() -> None:
    asked = Asked(OLD, saves=True)
    asked.raw(INSTALL, NEW)
    saved = asked.queries.saved(1, "/k.json: no space left on device")
    assert saved is not None
    answer = decode_key_response_untrusted(saved[1])
    assert not answer.ok
    assert answer.message == (
        "changed, not saved, lost at a restart: /k.json: no space left on device"
    )
    assert asked.keys == (OLD, NEW)
    asked.raw(INSTALL, NEW)
    assert len(asked.outbox.take_effects()) == 2, "asked again it tries again"


def test_lists_and_refusals_do_not_wait_for_a_disk() -> None:
    asked = Asked(OLD, saves=True)
    assert asked.ask(LIST).ok
    assert not asked.ask(USE, NEW).ok
    assert asked.outbox.take_effects() == []


def test_changes_that_wait_for_a_disk_are_bounded() -> None:
    asked = Asked(OLD, saves=True)
    for _ in range(SAVES_MAX):
        assert asked.raw(INSTALL, NEW) is None
    refused = asked.ask(INSTALL, NEW)
    assert (refused.ok, "not saved" in refused.message) == (False, True)


def test_no_key_shows_in_what_may_be_logged() -> None:
    asked = Asked(OLD, saves=True)
    asked.raw(INSTALL, NEW)
    shown = repr(asked.outbox.take_effects()) + repr(asked.outbox.take_events())
    assert repr(NEW)[2:-1] not in shown
    assert repr(OLD)[2:-1] not in shown
