"""What the commands of ``gossipd simulate`` have in common."""

from __future__ import annotations

from collections.abc import Callable

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
            return run()
        except ScenarioError as error:
            complain(str(error))
            return USAGE

    return run_guarded(inner)
