"""What ``gossipd simulate`` does, without its command line: load, run, fuzz, replay, shrink."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from gossipd.errors import ConfigError
from gossipd.value import Value
from gossipd_sim.cluster import Cluster, Outcome
from gossipd_sim.document import Table, write_toml
from gossipd_sim.errors import ScenarioError
from gossipd_sim.fuzz import FuzzResult, FuzzTask, random_document
from gossipd_sim.grid import Setting, Source, make_variant
from gossipd_sim.observer import Violation
from gossipd_sim.pool import Workers, run_all
from gossipd_sim.rehearsal import run_telling
from gossipd_sim.scenario import Scenario, library, read_scenario
from gossipd_sim.shrink import Failure, Shrinker
from gossipd_sim.tables import nearest

LOOKS = 50
"""How often a run of the shrinker is looked at: it ends with the first complaint."""
CRASHED = "exception"
"""The checker that a run names which did not come to its end: a defect of the code."""


class Listed(Value):
    """One scenario of the library, or why it cannot be read."""

    name: str
    cost: str
    """Its folder: ``fast``, ``slow`` or ``rare``."""
    nodes: int
    horizon: float
    description: str


def listing() -> list[Listed]:
    """Return the scenarios of the library, by cost and name."""
    found = []
    for name, path in library().items():
        scenario = read_scenario(path.read_text(encoding="utf-8"), f"{path}", is_tried=False)
        cost = Path(f"{path}").parent.name
        found.append(
            Listed(name, cost, scenario.nodes, scenario.horizon, scenario.description.strip())
        )
    order = {"fast": 0, "slow": 1, "rare": 2}
    return sorted(found, key=lambda listed: (order.get(listed.cost, 3), listed.name))


def load(name: str, nodes: int | None = None, settings: Sequence[Setting] = ()) -> Scenario:
    """Return a scenario of the library, or of the file ``name``.

    Args:
        nodes: another size than the one it states.
        settings: further changes; they win.

    Raises:
        ScenarioError: it does not exist, cannot be read, or makes no sense.
    """
    size = () if nodes is None else (Setting("nodes", str(nodes), nodes),)
    return make_variant(find_source(name), (*size, *settings)).scenario


def find_source(name: str) -> Source:
    """Return the text of a scenario of the library, or of the file ``name``, unchecked.

    Raises:
        ScenarioError: it does not exist or cannot be read.
    """
    packaged = library().get(name)
    if packaged is not None:
        return Source(name, f"{name}.toml", packaged.read_text(encoding="utf-8"))
    if not name.endswith(".toml") and "/" not in name:
        hint = nearest(name, library()) or "; 'gossipd simulate list' shows all"
        raise ScenarioError(f"{name}: there is no such scenario{hint} (a file ends in .toml)")
    try:
        return Source(name, name, Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ScenarioError(f"{name}: cannot be read: {reason}") from error


def rehearse(
    scenario: Scenario, seed: int, advance: Callable[[float, str], None] | None = None
) -> Outcome:
    """Run a scenario once.

    Args:
        advance: told the share of the way that was done since the last call, all sum up to 1.
    """
    return run_telling(Cluster(scenario, seed), advance)


def fuzz(tasks: Sequence[FuzzTask], workers: Workers) -> Generator[FuzzResult, None, None]:
    """Yield the result of each task as it is finished; close to end early."""
    for _, result in run_all(run_fuzz_task, tasks, workers):
        yield result


def run_fuzz_task(task: FuzzTask) -> FuzzResult:
    """Run one random scenario; a run that breaks is a violation too."""
    document = random_document(task.seed, task.nodes_max)
    return run_document(document, task.seed)


def run_document(document: Table, seed: int) -> FuzzResult:
    """Run a scenario given as a document; a run that breaks is a violation.

    Raises:
        ScenarioError: the document makes no sense.
    """
    scenario = read_scenario(write_toml(document), f"fuzz-{seed}.toml")
    cluster = Cluster(scenario, seed)
    try:
        outcome = cluster.run()
    except Exception as error:  # the defect we look for; its place is the finding
        return FuzzResult(
            seed=seed,
            nodes=scenario.nodes,
            trace="",
            virtual_seconds=cluster.world.now,
            events_done=cluster.world.events_done,
            violations=(broken_run(error, cluster.world.now),),
        )
    return FuzzResult(
        seed=seed,
        nodes=scenario.nodes,
        trace=outcome.trace,
        virtual_seconds=outcome.virtual_seconds,
        events_done=outcome.events_done,
        violations=tuple(outcome.violations),
    )


def first_complaint(document: Table, seed: int, checker: str) -> float | None:
    """Return when ``checker`` complains first, in virtual seconds; the run ends soon after.

    Raises:
        ConfigError: the document makes no sense.
    """
    cluster = Cluster(read_scenario(write_toml(document), f"fuzz-{seed}.toml"), seed)
    horizon = cluster.scenario.horizon
    try:
        for look in range(LOOKS):
            cluster.world.run_until(horizon * look / LOOKS)
            at = _first_of(checker, cluster.violations)
            if at is not None:
                return at
        return _first_of(checker, cluster.run().violations)
    except Exception:  # as in ``run_document``
        return cluster.world.now if checker == CRASHED else None


def _first_of(checker: str, violations: Sequence[Violation]) -> float | None:
    return next((found.now for found in violations if found.checker == checker), None)


def broken_run(error: Exception, now: float) -> Violation:
    """Return the violation that stands for a run ended by ``error`` at ``now``."""
    frames = traceback.extract_tb(error.__traceback__)
    place = ""
    if frames:
        place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})"
    return Violation(CRASHED, "", now, f"{type(error).__name__}: {error}{place}")


def shrinker(task: FuzzTask, runs_max: int) -> tuple[Shrinker, str] | None:
    """Return what makes the run of ``task`` smaller, and the checker it is about.

    Args:
        runs_max: runs that the search may take.

    Returns:
        ``None`` if the run is clean.
    """
    document = random_document(task.seed, task.nodes_max)
    violations = run_document(document, task.seed).violations
    if not violations:
        return None
    checker = violations[0].checker

    def complains(candidate: Table, seed: int) -> float | None:
        try:
            return first_complaint(candidate, seed, checker)
        except ConfigError:
            return None  # restarts what never crashed, or has a setting that cannot be alone

    start = Failure(document, task.seed, violations[0].now)
    return Shrinker(complains, start, runs_max=runs_max), checker
