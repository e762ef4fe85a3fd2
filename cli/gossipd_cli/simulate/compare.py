"""``gossipd simulate compare``: two configurations on the same seeds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gossipd_cli.render import as_json, table
from gossipd_cli.simulate.shared import guarded, json_option
from gossipd_cli.simulate.spread import (
    measure_option,
    run_campaign,
    settings_from,
    spread_options,
)

if TYPE_CHECKING:
    from gossipd_sim.compare import Comparison

SEEDS = 20


@click.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@click.option("--a", "for_a", multiple=True, metavar="KEY=VALUE", help="Change a key of A.")
@click.option(
    "--b", "--set", "for_b", multiple=True, metavar="KEY=VALUE", help="Change a key of B."
)
@click.option("--both", multiple=True, metavar="KEY=VALUE", help="Change a key of A and of B.")
@measure_option
@spread_options(SEEDS)
@json_option
def compare_command(
    a: str,
    b: str | None,
    for_a: tuple[str, ...],
    for_b: tuple[str, ...],
    both: tuple[str, ...],
    measures: tuple[str, ...],
    seeds: int,
    base: int,
    jobs: int,
    on: str,
    as_json_: bool,
) -> None:
    """Run A and B, two scenarios or files, on the same seeds and say what differs.

    Without B it is A once more, with what --set changes.
    """

    def run() -> int:
        comparison = _prepared(a, b, for_a, for_b, both, range(base, base + seeds), measures)

        def report() -> str:
            return as_json(comparison.to_json()) if as_json_ else _text(comparison)

        return run_campaign(comparison.campaign, "compare", on, jobs, report)

    sys.exit(guarded(run))


def _prepared(
    a: str,
    b: str | None,
    for_a: tuple[str, ...],
    for_b: tuple[str, ...],
    both: tuple[str, ...],
    seeds: range,
    measures: tuple[str, ...],
) -> Comparison:
    from gossipd_sim.compare import Comparison
    from gossipd_sim.errors import ScenarioError
    from gossipd_sim.grid import make_variant
    from gossipd_sim.main import find_source

    if b is None and not for_a and not for_b:
        raise ScenarioError(
            "compare: say what differs: another scenario, or --set KEY=VALUE"
            " (as in --set swim.probe_interval=0.5)"
        )
    shared = settings_from(both)
    one = make_variant(find_source(a), (*shared, *settings_from(for_a)))
    other = make_variant(find_source(a if b is None else b), (*shared, *settings_from(for_b)))
    return Comparison(one, other, seeds, measures)


def _text(comparison: Comparison) -> str:
    from gossipd_sim.compare import A, B, describe

    variants = comparison.campaign.variants
    seeds = comparison.seeds
    lines = [f"A: {describe(variants[A])}", f"B: {describe(variants[B])}"]
    if seeds:
        lines.append(f"{len(seeds)} pairs, seeds {seeds[0]} to {seeds[-1]}; medians")
        lines += ["", table(comparison.rows()), *comparison.notes()]
    else:
        lines.append("no pair of runs was finished")
    failures = comparison.failures()
    if failures:
        lines += ["", f"VIOLATIONS: {comparison.campaign.violating} runs", failures.rstrip()]
    return "\n".join(lines).rstrip() + "\n"
