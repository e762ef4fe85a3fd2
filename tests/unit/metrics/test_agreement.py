"""Whether push/pulls bring what gossip should have brought, as far as a node can tell."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.ledger import NOTHING, Ledger
from gossipd.metrics.agreement import AGREED, MERGING, NEWS, SYNCS, Agreement
from gossipd.metrics.collecting import Collector
from gossipd.metrics.samples import State, samples_of
from gossipd.node.events import NodeEvent, SyncFinished
from gossipd.swim.events import MemberFailed, MemberJoined, MemberLeft
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import Versions
from support.fake_handle import FakeHandle

PEER = Address(b"\x0a\0\0\2", 7946)
NOW = 1_700_000_000.0


def member(name: str) -> Member:
    return Member(name, PEER, b"", Versions(), MemberState.ALIVE, 1, 0.0)


class Watched:
    """An agreement that is told events at times."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.wall = NOW
        self._agreement = Agreement(self.ledger, "a", lambda: self.wall)

    def see(self, event: NodeEvent, at: float) -> None:
        self.wall = NOW + at
        self._agreement.take(event, 1000.0 + at)

    def sync(self, at: float, error: str = "", *, is_join: bool = False) -> None:
        self.see(SyncFinished("b", PEER, is_join, error), at)

    def shown(self) -> tuple[dict[str, float], dict[str, float], float]:
        """Return news by way, syncs by result, and when members agreed, since the start."""
        handle = FakeHandle()
        samples = samples_of(
            State(
                view=handle.view(), statistics=handle.statistics(), counts=self.ledger.counts,
                tallies=self.ledger.tallies, degraded={}, version="1",
                runtime={"num_goroutines": 1, "heap_objects": 1, "total_gc_runs": 1},
            )
        )  # fmt: skip
        (_, agreed), = samples["gossipd_members_agreed_timestamp_seconds"]  # fmt: skip
        assert isinstance(agreed, float)

        def of(name: str) -> dict[str, float]:
            return {
                label: amount
                for (label,), amount in samples[name]
                if isinstance(amount, int | float)
            }

        return (
            of("gossipd_member_news_total"),
            of("gossipd_member_syncs_total"),
            agreed - NOW if agreed else 0.0,
        )


def test_all_is_zero_before_anything_happened() -> None:
    assert Watched().shown() == (
        {"gossip": 0, "push_pull": 0},
        {"same": 0, "behind": 0, "failed": 0},
        0.0,
    )


def test_a_push_pull_without_news_is_agreement() -> None:
    watched = Watched()
    watched.see(MemberJoined(member("b"), PEER), 1.0)
    watched.see(MemberLeft(member("c"), PEER), 2.0)
    watched.sync(2.0)
    assert watched.shown() == (
        {"gossip": 2, "push_pull": 0},
        {"same": 1, "behind": 0, "failed": 0},
        2.0,
    )


def test_one_that_brings_news_finds_us_behind_and_is_no_agreement() -> None:
    watched = Watched()
    watched.sync(5.0)
    watched.see(MemberJoined(member("b")), 30.0)
    watched.see(MemberLeft(member("c")), 30.0 + MERGING)  # a large state comes in portions
    watched.sync(30.0 + 2 * MERGING)
    assert watched.shown() == (
        {"gossip": 0, "push_pull": 2},
        {"same": 1, "behind": 1, "failed": 0},
        5.0,
    )
    watched.sync(60.0)
    assert watched.shown()[1:] == ({"same": 2, "behind": 1, "failed": 0}, 60.0)


def test_joins_failures_and_what_concerns_ourselves_say_nothing() -> None:
    watched = Watched()
    watched.see(MemberJoined(member("a")), 1.0)
    watched.sync(1.0, is_join=True)
    watched.see(MemberFailed(member("b"), "c", 0, None), 2.0)
    watched.sync(3.0, "timeout")
    assert watched.shown() == (
        {"gossip": 0, "push_pull": 0},
        {"same": 0, "behind": 0, "failed": 1},
        0.0,
    )


async def test_the_moment_is_no_sample_for_statsd() -> None:
    watched = Watched()
    collector = Collector(FakeHandle().statistics, watched.ledger, lambda: watched.wall)
    watched.sync(5.0)
    watched.wall += 20.0
    interval, _ = collector.latest()
    assert watched.ledger.read()[AGREED] == NOTHING
    assert AGREED not in interval.samples
    assert interval.counters[SYNCS + "same"].total == 1
    assert NEWS + "gossip" not in interval.counters
