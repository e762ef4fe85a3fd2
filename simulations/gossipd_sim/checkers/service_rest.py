"""At rest, after faults have ended, every host shows of services what their owners say.

All hosts with a catalog that can talk to each other show of each other's services
what the owner itself shows: none is missing, none too many, statuses, definitions
and weights are its own, and nothing of an owner that is up is doubtful. Each owner
shows what its programs registered and did not take back. Who is held for alive by
mistake is the business of ``rest.py``. Who came back at another address need not show
what others have until one of them holds it for where it is: nobody can answer it before
(``moves.py``).

With loss no one mistake may last, as in ``rest.py``; outputs alone may be late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gossipd.services.instance import Instance
from gossipd.swim.scaling import push_pull_interval
from gossipd.value import fields_of, replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.checkers.moves import is_sought_elsewhere
from gossipd_sim.checkers.rest import LOOK_EVERY, TOLD_MAX
from gossipd_sim.checkers.said import told_of
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster

FIELDS = fields_of(Instance)
SYNCS = 3
"""Push/pulls of everybody after which a mistake must be mended."""


class ServiceRest:
    """Compares what hosts show when the run is over.

    Args:
        calm_from: when faults are over, in seconds since the start.
    """

    def __init__(self, complain: Complain, truth: Truth, calm_from: float) -> None:
        self._complain = complain
        self._truth = truth
        self._calm_from = calm_from
        self._next_look = calm_from
        self._wrong_since: dict[tuple[str, str], float] = {}

    def on_step(self, host: Host, now: float) -> None:
        """With loss, look from time to time who is wrong."""
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY * max(1.0, len(self._truth.hosts) / 8)
        if self._has_services() and not self._truth.is_lossless():
            before = self._wrong_since
            self._wrong_since = {fault: before.get(fault, now) for fault in self.faults()}

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Complain of everything that is not as its owner says."""
        if not self._has_services():
            return
        faults = list(self.faults())
        if not self._truth.is_lossless():
            lasting = self._lasting(now)
            faults = [one for one in faults if now - self._wrong_since.get(one, now) >= lasting]
        for name, text in faults[:TOLD_MAX]:
            self._complain(name, now, text)
        if len(faults) > TOLD_MAX:
            self._complain("", now, "and more of the same")

    def _has_services(self) -> bool:
        return any(host.config.catalog.enabled for host in self._truth.hosts.values())

    def _lasting(self, now: float) -> float:
        settled, hosts = now - self._calm_from, self._truth.hosts
        syncs = max(host.config.swim.push_pull_interval for host in hosts.values())
        enough = max(settled / 2, SYNCS * push_pull_interval(syncs, len(hosts)))
        return min(settled - 2 * (self._next_look - now) - 2 * LOOK_EVERY, enough)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield each host that is wrong now, and how."""
        truth = self._truth
        for group in truth.groups():
            owners = [host for host in group if len(truth.named(host.config.name)) == 1]
            for owner in owners:
                if owner.config.catalog.enabled:
                    for text in _wrong_at_home(owner):
                        yield owner.name, text
            for host in group:
                is_unheard = is_sought_elsewhere(truth, host, group)
                for owner in owners if not is_unheard else ():
                    for text in self._wrong_at(host, owner):
                        yield host.name, text
                yield from self._of_others(host, group)

    def _wrong_at(self, host: Host, owner: Host) -> Iterator[str]:
        """Yield how ``host`` is wrong about what ``owner`` registered."""
        if host.node is None or owner.node is None:
            return
        name = owner.config.name
        if not host.config.catalog.enabled:
            if host.node.services_of(name):
                yield f"shows services of {name} without a catalog"
            return
        member = insight.roster(host.node).get(name)
        if member is None or member.status is not MemberStatus.ALIVE:
            return  # the business of rest.py
        if self._may_be_garbled(host, owner):
            return
        is_suspected = name in insight.suspicions(host.node)
        shown = {one.service.id: one for one in host.node.services_of(name)}
        said = {one.service.id: one for one in owner.node.services_of(name)}
        for lost in (one for one in said if one not in shown):
            yield f"does not show {lost} of {name}"
        for ghost in (one for one in shown if one not in said):
            yield f"shows {ghost} of {name}, which is gone"
        for both in (one for one in shown if one in said):
            ours, theirs = _plain(shown[both]), _plain(said[both])
            if is_suspected:
                continue  # doubtful, as it has to be: with loss that may be so at any moment
            if ours != theirs:
                differs = [
                    field for field in FIELDS if getattr(ours, field) != getattr(theirs, field)
                ]
                yield f"shows another {', '.join(differs)} of {both} of {name} than it has"

    def _may_be_garbled(self, host: Host, owner: Host) -> bool:
        """Say whether a bit may have turned in what ``host`` holds for the node meta of ``owner``.

        Then it waits for records of another life, until the owner says something new.
        """
        assert host.node is not None
        assert owner.node is not None
        entry = insight.entry(host.node, owner.config.name)
        own = insight.entry(owner.node, owner.config.name)
        is_open = bool(self._truth.bits_turned) and not host.config.keys
        return is_open and entry is not None and own is not None and entry.meta != own.meta

    def _of_others(self, host: Host, group: list[Host]) -> Iterator[tuple[str, str]]:
        """Yield what ``host`` shows of owners that are not in ``group`` and yet usable."""
        if host.node is None or not host.config.catalog.enabled:
            return
        names = {one.config.name for one in group}
        for summary in host.node.services():
            for one in host.node.service(summary.name).instances:
                if one.owner in names or not one.is_usable or one.is_doubtful:
                    continue
                member = insight.roster(host.node).get(one.owner)
                if member is None or member.status is not MemberStatus.ALIVE:
                    yield (
                        host.name,
                        f"shows {one.service.id} of {one.owner}, who is gone, as passing",
                    )


def _wrong_at_home(owner: Host) -> Iterator[str]:
    """Yield how an owner differs from what its programs registered."""
    assert owner.node is not None
    own = {one.service.id: told_of(one.service) for one in owner.node.own_services().services}
    shown = {
        one.service.id: told_of(one.service) for one in owner.node.services_of(owner.config.name)
    }
    provided, ending = owner.provided.services, owner.provided.ending
    for instance, service in provided.items():
        if own.get(instance) != told_of(service):
            yield f"registers {own.get(instance)} and not {told_of(service)} as its program said"
    for instance in own:
        if instance not in provided and instance not in ending:
            yield f"registers {instance}, which its program took back"
    if own != shown:
        yield "does not show what it registers itself"


def _plain(instance: Instance) -> Instance:
    """Return ``instance`` without what may differ between hosts that agree.

    A version that looks like the one before is not told.
    """
    checks = tuple(replace(check, output="") for check in instance.checks)
    return replace(
        instance,
        service=told_of(instance.service),
        checks=checks,
        version=0,
        learned_at=0.0,
        suspected_at=None,
    )
