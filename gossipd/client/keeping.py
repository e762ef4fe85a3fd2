"""``KeptRegistration``: a registration that is made again when the daemon is back.

For the blocking client: a thread with a connection of its own waits for the
daemon to go away, because the program has other things to do. Tries are further
and further apart, and not at the same time in all programs.
"""

from __future__ import annotations

import threading
from random import Random

from gossipd.client.connection import DaemonUnreachable
from gossipd.client.following import retry_after
from gossipd.errors import GossipdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from gossipd.client.blocking import Client

RELEASE_SECONDS = 2.0
"""How long a daemon that does not answer may hold up the end of a program."""


class KeptRegistration:
    """Keeps a service registered until it is released, or this process ends.

    Args:
        connect: makes a connection of its own.
        table: what to register, as ``services.reading`` takes it.

    Attributes:
        id: of the service.
        warnings: what will not work everywhere, such as a name that DNS cannot carry.
        is_registered: false while the daemon is away or refuses.
        trouble: why it is not, if so.
        on_change: called in the thread when ``is_registered`` or ``trouble`` changes.

    Raises:
        DaemonUnreachable: nobody answers.
        RequestRefused: a field cannot be, which is named, or the daemon takes no more.
    """

    def __init__(self, connect: Callable[[], Client], table: Mapping[str, object]) -> None:
        self._connect = connect
        self._table = table
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._client: Client | None = None
        self.id = str(table.get("id") or table.get("name"))
        self.warnings: tuple[str, ...] = ()
        self.is_registered = False
        self.trouble: GossipdError | None = None
        self.on_change: Callable[[], None] | None = None
        self._register()
        self._thread = threading.Thread(
            target=self._keep, name=f"gossipd registration {self.id}", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Take the service back; it is not registered again.

        Waits for the thread, ``RELEASE_SECONDS`` at the most: it may be about to register at
        a daemon that does not answer, and ends when that does, or with the program.
        """
        with self._lock:
            self._released.set()
            if self._client is not None:
                self._client.shut_down()
        if self._thread is not threading.current_thread():
            self._thread.join(RELEASE_SECONDS)

    def _register(self) -> None:
        client = self._connect()
        try:
            self.warnings = client.register(self._table).warnings
        except BaseException:
            client.close()
            raise
        with self._lock:
            self._client = client
            if self._released.is_set():
                client.shut_down()
        self._tell(True, None)

    def _keep(self) -> None:
        random, tries = Random(), 0
        while True:
            if self._client is not None:
                self._client.wait_for_end()
                with self._lock:
                    self._client.close()
                    self._client = None
                if self._released.is_set():
                    return
                self._tell(False, DaemonUnreachable("the daemon went away"))
                tries = 0
            if self._released.wait(retry_after(tries, random)):
                return
            tries += 1
            try:
                self._register()
            except GossipdError as error:
                self._tell(False, error)

    def _tell(self, is_registered: bool, trouble: GossipdError | None) -> None:
        changed = is_registered != self.is_registered or str(trouble) != str(self.trouble)
        self.is_registered, self.trouble = is_registered, trouble
        if changed and self.on_change is not None:
            self.on_change()
