"""``gossipd simulate``: rehearse failures of whole clusters on a virtual clock and network.

Exit codes: 0 no checker complained, 1 violations, 2 usage or a scenario that
makes no sense, 130 cut off by Ctrl-C or SIGTERM (what was finished is shown).

Each subcommand is loaded when it is called: add one with a line in ``COMMANDS``.
"""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "list": "runs:list_command",
    "run": "runs:run_command",
    "fuzz": "seeds:fuzz_command",
    "replay": "seeds:replay_command",
    "shrink": "seeds:shrink_command",
    "compare": "compare:compare_command",
    "sweep": "sweep:sweep_command",
    "explain": "explain:explain_command",
    "plan": "plan:plan_command",
    "papers": "papers:papers_command",
}
"""Where each subcommand is, in the order of ``--help``."""


class LazyGroup(click.Group):
    """A group whose commands are imported when somebody asks for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
def command(context: click.Context) -> None:
    """Rehearse failures: whole clusters of the real protocol code on a virtual network."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
