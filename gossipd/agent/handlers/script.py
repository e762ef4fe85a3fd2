"""One run of one script or command, bounded in time and in what is kept of its output.

The script has a process group of its own, and at the time-out the whole group
gets SIGTERM, then SIGKILL, and so do its children that left the group. A run
is over when the shell or the command has ended: what is in the pipes then is read, and a
child that goes on in the background holding them open is not waited for.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing

import trio

from gossipd.agent.handlers.process_tree import ProcessTree
from gossipd.agent.system_errors import reason_of
from gossipd.value import Value

OUTPUT_BYTES_MAX = 8 * 1024
"""Bytes of output kept for the log; the first ones are given up."""
ANSWER_BYTES_MAX = 1024 * 1024
"""Bytes of a query's answer; a script that writes more does not answer."""
TERMINATE_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
_READ_BYTES = 65536
_DRAIN_READS = 16
_FREE_BYTES = 2 * 1024 * 1024
_FLOOD_PAUSE = 0.02
"""Seconds between reads of a script that has written ``_FREE_BYTES`` already."""
_EXIT_WORDS = {126: " (not executable)", 127: " (command not found)"}


class Outcome(Value):
    """How a run ended.

    ``error`` is empty if the script ended by itself with 0; ``output`` is the
    end of stdout and stderr together, ``answer`` all of stdout, ``None`` if that
    was more than ``ANSWER_BYTES_MAX``; ``code`` is the exit status it ended with by itself.
    """

    error: str
    output: bytes
    answer: bytes | None
    code: int = 0


class _Output:
    """Collects what a script writes."""

    def __init__(self) -> None:
        self.tail = bytearray()
        self.answer: bytearray | None = bytearray()
        self._count = 0

    def add(self, data: bytes | bytearray, *, is_answer: bool) -> None:
        self._count += len(data)
        self.tail += data
        if len(self.tail) > OUTPUT_BYTES_MAX:
            del self.tail[:-OUTPUT_BYTES_MAX]
        if is_answer and self.answer is not None:
            self.answer += data
            if len(self.answer) > ANSWER_BYTES_MAX:
                self.answer = None

    @property
    def is_flood(self) -> bool:
        return self._count > _FREE_BYTES

    def outcome(self, error: str, code: int = 0) -> Outcome:
        answer = None if self.answer is None else bytes(self.answer)
        return Outcome(error, bytes(self.tail), answer, code)


async def run_script(
    script: str, environment: Mapping[bytes, bytes], data: bytes, timeout: float
) -> Outcome:
    """Run ``script`` by the shell; see ``run_command``."""
    return await run_command(("/bin/sh", "-c", script), environment, data, timeout)


async def run_command(
    command: Sequence[str], environment: Mapping[bytes, bytes], data: bytes, timeout: float
) -> Outcome:
    """Run ``command`` with ``data`` on its standard input; returns when it has ended.

    When cancelled, its process group is killed at once.

    Args:
        command: the program and its arguments; no shell looks at them.
        environment: all of its variables.
        data: read by the command or not, as it likes.
        timeout: seconds after which its process group is ended.
    """
    output = _Output()
    try:
        process = await trio.lowlevel.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,  # type: ignore[arg-type]  # POSIX takes bytes as well
            start_new_session=True,
        )
    except OSError as error:
        return output.outcome(reason_of(error))
    except ValueError as error:  # a word with a NUL in it
        return output.outcome(str(error))
    try:
        return await _attend(process, output, data, timeout)
    finally:
        if process.returncode is None:
            with closing(ProcessTree()) as tree:
                tree.look(process.pid)
                _signal_group(process, signal.SIGKILL)
                tree.send(signal.SIGKILL)
            with trio.CancelScope(shield=True):
                await process.wait()  # it was killed: this takes no time worth a limit


async def _attend(process: trio.Process, output: _Output, data: bytes, timeout: float) -> Outcome:
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None
    assert isinstance(stdout, trio.lowlevel.FdStream)
    assert isinstance(stderr, trio.lowlevel.FdStream)
    error = ""
    async with stdin, stdout, stderr:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, stdin, data)
            nursery.start_soon(_read, stdout, output, True)
            nursery.start_soon(_read, stderr, output, False)
            with trio.move_on_after(timeout) as scope:
                await process.wait()
            if scope.cancelled_caught:
                error = f"killed after {timeout:g}s"
                await _end(process)
            nursery.cancel_scope.cancel()
        _drain(stdout.fileno(), output, is_answer=True)
        _drain(stderr.fileno(), output, is_answer=False)
    if error:
        return output.outcome(error)
    return output.outcome(_error_of(process), max(process.returncode or 0, 0))


def _error_of(process: trio.Process) -> str:
    code = process.returncode
    assert code is not None
    if code < 0:
        return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return f"exit status {code}{_EXIT_WORDS.get(code, '')}" if code else ""


async def _end(process: trio.Process) -> None:
    """End the whole group and all its children, the polite way first."""
    with closing(ProcessTree()) as tree:
        # in a thread: a busy machine has thousands of processes to look at
        await trio.to_thread.run_sync(tree.look, process.pid)
        _signal_group(process, signal.SIGTERM)
        tree.send(signal.SIGTERM)
        with trio.move_on_after(TERMINATE_GRACE):
            await process.wait()
        # also when the shell has ended: its children may not care for SIGTERM
        if process.returncode is None:
            await trio.to_thread.run_sync(tree.look, process.pid)
        _signal_group(process, signal.SIGKILL)
        tree.send(signal.SIGKILL)
    await process.wait()


def _signal_group(process: trio.Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # all of it has ended


async def _feed(stdin: trio.abc.SendStream, data: bytes) -> None:
    try:
        await stdin.send_all(data)
    except trio.BrokenResourceError:
        return  # a script need not read
    await stdin.aclose()


async def _read(pipe: trio.abc.ReceiveStream, output: _Output, is_answer: bool) -> None:
    while data := await pipe.receive_some(_READ_BYTES):
        output.add(data, is_answer=is_answer)
        if output.is_flood:
            await trio.sleep(_FLOOD_PAUSE)


def _drain(descriptor: int, output: _Output, *, is_answer: bool) -> None:
    """Read what is in a pipe now; who else may hold it open is not waited for."""
    try:
        for _ in range(_DRAIN_READS):
            data = os.read(descriptor, _READ_BYTES)
            if not data:
                return
            output.add(data, is_answer=is_answer)
    except BlockingIOError:
        return  # empty, but still open elsewhere
