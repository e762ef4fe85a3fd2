"""A registration held for as long as we live, over restarts of the daemon, and told on stderr.

The client's ``KeptRegistration`` does it, in a thread of its own, because the main
thread waits for signals.
"""

from __future__ import annotations

from gossipd.client.connection import DaemonUnreachable
from gossipd.client.keeping import KeptRegistration, TakenBack
from gossipd.client.link import NoAnswer
from gossipd.errors import GossipdError
from gossipd.services.writing import service_table
from gossipd_cli import exits
from gossipd_cli.context import connect

REGISTER_SECONDS = 10.0
"""How long a registration may take; signals wait for the first one."""
DRAIN_SECONDS = 2.0
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
        self._kept: KeptRegistration | None = None
        self._was_registered = True
        self._was_taken_back = self._is_leaving = False
        self._refusal = ""
        """The last one that was told, since the daemon went away."""

    def start(self) -> None:
        """Register, and keep it so from now on.

        Raises:
            DaemonUnreachable: nobody answers.
            RequestRefused: the daemon does not take it.
        """
        self._kept = KeptRegistration(
            self._connect, service_table(self._service, {}), notices_loss=True
        )
        self._warn(self._kept)
        self._kept.on_change = self._tell

    def drain(self, seconds: float) -> bool:
        """Let consumers turn away for ``seconds``; return whether they do.

        They do not if the service goes on without us, as other programs hold it too.
        """
        self._is_leaving = True
        try:
            with connect(self._values, timeout=DRAIN_SECONDS) as client:
                client.drain(self._service.id, seconds, is_unshared=True)
        except GossipdError as error:
            exits.complain(f"cannot drain {self._service.name}: {error}")
            return False
        return True

    def release(self) -> None:
        """Deregister; it is not registered again."""
        self._is_leaving = True
        if self._kept is not None:
            self._kept.release()

    def _connect(self) -> Client:
        return connect(self._values, timeout=REGISTER_SECONDS)

    def _tell(self) -> None:
        """Say what became of the registration; called in the thread that keeps it."""
        kept, name = self._kept, self._service.name
        assert kept is not None
        was_registered, self._was_registered = self._was_registered, kept.is_registered
        if self._is_leaving:
            return
        match kept.trouble:
            case None:
                self._warn(kept)
                why = ": it had been taken back" if self._was_taken_back else ""
                self._was_taken_back = False
                exits.complain(f"{name} is registered again{why}")
            case TakenBack(is_drained=True):
                exits.complain(f"{name} was drained: it is not registered again")
            case TakenBack():  # told with what comes of it: the daemon may be about to end
                self._refusal, self._was_taken_back = "", True
            case DaemonUnreachable() | NoAnswer():
                if was_registered or self._was_taken_back:
                    self._was_taken_back = False
                    self._refusal = ""
                    exits.complain(
                        f"the daemon went away; {name} is registered again when it is back"
                    )
            case refusal if str(refusal) != self._refusal:
                self._refusal = str(refusal)
                exits.complain(f"cannot register {name} again: {refusal}")

    def _warn(self, kept: KeptRegistration) -> None:
        for warning in kept.warnings:
            exits.complain(f"warning: {warning}")
