"""``Trial``: one run of one scenario as a value that another process can be handed.

It carries the scenario as text: a worker reads it as a person's file would be
read, and is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from gossipd.value import Value
from gossipd_sim.cluster import Cluster
from gossipd_sim.main import broken_run
from gossipd_sim.observer import Violation
from gossipd_sim.scenario import Scenario, read_scenario


class Trial(Value):
    """A run to make: the scenario as TOML, how messages name it, and the seed.

    ``place``: which of several variants it belongs to, for whoever asked.
    """

    text: str
    file: str
    seed: int
    place: int = 0


class TrialResult(Value):
    """What one run gave; ``trace`` is empty, and so are ``measures``, if it broke.

    ``measures``: plain numbers by dotted name (``detection.first.median``); what
    a run has nothing to say of is missing. ``groups``: the names of the tables
    they stood in.
    """

    trace: str
    virtual_seconds: float
    events_done: int
    violations: tuple[Violation, ...]
    measures: Mapping[str, float]
    groups: tuple[str, ...] = ()


def run_trial(trial: Trial) -> TrialResult:
    """Run a scenario once; a run that breaks is a violation.

    Raises:
        ScenarioError: it makes no sense.
    """
    cluster = Cluster(_scenario(trial.text, trial.file), trial.seed)
    try:
        outcome = cluster.run()
    except Exception as error:  # a defect of the code: its place is the finding
        now = cluster.world.now
        violations = (broken_run(error, now),)
        return TrialResult("", now, cluster.world.events_done, violations, {})
    numbers: dict[str, float] = {}
    groups: list[str] = []
    _flatten("", outcome.measures, numbers, groups)
    return TrialResult(
        outcome.trace,
        outcome.virtual_seconds,
        outcome.events_done,
        tuple(outcome.violations),
        numbers,
        tuple(groups),
    )


@lru_cache(maxsize=4)
def _scenario(text: str, file: str) -> Scenario:
    return read_scenario(text, file)


def _flatten(
    path: str, measures: Mapping[str, object], numbers: dict[str, float], groups: list[str]
) -> None:
    for key, value in measures.items():
        name = f"{path}.{key}" if path else key
        match value:
            case Mapping():
                groups.append(name)
                _flatten(name, value, numbers, groups)
            case bool():
                numbers[name] = float(value)
            case int() | float():
                numbers[name] = value
            case _:
                pass  # a list, or nothing: no number to compare
