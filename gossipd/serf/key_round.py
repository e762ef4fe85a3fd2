"""``KeyRound``: one key query of ours, and what the members said to it (gossip.md, section 18.1).

Counted as Serf's key manager does; which key is the primary one is counted too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from gossipd.errors import WireError
from gossipd.serf.queries import INTERNAL_PREFIX
from gossipd.serf.question import KeyCommand, KeyReport, Question
from gossipd.wire.internal_query_codec import decode_key_response_untrusted, encode_key_request
from gossipd.wire.serf_messages import KeyRequest, KeyResponse

MESSAGE_LETTERS_MAX = 1024
"""Letters kept of what a member says; real ones say less than 100."""
KEYS_COUNTED_MAX = 4096
"""Different keys of one report; what further ones a member makes up is left out."""


def key_question(command: KeyCommand, key: bytes | None) -> Question:
    """Return the query that makes every member do ``command`` with ``key`` (raw bytes)."""
    payload = encode_key_request(KeyRequest(None if command is KeyCommand.LIST else key))
    return Question(name=INTERNAL_PREFIX + command.value, payload=payload)


class KeyRound:
    """Listens to the answers; ``report`` is called once, when everybody has answered.

    Args:
        members: who is alive and has to answer. Who fails meanwhile still counts: it
            may come back without the change.
        report: told what came of it.
    """

    __slots__ = ("_answered", "_errors", "_keys", "_members", "_messages", "_primary", "_report")

    def __init__(self, members: Iterable[str], report: Callable[[KeyReport], None]) -> None:
        self._members = frozenset(members)
        self._report = report
        self._answered: set[str] = set()
        self._errors = 0
        self._messages: dict[str, str] = {}
        self._keys: Counter[str] = Counter()
        self._primary: Counter[str] = Counter()

    def answered(self, node: str, payload: bytes | None) -> None:
        """Count what ``node`` says."""
        self._answered.add(node)
        try:
            response = decode_key_response_untrusted(payload or b"")
        except WireError as error:
            response = KeyResponse(False, f"Failed to decode key query response: {error}")
        if not response.ok:
            self._errors += 1
        if response.message or not response.ok:
            self._messages[node] = response.message[:MESSAGE_LETTERS_MAX]
        for key in dict.fromkeys(response.keys or ()):
            self._count(self._keys, key)
        if response.primary_key:
            self._count(self._primary, response.primary_key)

    def _count(self, keys: Counter[str], key: str) -> None:
        if key in keys or len(keys) < KEYS_COUNTED_MAX:
            keys[key] += 1

    def closed(self) -> None:
        """Say what came of it."""
        nodes, responses = len(self._members | self._answered), len(self._answered)
        error = ""
        if self._errors:
            error = f"{self._errors}/{nodes} nodes reported failure"
        elif responses < nodes:
            error = f"{responses}/{nodes} nodes reported success"
        self._report(
            KeyReport(
                nodes=nodes,
                responses=responses,
                errors=self._errors,
                messages=self._messages,
                keys=dict(self._keys),
                primary_keys=dict(self._primary),
                error=error,
            )
        )
