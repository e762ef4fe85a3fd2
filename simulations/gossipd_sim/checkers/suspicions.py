"""A suspicion lasts as long as it may, neither shorter nor longer (Lifeguard, LHA-Suspicion).

Its deadline is within the bounds for the size of the table. It is there
exactly as long as the entry says suspect. Nobody is declared dead by a
host's own suspicion before its shortest time, and no suspicion stays open
long after its longest.

Where bits turn on links without encryption, a death that a host told of
somebody else may come back as one that it told of the suspect, for gossip with
pings carries no checksum (gossip.md, section 4.3). Then a verdict in its name
is its own only if it came by no packet.
"""

from __future__ import annotations

from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.swim.events import MemberFailed, MemberSuspected, SuspicionConfirmed
from gossipd.swim.member import Member, MemberState
from gossipd.swim.scaling import suspicion_bounds
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

ROUNDING = 0.001
"""Seconds; suspicion times are floored to a millisecond."""
SLEEP = 10.0
"""Seconds without a step after which a host must have been stopped."""
PATIENCE = 2.0
"""How many times its longest time a suspicion may be open: clocks may drift, hosts freeze."""


class Suspicions:
    """Follows each suspicion of each host, by the host's own clock where it tells times."""

    def __init__(self, complain: Complain, truth: Truth) -> None:
        self._complain = complain
        self._truth = truth
        self._sizes: dict[str, int] = {}
        self._open: dict[str, dict[str, tuple[float, float]]] = {}
        """By host and suspect: the deadline's origin there, and when we saw it first."""
        self._allowed: dict[str, dict[str, tuple[float, float]]] = {}
        """By host and suspect: the bounds when the suspicion began; the table may grow since."""
        self._faults_at = 0.0
        self._stepped_at: dict[str, float] = {}
        self._awake_at: dict[str, float] = {}
        self._told: dict[tuple[str, int, str], None] = {}
        self._verdicts: dict[str, set[tuple[str, int]]] = {}
        """By host: who it declared dead itself, at which incarnation."""
        self._machines: dict[str, set[str]] = {}
        """By node name: the hosts that ever bore it."""

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew: a new life suspects nobody."""
        self._sizes[host.name] = 1
        self._open[host.name] = {}
        self._allowed[host.name] = {}
        self._verdicts[host.name] = set()
        self._machines.setdefault(host.config.name, set()).add(host.name)

    def on_fault(self, text: str, now: float) -> None:
        """Note that somebody may have been stopped, or let go on."""
        self._faults_at = now

    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """Complain of a suspect whom no suspicion follows: it would stay one for ever."""
        node = host.node
        if node is None or after is None or after.state is not MemberState.SUSPECT:
            return
        if after.name not in insight.suspicions(node):
            self._complain(host.name, now, f"{after.name} is suspect and no suspicion of it runs")

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Compare times that an event tells with the bounds."""
        node = host.node
        if node is None:
            return
        match event:
            case MemberSuspected(member=member):
                self._allowed[host.name][member.name] = self._bounds(host)
                self._within(host, member.name, now)
            case SuspicionConfirmed(member=member):
                self._within(host, member.name, now)
            case MemberFailed(member=member, suspected_for=seconds) if seconds is not None:
                low = self._bounds_of(host, member.name)[0]
                # an accuser may have our name from a former life of ours
                is_own = event.accuser == host.config.name and host.life == 1
                # and our own verdict may come back late, when we have forgotten it
                verdict = (member.name, member.incarnation)
                is_own = is_own and verdict not in self._verdicts[host.name]
                is_own = is_own and len(self._machines[host.config.name]) == 1
                is_own = is_own and not self._may_be_garbled(host, node)
                if is_own:
                    self._verdicts[host.name].add(verdict)
                if is_own and seconds < low - ROUNDING:
                    self._complain(
                        host.name,
                        now,
                        f"{member.name} declared dead after {seconds:.3f} s of suspicion,"
                        f" the least is {low:.3f} s",
                    )
            case _:
                pass

    def on_step(self, host: Host, now: float) -> None:
        """Compare the suspicions with the table, and with how long they may be open."""
        node = host.node
        if node is None:
            return
        running, kept = insight.suspicions(node), self._open[host.name]
        if host.is_hindered or now - self._stepped_at.get(host.name, now) > SLEEP:
            self._awake_at[host.name] = now  # it was stopped: what is overdue comes now
        self._stepped_at[host.name] = now
        excused = max(self._faults_at, self._awake_at.get(host.name, 0.0))
        for name, suspicion in running.items():
            known = insight.entry(node, name)
            if known is None or known.state is not MemberState.SUSPECT:
                state = "unknown" if known is None else known.state.name.lower()
                self._once(host, name, f"{name} is {state} and still suspected", now)
            origin, seen_at = kept.get(name, (None, now))
            if origin != suspicion.since:
                kept[name] = (suspicion.since, now)
                continue
            longest = PATIENCE * self._bounds_of(host, name)[1]
            if now - max(seen_at, excused) > longest:
                self._once(host, name, f"{name} suspected for {now - seen_at:.1f} s", now)
        if len(kept) > len(running):
            for name in [name for name in kept if name not in running]:
                del kept[name]
        self._sizes[host.name] = insight.table_size(node)

    def _may_be_garbled(self, host: Host, node: Node) -> bool:
        """Say whether the death just told may be a claim in which a bit turned on its way."""
        return bool(
            self._truth.bits_turned and not host.config.keys and insight.came_by_packet(node)
        )

    def _within(self, host: Host, name: str, now: float) -> None:
        running = insight.suspicions(host.node).get(name) if host.node is not None else None
        if running is None:
            return  # it is over within the same step
        low, high = self._bounds_of(host, name)
        seconds = running.deadline - running.since
        if not low - ROUNDING <= seconds <= high + ROUNDING:
            self._complain(
                host.name,
                now,
                f"suspicion of {name} is to last {seconds:.3f} s,"
                f" allowed are {low:.3f} to {high:.3f} s",
            )

    def _bounds_of(self, host: Host, name: str) -> tuple[float, float]:
        return self._allowed[host.name].get(name) or self._bounds(host)

    def _bounds(self, host: Host) -> tuple[float, float]:
        """Return the shortest and longest time, in seconds, for the sizes the table had lately."""
        swim = host.config.swim
        assert host.node is not None
        sizes = (self._sizes.get(host.name, 1), insight.table_size(host.node))
        return suspicion_bounds(swim, min(sizes))[1], suspicion_bounds(swim, max(sizes))[2]

    def _once(self, host: Host, name: str, text: str, now: float) -> None:
        """Complain once of each suspect in a life: later steps would only repeat it."""
        suspect = (host.name, host.life, name)
        if suspect not in self._told:
            self._told[suspect] = None
            self._complain(host.name, now, text)
