"""Plots of a report: matplotlib, loaded here and nowhere else (the extra ``sim``).

Each plot is written as PNG and as SVG, the same bytes for the same run: no
dates, fixed identifiers. Colours are those of Okabe and Ito, told apart by
all; what is dashed or dotted is also told apart in grey.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from gossipd_sim.curves import Course, pooled_traffic, pooled_views
from gossipd_sim.errors import MissingExtra
from gossipd_sim.news import News, Spread, everywheres, firsts

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtra("matplotlib") from error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
OF_CAUSES = {
    "ping": BLUE,
    "ack": SKY,
    "gossip": ORANGE,
    "streams": GREEN,
    "ping_req": PURPLE,
    "nack": RED,
}
OTHER_CAUSE = YELLOW
OF_NEWS = {
    News.CRASH: RED,
    News.FREEZE: PURPLE,
    News.FALSE_ALARM: BLACK,
    News.LEAVE: ORANGE,
    News.RETURN: BLUE,
    News.JOIN: SKY,
}
DASHES_OF_NEWS = {
    News.CRASH: "-",
    News.FREEZE: "-.",
    News.FALSE_ALARM: ":",
    News.LEAVE: "--",
    News.RETURN: "-.",
    News.JOIN: ":",
}
"""For bands; single lines of one kind are told apart by ``LINES``."""
LINES = ("-", "--", "-.", ":")
LINES_MAX = 6
"""So many pieces of news of one kind get a line each; more become a band."""
BAND = (0.1, 0.9)
FAULTS_MARKED = 40
GRID_POINTS = 120
STRETCH = 6.0
"""A last moment so many times later than most goes on a logarithmic axis."""
SIZE = (8.0, 4.5)
"""Inches, at 100 dots each."""


def write_plots(courses: Sequence[Course], title: str, folder: Path) -> None:
    """Write every plot of some runs of one scenario into ``folder``, as PNG and as SVG.

    Args:
        courses: one for each seed, at least one.
    """
    draw: dict[str, Callable[[Axes, Sequence[Course]], None]] = {
        "detection": _detection,
        "infection": _infection,
        "views": _views,
        "traffic": _traffic,
    }
    for name, drawing in draw.items():
        with _style():
            figure = Figure(figsize=SIZE, layout="constrained")
            axes = figure.add_subplot()
            drawing(axes, courses)
            figure.suptitle(f"{title}: {axes.get_title()}", fontsize=11)
            axes.set_title("")
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.hashsalt": "gossipd",
            "svg.fonttype": "none",
            "font.size": 10,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "figure.dpi": 100,
        }
    )


# -- detection ---------------------------------------------------------------------


def _detection(axes: Axes, courses: Sequence[Course]) -> None:
    spreads = [spread for course in courses for spread in course.spreads]
    crashes = sum(spread.news is News.CRASH for spread in spreads)
    axes.set_title("how long until a crash is noticed")
    axes.set_xlabel("seconds since the crash")
    axes.set_ylabel(f"share of {crashes} crashes")
    axes.set_ylim(0, 1.03)
    if not crashes:
        _say_nothing(axes, "nobody crashed")
        return
    for label, delays, colour, line in (
        ("shown as failed by the first", firsts(spreads, News.CRASH), BLUE, "-"),
        ("shown as failed everywhere", everywheres(spreads, News.CRASH), RED, "--"),
    ):
        times = sorted(delays)
        shares = [(rank + 1) / crashes for rank in range(len(times))]
        text = f"{label} ({len(times)} of {crashes})"
        if times:
            axes.step([times[0], *times], [0.0, *shares], colour, ls=line, where="post", label=text)
        else:
            axes.plot([], [], colour, ls=line, label=text)
    axes.legend(loc="upper left")
    _begin_at_zero(axes)


# -- infection -----------------------------------------------------------------------


def _infection(axes: Axes, courses: Sequence[Course]) -> None:
    axes.set_title("how news spreads")
    axes.set_xlabel("seconds since the first other member knew")
    axes.set_ylabel("share of members that know")
    axes.set_ylim(0, 1.03)
    heard = [spread for course in courses for spread in course.spreads if spread.delays]
    if not heard:
        _say_nothing(axes, "there was no news")
        return
    grid = _time_axis(axes, [_since_first(spread) for spread in heard])
    for news, colour in OF_NEWS.items():
        some = [spread for spread in heard if spread.news is news]
        if 0 < len(some) <= LINES_MAX and len(courses) == 1:
            for number, spread in enumerate(some):
                style = LINES[number % len(LINES)]
                label = f"{news} of {spread.node} at {spread.at:g} s"
                shares = [_share(spread, at) for at in grid]
                width = 1.6 if number < len(LINES) else 0.9
                axes.step(grid, shares, colour, ls=style, lw=width, where="post", label=label)
        elif some:
            _band(axes, grid, some, f"{len(some)} × {news}, median and middle 80 %")
    axes.legend(loc="lower right")


def _band(axes: Axes, grid: Sequence[float], some: Sequence[Spread], label: str) -> None:
    """Draw the median share of ``some`` news of one kind, and where most of them are."""
    colour, dashes = OF_NEWS[some[0].news], DASHES_OF_NEWS[some[0].news]
    columns = [sorted(_share(spread, at) for spread in some) for at in grid]

    def at_share(share: float) -> list[float]:
        return [column[min(len(column) - 1, int(share * len(column)))] for column in columns]

    low, high = (at_share(share) for share in BAND)
    axes.fill_between(grid, low, high, color=colour, alpha=0.15, lw=0, step="post")
    axes.step(grid, at_share(0.5), colour, ls=dashes, lw=1.8, where="post", label=label)


def _since_first(spread: Spread) -> list[float]:
    return [delay - spread.delays[0] for delay in spread.delays]


def _share(spread: Spread, seconds: float) -> float:
    """Return which part of the witnesses knew ``seconds`` after the first."""
    limit = spread.delays[0] + seconds
    return sum(delay <= limit for delay in spread.delays) / spread.witnesses


def _time_axis(axes: Axes, delays: Sequence[Sequence[float]]) -> list[float]:
    """Return moments from 0 to the last of ``delays``; a few stragglers bend the axis."""
    every = sorted(delay for row in delays for delay in row)
    last = max(every[-1], 0.1)
    most = max(every[int(0.95 * (len(every) - 1))], 0.1)
    if last > STRETCH * most:
        axes.set_xscale("symlog", linthresh=most)
        axes.axvline(most, color=BLACK, lw=0.6, alpha=0.4)
        axes.set_xlabel(f"{axes.get_xlabel()} (logarithmic from {most:.2g} s on)")
        half = GRID_POINTS // 2
        near = [most * number / half for number in range(half)]
        return near + [most * (last * 1.05 / most) ** (number / half) for number in range(half + 1)]
    axes.set_xlim(0, last * 1.05)
    return [last * 1.05 * number / GRID_POINTS for number in range(GRID_POINTS + 1)]


# -- over time -----------------------------------------------------------------------


def _views(axes: Axes, courses: Sequence[Course]) -> None:
    axes.set_title("how many members the views show as alive")
    axes.set_ylabel("members shown as alive")
    times, views = courses[0].times, pooled_views(courses)
    times = times[: len(views)]
    low, high = [view.low for view in views], [view.high for view in views]
    axes.fill_between(
        times, low, high, color=SKY, alpha=0.35, lw=0, step="post", label="least to greatest view"
    )
    axes.step(
        times, [view.median for view in views], BLUE, where="post", lw=1.8, label="median view"
    )
    axes.step(
        times, [view.truth for view in views], BLACK, ls="--", lw=1.2, where="post",
        label="really up",
    )  # fmt: skip
    axes.set_ylim(0, max(high) * 1.08 + 0.5)
    _mark_faults(axes, courses[0], times[-1])
    axes.legend(loc="lower right")


def _traffic(axes: Axes, courses: Sequence[Course]) -> None:
    axes.set_title("what members send, by cause")
    axes.set_ylabel("bytes a member a second")
    traffic = pooled_traffic(courses)
    order = sorted(traffic, key=lambda cause: -sum(traffic[cause]))
    times = courses[0].times[: len(next(iter(traffic.values()), ()))]
    axes.stackplot(
        times,
        [_smoothed(traffic[cause], courses[0].step) for cause in order],
        labels=[_words(cause) for cause in order],
        colors=[OF_CAUSES.get(cause, OTHER_CAUSE) for cause in order],
        alpha=0.85,
        lw=0,
    )
    axes.set_xlim(0, times[-1] if times else 1)
    _mark_faults(axes, courses[0], times[-1] if times else 1)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper right")


def _smoothed(rates: Sequence[float], step: float, seconds: float = 1.0) -> list[float]:
    """Return the mean over about ``seconds`` before each look: single packets make no line."""
    width = max(1, round(seconds / step))
    return [
        sum(rates[max(0, end - width) : end]) / min(end, width) for end in range(1, len(rates) + 1)
    ]


def _words(cause: str) -> str:
    return {
        "ping": "pings",
        "ack": "acks",
        "nack": "nacks",
        "ping_req": "ping-reqs",
        "gossip": "gossip",
        "streams": "streams (push/pull)",
    }.get(cause, cause)


def _mark_faults(axes: Axes, course: Course, end: float) -> None:
    """Draw a fine line at each fault, and say so below."""
    moments = list(dict.fromkeys(at for at, _ in course.faults))
    for at in moments[:FAULTS_MARKED]:
        axes.axvline(at, color=RED, lw=0.7, ls=":", alpha=0.8)
    more = f", the first {FAULTS_MARKED}" if len(moments) > FAULTS_MARKED else ""
    note = f" (dotted: faults begin or end{more})" if moments else ""
    axes.set_xlabel(f"virtual seconds{note}")
    axes.set_xlim(0, end)


# -- small things ----------------------------------------------------------------------


def _begin_at_zero(axes: Axes) -> None:
    axes.set_xlim(0, max(axes.get_xlim()[1], 0.1))


def _say_nothing(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="0.4")
    axes.set_xlim(0, 1)
