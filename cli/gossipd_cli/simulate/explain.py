"""``gossipd simulate explain``: why was that member declared dead there?"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import click

from gossipd_cli.exits import DONE
from gossipd_cli.render import as_json
from gossipd_cli.simulate.shared import NODES_MAX, SEED, guarded, json_option
from gossipd_cli.simulate.spread import set_option, settings_from

if TYPE_CHECKING:
    from gossipd_sim.scenario import Scenario


@click.command("explain")
@click.argument("what", metavar="SCENARIO|FILE|SEED")
@click.option("--member", required=True, metavar="NAME", help="The member in question.")
@click.option("--at", required=True, metavar="HOST", help="Whose belief is explained.")
@click.option(
    "--when",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="What was believed then; by default the last death declared there.",
)
@click.option("--seed", type=SEED, help="Of the run of a scenario (0).")
@click.option(
    "--nodes-max",
    type=click.IntRange(3, NODES_MAX),
    default=NODES_MAX,
    show_default=True,
    help="As fuzz had it, where a SEED is explained.",
)
@set_option
@json_option
def explain_command(
    what: str,
    member: str,
    at: str,
    when: float | None,
    seed: int | None,
    nodes_max: int,
    settings: tuple[str, ...],
    as_json_: bool,
) -> None:
    """Say why a member was declared dead (or not) at a host: the chain back to its root."""

    if when is not None and not math.isfinite(when):
        raise click.BadParameter(f"{when} is no time in seconds", param_hint="'--when'")

    def run() -> int:
        scenario, root = _load(what, seed, nodes_max, settings)
        return _explain(scenario, root, member, at, when, as_json_)

    sys.exit(guarded(run))


def _load(
    what: str, seed: int | None, nodes_max: int, settings: tuple[str, ...]
) -> tuple[Scenario, int]:
    """Return the scenario and the seed of its run; a number is a seed of ``fuzz``."""
    from gossipd_sim.document import write_toml
    from gossipd_sim.errors import ScenarioError
    from gossipd_sim.fuzz import random_document
    from gossipd_sim.grid import Source, make_variant
    from gossipd_sim.main import find_source

    changes = settings_from(settings)
    if not (what.isascii() and what.isdigit()):
        return make_variant(find_source(what), changes).scenario, seed or 0
    root = int(what)
    if seed not in (None, root):
        raise ScenarioError(f"--seed {seed}: the random scenario {what} has the seed {what}")
    text = write_toml(random_document(root, nodes_max))
    return make_variant(Source(what, f"fuzz-{root}.toml", text), changes).scenario, root


def _explain(
    scenario: Scenario, seed: int, member: str, at: str, when: float | None, as_json_: bool
) -> int:
    from gossipd_sim.explain import explain
    from gossipd_sim.explanation import explanation_json
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.telling import told

    with progress_bar(scenario.name, 1.0) as advance:
        explanation = explain(scenario, seed, member, at, when, advance)
    sys.stdout.write(as_json(explanation_json(explanation)) if as_json_ else told(explanation))
    return DONE
