"""What this node answers to key queries, and does for them (gossip.md, sections 17.1, 18.1).

Install, use and remove change the live ring at once; texts are those of rpc.md. A
node whose keys are kept in a file answers a change when that was written: who
rotates keys must not remove the old one anywhere while a restart would bring it
back here. A ring that could not be written stays changed all the same, as the
cluster is about to use it, and the answer is a failure that says so.

On the way from plain to encrypted and back a node takes plaintext, or sends it.
Whoever can reach it could then have it list its keys, or make its cluster use
another one, and what members say of keys could be read by all. So nobody is
answered then but by a refusal, and nothing of the kind is passed on.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from gossipd.errors import UsageError, WireError
from gossipd.outbox import Outbox
from gossipd.serf.effects import SaveKeyring, SerfEffect
from gossipd.serf.events import KeyringChanged, SerfEvent
from gossipd.serf.queries import KEY_QUERIES
from gossipd.serf.question import KeyCommand
from gossipd.wire.internal_query_codec import decode_key_request_untrusted, encode_key_response
from gossipd.wire.keyring import Keyring
from gossipd.wire.serf_messages import KeyResponse, Query

NOT_ENCRYPTED = "No keyring to modify (encryption not enabled)"
NOTHING_TO_LIST = "Keyring is empty (encryption not enabled)"
EXPOSED = (
    "keys are neither shown nor changed while plaintext is accepted or sent: set"
    " wire.verify_incoming and wire.verify_outgoing to true first"
)
"""Why keys stay as they are on the way from plain to encrypted, and back."""
KEYS_MAX = 256
"""Keys that a ring may grow to by queries; each is tried on what no other opens."""
KEY_TEXT_BYTES_MIN = 25
"""Bytes of the shortest key in a list; no more are tried than could fit."""
SAVES_MAX = 64
"""Changes whose file is being written."""

Fits = Callable[[bytes], bool]
"""Says whether an answer of these bytes may be sent."""


class KeyQueries:
    """The answering side of one node.

    Args:
        keyring: the live ring, which is changed; ``None`` while encryption is off.
        saves: the ring is kept in a file: ``SaveKeyring`` follows a change, which is
            answered when ``saved`` tells how it went.
        is_exposed: says whether plaintext is accepted or sent although there are keys.
        outbox: where effects and events are written.
    """

    __slots__ = ("_is_exposed", "_keyring", "_last", "_outbox", "_saves", "_saving")

    def __init__(
        self,
        keyring: Keyring | None,
        outbox: Outbox[SerfEffect, SerfEvent],
        *,
        saves: bool,
        is_exposed: Callable[[], bool],
    ) -> None:
        self._keyring = keyring
        self._is_exposed = is_exposed
        self._saves = saves
        self._outbox = outbox
        self._saving: dict[int, Query] = {}
        self._last = 0

    def answer_untrusted(self, query: Query, fits: Fits) -> bytes | None:
        """Do what the key query ``query`` asks for; return the answer.

        Args:
            query: its name is one of ``KEY_QUERIES``.
            fits: tells how long a list may get.

        Returns:
            ``None`` when the answer comes after ``saved``.

        Raises:
            WireError: a change without a payload, which nothing is answered to.
        """
        command = KEY_QUERIES[query.name]
        ring = self._keyring
        if self._is_exposed():
            return encode_key_response(KeyResponse(False, EXPOSED))
        if command is KeyCommand.LIST:
            if not ring:
                return encode_key_response(KeyResponse(False, NOTHING_TO_LIST))
            return _listed(ring, fits)
        if not query.payload:
            raise WireError("empty-key-query", query.name)
        if not ring:
            return encode_key_response(KeyResponse(False, NOT_ENCRYPTED))
        try:
            key = decode_key_request_untrusted(query.payload).key or b""
            _change(ring, command, key)
        except WireError as error:
            return encode_key_response(KeyResponse(False, f"the key request is not legal: {error}"))
        except UsageError as error:
            return encode_key_response(KeyResponse(False, str(error)))
        self._outbox.events.append(KeyringChanged(command, query.origin_node, len(ring)))
        if not self._saves:
            return encode_key_response(KeyResponse(True))
        if len(self._saving) >= SAVES_MAX:
            text = f"changed, not saved: {SAVES_MAX} changes wait for the disk"
            return encode_key_response(KeyResponse(False, text))
        self._last += 1
        self._saving[self._last] = query
        self._outbox.effects.append(SaveKeyring(self._last, ring.keys))
        return None

    def saved(self, ticket: int, error: str) -> tuple[Query, bytes] | None:
        """Return the query and the answer that waited for the ring to be written.

        Args:
            ticket: of the effect.
            error: why it could not be written, empty if it was.
        """
        query = self._saving.pop(ticket, None)
        if query is None:
            return None
        text = f"changed, not saved, lost at a restart: {error}" if error else ""
        return query, encode_key_response(KeyResponse(not error, text))


def _change(ring: Keyring, command: KeyCommand, key: bytes) -> None:
    match command:
        case KeyCommand.INSTALL:
            if key not in ring and len(ring) >= KEYS_MAX:
                raise UsageError(f"the keyring holds {KEYS_MAX} keys: remove some first")
            ring.add(key)
        case KeyCommand.USE:
            ring.use(key)
        case _:
            ring.remove(key)


def _listed(ring: Keyring, fits: Fits) -> bytes:
    """Return all keys, or as many as fit with a remark that it is not all of them."""
    texts = tuple(b64encode(key).decode() for key in ring.keys)
    whole = encode_key_response(KeyResponse(True, "", texts, texts[0]))
    if fits(whole):
        return whole
    for count in range(min(len(texts) - 1, len(whole) // KEY_TEXT_BYTES_MIN), -1, -1):
        text = f"truncated key list response, showing first {count} of {len(texts)} keys"
        some = encode_key_response(KeyResponse(True, text, texts[:count], texts[0]))
        if fits(some):
            return some
    return encode_key_response(KeyResponse(False, "no key fits into a response"))
