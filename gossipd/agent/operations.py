"""Commands under way: who waits for which ``OperationFinished``."""

from __future__ import annotations

import trio

from gossipd.errors import Unavailable
from gossipd.node.events import OperationFinished


class Operation:
    """One command that the node has begun."""

    __slots__ = ("_done", "_error", "_operations", "number")

    def __init__(self, number: int, operations: dict[int, Operation]) -> None:
        self.number = number
        self._operations = operations
        self._done = trio.Event()
        self._error = ""

    async def wait(self) -> None:
        """Wait until the command took effect.

        Raises:
            Unavailable: it failed; the text says why.
        """
        try:
            await self._done.wait()
        finally:
            self._operations.pop(self.number, None)
        if self._error:
            raise Unavailable(self._error)

    def finish(self, error: str) -> None:
        """Wake whoever waits; an empty ``error`` is success."""
        self._error = error
        self._done.set()


class Operations:
    """The commands that somebody waits for, by number."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, Operation] = {}

    def begun(self, number: int) -> Operation:
        """Note that somebody will wait for the operation ``number``."""
        operation = self._waiting[number] = Operation(number, self._waiting)
        return operation

    def finished(self, event: OperationFinished) -> None:
        """Tell the one who waits, if there still is one."""
        operation = self._waiting.pop(event.operation, None)
        if operation is not None:
            operation.finish(event.error)

    def __len__(self) -> int:
        return len(self._waiting)
