"""Why figures of the full sample lie outside their bands, where that is known or supposed.

By recipe and the beginning of the quantity; a reason that a recipe gives itself
wins. What has not been found out says so.
"""

from __future__ import annotations

from gossipd.value import replace
from gossipd_sim.papers.figure import Figure

_FEW_EVENTS = (
    "a handful of events: in 48 runs each SWIM had one false positive at healthy agents, and no"
    " configuration more than six, so that a share of them means little; the paper had 1326 in"
    " 4320 runs"
)
REASONS: tuple[tuple[str, str, str], ...] = (
    (
        "L3",
        "steps of the order",
        "the parts alone are in the published order. The two other steps, of 4540 false positives"
        " with Buddy and 4520 of SWIM, and of 129 of Lifeguard and 84 with LHA-Suspicion, are no"
        " differences that such a sample could show: 20 and 45, where cells that differ by chance"
        " make 130 and 48 (the root of the sum of the squares of what cells differ by)",
    ),
    ("L3", "FP at healthy agents", _FEW_EVENTS),
    (
        "L3",
        "messages sent, Lifeguard",
        "the share depends on how long anomalies are: 95 % with 2 s, where LHA-Probe prevents"
        " accusations, and 131, 133 and 129 % with 8, 16 and 32 s, where every confirmation of a"
        " longer suspicion is gossiped (LHA-Suspicion alone: 132, 132 and 126 %). The paper does"
        " not tell its load by D",
    ),
    (
        "L5",
        "SWIM, FP-, 4 stressed",
        "the law of the service times is a guess from its median and 99 %; what 128 busy"
        " processes do to an agent was not published",
    ),
    (
        "R1",
        "the same as a share of the time to send all news once, 250 members",
        "a member of ours makes one push/pull 2 to 4 s after it joined, which memberlist does not."
        " Without it the same run took 0.54 of that time",
    ),
    (
        "R1",
        "distinct view sizes",
        "views are written down once a second, and so small a cluster is complete after a few"
        " of them; the published figure is of 1000 members, which take ten minutes here",
    ),
    (
        "R4",
        "smallest view of 250, 80% ingress loss, TCP fallback on",
        "whoever loses 80 % of what it is sent still answers a ping by TCP; text and caption of"
        " the paper differ about which direction was lost",
    ),
    (
        "R4",
        "smallest view of 250, 80% ingress loss, TCP fallback off",
        "who is suspected is told so many times within a suspicion of 9.6 s and more, hears one of"
        " five, and its refutation gets out unhindered: that it hears none is rare, none of two"
        " members in 810 s here; text and caption of the paper differ about the direction",
    ),
)
"""Recipe, how the quantity begins, and the reason."""


def with_reason(figure: Figure) -> Figure:
    """Return ``figure`` with a reason, if it has none, does not hold, and one is known."""
    if figure.note or figure.holds:
        return figure
    for recipe, beginning, reason in REASONS:
        if figure.recipe in (recipe, "L4") and figure.quantity.startswith(beginning):
            return replace(figure, note=reason)
    return figure
