"""One rehearsal of some settings: members pause, then members crash, on lossy links.

Waves of pauses, each long enough for the last refutation, then waves of
crashes, each long enough for the wish and more; who crashed comes back. Counted
is what members say, against what is true of the hosts.
"""

from __future__ import annotations

from math import ceil, inf

from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import Crash, Fault, Freeze, Restart
from gossipd_sim.host import Host
from gossipd_sim.latency import Uniform
from gossipd_sim.laws import Laws
from gossipd_sim.network import UDP
from gossipd_sim.observer import Watcher
from gossipd_sim.plan.forecast import forecast, gossip_time
from gossipd_sim.plan.settings import Settings
from gossipd_sim.plan.wish import Wish
from gossipd_sim.script import FORMED, Bootstrap, Scenario
from gossipd_sim.selectors import plain_names

PAUSES, CRASHES = 20, 10
"""Of each so many are aimed at in one rehearsal."""
TOGETHER = 50
"""One in so many members pauses, or crashes, in one wave."""
PHASE_SECONDS_MAX = 240.0
"""A phase takes no longer than this, however few of its kind that leaves; one wave at least."""
APART = 0.37
"""Seconds between members of one wave, so that they meet their probers differently."""
REST = 3.0
"""Seconds between waves, besides what gossip needs."""
SETTLE = 1.0
AFTERMATH = 60.0
"""Seconds after a pause for which a false positive is put down to it."""
_JUST_BEFORE = 0.001
_EASY_LATENCY = (0.2, 0.8)
"""One way takes this share of a round trip, at least and at most."""


class Rehearsal(Value):
    """One run to do: ``settings`` in the cluster of ``wish``, with a ``seed`` of its own."""

    wish: Wish
    settings: Settings
    seed: int


class Rehearsed(Value, kw_only=True):
    """What came of a run; times in seconds.

    ``detections``: for each crash the time until everybody knew; infinite if somebody
    did not by the time the crashed one was back. ``pauses`` and ``pauses_failed``:
    how often a member paused, and how often somebody declared it failed for it.
    ``others_failed``: how often members were declared failed that did not pause,
    and ``member_hours`` how many members were there for how long. ``packets``:
    datagrams that each member sent in a second. ``is_formed``: whether all knew
    all before anything happened; nothing else means much otherwise.
    """

    detections: tuple[float, ...]
    pauses: int
    pauses_failed: int
    others_failed: int
    member_hours: float
    packets: float
    is_formed: bool


def rehearse_settings(task: Rehearsal) -> Rehearsed:
    """Run one rehearsal; equal ones come out equal."""
    scenario = rehearsal_scenario(task.wish, task.settings)
    cluster = Cluster(scenario, task.seed)
    verdicts = Verdicts(cluster, task.wish.pause)
    # Nobody asks for checks and measures of a rehearsal, and they would be a third of its time.
    cluster.observers[:] = [verdicts]
    first = min(fault.at for fault in cluster.faults)
    cluster.world.at(first - SETTLE / 2, verdicts.look_whether_formed)
    cluster.run()
    member_seconds = task.wish.nodes * scenario.horizon
    return verdicts.rehearsed(
        member_hours=member_seconds / 3600,
        packets=cluster.network.sent.total(UDP).packets / member_seconds,
    )


