"""``ServicesKeeper``: writes what is registered to its file soon after it changed.

Soon, and not at once: a check that flaps, or a program that registers a hundred
services, must cost one write and not a hundred. The disk is waited for in a
thread, so that one that hangs makes no member miss its probes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import trio

from gossipd.agent.state.services_file import encoded, write_services
from gossipd.agent.system_errors import reason_of

if TYPE_CHECKING:
    from gossipd.services.own import OwnServices

SOON = 0.2
"""Seconds from a change to the write, in which further changes join it."""
REST = 2.0
"""Seconds between two writes."""
AGAIN = 30.0
"""Seconds after which a write that failed is tried again."""
LAST_WRITE = 2.0
"""Seconds granted to the write at the end."""


class ServicesKeeper:
    """Keeps the services of one node in the file at ``path``.

    Args:
        path: of the file.
        own: returns what is registered now.
        say: writes a line to the log: level and text.
        write: writes the file; blocks, and is called in a thread.
    """

    def __init__(
        self,
        path: str,
        own: Callable[[], OwnServices],
        say: Callable[[str, str], None],
        write: Callable[[str, bytes], None] = write_services,
    ) -> None:
        self._path = path
        self._own = own
        self._say = say
        self._write = write
        self._wanted = trio.Event()
        self._turn = trio.Lock()
        self._written = b""
        self._failure = ""

    def changed(self) -> None:
        """Have the file written soon."""
        self._wanted.set()

    async def run(self) -> NoReturn:
        """Write what changed; for ever."""
        while True:
            await self._wanted.wait()
            await trio.sleep(SOON)
            await self._save()
            await trio.sleep(AGAIN if self._failure else REST)

    async def finish(self) -> None:
        """Write what is not written yet; waits a moment for it."""
        if self._wanted.is_set():
            with trio.move_on_after(LAST_WRITE):
                await self._save()

    async def _save(self) -> None:
        async with self._turn:
            self._wanted = trio.Event()
            own = self._own()
            try:
                await trio.to_thread.run_sync(self._replace, own, abandon_on_cancel=True)
            except OSError as error:
                self._wanted.set()
                self._tell(reason_of(error))
            except trio.Cancelled:
                self._wanted.set()
                raise
            else:
                self._tell("")

    def _replace(self, own: OwnServices) -> None:
        data = encoded(own)
        if data != self._written:
            self._write(self._path, data)
            self._written = data

    def _tell(self, failure: str) -> None:
        if failure and failure != self._failure:
            self._say("ERR", f"agent: cannot write services file {self._path}: {failure}")
        elif self._failure and not failure:
            self._say("INFO", f"agent: services file {self._path} is written again")
        self._failure = failure
