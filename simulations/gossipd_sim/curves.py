"""``Curves``: the course of a run over time, for plots: views, traffic, and how news spread.

An observer that looks at all hosts on a grid of moments, at most ``LOOKS_MAX``
of them, and counts a view again only when it has changed. It sets nothing to
happen, so that a run with it is the same as one without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipd.node.events import NodeEvent
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.cluster import Cluster
from gossipd_sim.host import Host
from gossipd_sim.link_faults import Calm
from gossipd_sim.network import TCP
from gossipd_sim.news import Spread, Spreads
from gossipd_sim.news_watcher import NewsWatcher
from gossipd_sim.numbers import quantile
from gossipd_sim.observer import Watcher

LOOKS_MAX = 480
SHORTEST_STEP = 0.25
"""Seconds between looks at least."""
STREAMS = "streams"
"""The cause of all bytes over TCP: push/pull, and pings when UDP fails."""


class Views(Value):
    """How many members the views of those up show as alive, and how many are."""

    low: int
    median: int
    high: int
    truth: int


class Course(Value, kw_only=True):
    """One run over time.

    ``step``: seconds between looks. ``views``: one for each look, the first at
    0. ``traffic``: by cause, bytes a member a second between a look and the
    one before (the first is 0). ``faults``: when (seconds) and what. ``untold``:
    news that there was no room to follow.
    """

    step: float
    views: tuple[Views, ...]
    traffic: Mapping[str, tuple[float, ...]]
    spreads: tuple[Spread, ...]
    faults: tuple[tuple[float, str], ...]
    untold: int

    @property
    def times(self) -> tuple[float, ...]:
        """The moments of the looks, in seconds."""
        return tuple(round(self.step * number, 6) for number in range(len(self.views)))


class Curves(Watcher):
    """Records the course of the run of ``cluster``; make it before the run."""

    def __init__(self, cluster: Cluster) -> None:
        self._truth = cluster.truth
        self._measures = cluster.measures
        self._network = cluster.network
        self._step = max(SHORTEST_STEP, cluster.scenario.horizon / LOOKS_MAX)
        self._spreads = Spreads()
        self._watcher = NewsWatcher(
            cluster.truth, self._spreads, begins_formed=cluster.begins_formed
        )
        self._views: list[Views] = []
        self._traffic: list[dict[str, float]] = []
        self._sent: dict[str, int] = {}
        self._counted: dict[str, tuple[tuple[int, int], int]] = {}
        """By host: life and version of its view, and how many it shows as alive."""
        self._faults = tuple(
            (fault.at, fault.describe()) for fault in cluster.faults if not isinstance(fault, Calm)
        )
        cluster.observers.append(self)

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Hear who hears what."""
        self._watcher.on_event(host, event, now)

    def on_step(self, host: Host, now: float) -> None:
        """Look when it is time."""
        self._watcher.on_step(host, now)
        if now >= len(self._views) * self._step:
            self._look(now)

    def on_fault(self, text: str, now: float) -> None:
        """Have the news of it followed."""
        self._watcher.on_fault(text, now)

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Look a last time."""
        self._watcher.catch_up()
        self._look(now)

    def course(self) -> Course:
        """Return what was recorded so far."""
        causes = sorted({cause for sent in self._traffic for cause in sent})
        return Course(
            step=self._step,
            views=tuple(self._views),
            traffic={
                cause: tuple(round(sent.get(cause, 0.0), 3) for sent in self._traffic)
                for cause in causes
            },
            spreads=self._spreads.spreads(),
            faults=self._faults,
            untold=self._spreads.untold,
        )

    def _look(self, now: float) -> None:
        """Fill the grid up to ``now``; nothing happened on what was passed over."""
        up = self._truth.up()
        sizes = sorted(self._size(host) for host in up) or [0]
        views = Views(sizes[0], int(quantile(sizes, 0.5)), sizes[-1], len(up))
        sent = dict(self._measures.bytes_by_cause)
        sent[STREAMS] = self._network.sent.total(TCP).bytes
        missed = int(now / self._step) + 1 - len(self._views)
        seconds = max(missed * self._step, 1e-9) * max(len(up), 1)
        rates = {
            cause: (total - self._sent.get(cause, 0)) / seconds for cause, total in sent.items()
        }
        self._sent = sent
        for _ in range(missed):
            self._views.append(views)
            self._traffic.append(rates)

    def _size(self, host: Host) -> int:
        node = host.node
        if node is None:
            return 0
        state = (host.life, insight.roster_version(node))
        known = self._counted.get(host.name)
        if known is None or known[0] != state:
            alive = MemberStatus.ALIVE
            size = sum(member.status is alive for member in insight.roster(node).values())
            known = self._counted[host.name] = (state, size)
        return known[1]


def pooled_views(courses: Sequence[Course]) -> tuple[Views, ...]:
    """Return the views of several runs as one: least of all, median of medians, greatest of all."""
    return tuple(
        Views(
            min(one.low for one in looks),
            int(quantile([one.median for one in looks], 0.5)),
            max(one.high for one in looks),
            int(quantile([one.truth for one in looks], 0.5)),
        )
        for looks in zip(*(course.views for course in courses), strict=False)
    )


def pooled_traffic(courses: Sequence[Course]) -> dict[str, tuple[float, ...]]:
    """Return the mean traffic of several runs by cause."""
    looks = min(len(course.views) for course in courses)
    causes = sorted({cause for course in courses for cause in course.traffic})
    nothing = (0.0,) * looks

    def mean_of(cause: str) -> tuple[float, ...]:
        rows = [course.traffic.get(cause, nothing)[:looks] for course in courses]
        return tuple(sum(row) / len(rows) for row in zip(*rows, strict=True))

    return {cause: mean_of(cause) for cause in causes}


def course_json(course: Course) -> dict[str, object]:
    """Return a course as plain values; seconds, and bytes a member a second."""
    return {
        "step": course.step,
        "views": {
            name: [getattr(view, name) for view in course.views]
            for name in ("low", "median", "high", "truth")
        },
        "traffic": {cause: list(rates) for cause, rates in course.traffic.items()},
        "spreads": [
            {
                "news": str(spread.news),
                "node": spread.node,
                "at": round(spread.at, 6),
                "witnesses": spread.witnesses,
                "delays": [round(delay, 4) for delay in spread.delays],
            }
            for spread in course.spreads
        ],
        "faults": [{"at": at, "fault": text} for at, text in course.faults],
        "untold": course.untold,
    }