def rehearsal_scenario(wish: Wish, settings: Settings) -> Scenario:
    """Return the scenario in which ``settings`` have to prove themselves."""
    low, high = _EASY_LATENCY
    gossip = gossip_time(settings, wish)
    rest = REST + 4 * gossip
    at = settling_seconds(settings)
    faults: list[Fault] = []
    if wish.pause:
        together = max(1, wish.nodes // TOGETHER)
        wave = wish.pause + APART * together + rest
        waves = _waves(PAUSES, together, wave)
        faults.append(
            Freeze(
                at=at,
                hosts=f"random:{together}",
                lasts=wish.pause,
                stagger=APART,
                times=waves,
                every=wave,
            )
        )
        at += waves * wave
    together = max(1, wish.nodes // TOGETHER)
    down = crash_seconds(wish, settings)
    wave = down + APART * together + rest
    waves = _waves(CRASHES, together, wave)
    faults.append(
        Crash(
            at=at,
            hosts=f"random:{together}",
            lasts=down,
            stagger=APART,
            times=waves,
            every=wave,
            power_lost=True,
        )
    )
    at += waves * wave
    return Scenario(
        name="plan",
        nodes=wish.nodes,
        horizon=at + SETTLE,
        settle=SETTLE,
        bootstrap=Bootstrap(kind=FORMED),
        profile=settings.profile,
        swim=settings.table,
        laws=Laws(latency=Uniform(low * wish.rtt, high * wish.rtt), loss=wish.loss),
        faults=tuple(faults),
    )


def settling_seconds(settings: Settings) -> float:
    """Return for how long a formed cluster is left alone, so that all take up their rounds."""
    return 5.0 + 2 * settings.probe_interval


def crash_seconds(wish: Wish, settings: Settings) -> float:
    """Return for how long a crashed member stays away: it is known by then, or far too late."""
    return 1.5 * max(wish.detect, forecast(settings, wish).p99) + 2.0


def _waves(wanted: int, together: int, seconds: float) -> int:
    return max(1, min(ceil(wanted / together), int(PHASE_SECONDS_MAX // seconds)))


class _Crashed:
    """One crash: when, until when, who is there to notice it, and who did when."""

    __slots__ = ("at", "name", "noticed", "until", "witnesses")

    def __init__(self, name: str, at: float, until: float) -> None:
        self.name = name
        self.at = at
        self.until = until
        self.witnesses: list[str] = []
        self.noticed: dict[str, float] = {}

    @property
    def took(self) -> float:
        """Seconds until all witnesses had noticed, infinite if some did not in time."""
        if not all(witness in self.noticed for witness in self.witnesses):
            return inf
        return max(self.noticed[witness] for witness in self.witnesses) - self.at


class Verdicts(Watcher):
    """Observes who is declared failed, and whether rightly so.

    Args:
        cluster: before its run.
        pause: seconds that each pause lasts.
    """

    def __init__(self, cluster: Cluster, pause: float) -> None:
        self._pause = pause
        self._hosts = cluster.hosts
        self._pauses: dict[str, list[float]] = {}
        self._crashes: list[_Crashed] = []
        self._pauses_failed: set[tuple[str, float]] = set()
        self._others_failed: set[tuple[str, int]] = set()
        self._is_formed = False
        self._read(cluster.faults)
        for crash in self._crashes:
            cluster.world.at(crash.at - _JUST_BEFORE, self._look_who_can_notice, crash)

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Judge each verdict of a member about another."""
        if isinstance(event, MemberFailed):
            self._judge(host.name, event.member.name, now)

    def look_whether_formed(self) -> None:
        """Note whether every member shows every other one."""
        everybody = len(self._hosts)
        self._is_formed = all(len(host.statuses()) == everybody for host in self._hosts.values())

    def rehearsed(self, *, member_hours: float, packets: float) -> Rehearsed:
        """Return what was seen."""
        return Rehearsed(
            detections=tuple(crash.took for crash in self._crashes if crash.witnesses),
            pauses=sum(map(len, self._pauses.values())),
            pauses_failed=len(self._pauses_failed),
            others_failed=len(self._others_failed),
            member_hours=member_hours,
            packets=packets,
            is_formed=self._is_formed,
        )

    def _read(self, faults: tuple[Fault, ...]) -> None:
        """Note who pauses and who crashes when."""
        returns: dict[str, list[float]] = {}
        for fault in faults:
            if isinstance(fault, Restart):
                for name in plain_names(fault.hosts):
                    returns.setdefault(name, []).append(fault.at)
        for fault in faults:
            if isinstance(fault, Freeze):
                for name in plain_names(fault.hosts):
                    self._pauses.setdefault(name, []).append(fault.at)
            elif isinstance(fault, Crash):
                for name in plain_names(fault.hosts):
                    until = min(at for at in returns[name] if at > fault.at)
                    self._crashes.append(_Crashed(name, fault.at, until))

    def _look_who_can_notice(self, crash: _Crashed) -> None:
        """Note who shows the member as alive and stays until it is back."""
        absent = {
            other.name
            for other in self._crashes
            if other.at < crash.until and crash.at < other.until
        }
        crash.witnesses = [
            host.name
            for host in self._hosts.values()
            if host.name not in absent and host.statuses().get(crash.name) is MemberStatus.ALIVE
        ]

    def _judge(self, observer: str, member: str, now: float) -> None:
        begun = [crash for crash in self._crashes if crash.name == member and crash.at <= now]
        crash = begun[-1] if begun else None
        if crash is not None and now < crash.until:
            crash.noticed.setdefault(observer, now)
        elif crash is None or observer in crash.noticed:
            self._count_false(member, now)
        # otherwise it is late news of a crash that is over: not noticed in time

    def _count_false(self, member: str, now: float) -> None:
        begun = [at for at in self._pauses.get(member, []) if at <= now]
        if begun and now - begun[-1] <= self._pause + AFTERMATH:
            self._pauses_failed.add((member, begun[-1]))
        else:
            self._others_failed.add((member, self._hosts[member].life))
