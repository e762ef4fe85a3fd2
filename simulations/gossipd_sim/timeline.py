"""``Timeline``: follows the hosts through a run, and makes plain faults of written ones.

It walks through time from the first boot to the calm at the end, with the
state of every host in mind: so chance only picks hosts that a fault can happen
to at that moment, and what can never happen is refused before anything runs.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from gossipd.value import Value, replace
from gossipd_sim.errors import ScenarioError, refusals_of
from gossipd_sim.faults import ABSENT, EVICTED, GONE, Fault, ForceLeave, HostFault, Join, Start
from gossipd_sim.identity_faults import AddressReuse, NameClash
from gossipd_sim.key_faults import KeyFault, Keyrings
from gossipd_sim.link_faults import Calm, Heal, LinkLaws, OneWay, Open, Partition
from gossipd_sim.selectors import Selection, join_names, plain_names

FAULTS_MAX = 100_000
"""A run has no more faults than this; more is a slip in ``times`` or ``every``."""


class _Entry(Value):
    """A fault that is due.

    ``is_needed``: it is refused if it cannot happen, not left out. ``follows``: from
    an earlier one, as its end or as a staggered part; then of its hosts those
    are left out to which it cannot happen any more.
    """

    fault: Fault
    key: str
    is_needed: bool
    follows: bool = False
    is_boot: bool = False


class Timeline:
    """What is due when, and what state each host is in by then.

    Args:
        names: all hosts, in order.
        selection: resolves selectors.
        spare: hosts that chance leaves alone when a fault would change their life.
        calm_from: when faults must be over, in seconds.
        keys: what every host has installed at the start, the primary first.
    """

    def __init__(
        self,
        names: Sequence[str],
        selection: Selection,
        spare: Sequence[str],
        calm_from: float,
        keys: tuple[bytes, ...] = (),
    ) -> None:
        self._names = names
        self._keyrings = Keyrings(keys)
        self._selection = selection
        self._spare = spare
        self._calm_from = calm_from
        self._states = dict.fromkeys(names, ABSENT)
        self._due: list[tuple[float, int, _Entry]] = []
        self._order = 0

    def boot(self, start: Start) -> None:
        """Take note of a first start; it is not among the faults."""
        self._push(_Entry(start, "bootstrap", is_needed=True, is_boot=True))

    def add(self, fault: Fault, key: str, *, is_needed: bool = True) -> None:
        """Set a fault as written; ``key`` is where, for messages.

        Raises:
            ScenarioError: it comes, lasts or repeats beyond the time for faults.
        """
        if fault.times > FAULTS_MAX:
            raise ScenarioError(f"{key}.times: {fault.times} is above {FAULTS_MAX}")
        if fault.times > 1 and fault.every <= 0:
            raise ScenarioError(f"{key}.every: say how many seconds apart the {fault.times} are")
        last = fault.at + (fault.times - 1) * fault.every
        if last > self._calm_from:
            raise ScenarioError(
                f"{key}.at: {last:g} s is too late, faults end at {self._calm_from:g} s"
                " (horizon less settle)"
            )
        for turn in range(fault.times):
            once = replace(fault, at=fault.at + turn * fault.every, times=1, every=0.0)
            self._push(_Entry(once, key, is_needed))

    def run(self) -> tuple[Fault, ...]:
        """Return the plain faults in order of time, with the calm at the end.

        Raises:
            ScenarioError: one of them cannot happen; the message names its key.
        """
        plain: list[Fault] = []
        while self._due:
            entry = heapq.heappop(self._due)[2]
            bound = self._bind(entry)
            if bound is None or entry.is_boot:
                continue
            plain.append(bound)
            if len(plain) > FAULTS_MAX:
                raise ScenarioError(f"{entry.key}: there are more than {FAULTS_MAX} faults by now")
        plain.append(Calm(at=self._calm_from))
        return tuple(plain)

    def _push(self, entry: _Entry) -> None:
        self._order += 1
        heapq.heappush(self._due, (entry.fault.at, self._order, entry))

    def _bind(self, entry: _Entry) -> Fault | None:
        """Return ``entry`` as a plain fault of this moment, or ``None`` if nothing is left of it.

        What follows from it (its end, the hosts that are staggered behind) is set.
        """
        fault = entry.fault
        try:
            bound = self._with_names(entry)
        except ScenarioError:
            if entry.is_needed:
                raise
            bound = None
        if bound is None:
            return None
        if isinstance(bound, HostFault) and bound.stagger:
            first, *others = plain_names(bound.hosts)
            for place, name in enumerate(others, start=1):
                later = replace(bound, hosts=name, stagger=0.0, at=fault.at + place * fault.stagger)
                self._refuse_late(later, entry)
                self._push(_Entry(later, entry.key, is_needed=True, follows=True))
            bound = replace(bound, hosts=first, stagger=0.0)
        if isinstance(bound, KeyFault):
            with refusals_of(f"{entry.key}.key"):
                self._keyrings.change(bound, plain_names(bound.hosts))
        if isinstance(bound, HostFault) and bound.makes:
            for name in plain_names(bound.hosts):
                self._states[name] = bound.makes
        if fault.lasts:
            self._refuse_late(bound, entry)
            end = bound.undo(bound.at + fault.lasts)
            if end is not None:
                self._push(_Entry(end, entry.key, is_needed=True, follows=True))
                bound = replace(bound, lasts=0.0)
        return bound

    def _refuse_late(self, fault: Fault, entry: _Entry) -> None:
        if fault.at + fault.lasts > self._calm_from:
            raise ScenarioError(
                f"{entry.key}: it would go on until {fault.at + fault.lasts:g} s,"
                f" and faults end at {self._calm_from:g} s (horizon less settle)"
            )

    def _with_names(self, entry: _Entry) -> Fault | None:
        fault, key, pick = entry.fault, entry.key, self._selection.pick
        match fault:
            case HostFault():
                return self._with_hosts(fault, entry)
            case Partition() | Heal():
                with refusals_of(f"{key}.groups"):
                    groups = self._selection.divide(fault.groups)
                    if isinstance(fault, Partition) and len(groups) < 2:
                        raise ScenarioError("a partition has two groups or more")
                return replace(fault, groups=tuple(map(join_names, groups)))
            case OneWay() | Open() | LinkLaws():
                with refusals_of(f"{key}.sources"):
                    sources = pick(fault.sources)
                with refusals_of(f"{key}.targets"):
                    targets = pick(fault.targets, beside=sources)
                return replace(fault, sources=join_names(sources), targets=join_names(targets))
            case _:
                return fault

    def _with_hosts(self, fault: HostFault, entry: _Entry) -> Fault | None:
        states, needs = self._states, fault.needs
        possible = [name for name in self._names if states[name] in needs]
        with refusals_of(f"{entry.key}.hosts"):
            if entry.follows:
                left = [name for name in plain_names(fault.hosts) if name in possible]
                return replace(fault, hosts=join_names(left)) if left else None
            hosts = self._selection.pick(
                fault.hosts,
                possible=possible,
                spare=self._spare if fault.makes else (),
                why=f"{' or '.join(sorted(needs))} at {fault.at:g} s",
            )
            if not hosts:
                raise ScenarioError(f"{fault.hosts!r} is nobody then")
        bound = replace(fault, hosts=join_names(hosts))
        match bound:
            case NameClash() | AddressReuse():
                return replace(bound, of=self._former(bound, entry))
            case ForceLeave():
                with refusals_of(f"{entry.key}.target"):
                    target = self._selection.pick(bound.target)
                return replace(bound, target=join_names(target))
            case Start() | Join() if bound.to:
                with refusals_of(f"{entry.key}.to"):
                    return replace(bound, to=join_names(self._selection.pick(bound.to)))
            case _:
                return bound

    def _former(self, fault: NameClash | AddressReuse, entry: _Entry) -> str:
        """Return whose name or address is taken; an address has to be free, for good."""
        hosts = plain_names(fault.hosts)
        with refusals_of(f"{entry.key}.of"):
            if isinstance(fault, AddressReuse):
                possible = [name for name in self._names if self._states[name] == GONE]
                former = self._selection.pick(fault.of, possible=possible, why="down")
            else:
                former = self._selection.pick(fault.of, beside=hosts)
            if len(former) != 1 or len(hosts) != 1 or former == hosts:
                raise ScenarioError(f"{fault.of!r} is not one other host for one host")
            if isinstance(fault, AddressReuse):
                self._states[former[0]] = EVICTED
        return former[0]
