"""``Kept``: answers that are sent again as long as what they were made from is the same.

Told by identity: the node hands out the same view until something changes.
"""

from __future__ import annotations

from collections.abc import Hashable

from gossipd.rest.values import Reply

KEPT_MAX = 2048
KEPT_BYTES_MAX = 8 * 2**20
"""Of all answers with their questions, the longest kept go first; one may take half of it."""
QUESTION_FACTOR = 8
"""Bytes that a question takes for each character that it is written with: it is many small
texts, and clients make up as many and as long ones as they like."""


class Kept:
    """Answers by question."""

    __slots__ = ("_by_question", "_bytes", "hits", "misses")

    def __init__(self) -> None:
        self._by_question: dict[Hashable, tuple[tuple[object, ...], Reply, int]] = {}
        self._bytes = 0
        self.hits = 0
        self.misses = 0

    def find(self, question: Hashable, made_from: tuple[object, ...]) -> Reply | None:
        """Return the answer to ``question`` if it was made from the same things."""
        entry = self._by_question.get(question)
        if entry is not None and are_the_same(entry[0], made_from):
            self.hits += 1
            return entry[1]
        self.misses += 1
        return None

    def keep(self, question: Hashable, made_from: tuple[object, ...], reply: Reply) -> None:
        """Keep an answer, if it is not too long."""
        kept = self._by_question
        old = kept.pop(question, None)
        if old is not None:
            self._bytes -= old[2]
        size = len(reply.body) + QUESTION_FACTOR * len(repr(question))
        if size > KEPT_BYTES_MAX // 2:
            return
        kept[question] = made_from, reply, size
        self._bytes += size
        while len(kept) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
            self._bytes -= kept.pop(next(iter(kept)))[2]

    def __len__(self) -> int:
        return len(self._by_question)


def are_the_same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    """Return whether what an answer was made from is what there is now."""
    return all(
        one is other or (type(one) is int and one == other)
        for one, other in zip(before, now, strict=True)
    )
