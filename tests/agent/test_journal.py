"""The journal on a disk in the test's hand: what is shown when, and after which failures."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence

import pytest
import trio

from gossipd.address import address_from_host
from gossipd.agent.state import journal as journal_module
from gossipd.agent.state.journal import LAZY, PATIENCE, RETRY, Journal
from gossipd.node.events import NodeEvent, OperationFinished
from gossipd.serf.events import ChangeKind, MemberChange, SerfMember, UserEventReceived
from gossipd.serf.memory import Memory
from gossipd.serf.snapshot import Snapshot, replay_untrusted
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

SYNC = 0.01
"""Seconds a write takes."""


def joined(name: str) -> MemberChange:
    address = address_from_host("10.0.0.4", 7946)
    member = SerfMember(name, address, {}, MemberStatus.ALIVE, Versions(), 1)
    return MemberChange(ChangeKind.JOIN, member)


def updated(name: str) -> MemberChange:
    return MemberChange(ChangeKind.UPDATE, joined(name).member)


def user_event(ltime: int) -> UserEventReceived:
    return UserEventReceived(ltime, "deploy", None, False)


class Disk:
    """A store in memory: ``content`` is what would be there after a crash."""

    path = "/state/snapshot"

    def __init__(self) -> None:
        self.content = b""
        self.error: OSError | None = None
        self.hangs = False
        self.appends: list[bytes] = []
        self.rewrites = 0

    def append(self, data: bytes) -> None:
        self._fail()
        self.appends.append(data)
        self.content += data

    def rewrite(self, pieces: Iterable[bytes]) -> int:
        self._fail()
        self.content = b"".join(pieces)
        self.rewrites += 1
        return len(self.content)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    async def run(self, work: Callable[[], None]) -> None:
        while True:
            await trio.sleep(SYNC)
            if not self.hangs:
                return work()


class Kept:
    """A journal with what it showed and said; each show checks that the disk knows."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.disk = Disk()
        self.times = Memory()
        self.shown: list[NodeEvent] = []
        self.said: list[tuple[str, str]] = []
        self.snapshot = Snapshot()
        self.checks = True
        self.measured: list[tuple[str, int]] = []
        """Writes, and their microseconds."""
        self.journal = Journal(
            self.snapshot,
            self.disk,
            lambda: self.times,
            self._tell,
            self._say,
            self.disk.run,
            lambda name, value: self.measured.append((name, round(1000 * value))),
        )
        nursery.start_soon(self.journal.run)

    def _tell(self, events: Sequence[NodeEvent], now: float) -> None:
        assert now <= trio.current_time()
        for event in events:
            if self.checks:
                known = self.on_disk()
                if isinstance(event, MemberChange):
                    assert event.member.name in known.alive
                if isinstance(event, UserEventReceived):
                    assert known.memory.event_clock >= event.ltime
            self.shown.append(event)

    def _say(self, level: str, text: str) -> None:
        self.said.append((level, text))

    def on_disk(self) -> Snapshot:
        return replay_untrusted([self.disk.content], rejoin_after_leave=True).snapshot

    def take(self, *events: NodeEvent) -> None:
        for event in events:
            if isinstance(event, UserEventReceived):
                ltime = max(self.times.event_clock, event.ltime)
                self.times = Memory(self.times.clock, ltime, self.times.query_clock)
        self.journal.take(events, trio.current_time())


@pytest.fixture
async def kept(nursery: trio.Nursery) -> Kept:
    made = Kept(nursery)
    await trio.sleep(5 * SYNC)
    return made


async def test_an_event_is_shown_when_its_record_is_on_disk(
    autojump_clock: object, kept: Kept
) -> None:
    kept.take(joined("a"), user_event(4))
    assert kept.shown == []
    await trio.sleep(3 * SYNC)
    assert kept.shown == [joined("a"), user_event(4)]


