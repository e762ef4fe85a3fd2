"""This node's own incarnation: the only thing that undoes an accusation (SWIM section 4.2).

Incarnations are u32. They are never wrapped: a claim about us at the highest
incarnation cannot be outdone, so it stays unanswered and is counted by the
dispatcher. (The reference wraps to 0 there, which peers ignore: the same
outcome, but with a lie on the wire.) Only a hostile peer gets that far; a
restart under another name is the way out.
"""

from __future__ import annotations

INCARNATION_MAX = 0xFFFFFFFF


class OwnIncarnation:
    """A counter that only grows; 0 until the first use."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def raise_by_one(self) -> int:
        """Return the next incarnation for something new we say of ourselves.

        Stays at ``INCARNATION_MAX`` once that is reached.
        """
        self.value = min(self.value + 1, INCARNATION_MAX)
        return self.value

    def raise_above(self, accused: int) -> int | None:
        """Return an incarnation above our own and above ``accused`` (section 8.4).

        ``None``, with nothing changed, if u32 has none left.
        """
        raised = max(self.value, accused) + 1
        if raised > INCARNATION_MAX:
            return None
        self.value = raised
        return raised
