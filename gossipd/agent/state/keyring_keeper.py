"""``KeyringKeeper``: writes the ring of keys to its file whenever the node says it changed.

The disk is waited for in a thread: one that hangs must not make a member miss its
probes. Changes that come while it writes are written together by the next write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import trio

from gossipd.agent.state.keyring_file import write_keyring
from gossipd.errors import Unavailable
from gossipd.serf.effects import SaveKeyring

Saved = Callable[[int, str], None]
"""Told the ticket of a ``SaveKeyring``, and why it failed, empty if it did not."""


class KeyringKeeper:
    """Keeps the keys of one node in the file at ``path``.

    Args:
        path: of the keyring file.
        saved: told how each save went.
        log: told level and text.
        write: writes the file; blocks, and is called in a thread.
    """

    def __init__(
        self,
        path: str,
        saved: Saved,
        log: Callable[[str, str], None],
        write: Callable[[str, tuple[bytes, ...]], None] = write_keyring,
    ) -> None:
        self._path = path
        self._saved = saved
        self._log = log
        self._write = write
        self._waiting: list[SaveKeyring] = []
        self._wanted = trio.Event()

    def save(self, effect: SaveKeyring) -> None:
        """Have the ring written soon; the node has at most ``SAVES_MAX`` of these open."""
        self._waiting.append(effect)
        self._wanted.set()

    async def run(self) -> NoReturn:
        """Write what is to be saved; for ever."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            saves, self._waiting = self._waiting, []
            error = await self._written(saves[-1].keys)
            for save in saves:
                self._saved(save.ticket, error)

    async def _written(self, keys: tuple[bytes, ...]) -> str:
        """Return why ``keys`` could not be written, empty if they were."""
        try:
            await trio.to_thread.run_sync(self._write, self._path, keys)
        except Unavailable as error:
            self._log("ERR", f"agent: keys were changed and not saved: {error}")
            return str(error)
        self._log("INFO", f"agent: saved {len(keys)} keys to {self._path}")
        return ""