async def test_writes_that_were_done_are_timed_in_milliseconds(
    autojump_clock: object, kept: Kept
) -> None:
    assert kept.measured == [("serf.snapshot.compact", round(1e6 * SYNC))]
    kept.take(joined("a"))
    await trio.sleep(3 * SYNC)
    assert kept.measured[1:] == [("serf.snapshot.appendLine", round(1e6 * SYNC))]
    kept.checks = False
    kept.disk.error = OSError(errno.ENOSPC, "No space left on device")
    kept.take(joined("b"))
    await trio.sleep(3 * SYNC)
    assert len(kept.measured) == 2


async def test_what_changes_nothing_is_shown_at_once(autojump_clock: object, kept: Kept) -> None:
    kept.take(OperationFinished(1))
    assert kept.shown == [OperationFinished(1)]


async def test_what_changes_nothing_waits_behind_what_does(
    autojump_clock: object, kept: Kept
) -> None:
    kept.take(joined("a"))
    kept.take(OperationFinished(1))
    kept.take(joined("b"))
    assert kept.shown == []
    await trio.sleep(5 * SYNC)
    assert kept.shown == [joined("a"), OperationFinished(1), joined("b")]


async def test_everything_that_comes_during_a_write_goes_into_the_next_one(
    autojump_clock: object, kept: Kept
) -> None:
    kept.take(joined("first"))
    await trio.sleep(SYNC / 2)
    for i in range(1, 1001):
        kept.take(user_event(i))
    await trio.sleep(5 * SYNC)
    assert len(kept.shown) == 1001
    first, then = kept.disk.appends
    assert first == b"alive: first 10.0.0.4:7946\n"
    assert then == b"".join(b"event-clock: %d\n" % i for i in range(1, 1001))


async def test_times_that_nobody_was_shown_are_written_a_little_later(
    autojump_clock: object, kept: Kept
) -> None:
    kept.times = Memory(clock=7)
    kept.take()
    kept.take(OperationFinished(1))
    assert kept.shown == [OperationFinished(1)]
    await trio.sleep(LAZY / 2)
    assert kept.disk.appends == []
    await trio.sleep(LAZY)
    assert kept.disk.appends == [b"clock: 7\n"]


async def test_without_anything_new_nothing_is_written(autojump_clock: object, kept: Kept) -> None:
    kept.take(joined("a"))
    await trio.sleep(1)
    kept.take(updated("a"))
    kept.take()
    assert kept.shown == [joined("a"), updated("a")]
    await trio.sleep(3600)
    assert len(kept.disk.appends) == 1


async def test_a_full_disk_is_told_and_delays_nothing_further(
    autojump_clock: object, kept: Kept
) -> None:
    kept.checks = False
    kept.disk.error = OSError(errno.ENOSPC, "full")
    kept.take(joined("a"))
    await trio.sleep(3 * SYNC)
    assert kept.shown == [joined("a")]
    assert kept.journal.status.startswith("failing since ")
    assert kept.journal.status.endswith(": no space left on device")
    kept.take(joined("b"))
    assert kept.shown == [joined("a"), joined("b")]
    await trio.sleep(10 * RETRY)
    (level, text), *more = kept.said
    assert level == "ERR"
    assert "/state/snapshot: no space left on device" in text
    assert more == []


async def test_a_complaint_is_repeated_seldom(autojump_clock: object, kept: Kept) -> None:
    kept.checks = False
    kept.disk.error = OSError(errno.EROFS, "read-only")
    kept.take(joined("a"))
    await trio.sleep(45 * RETRY)
    assert len(kept.said) == 3


async def test_when_the_disk_is_back_everything_current_is_on_it(
    autojump_clock: object, kept: Kept
) -> None:
    kept.checks = False
    kept.take(joined("a"))
    await trio.sleep(1)
    kept.disk.error = OSError(errno.EIO, "broken")
    kept.take(joined("b"))
    await trio.sleep(1)
    kept.take(joined("c"), user_event(9))
    kept.disk.error = None
    await trio.sleep(RETRY + 1)
    assert kept.journal.status == "ok"
    assert list(kept.on_disk().alive) == ["a", "b", "c"]
    assert kept.on_disk().memory.event_clock == 9
    assert kept.said[-1] == ("INFO", "agent: snapshot /state/snapshot is written again")
    kept.checks = True
    kept.take(joined("d"))
    assert kept.shown[-1] != joined("d")
    await trio.sleep(1)
    assert kept.shown[-1] == joined("d")


