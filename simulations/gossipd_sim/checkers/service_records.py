"""What a host shows of services is what owners said, not older than before, and fits membership.

After each step in which something changed: of one owner and epoch versions never
fall; nothing is shown that its owner did not say (where bits turn on links without
encryption that can happen). Of an owner that left or is unknown nothing is shown; nothing
of one that leaves passes; what a failed one held is critical, unless the mass-loss guard
holds, and then it is doubtful; what a suspected one holds is doubtful. A host without a
catalog shows nothing. And nobody has to refute: where nobody lies, none holds of an owner
what it did not say, not even for the moment until that heals.
"""

from __future__ import annotations

from collections.abc import Iterator

from gossipd.catalog.events import OwnServicesChanged, RecordIgnored, ServiceChanged
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.serf.events import MemberChange
from gossipd.services.definition import CRITICAL, PASSING
from gossipd.services.instance import Instance
from gossipd.swim.events import MemberFailed, MemberRefuted, MemberSuspected
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.checkers.said import Said
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

_ABOUT_MEMBERS = (MemberFailed, MemberSuspected, MemberRefuted, MemberChange)
GONE = (MemberStatus.LEFT, MemberStatus.NONE)


class ServiceRecords:
    """Looks at the services and owners that a host's events name."""

    def __init__(self, complain: Complain, truth: Truth) -> None:
        self._complain = complain
        self._truth = truth
        self._said = Said()
        self._services: dict[str, dict[str, None]] = {}
        self._owners: dict[str, dict[str, None]] = {}
        self._seen: dict[str, dict[str, dict[tuple[str, str], Instance]]] = {}
        """By host, service and instance: what was shown last, as long as it is shown."""

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew."""
        self._seen[host.name] = {}
        self._services.pop(host.name, None)
        self._owners.pop(host.name, None)

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Note what to look at."""
        kind = type(event)
        if kind is ServiceChanged:
            assert isinstance(event, ServiceChanged)
            self._services.setdefault(host.name, {})[event.name] = None
        elif kind is OwnServicesChanged:
            self._owners.setdefault(host.name, {})[host.config.name] = None
        elif kind is RecordIgnored:
            assert isinstance(event, RecordIgnored)
            self._look_at_honour(host, event, now)
        elif isinstance(event, _ABOUT_MEMBERS) and host.config.catalog.enabled:
            self._owners.setdefault(host.name, {})[event.member.name] = None

    def _look_at_honour(self, host: Host, event: RecordIgnored, now: float) -> None:
        """Complain if others hold of a host what it never said: it refutes, and it is healed."""
        truth = self._truth
        if event.reason != "not-our-word" or truth.bits_turned:
            return
        if len(truth.named(host.config.name)) == 1:
            self._complain(host.name, now, f"refutes what others hold of it ({event.detail})")

    def on_step(self, host: Host, now: float) -> None:
        """Look at what was named."""
        services = self._services.pop(host.name, None)
        owners = self._owners.pop(host.name, None)
        node = host.node
        if node is None or (services is None and owners is None):
            return
        if services is not None or (owners is not None and host.config.name in owners):
            self._said.note(host)
        if not host.config.catalog.enabled:
            self._complain(host.name, now, "has no catalog, and told something of services")
        for name in services or ():
            seen = self._seen[host.name]
            before = seen.get(name, {})
            instances = node.service(name).instances
            # an owner that was thought to have left is learned anew, the old before the new
            seen[name] = {instance.key: instance for instance in instances}
            for instance in instances:
                known = before.get(instance.key)
                for text in self._wrong_with(host, node, instance, known):
                    self._complain(host.name, now, text)
        for name in owners or ():
            for instance in node.services_of(name):
                for text in self._misplaced(host, node, instance):
                    self._complain(host.name, now, text)

    def _wrong_with(
        self, host: Host, node: Node, instance: Instance, before: Instance | None
    ) -> Iterator[str]:
        if before is instance:
            return
        what = _named(instance)
        if (
            before is not None
            and instance.epoch == before.epoch
            and instance.version < before.version
        ):
            yield f"{what} fell from version {before.version} to {instance.version}"
        yield from self._misplaced(host, node, instance)
        if self._truth.bits_turned and not host.config.keys:
            return
        owner, version = instance.owner, instance.version
        # what came since and looks the same does not change the version that is shown
        is_whole = (
            insight.catalog_floor(node, owner) >= version
            and insight.catalog_version(node, owner, instance.service.id) == version
        )
        against = self._said.contradiction(instance, is_whole=is_whole)
        if against:
            for machine in self._truth.named(owner):
                self._said.note(machine)
            against = self._said.contradiction(instance, is_whole=is_whole)
        if against:
            yield f"{what} at version {version} of epoch {instance.epoch}: {against}"

    def _misplaced(self, host: Host, node: Node, instance: Instance) -> Iterator[str]:
        """Yield what does not fit the standing of the owner here."""
        if instance.owner == host.config.name:
            return  # one that leaves has its own until it ends
        what, member = _named(instance), insight.roster(node).get(instance.owner)
        if member is None or member.status in GONE:
            status = "unknown" if member is None else "gone"
            yield f"{what} is shown although {instance.owner} is {status}"
        elif member.status is MemberStatus.FAILED:
            if instance.status != CRITICAL and not instance.is_doubtful:
                yield f"{what} is {instance.status} although {instance.owner} failed"
        elif member.status is MemberStatus.LEAVING:
            if instance.status == PASSING:
                yield f"{what} is passing although {instance.owner} leaves"
        elif instance.owner in insight.suspicions(node) and not instance.is_doubtful:
            yield f"{what} is beyond doubt although {instance.owner} is suspected"


def _named(instance: Instance) -> str:
    return f"{instance.service.id} of {instance.owner}"
