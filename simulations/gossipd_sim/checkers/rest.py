"""At rest, after faults have ended: everybody agrees, and on the truth (liveness).

All hosts that can talk to each other show each other as alive, with the same
address and tags; whoever is gone is shown as failed or left, or not at all;
nobody is suspected and nothing waits to be gossiped. Halves of a split that
healed are one again, for then they can talk to each other.

With loss there may be a suspicion at any moment, and among many nodes without
helpers or stream pings somebody is wrong about somebody at every moment. Then
no one mistake may last: for half of the time since the faults ended, or three
push/pulls, which a lost connection may cost, but not for all of that time.

Somebody gone may be shown as there for as long as those who are left cannot know
better, and somebody up as failed for as long as they have to find each other
among many that failed: see ``findings.py``.

Where bits turn on links without encryption, a claim may be believed with a
content that its owner never gave: pings carry no checksum (gossip.md, section
4.3). It stays until the owner says something new; that is no mistake of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gossipd.address import Address
from gossipd.swim.scaling import push_pull_interval
from gossipd.wire.messages import PacketMessage
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.checkers.findings import THERE, Findings
from gossipd_sim.checkers.moves import moved_lately
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster

LOOK_EVERY = 1.0
"""Seconds between looks while there is loss, up to this many hosts."""
LOOK_NODES = 64
TOLD_MAX = 10
"""Complaints about one run; more would only say it again."""


class Rest:
    """Looks at all views when the run is over.

    Args:
        calm_from: when faults are over, in seconds since the start.
    """

    def __init__(self, complain: Complain, truth: Truth, calm_from: float) -> None:
        self._complain = complain
        self._truth = truth
        self._calm_from = calm_from
        self._next_look = calm_from
        self._findings = Findings(truth)
        self._wrong_since: dict[tuple[str, str], float] = {}
        """With loss: since when each mistake has been seen at every look."""

    def on_boot(self, host: Host, now: float) -> None:
        """Note that a new life has pinged nobody."""
        self._findings.on_boot(host)

    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """Note whom hosts ping."""
        self._findings.on_messages(sender, to, messages)

    def on_step(self, host: Host, now: float) -> None:
        """With loss, look from time to time who is wrong."""
        if now < self._next_look:
            return
        # a look compares each view with the truth, which takes the square of the size
        self._next_look = now + LOOK_EVERY * max(1.0, (len(self._truth.hosts) / LOOK_NODES) ** 2)
        if not self._truth.is_lossless():
            before = self._wrong_since
            self._wrong_since = {fault: before.get(fault, now) for fault in self._faults()}

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Complain of everything that is not as it should be."""
        is_lossless = self._truth.is_lossless()
        faults = list(self._faults())
        if not is_lossless:
            faults = [
                one for one in faults if now - self._wrong_since.get(one, now) >= self._lasting(now)
            ]
        for name, text in faults[:TOLD_MAX]:
            self._complain(name, now, text)
        if len(faults) > TOLD_MAX:
            self._complain("", now, "and more of the same")
        if is_lossless:
            for group in self._truth.groups():
                for host in group:
                    for text in self._unrest(host, group):
                        self._complain(host.name, now, text)

    def _lasting(self, now: float) -> float:
        """Return for how long a mistake must have lasted to be one, in seconds."""
        settled = now - self._calm_from
        hosts = self._truth.hosts
        syncs = max(host.config.swim.push_pull_interval for host in hosts.values())
        return min(
            settled - LOOK_EVERY, max(settled / 2, 3 * push_pull_interval(syncs, len(hosts)))
        )

    def _faults(self) -> Iterator[tuple[str, str]]:
        """Yield where views differ from the truth: the host and what is wrong."""
        truth = self._truth
        for group in truth.groups():
            owners = {
                host.config.name: host
                for host in group
                if len(truth.named(host.config.name)) == 1 and not moved_lately(truth, host)
            }
            for host in group:
                yield from self._wrong_at(host, group, owners)

    def _wrong_at(
        self, host: Host, group: Sequence[Host], owners: dict[str, Host]
    ) -> Iterator[tuple[str, str]]:
        if host.node is None:
            return
        shown = insight.roster(host.node)
        for name, owner in owners.items():
            member = shown.get(name)
            if member is None or owner.node is None:
                yield host.name, f"does not know {name}, who is up and can be reached"
            elif member.status is not MemberStatus.ALIVE:
                is_failed = member.status is MemberStatus.FAILED
                if is_failed and self._findings.may_be_out_of_touch(
                    host, member, group, self._calm_from
                ):
                    continue
                yield (
                    host.name,
                    f"shows {name} as {member.status.name.lower()}, who is up and can be reached",
                )
            elif self._may_be_garbled(host, owner):
                continue
            elif member.address != owner.address:
                yield host.name, f"shows {name} at {member.address}, who is at {owner.address}"
            else:
                own = insight.roster(owner.node).get(name)
                if own is not None and own.tags != member.tags:
                    yield host.name, f"shows tags of {name} that are not those it has"
        for name, member in shown.items():
            if (
                name not in owners
                and member.status in THERE
                and self._must_be_gone(host, name)
                and not self._findings.may_be_unknown(host, name, group)
            ):
                yield (
                    host.name,
                    f"shows {name} as {member.status.name.lower()}, who is down or out of reach",
                )

    def _may_be_garbled(self, host: Host, owner: Host) -> bool:
        """Say whether what ``host`` shows of ``owner`` may be a claim in which a bit turned."""
        if not self._truth.bits_turned or host.config.keys:
            return False
        assert host.node is not None
        assert owner.node is not None
        entry = insight.entry(host.node, owner.config.name)
        return entry is not None and entry.incarnation == insight.incarnation(owner.node)

    def _must_be_gone(self, host: Host, name: str) -> bool:
        """Say whether nobody of that name could answer ``host`` at all."""
        truth = self._truth
        for machine in truth.named(name):
            if machine.is_up and (machine.is_hindered or machine.is_leaving):
                return False
            if machine.is_up and (truth.reaches(host, machine) or truth.reaches(machine, host)):
                return False
            if machine.is_up and len(truth.named(name)) > 1:
                return False
        return True

    def _unrest(self, host: Host, group: Sequence[Host]) -> Iterator[str]:
        """Yield what goes on at ``host``, one of ``group``, although nothing happens."""
        node = host.node
        if node is None:
            return
        for name in insight.suspicions(node):
            if not self._findings.may_be_unknown(host, name, group):
                yield f"still suspects {name}"
        shown = insight.roster(node).values()
        others = sum(member.status is MemberStatus.ALIVE for member in shown)
        waiting = insight.claims_queued(node) + insight.payloads_queued(node)
        if others > 1 and waiting and not self._findings.is_telling(host, group):
            yield f"{waiting} messages still wait to be gossiped"
