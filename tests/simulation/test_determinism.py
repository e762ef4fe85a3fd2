"""Equal seeds give equal runs, to the bit, whatever the process; and clusters agree."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import ClockDrift, Crash, Freeze, Leave, Slow
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import LinkLaws, Partition
from gossipd_sim.observer import Watcher
from gossipd_sim.script import Scenario
from gossipd_sim.service_faults import Drain, Flap, Register
from gossipd_sim.trace import Trace
from gossipd_sim.workload import Churn

ROUGH = Scenario(
    name="rough",
    nodes=12,
    horizon=60.0,
    settle=20.0,
    keys=(bytes(16),),
    laws=Laws(loss=0.02, duplicate=0.02, reorder=0.05, burst_loss=0.001, corrupt=0.001),
    faults=(
        Partition(at=8.0, lasts=5.0, groups=("n000-n005", "n006-n011")),
        Freeze(at=10.0, lasts=9.0, hosts="random:2"),
        Crash(at=12.0, lasts=8.0, hosts="random:1", remember=True),
        Leave(at=20.0, lasts=10.0, hosts="random:1"),
        Slow(at=22.0, lasts=5.0, hosts="random:2", seconds=0.4),
        ClockDrift(at=5.0, lasts=20.0, hosts="random:1", rate=1.1),
        LinkLaws(at=25.0, lasts=5.0, sources="n003", targets="all", laws={"loss": 0.5}),
        Register(at=4.0, hosts="n000-n007", service="web", count=2),
        Register(at=14.0, hosts="random:3", service="db", meta={"note": "x" * 3000}),
        Flap(at=15.0, hosts="n001-n003", service="web", times=9, every=0.7),
        Drain(at=18.0, hosts="n004", service="web", seconds=4.0),
    ),
    churn=(Churn(at=10.0, lasts=25.0, every=6.0),),
)
"""Everything that draws on chance, and everything whose order could be that of a set."""

PROGRAM = """
import sys
from test_determinism import ROUGH
from gossipd_sim.cluster import Cluster
outcome = Cluster(ROUGH, int(sys.argv[1])).run()
print(outcome.trace, outcome.events_done, outcome.measures)
"""


def test_one_seed_gives_one_run() -> None:
    first, second = Cluster(ROUGH, 5).run(), Cluster(ROUGH, 5).run()
    assert first == second
    assert first.events_done > 5000


@pytest.mark.parametrize("scenario", [ROUGH, replace(ROUGH, keys=(), wire={"label": "blue"})])
def test_by_wire_and_by_reference_give_the_same_run(scenario: Scenario) -> None:
    by_reference = Cluster(scenario, 7).run()
    by_wire = Cluster(scenario, 7, by_wire=True).run()
    assert by_wire.trace == by_reference.trace
    assert by_wire.measures == by_reference.measures
    assert by_wire.violations == by_reference.violations
    assert by_wire.events_done > 5000
    assert by_wire.sealed_bytes > 0 == by_reference.sealed_bytes


def test_different_seeds_give_different_runs() -> None:
    small = Scenario(name="small", nodes=3, horizon=10.0, settle=0.0)
    assert len({Cluster(small, seed).run().trace for seed in range(10)}) == 10


@pytest.mark.parametrize("seed", [5])
def test_a_run_does_not_depend_on_the_process_or_its_hash_seed(seed: int) -> None:
    here = os.path.dirname(__file__)

    def run(hash_seed: str) -> str:
        path = os.pathsep.join([here, *filter(None, sys.path)])
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(seed)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("0") == run("1")


def test_watching_a_run_does_not_change_it() -> None:
    watched = Cluster(ROUGH, 5)
    alone = Cluster(ROUGH, 5)
    alone.observers.clear()
    assert watched.run().trace == alone.run().trace


def test_a_trace_that_keeps_its_lines_shows_where_two_runs_part() -> None:
    small = Scenario(name="small", nodes=3, horizon=10.0, settle=0.0)
    traces = [Trace(keep=True) for _ in range(3)]
    for trace, seed in zip(traces, (1, 1, 2), strict=True):
        Cluster(small, seed, trace=trace).run()
    first, second, other = [trace.lines or [] for trace in traces]
    assert first == second
    assert len(first) > 50
    at = next(n for n, (one, two) in enumerate(zip(first, other, strict=False)) if one != two)
    assert first[:at] == other[:at]


def test_the_trace_tells_every_part_of_a_line_apart() -> None:
    def digest(*lines: tuple[float, str, str, bytes]) -> str:
        trace = Trace()
        for line in lines:
            trace.note(*line)
        return trace.hexdigest()

    digests = {
        digest((1.0, "ab", "c", b"d")),
        digest((1.0, "a", "bc", b"d")),
        digest((1.0, "ab", "", b"cd")),
        digest((1.000000001, "ab", "c", b"d")),
        digest((1.0, "ab", "c", b""), (1.0, "", "", b"d")),
        digest(),
    }
    assert len(digests) == 6


@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_nodes_come_up_lose_one_and_agree(seed: int) -> None:
    scenario = Scenario(
        name="thirty",
        nodes=30,
        horizon=80.0,
        settle=35.0,
        faults=(Crash(at=45.0, hosts="n017"),),
    )
    cluster = Cluster(scenario, seed)
    names = list(cluster.hosts)
    # gossip alone may miss one; a push/pull with anybody comes within 30 s
    cluster.world.run_until(44.0)
    assert cluster.site.all_show(MemberStatus.ALIVE, names)
    outcome = cluster.run()
    assert outcome.violations == ()
    assert outcome.virtual_seconds == 80.0
    assert cluster.site.all_show(MemberStatus.FAILED, ["n017"])
    assert cluster.site.all_show(MemberStatus.ALIVE, [name for name in names if name != "n017"])


def test_faults_are_told_to_observers_in_words() -> None:
    told: list[str] = []
    cluster = Cluster(ROUGH, 5)

    class Ear(Watcher):
        def on_fault(self, text: str, now: float) -> None:
            told.append(text)

    cluster.observers[:] = [Ear()]
    cluster.run()
    assert any("freeze" in text for text in told)
    assert any("partition" in text for text in told)
