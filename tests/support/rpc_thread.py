"""A local socket's server with a fake node, in a thread: for clients that block."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import trio

from gossipd.rpc.server import serve_rpc
from support.fake_handle import FakeHandle

T = TypeVar("T")


class RpcThread:
    """A running server: ``path`` is its unix socket, ``port`` its TCP port on 127.0.0.1."""

    def __init__(self, handle: FakeHandle, path: Path, auth: str | None) -> None:
        self.handle = handle
        self.path = str(path)
        self.port = 0
        self._auth = auth
        self._started = threading.Event()
        self._token: trio.lowlevel.TrioToken
        self._scope: trio.CancelScope
        self._thread = threading.Thread(target=trio.run, args=(self._serve,), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        """End the server; a second time nothing happens."""
        if not self._thread.is_alive():
            return
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(10)

    def do(self, work: Callable[[], T]) -> T:
        """Run ``work`` among the server's tasks and return what it returns."""
        return trio.from_thread.run_sync(work, trio_token=self._token)

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Return when ``is_so`` holds, looked at between the server's steps."""

        async def look() -> None:
            while not is_so():
                await trio.lowlevel.checkpoint()

        trio.from_thread.run(look, trio_token=self._token)

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        unix = trio.socket.socket(socket.AF_UNIX)
        await unix.bind(self.path)
        unix.listen()
        tcp = trio.socket.socket()
        await tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        self.port = tcp.getsockname()[1]
        listeners = [trio.SocketListener(unix), trio.SocketListener(tcp)]
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(_serve, listeners, self.handle, self._auth)
                self._started.set()


async def _serve(
    listeners: list[trio.SocketListener],
    handle: FakeHandle,
    auth: str | None,
    task_status: trio.TaskStatus[None],
) -> None:
    await serve_rpc(listeners, handle, auth=auth, task_status=task_status)


@contextlib.contextmanager
def rpc_thread(
    folder: Path, handle: FakeHandle | None = None, *, auth: str | None = None
) -> Iterator[RpcThread]:
    """Serve ``handle`` on a unix socket in ``folder`` and on a free TCP port."""
    server = RpcThread(handle or FakeHandle(), folder / "rpc.sock", auth)
    server.start()
    try:
        yield server
    finally:
        server.stop()