async def test_what_comes_while_the_file_is_written_anew_is_not_lost(
    autojump_clock: object, kept: Kept
) -> None:
    kept.checks = False
    kept.disk.error = OSError(errno.EIO, "broken")
    kept.take(joined("a"))
    await trio.sleep(1)
    kept.disk.error, kept.disk.hangs = None, True
    await trio.sleep(RETRY)
    kept.take(joined("b"))
    kept.disk.hangs = False
    await trio.sleep(1)
    assert list(kept.on_disk().alive) == ["a", "b"]


async def test_a_disk_that_hangs_holds_events_up_only_for_so_long(
    autojump_clock: object, kept: Kept
) -> None:
    kept.checks = False
    kept.disk.hangs = True
    kept.take(joined("a"))
    await trio.sleep(PATIENCE / 2)
    assert kept.shown == []
    await trio.sleep(PATIENCE)
    assert kept.shown == [joined("a")]
    assert "did not answer" in kept.journal.status
    kept.disk.hangs = False
    await trio.sleep(RETRY + 1)
    assert kept.journal.status == "ok"
    assert list(kept.on_disk().alive) == ["a"]


async def test_more_events_than_may_wait_are_shown(
    autojump_clock: object, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "HELD_EVENTS_MAX", 10)
    kept.checks = False
    kept.disk.hangs = True
    for i in range(1, 12):
        kept.take(user_event(i))
    assert len(kept.shown) == 11
    assert "does not keep up" in kept.journal.status


async def test_a_long_rewrite_keeps_a_bounded_number_of_records(
    autojump_clock: object, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LINES_MAX", 3)
    for i in range(10):
        kept.take(joined(f"m{i}"))
    await trio.sleep(1)
    assert len(kept.on_disk().alive) == 10
    assert kept.disk.rewrites == 2


async def test_a_file_that_grew_is_written_anew(autojump_clock: object, kept: Kept) -> None:
    kept.checks = False  # reading the file at each of these takes long
    for i in range(1, 20_000):
        kept.take(user_event(i))
        if i % 100 == 0:
            await trio.sleep(2 * SYNC)
    await trio.sleep(1)
    assert kept.disk.rewrites > 1
    assert len(kept.disk.content) < 140_000
    assert kept.on_disk().memory.event_clock == 19_999
    assert len(kept.shown) == 19_999


async def test_nothing_is_recorded_after_a_leave_and_the_end_waits_for_it(
    autojump_clock: object, kept: Kept
) -> None:
    kept.take(joined("a"))
    kept.journal.leave()
    kept.journal.leave()
    kept.take(joined("b"), user_event(3))
    kept.checks = False
    await kept.journal.finish()
    assert kept.disk.content.endswith(b"alive: a 10.0.0.4:7946\nleave\n")
    assert kept.shown == [joined("a"), joined("b"), user_event(3)]


async def test_the_end_does_not_wait_for_a_disk_that_failed(
    autojump_clock: object, kept: Kept
) -> None:
    kept.checks = False
    kept.disk.error = OSError(errno.EIO, "broken")
    kept.take(joined("a"))
    with trio.fail_after(PATIENCE):
        await kept.journal.finish()


async def test_members_that_are_forgotten_are_so_on_disk(
    autojump_clock: object, kept: Kept
) -> None:
    kept.take(joined("a"), joined("b"))
    await trio.sleep(1)
    kept.journal.forget(["a", "unknown"])
    await trio.sleep(1)
    assert list(kept.on_disk().alive) == ["b"]
