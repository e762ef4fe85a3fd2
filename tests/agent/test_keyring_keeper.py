"""Who writes the keyring file: answered when it is written, and never in the way."""

from __future__ import annotations

import threading

import trio
import trio.testing

from gossipd.agent.state.keyring_keeper import KeyringKeeper
from gossipd.errors import Unavailable
from gossipd.serf.effects import SaveKeyring

OLD, NEW = b"o" * 16, b"n" * 16


class Kept:
    """A keeper whose disk is the test's."""

    def __init__(self) -> None:
        self.written: list[tuple[bytes, ...]] = []
        self.saved: list[tuple[int, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.full = False
        self.disk = threading.Event()
        self.disk.set()
        self.told = trio.Event()
        self.keeper = KeyringKeeper("k.json", self._saved, self._log, self._write)

    def _write(self, path: str, keys: tuple[bytes, ...]) -> None:
        self.disk.wait()
        if self.full:
            raise Unavailable(f"keyring_file {path}: no space left on device")
        self.written.append(keys)

    def _saved(self, ticket: int, error: str) -> None:
        self.saved.append((ticket, error))
        self.told.set()

    def _log(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    async def until_told(self) -> None:
        await self.told.wait()
        self.told = trio.Event()


async def test_each_change_is_written_and_told(nursery: trio.Nursery) -> None:
    kept = Kept()
    nursery.start_soon(kept.keeper.run)
    kept.keeper.save(SaveKeyring(1, (OLD, NEW)))
    await kept.until_told()
    kept.keeper.save(SaveKeyring(2, (NEW, OLD)))
    await kept.until_told()
    assert kept.written == [(OLD, NEW), (NEW, OLD)]
    assert kept.saved == [(1, ""), (2, "")]
    assert kept.lines == [("INFO", "agent: saved 2 keys to k.json")] * 2


async def test_a_slow_disk_gets_the_last_ring_only_and_all_are_told(nursery: trio.Nursery) -> None:
    kept = Kept()
    kept.disk.clear()
    nursery.start_soon(kept.keeper.run)
    kept.keeper.save(SaveKeyring(1, (OLD, NEW)))
    await trio.testing.wait_all_tasks_blocked()
    kept.keeper.save(SaveKeyring(2, (NEW, OLD)))
    kept.keeper.save(SaveKeyring(3, (NEW,)))
    assert kept.saved == []
    kept.disk.set()
    await kept.until_told()
    while len(kept.saved) < 3:
        await kept.until_told()
    assert kept.written == [(OLD, NEW), (NEW,)]
    assert kept.saved == [(1, ""), (2, ""), (3, "")]


async def test_a_failure_is_told_and_logged_and_the_next_one_is_tried(
    nursery: trio.Nursery,
) -> None:
    kept = Kept()
    kept.full = True
    nursery.start_soon(kept.keeper.run)
    kept.keeper.save(SaveKeyring(1, (NEW,)))
    await kept.until_told()
    reason = "keyring_file k.json: no space left on device"
    assert kept.saved == [(1, reason)]
    assert kept.lines == [("ERR", f"agent: keys were changed and not saved: {reason}")]
    kept.full = False
    kept.keeper.save(SaveKeyring(2, (NEW,)))
    await kept.until_told()
    assert kept.saved[1] == (2, "")
