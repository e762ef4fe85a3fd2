"""``Keeping``: the snapshot of one run, from its replay to its last record."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import trio

from gossipd.agent.driver import Driver
from gossipd.agent.ports import StreamPort
from gossipd.agent.state.journal import Journal
from gossipd.agent.state.rejoin import Rejoiner
from gossipd.agent.state.snapshot_file import SnapshotFile
from gossipd.config.agent_model import AgentConfig
from gossipd.serf.memory import Memory
from gossipd.serf.snapshot import replay_untrusted

LAST_WRITE = 2.0
"""Seconds granted at the end to what is still to be written."""

Say = Callable[[str, str], None]


class Keeping:
    """The file is open and replayed; ``write`` and ``rejoin`` are to be run.

    Args:
        config: names the file, and says whether a leave is ignored.
        say: logs, with a level and a text.

    Raises:
        ConfigError: the file is in use, or cannot be read or made.
    """

    def __init__(self, config: AgentConfig, say: Say) -> None:
        self._config = config
        self._say = say
        self._file = SnapshotFile(config.snapshot_path)
        rejoins = config.rejoin_after_leave
        replay = replay_untrusted(self._file.chunks(), rejoin_after_leave=rejoins)
        self._snapshot = replay.snapshot
        self._remembered = replay.snapshot.copy()
        for complaint in replay.complaints:
            say("WARN", f"serf: {complaint}")
        if replay.left and rejoins:
            say("INFO", "serf: Ignoring previous leave in snapshot")
        self._journal: Journal | None = None

    @property
    def memory(self) -> Memory:
        """The Lamport times of the last run."""
        return self._remembered.memory

    async def write(
        self, driver: Driver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Have ``driver`` show events only once they are recorded; for ever."""
        journal = Journal(
            self._snapshot,
            self._file,
            driver.node.memory,
            driver.tell,
            self._say,
            measure=driver.ledger.measure,
        )
        driver.journal = self._journal = journal
        task_status.started()
        await journal.run()

    async def rejoin(self, driver: Driver, port: StreamPort) -> None:
        """Find the members of the last run again; ends when all were, or time is up."""
        journal = self._journal
        assert journal is not None, "write() comes before rejoin()"
        config = self._config.node.serf
        rejoiner = Rejoiner(driver, port, self._remembered, Random(), config, self._say)
        await rejoiner.run(journal.forget)

    async def finish(self) -> None:
        """Wait for what is still to be written, but not for ever."""
        if self._journal is not None:
            with trio.move_on_after(LAST_WRITE):
                await self._journal.finish()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
