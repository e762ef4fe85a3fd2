"""The books of a real run, with members that are only told of: no process is started."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from gossipd.errors import Unavailable
from gossipd.serf.events import ChangeKind
from gossipd_sim.faults import Crash, Restart
from gossipd_sim.news import News, Spread
from gossipd_sim.real.loopback import LoopbackRange
from gossipd_sim.real.member import RealMember
from gossipd_sim.real.plan import make_plan
from gossipd_sim.real.programs import GOSSIPD
from gossipd_sim.real.run import RealCluster
from gossipd_sim.script import Scenario

SCENARIO = Scenario(
    name="crash",
    nodes=3,
    horizon=60.0,
    settle=20.0,
    faults=(Crash(at=10.0, hosts="n002", lasts=10.0, remember=True),),
)
LOADING = 0.5
"""Seconds in which a process is loaded until it answers."""


class Told(RealMember):
    """A member whose process is not there: it comes up when it is told so."""

    is_broken = False

    async def start(self, nursery: trio.Nursery, look: float = 0.0) -> float:
        self.life += 1
        await trio.sleep(LOADING)
        if self.is_broken:
            raise Unavailable("it does not answer")
        self.is_followed = True
        return trio.current_time()

    def kill(self) -> None:
        self.is_followed = False


async def crash_and_restart(
    folder: Path, heard: tuple[str, ...], after: float, *, is_broken: bool = False
) -> tuple[Spread, ...]:
    """Return what came of a restart that ``heard`` show ``after`` so many seconds."""
    plan = make_plan(SCENARIO, 0, GOSSIPD)
    with LoopbackRange() as hosts:
        cluster = RealCluster(GOSSIPD, plan, folder, hosts, lambda seconds, note: None)
        members = cluster._members
        for name in members:
            members[name] = Told(members[name].process, cluster._hear)
            members[name].is_followed = True
        gone = members["n002"]
        assert isinstance(gone, Told)
        gone.is_broken = is_broken
        async with trio.open_nursery() as nursery:
            await cluster._befall(Crash(at=10.0, hosts="n002"), gone, nursery)
            await trio.sleep(1.0)
            for viewer in ("n000", "n001"):
                cluster._hear(viewer, 0, ChangeKind.FAILED, "n002", trio.current_time())
            restart = Restart(at=20.0, hosts="n002", remember=True)
            nursery.start_soon(cluster._try, restart, gone, nursery)
            await trio.sleep(after)
            for viewer in heard:
                cluster._hear(viewer, 0, ChangeKind.JOIN, "n002", trio.current_time())
        outcome = cluster.outcome()
    assert len(outcome.troubles) == is_broken
    return outcome.spreads


@pytest.mark.parametrize(("after", "delay"), [(0.25, 0.0), (0.75, 0.25)])
async def test_a_return_is_heard_also_before_the_process_answers(
    tmp_path: Path, autojump_clock: MockClock, after: float, delay: float
) -> None:
    crash, back = await crash_and_restart(tmp_path, ("n000", "n001"), after)
    assert (crash.news, crash.delays) == (News.CRASH, (1.0, 1.0))
    assert (back.news, back.node, back.witnesses) == (News.RETURN, "n002", 2)
    assert back.delays == pytest.approx((delay, delay))


async def test_of_a_process_that_never_answers_no_return_is_told(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (crash,) = await crash_and_restart(tmp_path, ("n000",), 0.25, is_broken=True)
    assert crash.news is News.CRASH
