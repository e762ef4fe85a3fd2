"""Why figures of the full sample lie outside their bands, where that is known or supposed.

By recipe and the beginning of the quantity; a reason that a recipe gives itself
wins. What has not been found out says so.
"""

from __future__ import annotations

from gossipd.value import replace
from gossipd_sim.papers.figure import Figure

_FEW_EVENTS = (
    "a handful of events: a sample of 48 runs has few false positives at healthy agents, so"
    " that a share of them means little; the paper had 1326 in 4320 runs"
)
_SMALL_CLUSTER = (
    "250 members, of whom 2 are cut off, where the paper had 1000 and 10: so few are more"
    " often out of all views at once"
)
REASONS: tuple[tuple[str, str, str], ...] = (
    (
        "L1",
        "SWIM, first detection, 99.9 %",
        "the 999th of a thousand, of some five hundred detections: about the last of them, a"
        " matter of chance; the paper had ten times as many",
    ),
    (
        "L3",
        "false positives (FP), LHA-Probe",
        "one of the 48 cells, 28 sick agents with anomalies of 16 s and breaks of 64 ms, has half"
        " of all false positives: 2391 of SWIM's 4664 and 2530 of LHA-Probe's 4435; over the"
        " other 47 the share is 84 %. Anomalies of 16 and 32 s outlast every suspicion, and they"
        " weigh more here than in the published sums, which do not tell D or I",
    ),
    (
        "L3",
        "steps of the order",
        "the parts alone are in the published order; the last step, LHA-Suspicion with 85 false"
        " positives and Lifeguard with 87 in 48 runs each, is no difference that such a sample"
        " could show: 11 of Lifeguard's come from one cell in which LHA-Suspicion has none",
    ),
    ("L3", "FP at healthy agents", _FEW_EVENTS),
    (
        "L3",
        "messages sent, Lifeguard",
        "supposed: whoever SWIM takes for dead is no longer probed or told anything, and SWIM's"
        " false positives lie in fewer, heavier cells here than in the paper",
    ),
    (
        "L5",
        "SWIM, FP-, 4 stressed",
        "the law of the service times is a guess from its median and 99 %; what 128 busy"
        " processes do to an agent was not published",
    ),
    (
        "R1",
        "distinct view sizes",
        "views are written down once a second, and so small a cluster is complete after a few"
        " of them; the published figure is of 1000 members, which take ten minutes here",
    ),
    ("R3", "seconds in a row", _SMALL_CLUSTER),
    ("R3", "returns that the median member saw", _SMALL_CLUSTER),
    (
        "R4",
        "smallest view",
        "whoever loses 80 % of what it is sent still answers a ping by TCP; text and caption of"
        " the paper differ about which direction was lost",
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
