"""Two configurations on the same seeds: an effect is told from noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import pytest
from click.testing import CliRunner, Result

from gossipd_cli.simulate import command
from gossipd_sim.compare import A, B, Comparison, Difference
from gossipd_sim.errors import ScenarioError
from gossipd_sim.grid import Source, Variant, make_variant
from gossipd_sim.observer import Violation
from gossipd_sim.trial import Trial, TrialResult

FIRST = "detection.first.median"
CRASH = """
nodes = 4
horizon = 50.0
settle = 30.0
checkers = ["queues"]

[[faults]]
at = 5.0
do = "crash"
hosts = "n003"
"""


@pytest.fixture
def variant() -> Variant:
    return make_variant(Source("crash.toml", "crash.toml", CRASH), ())


def compared(
    variant: Variant, seeds: int, figures: Callable[[int, int], dict[str, float]]
) -> Comparison:
    """Return a comparison whose runs gave ``figures(side, seed)``."""
    comparison = Comparison(variant, variant, range(seeds))
    for trial in comparison.campaign.trials:
        measures = figures(trial.place, trial.seed)
        comparison.campaign.take(trial, TrialResult("t", 1.0, 1, (), measures))
    return comparison


def difference(comparison: Comparison, measure: str) -> Difference:
    return next(one for one in comparison.differences() if one.measure == measure)


def test_a_shift_in_every_pair_is_an_effect_and_its_size_is_told(variant: Variant) -> None:
    random = Random(1)
    base = [random.uniform(3.0, 9.0) for _ in range(20)]
    found = difference(
        compared(variant, 20, lambda side, seed: {FIRST: base[seed] - (side == B)}), FIRST
    )
    assert found.difference == pytest.approx(-1.0)
    assert found.interval == pytest.approx((-1.0, -1.0))
    assert (found.less, found.more, found.same) == (20, 0, 0)
    assert (found.better, found.worse) == (20, 0)
    assert found.verdict == "B is better"


def test_noise_alone_is_no_effect(variant: Variant) -> None:
    random = Random(2)
    noise = {(side, seed): random.random() for side in (A, B) for seed in range(20)}
    found = difference(compared(variant, 20, lambda *run: {FIRST: noise[run]}), FIRST)
    assert found.verdict == "no difference shown"
    assert found.interval is not None
    assert found.interval[0] < 0 < found.interval[1]


def test_one_lucky_measure_among_many_is_no_effect(variant: Variant) -> None:
    random = Random(3)
    others = ("deaths.false", "suspicions.false", "agreement.median", "queues.claims.max")

    def figures(side: int, seed: int) -> dict[str, float]:
        # 15 of 20 pairs: 4 % by chance alone, but there are five measures
        lucky = float(side == (B if seed < 15 else A))
        return {FIRST: lucky} | {name: random.random() for name in others}

    found = difference(compared(variant, 20, figures), FIRST)
    assert found.chance < 0.05 < found.together
    assert found.verdict == "no difference shown"


def test_more_is_better_for_some_and_neither_for_others(variant: Variant) -> None:
    names = ("agreement.share", "deaths.false", "detection.crashes")
    comparison = compared(variant, 20, lambda side, seed: dict.fromkeys(names, float(side)))
    verdicts = {one.measure: one for one in comparison.differences()}
    assert verdicts["agreement.share"].verdict == "B is better"
    assert verdicts["deaths.false"].verdict == "B is worse"
    assert verdicts["detection.crashes"].better is None


def test_runs_that_are_equal_are_called_so(variant: Variant) -> None:
    comparison = compared(variant, 20, lambda side, seed: {FIRST: float(seed)})
    assert difference(comparison, FIRST).verdict == "same in every run"


def test_a_side_that_lacks_a_measure_is_told_not_hidden(variant: Variant) -> None:
    comparison = compared(
        variant, 20, lambda side, seed: {} if side == B and seed < 3 else {FIRST: 1.0}
    )
    assert difference(comparison, FIRST).only_a == 3
    assert f"{FIRST}: left out are 3 seeds where only A has it" in comparison.notes()[0]


def test_too_few_seeds_are_told(variant: Variant) -> None:
    comparison = compared(variant, 5, lambda side, seed: {FIRST: float(side)})
    assert difference(comparison, FIRST).verdict == "no difference shown"
    assert any("5 seeds are too few" in note for note in comparison.notes())


def test_only_seeds_of_which_both_runs_finished_are_pairs(variant: Variant) -> None:
    comparison = Comparison(variant, variant, range(3))
    for trial in comparison.campaign.trials[:3]:
        comparison.campaign.take(trial, TrialResult("t", 1.0, 1, (), {FIRST: 1.0}))
    assert comparison.seeds == [0]


def test_violations_name_the_side_and_the_command(variant: Variant) -> None:
    comparison = Comparison(variant, variant, [4])
    violation = Violation("queues", "n001", 2.0, "too deep")
    comparison.campaign.take(
        Trial(CRASH, "crash.toml", 4, B), TrialResult("t", 1.0, 1, (violation,), {})
    )
    assert comparison.failures().startswith("B: 2.000 s  queues at n001: too deep\n")
    assert "gossipd simulate run crash.toml --seed 4" in comparison.failures()


def test_a_measure_that_nobody_takes_is_refused_by_the_first_run(variant: Variant) -> None:
    comparison = Comparison(variant, variant, [0], ["detection.frist.median"])
    result = TrialResult("t", 1.0, 1, (), {FIRST: 1.0}, ("detection", "detection.first"))
    with pytest.raises(ScenarioError, match=r"did you mean 'detection\.first\.median'"):
        comparison.campaign.take(comparison.campaign.trials[0], result)


# -- as an operator types it -----------------------------------------------------------


def simulate(*words: str) -> Result:
    return CliRunner().invoke(command, words)


@pytest.fixture
def crash(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("scenario") / "crash.toml"
    file.write_text(CRASH)
    return str(file)


def test_probing_twice_as_often_finds_a_crash_sooner_and_sends_more(crash: str) -> None:
    words = ("compare", crash, "--set", "swim.probe_interval=0.5", "--seeds", "8", "--jobs", "1")
    chosen = ("--measure", FIRST, "--measure", "a_node_a_second.udp_packets")
    done = simulate(*words, *chosen, "--json")
    assert done.exit_code == 0, done.output
    first, packets = json.loads(done.stdout)["measures"]
    assert (first["verdict"], packets["verdict"]) == ("B is better", "B is worse")
    assert first["b"] < first["a"]
    assert first["better"] + first["worse"] + first["same"] == 8


def test_a_scenario_compared_with_itself_is_the_same_in_every_run(crash: str) -> None:
    done = simulate("compare", crash, crash, "--seeds", "2", "--jobs", "1", "--seed", "5")
    assert done.exit_code == 0, done.output
    assert "2 pairs, seeds 5 to 6" in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith(("det", "age", "a_no"))]
    assert len(rows) >= 5
    assert all(row.endswith("same in every run") for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what differs"),
        (("--set", "swim.probe_intervall=1"), "swim.probe_intervall: unknown key"),
        (("--both", "nodes"), "KEY=VALUE"),
        (("no-such-scenario",), "no-such-scenario"),
        (("--set", "nodes=5", "--measure", "detection.frist.median"), "detection.frist.median"),
    ],
)
def test_what_makes_no_sense_ends_with_2_and_one_line(
    crash: str, words: tuple[str, ...], said: str
) -> None:
    done = simulate("compare", crash, *words, "--jobs", "1")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
