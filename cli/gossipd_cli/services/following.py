"""Following one service over the daemon's restarts, with one connection at a time."""

from __future__ import annotations

import time

from gossipd.client.connection import DaemonUnreachable
from gossipd.client.link import NoAnswer
from gossipd_cli.context import connect
from gossipd_cli.services.known import RETURN_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gossipd.client.blocking import Client
    from gossipd.client.services import Watch
    from gossipd.services.instance import ServiceChange
    from gossipd_cli.services.known import Known

ANSWER_SECONDS = 1.0
"""How long a daemon may take to answer however little time is left: it may be busy."""
RETRY_SECONDS = 0.1
RETRY_SECONDS_MAX = 2.0
"""Pauses between tries to reach a daemon that went away; each is twice the one before."""


class Following:
    """Batches of changes of one service.

    Args:
        values: of the command, for ``--socket`` and ``--rpc-auth``.
        name: of the service; need not exist.
        known: what turns records into changes.
        patience: seconds after a restart of the daemon in which nothing counts as gone.
        on_away: told once for each time the daemon goes away.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        name: str,
        known: Known,
        *,
        patience: float = RETURN_SECONDS,
        on_away: Callable[[DaemonUnreachable | NoAnswer], None] = lambda _: None,
    ) -> None:
        self._values = values
        self._name = name
        self._known = known
        self._patience = patience
        self._on_away = on_away
        self._client: Client | None = None
        self._watch: Watch | None = None
        self._pause = RETRY_SECONDS
        self._was_connected = False
        self._settled_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether the daemon is there, as far as was noticed."""
        return self._watch is not None

    def connect(self, seconds: float | None = None) -> None:
        """Connect, or go on after the last change that came.

        Args:
            seconds: how long the daemon may take, if less than usual.

        Raises:
            DaemonUnreachable: nobody answers.
            RequestRefused: the daemon knows no services, or the token is wrong.
        """
        limit = None if seconds is None else max(seconds, ANSWER_SECONDS)
        client = connect(self._values, timeout=limit)
        try:
            self._watch = client.watch(self._name, self._known.index)
        except BaseException:
            client.close()
            raise
        self._client = client
        self._pause = RETRY_SECONDS
        if self._was_connected:
            self._settled_at = time.monotonic() + self._patience
        self._was_connected = True

    def close(self) -> None:
        """Give the connection up; ``next_batch`` makes a new one."""
        if self._client is not None:
            self._client.close()
        self._client = self._watch = None

    def next_batch(self, seconds: float | None = None) -> list[ServiceChange] | None:
        """Return the next changes, perhaps none; ``None`` if ``seconds`` went by without any.

        The first one after a start is the whole set, empty if there is nothing.
        """
        deadline = None if seconds is None else time.monotonic() + max(0.0, seconds)
        while True:
            now = time.monotonic()
            overdue = self._known.overdue(now)
            if overdue:
                return overdue
            wakes = [at for at in (deadline, self._known.next_deadline()) if at is not None]
            remaining = max(0.0, min(wakes) - now) if wakes else None
            try:
                if self._watch is None:
                    self.connect(None if deadline is None else deadline - now)
                batch = self._read(remaining)
            except (DaemonUnreachable, NoAnswer) as error:
                self._lose(error)
                self._sleep(remaining)
                batch = None
            if batch is not None:
                return batch
            if deadline is not None and time.monotonic() >= deadline:
                return None

    def _read(self, seconds: float | None) -> list[ServiceChange] | None:
        watch = self._watch
        assert watch is not None
        record = next(watch) if seconds is None else watch.next_within(seconds)
        if record is None:
            return None
        changes: list[ServiceChange] = []
        while record is not None:
            now = time.monotonic()
            changes += self._known.take(record, now, max(0.0, self._settled_at - now))
            record = watch.next_within(0.0)
        return changes

    def _lose(self, error: DaemonUnreachable | NoAnswer) -> None:
        if self._watch is not None or not self._was_connected:
            self._on_away(error)
            self._was_connected = True
        self.close()

    def _sleep(self, remaining: float | None) -> None:
        time.sleep(self._pause if remaining is None else min(self._pause, remaining))
        self._pause = min(2 * self._pause, RETRY_SECONDS_MAX)
