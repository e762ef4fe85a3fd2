"""A registration held for as long as we live, over restarts of the daemon.

A thread of its own waits for the daemon to go away, because the main thread
waits for signals. The daemon takes the service back the moment our connection
ends, however we end.
"""

from __future__ import annotations

import threading

from gossipd.client.connection import DaemonUnreachable
from gossipd.client.link import NoAnswer
from gossipd.errors import GossipdError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.services.following import RETRY_SECONDS, RETRY_SECONDS_MAX

REGISTER_SECONDS = 10.0
"""How long a registration may take; signals wait for the first one."""
PARTING_SECONDS = 2.0
"""How long a daemon that does not answer may hold up the end of a program."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.client.blocking import Client
    from gossipd.services.definition import Service


class Holding:
    """Keeps ``service`` registered until ``release``.

    Args:
        values: of the command, for ``--socket`` and ``--rpc-auth``.
        service: what to register.
    """

    def __init__(self, values: Mapping[str, Any], service: Service) -> None:
        self._values = values
        self._service = service
        self._released = threading.Event()
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="registration", daemon=True)

    def start(self) -> None:
        """Register, and keep it so from now on.

        Raises:
            DaemonUnreachable: nobody answers.
            RequestRefused: the daemon does not take it.
        """
        self._register()
        self._thread.start()

    def drain(self, seconds: float) -> bool:
        """Let consumers turn away for ``seconds``; return whether the daemon was told."""
        try:
            with connect(self._values, timeout=PARTING_SECONDS) as client:
                client.drain(self._service.id, seconds)
        except GossipdError as error:
            exits.complain(f"cannot drain {self._service.name}: {error}")
            return False
        return True

    def release(self) -> None:
        """Deregister; it is not registered again."""
        with self._lock:
            self._released.set()
            if self._client is not None:
                self._client.shut_down()
        if self._thread.ident is not None:
            self._thread.join(PARTING_SECONDS)

    def _register(self) -> None:
        client = connect(self._values, timeout=REGISTER_SECONDS)
        try:
            warnings = client.register(self._service).warnings
        except BaseException:
            client.close()
            raise
        for warning in warnings:
            exits.complain(f"warning: {warning}")
        with self._lock:
            self._client = client
            if self._released.is_set():
                client.shut_down()

    def _keep(self) -> None:
        pause = RETRY_SECONDS
        name = self._service.name
        last = ""
        while not self._released.is_set():
            if self._client is not None:
                self._client.wait_for_end()
                with self._lock:
                    self._client.close()
                    self._client = None
                if self._released.is_set():
                    return
                exits.complain(f"the daemon went away; {name} is registered again when it is back")
                pause, last = RETRY_SECONDS, ""
            elif self._released.wait(pause):
                return
            pause = min(2 * pause, RETRY_SECONDS_MAX)
            try:
                self._register()
            except (DaemonUnreachable, NoAnswer):
                continue
            except GossipdError as error:
                if str(error) != last:
                    exits.complain(f"cannot register {name} again: {error}")
                last = str(error)
            else:
                exits.complain(f"{name} is registered again")
