"""``Agreement``: how much of what all hosts show of each other is true, over time.

A pair is a host that is up and another machine: the host should show it as
alive if it is up and the two are connected, and should not if it is down.
Who is up and out of reach, hindered or leaving may be shown in any way.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.serf.events import SerfMember
from gossipd.shared import SharedDict
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host
from gossipd_sim.numbers import quantile
from gossipd_sim.truth import Truth


class Agreement:
    """The share of true pairs, each time somebody looks."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._shares: list[tuple[float, float]] = []
        self._disturbed_at: float | None = None
        self._took: list[float] = []
        self._kept: dict[str, tuple[tuple[int, int, int], int, int]] = {}
        """By host: the versions of view and truth, then true pairs and all pairs."""
        self._common: tuple[int, _Weigher] | None = None
        """The version of the truth, and the judge that all views share."""

    def disturbed(self, now: float) -> None:
        """Note that the truth changed; several changes before all agree count as the first."""
        if self._disturbed_at is None:
            self._disturbed_at = now

    def look(self, now: float) -> None:
        """Compare all views with the truth."""
        true = pairs = 0
        for host in self._truth.up():
            true_here, pairs_here = self._of(host)
            true += true_here
            pairs += pairs_here
        share = true / pairs if pairs else 1.0
        if not self._shares or self._shares[-1][1] != share:
            self._shares.append((round(now, 3), share))
        if self._disturbed_at is not None and true == pairs:
            self._took.append(now - self._disturbed_at)
            self._disturbed_at = None

    def values(self, now: float) -> dict[str, object]:
        """Return the share at the end and its course, and how long it took to agree again.

        ``course`` holds the moments at which the share changed, as far as was looked.
        """
        return {
            "share": round(self._shares[-1][1], 6) if self._shares else 1.0,
            "converged": len(self._took),
            "median": round(quantile(self._took, 0.5), 3) if self._took else None,
            "max": round(max(self._took), 3) if self._took else None,
            "unsettled": None if self._disturbed_at is None else round(now - self._disturbed_at, 3),
            "course": [[at, round(share, 6)] for at, share in self._shares],
        }

    def _of(self, host: Host) -> tuple[int, int]:
        node, truth = host.node, self._truth
        if node is None:
            return 0, 0
        state = (host.life, insight.roster_version(node), truth.version)
        kept = self._kept.get(host.name)
        if kept is None or kept[0] != state:
            weigh = self._weigher(host)
            shown = insight.roster(node)
            if isinstance(shown, SharedDict):
                gained = shown.total(weigh)
            else:
                gained = sum(weigh(name, member) for name, member in shown.items())
            true = weigh.down + gained
            kept = self._kept[host.name] = (state, true, len(weigh.expected))
        return kept[1], kept[2]

    def _weigher(self, host: Host) -> _Weigher:
        """Return what judges the view of ``host``; while all are connected all share one."""
        truth = self._truth
        if not truth.all_are_connected():
            return _Weigher(self._expected(host))
        if self._common is None or self._common[0] != truth.version:
            self._common = (truth.version, _Weigher(self._expected(None)))
        return self._common[1]

    def _expected(self, host: Host | None) -> dict[str, bool]:
        """Return whether ``host``, or anybody, should show each node as alive, if it matters."""
        truth = self._truth
        expected: dict[str, bool] = {}
        for other in truth.hosts.values():
            name = other.config.name
            if len(truth.named(name)) > 1:
                continue
            if not other.is_up:
                expected[name] = False
            elif not (other.is_hindered or other.is_leaving) and (
                host is None or truth.are_connected(host, other)
            ):
                expected[name] = True
        return expected


class _Weigher:
    """Says what one entry of a view adds to its true pairs, beyond an empty view's."""

    def __init__(self, expected: Mapping[str, bool]) -> None:
        self.expected = expected
        self.down = sum(not is_alive for is_alive in expected.values())
        """True pairs of an empty view: it shows nobody as alive who is down."""

    def __call__(self, name: str, member: SerfMember) -> int:
        expected = self.expected.get(name)
        if expected is None:
            return 0
        is_alive = member.status is MemberStatus.ALIVE
        return int(is_alive) if expected else -int(is_alive)
