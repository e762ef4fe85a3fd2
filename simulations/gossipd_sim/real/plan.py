"""``RealPlan``: the part of a scenario that processes can do, decided once for both sides.

Chance is resolved with one seed: real processes and every simulated run suffer
the same faults at the same moments. What processes cannot do is refused, all
of it in one line.
"""

from __future__ import annotations

import base64

from gossipd.value import Value, replace
from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import (
    Crash,
    Fault,
    Freeze,
    HostFault,
    Join,
    Leave,
    Restart,
    Start,
    Thaw,
)
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import Calm
from gossipd_sim.real.loopback import HOSTS_MAX
from gossipd_sim.real.programs import GOSSIPD, AgentKind
from gossipd_sim.schedule import Schedule, make_schedule
from gossipd_sim.script import FORMED, Scenario
from gossipd_sim.selectors import join_names
from gossipd_sim.world import World

POSSIBLE: tuple[type[Fault], ...] = (Crash, Restart, Start, Join, Leave, Freeze, Thaw)
CHECKED_BY = ("own-entry",)
"""The simulated side is timed, not judged: one cheap checker is enough."""
REASONS_SHOWN = 5


class RealPlan(Value, kw_only=True):
    """What is done, by processes and in the simulator.

    ``boots``: first starts, in order of time. ``faults``: plain ones, hosts
    named outright, in order of time. ``scenario``: the same for the simulator.
    ``profile``, ``encrypt`` and ``settings``: how each agent is started.
    """

    scenario: Scenario
    names: tuple[str, ...]
    boots: tuple[Start, ...]
    faults: tuple[Fault, ...]
    profile: str
    encrypt: str
    settings: tuple[str, ...]

    @property
    def keeps_snapshots(self) -> bool:
        """Whether a process is to know what its last life knew."""
        return any(isinstance(fault, Restart) and fault.remember for fault in self.faults)


def make_plan(scenario: Scenario, seed: int, kind: AgentKind) -> RealPlan:
    """Return what processes of ``kind`` can do of ``scenario``, which must be all of it.

    Args:
        seed: decides what the scenario leaves to chance, as in a run of that seed.

    Raises:
        ScenarioError: it holds something that processes cannot do; names it.
    """
    schedule = make_schedule(scenario, World(seed).random("schedule"))
    faults = tuple(fault for fault in schedule.faults if not isinstance(fault, Calm))
    reasons = [*_impossible_faults(faults), *_impossible_setup(scenario, kind)]
    if reasons:
        more = f" and {len(reasons) - REASONS_SHOWN} more" if len(reasons) > REASONS_SHOWN else ""
        raise ScenarioError(
            f"{scenario.name}: real processes cannot do {'; '.join(reasons[:REASONS_SHOWN])}{more};"
            " they can crash, restart, start, join, leave, freeze and thaw"
        )
    return RealPlan(
        scenario=_plain(scenario, schedule, faults),
        names=schedule.names,
        boots=_boots(scenario, schedule),
        faults=faults,
        profile=scenario.profile,
        encrypt=base64.b64encode(scenario.keys[0]).decode() if scenario.keys else "",
        settings=tuple(
            word
            for section in ("swim", "serf", "wire")
            for key, value in getattr(scenario, section).items()
            for word in ("--set", f"{section}.{key}={_setting(value)}")
        ),
    )


def _boots(scenario: Scenario, schedule: Schedule) -> tuple[Start, ...]:
    """Return the first starts; what begins as a formed cluster joins through one of it."""
    if scenario.bootstrap.kind != FORMED:
        return schedule.boots
    first = min(boot.hosts for boot in schedule.boots)
    return tuple(
        boot if boot.hosts == first else replace(boot, to=first) for boot in schedule.boots
    )


def _impossible_faults(faults: tuple[Fault, ...]) -> list[str]:
    """Return what faults are impossible, each kind once with the moment of its first."""
    reasons: dict[str, float] = {}
    for fault in faults:
        if not isinstance(fault, POSSIBLE):
            reasons.setdefault(fault.do, fault.at)
        elif isinstance(fault, Crash) and fault.power_lost:
            reasons.setdefault(f"{fault.do} with power_lost", fault.at)
    return [f"{what} at {at:g} s" for what, at in reasons.items()]


def _impossible_setup(scenario: Scenario, kind: AgentKind) -> list[str]:
    reasons = []
    if scenario.laws != Laws():
        reasons.append("network (the loopback has laws of its own)")
    if scenario.links:
        reasons.append("links")
    if scenario.special:
        reasons.append("special (all agents are started alike)")
    if len(scenario.keys) > 1:
        reasons.append("several keys")
    if scenario.nodes > HOSTS_MAX:
        reasons.append(f"{scenario.nodes} nodes (at most {HOSTS_MAX})")
    if kind is not GOSSIPD:
        sections = [name for name in ("swim", "serf", "wire") if getattr(scenario, name)]
        reasons += [f"{name} (only gossipd has such settings)" for name in sections]
    return reasons


def _plain(scenario: Scenario, schedule: Schedule, faults: tuple[Fault, ...]) -> Scenario:
    """Return ``scenario`` with every choice made, so that any seed does the same."""
    booted = {boot.hosts for boot in schedule.boots}
    late = [name for name in schedule.names if name not in booted]
    return replace(
        scenario,
        late=join_names(late),
        groups={},
        churn=(),
        faults=tuple(fault for fault in faults if isinstance(fault, HostFault)),
        checkers=CHECKED_BY,
    )


def _setting(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
