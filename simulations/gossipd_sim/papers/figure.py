"""``Figure``: one published figure, the band it allows, and what we measured."""

from __future__ import annotations

from math import inf, isinf, isnan

from gossipd.value import Value

DIGITS = 4
"""Significant digits of numbers in texts."""


class Figure(Value, kw_only=True):
    """A figure of a paper beside ours.

    ``recipe``: its number. ``quantity``: what was measured, and where that is not
    plain, how. ``published``: the figure as the source has it. ``source``: paper
    and section, table or figure; ``computed`` where it follows from a published
    formula. ``unit``: of ``measured``, ``low`` and ``high``. ``low``, ``high``:
    the band, both ends within; infinite ends are open, and with two open ends the
    figure is recorded without being judged. ``note``: what has to be known to
    compare, and the reason where it does not hold.
    """

    recipe: str
    quantity: str
    published: str
    source: str
    unit: str = ""
    low: float = -inf
    high: float = inf
    measured: float
    note: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether there is a band to be in."""
        return not (isinf(self.low) and isinf(self.high))

    @property
    def holds(self) -> bool:
        """Whether ours is within the band; what is not judged holds if it is a number."""
        return not isnan(self.measured) and self.low <= self.measured <= self.high

    @property
    def band(self) -> str:
        """The band as text."""
        if not self.is_judged:
            return "recorded"
        if isinf(self.low):
            return f"up to {number_text(self.high)}"
        if isinf(self.high):
            return f"from {number_text(self.low)}"
        return f"{number_text(self.low)} to {number_text(self.high)}"

    @property
    def verdict(self) -> str:
        """``yes``, ``NO``, or a dash for what is not judged."""
        if self.holds:
            return "yes" if self.is_judged else "–"
        return "NO"


def around(centre: float, share: float) -> tuple[float, float]:
    """Return the ends of a band of ``share`` (0.03 is 3 %) of ``centre`` on each side."""
    return centre * (1 - share), centre * (1 + share)


def number_text(number: float) -> str:
    """Return ``number`` with four significant digits, whole ones in full."""
    if isinf(number) or isnan(number):
        return str(number)
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.0f}" if abs(number) >= 10**DIGITS else f"{number:.{DIGITS}g}"
