"""What the commands of ``gossipd simulate`` have in common."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from gossipd_cli.exits import USAGE, complain, run_guarded

NODES_MAX = 64
"""Hosts of the largest random cluster."""

json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
wire_option = click.option(
    "--wire", is_flag=True, help="Seal and open every message: the same run, slower."
)
SEED = click.IntRange(0, 2**63 - 1)


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
