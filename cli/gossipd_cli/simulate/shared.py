"""What the commands of ``gossipd simulate`` have in common."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gossipd_cli.exits import USAGE, complain, run_guarded

NODES_MAX = 64
"""Hosts of the largest random cluster."""

json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
wire_option = click.option(
    "--wire", is_flag=True, help="Seal and open every message: the same run, slower."
)
SEED = click.IntRange(0, 2**63 - 1)


def refuse_unwritable(option: str, file: str | None) -> None:
    """Find out before hours of work whether ``file`` can be written; makes nothing.

    Raises:
        ConfigError: it cannot; names the option and the file.
    """
    from gossipd.errors import ConfigError

    if file is None:
        return
    path = Path(file)
    folder = path.absolute().parent
    if not folder.is_dir():
        reason = "there is no such folder; make it first"
    elif path.is_dir():
        reason = "it is a folder; name a file"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        reason = "it may not be written; choose another place"
    else:
        return
    raise ConfigError(f"{option} {file}: {reason}")


def write_result(option: str, file: str, text: str) -> bool:
    """Write what was found; returns whether that worked, and says so if not.

    A disk that is full by now is no reason to lose what can still be shown.
    """
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        complain(f"{option} {file}: cannot be written: {error.strerror or error}")
        return False
    return True


def guarded(run: Callable[[], int]) -> int:
    """Return the exit code of ``run``; a scenario that makes no sense is the operator's."""

    def inner() -> int:
        from gossipd_sim.errors import ScenarioError

        try:
            with _ended_as_by_ctrl_c():
                return run()
        except ScenarioError as error:
            complain(str(error))
            return USAGE

    return run_guarded(inner)


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: keep what was finished, and end what was started.

    Left alone where the surroundings ignore or handle it already.
    """
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if is_ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
