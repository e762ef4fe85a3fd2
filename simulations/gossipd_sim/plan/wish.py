"""``Wish``: what an operator wants of a cluster, and what it has to bear."""

from __future__ import annotations

from math import isfinite

from gossipd.config.values import seconds_from
from gossipd.errors import ConfigError, UsageError
from gossipd.value import Value

NODES_MIN, NODES_MAX = 3, 1000
"""Sizes that are rehearsed. Times grow by log10 of the size, so a plan for 1000 nodes
is a plan for some thousands."""
LOSS_MAX = 0.5
"""Share of lost packets beyond which no settings help."""
DETECT_MIN, DETECT_MAX = 0.1, 600.0
PAUSE_MAX = 600.0
RTT_MAX = 1.5
UNITS_OF_SHARE = 100


class Wish(Value, kw_only=True):
    """What is asked for; durations in seconds, shares within 0..1.

    ``nodes``: members. ``detect``: 99 of 100 crashes are known to everybody within
    this. ``pause``: a member may stop for this long, as if by SIGSTOP, and ``loss``
    of all packets are lost, without anybody being declared failed.
    ``false_positives``: the share of pauses, and of members in an hour, that may
    be nevertheless. ``rtt``: an ordinary round trip.
    """

    nodes: int
    detect: float
    pause: float = 0.0
    loss: float = 0.0
    false_positives: float = 0.0
    rtt: float = 0.001

    @property
    def is_contradictory(self) -> bool:
        """Whether a pause and a crash are the same for as long as it takes to tell."""
        return self.pause >= self.detect


def check_wish(wish: Wish) -> None:
    """Refuse what cannot be asked.

    Raises:
        UsageError: names the option, what it holds and what would be accepted.
    """
    if not NODES_MIN <= wish.nodes <= NODES_MAX:
        raise UsageError(
            f"--nodes {wish.nodes}: plans are made for {NODES_MIN} to {NODES_MAX} members;"
            f" above, take the plan of {NODES_MAX}: times grow by the logarithm of the size"
        )
    if not DETECT_MIN <= wish.detect <= DETECT_MAX:
        raise UsageError(
            f"--detect {wish.detect:g}s: a wish lies within {DETECT_MIN:g}s..{DETECT_MAX:g}s"
        )
    if not 0 <= wish.pause <= PAUSE_MAX:
        raise UsageError(f"--pause {wish.pause:g}s: a wish lies within 0s..{PAUSE_MAX:g}s")
    if not 0 <= wish.loss <= LOSS_MAX:
        raise UsageError(f"--loss {wish.loss:.4g}: a wish lies within 0%..{LOSS_MAX:.0%}")
    if not 0 <= wish.false_positives < 1:
        raise UsageError(
            f"--false-positives {wish.false_positives:.4g}: a wish lies within 0%..99%"
        )
    if not 0 < wish.rtt <= RTT_MAX:
        raise UsageError(f"--rtt {wish.rtt:g}s: a wish lies above 0s, up to {RTT_MAX:g}s")


def duration_from(option: str, text: str) -> float:
    """Return the seconds that ``text`` (``3s``, ``500ms``, ``1m30s``) means.

    Raises:
        UsageError: it is no duration; names ``option``.
    """
    try:
        if text.strip():
            return seconds_from(text)
    except ConfigError:
        pass
    raise UsageError(f"{option} {text!r} is not a duration from 0 on: write 3s, 500ms or 1m30s")


def share_from(option: str, text: str) -> float:
    """Return the share that ``text`` (``1%`` or ``0.01``) means, from 0 on.

    Raises:
        UsageError: it is none; names ``option``.
    """
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (UNITS_OF_SHARE if percent else 1)
    except ValueError:
        share = -1.0
    if rest or not isfinite(share) or share < 0:
        raise UsageError(f"{option} {text!r} is not a share: write 1% or 0.01")
    if share >= 1:
        raise UsageError(f"{option} {text!r}: a share is below 100%")
    return share
