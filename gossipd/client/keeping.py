"""``KeptRegistration``: a registration that is made again when the daemon is back.

For the blocking client: a thread with a connection of its own waits for the
daemon to go away, because the program has other things to do. Tries are further
and further apart, and not at the same time in all programs. If it is asked to, it also
notices that somebody else took the service back, and registers it again: but not if it
was drained, which is how operators say that consumers are to turn away.
"""

from __future__ import annotations

import threading
from random import Random

from gossipd.client.connection import DaemonUnreachable, RequestRefused
from gossipd.client.following import retry_after
from gossipd.client.link import NoAnswer
from gossipd.errors import GossipdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from gossipd.client.blocking import Client

RELEASE_SECONDS = 2.0
"""How long a daemon that does not answer may hold up the end of a program."""


class TakenBack(GossipdError):
    """The daemon has the service no more, and it was not the holder who ended it.

    Attributes:
        is_drained: consumers were led away first; it is not registered again.
    """

    def __init__(self, *, is_drained: bool) -> None:
        super().__init__("it was drained" if is_drained else "it was taken back")
        self.is_drained = is_drained


class KeptRegistration:
    """Keeps a service registered until it is released, or this process ends.

    Args:
        connect: makes a connection of its own.
        table: what to register, as ``services.reading`` takes it.
        notices_loss: follow the service too, which costs a watch, and register it again when
            it was taken back by others, or given up as critical for too long.

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

    def __init__(
        self,
        connect: Callable[[], Client],
        table: Mapping[str, object],
        *,
        notices_loss: bool = False,
    ) -> None:
        self._connect = connect
        self._table = table
        self._notices_loss = notices_loss
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
                trouble = self._wait_for_end(self._client)
                with self._lock:
                    self._client.close()
                    self._client = None
                if self._released.is_set():
                    return
                self._tell(False, trouble)
                if isinstance(trouble, TakenBack) and trouble.is_drained:
                    return
                tries = 0
            if self._released.wait(retry_after(tries, random)):
                return
            tries += 1
            try:
                self._register()
            except GossipdError as error:
                self._tell(False, error)

    def _wait_for_end(self, client: Client) -> GossipdError:
        """Return why the registration ended, when it does."""
        if self._notices_loss:
            try:
                return _loss(client, str(self._table.get("name")), self.id)
            except (DaemonUnreachable, NoAnswer):
                return DaemonUnreachable("the daemon went away")
            except RequestRefused:  # too many watches
                pass
        client.wait_for_end()
        return DaemonUnreachable("the daemon went away")

    def _tell(self, is_registered: bool, trouble: GossipdError | None) -> None:
        changed = is_registered != self.is_registered or str(trouble) != str(self.trouble)
        self.is_registered, self.trouble = is_registered, trouble
        if changed and self.on_change is not None:
            self.on_change()


def _loss(client: Client, name: str, service_id: str) -> TakenBack:
    """Return how the service of this node was lost, when it is.

    Raises:
        DaemonUnreachable, NoAnswer: the daemon is gone.
        RequestRefused: it lets nobody watch.
    """
    from gossipd.services.instance import DOWN, ServiceReset

    now = next((one for one in client.services_of() if one.service.id == service_id), None)
    if now is None:
        return TakenBack(is_drained=False)
    for change in client.watch(name):  # begins with all there are, so nothing falls in between
        before = now
        if isinstance(change, ServiceReset):
            now = next((one for one in change.view.instances if one.key == before.key), None)
        elif change.instance.key == before.key:
            now = None if change.kind == DOWN else change.instance
        if now is None:
            return TakenBack(is_drained=before.is_draining)
    raise DaemonUnreachable("the watch ended")
