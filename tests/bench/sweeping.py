"""How much sooner a sweep of the simulator is done on two cores than on one."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from gossipd.value import Value
from gossipd_sim.grid import parse_axis
from gossipd_sim.main import find_source
from gossipd_sim.sweep import Sweep

SCENARIO = "single-crash"
GRID = ("nodes=24,32", "swim.probe_interval=0.5,1")
SEEDS = 8
ROUNDS = 3


class SweepTimes(Value):
    """Medians of whole sweeps in seconds, starting the processes included."""

    runs: int
    one_core: float
    two_cores: float

    @property
    def speed_up(self) -> float:
        """How many times as fast two cores are."""
        return self.one_core / self.two_cores


def measure_sweep(say: Callable[[str], None], rounds: int = ROUNDS) -> SweepTimes:
    """Measure the same sweep on one core and on two, in turn; all must find the same."""
    times: dict[int, list[float]] = {1: [], 2: []}
    runs, found = 0, None
    for _ in range(rounds):
        for jobs in times:
            axes = [parse_axis(axis) for axis in GRID]
            sweep = Sweep(find_source(SCENARIO), axes, (), range(SEEDS))
            started = time.perf_counter()
            sweep.campaign.run(jobs, lambda by, note: None)
            times[jobs].append(time.perf_counter() - started)
            runs = sweep.campaign.done
            if found is not None and sweep.to_json() != found:
                raise AssertionError(f"a sweep on {jobs} cores found something else")
            found = sweep.to_json()
    measured = SweepTimes(runs, median(times[1]), median(times[2]))
    say(
        f"sweep of {runs} runs: {measured.one_core:.2f} s on one core,"
        f" {measured.two_cores:.2f} s on two: {measured.speed_up:.2f} times as fast"
    )
    return measured
