"""``Topics``: the index clock of the HTTP face, and who waits for which part of the picture.

consul-http.md, section 5. There is no log that all agents share, so the index is
this agent's own: a number that grows with each change that clients can see, above
the milliseconds since 1970, so that a restart never goes back. Each topic (the
nodes, one node, the names of services, one service, all checks) has the number of
its last change; a question has the greatest of those that it reads.

Events only say where to look. What they point at is compared with what was known
once for a whole step, so many changes of one packet are one, and what no client
sees (the output of a check, a suspicion) wakes nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import trio

from gossipd.catalog.events import CheckChanged, OwnServicesChanged, ServiceChanged
from gossipd.node.events import NodeEvent
from gossipd.node.handle import NodeHandle
from gossipd.rest.consul.external import Externals, claimed_node, node_meta
from gossipd.rest.transport.holding import Wakes
from gossipd.serf.events import LeaveNoted, MemberChange, SerfMember
from gossipd.services.definition import CheckState
from gossipd.services.instance import OWNER_FAILED, OWNER_LEAVING, Instance
from gossipd.swim.events import MemberFailed, MemberJoined, MemberLeft, MemberUpdated
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus

Topic: TypeAlias = tuple[str, str]
"""Kind and name; the name is empty where there is one of a kind."""

NODES: Topic = ("nodes", "")
"""Which nodes there are, and what they say of themselves."""
NAMES: Topic = ("names", "")
"""Which services there are, with all their tags."""
DEFINITIONS: Topic = ("definitions", "")
"""Which instances there are and how they are defined, of any service."""
CHECKS: Topic = ("checks", "")
"""How any check stands."""
OWN: Topic = ("own", "")
"""What this agent registers."""
USER_EVENTS: Topic = ("events", "")

NAME_ADOPTED_MAX = 256
"""Longer names are of nothing that there can be, and clients make up as many as they like."""
EMPTY_KEPT = 4096
"""Services without instances, and nodes that are gone, whose last change is remembered."""


def service_topic(name: str) -> Topic:
    """Return the topic of one service: its instances, their checks and nodes."""
    return "service", name


def node_topic(name: str) -> Topic:
    """Return the topic of one node: itself, its services and checks."""
    return "node", name


class Known(Value):
    """What clients see of a member; ``standing`` is empty as long as it is well."""

    host: str
    tags: Mapping[str, str]
    standing: str
    since: int
    """Index at which this became so."""


class Topics:
    """Stamps topics and wakes who waits for them.

    Args:
        handle: the node; observed from now on.
        wall: calendar time, seconds since 1970.
        soon: runs a call after the node's step; ``None`` is trio's next pass.
    """

    def __init__(
        self,
        handle: NodeHandle,
        wall: Callable[[], float],
        soon: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._handle = handle
        self._wall = wall
        self._soon = soon or _in_next_pass
        self.woken = 0
        """How often somebody who waited was woken."""
        self._clock = self._start = max(1, int(wall() * 1000))
        self._stamps: dict[Topic, int] = {}
        self._waiters: dict[Topic, dict[Wakes, None]] = {}
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self._tags: dict[str, tuple[str, ...]] = {}
        self._members: dict[str, Known] = {}
        self.externals = Externals(self._members.__contains__)
        """The nodes without an agent; as of the last ``look``."""
        self._empty: dict[Topic, None] = {}
        """Topics of what is not there, longest unasked first."""
        self._own_seen: tuple[object, ...] = ()
        self._stale_services: dict[str, None] = {}
        self._stale_members: dict[str, None] = {}
        self._stale_others: dict[Topic, None] = {}
        self._is_due = False
        self._is_ready = False
        for summary in handle.services():
            self._stale_services[summary.name] = None
        for member in handle.view().members:
            self._stale_members[member.name] = None
        self._stale_others[OWN] = None
        self._look(self._clock)
        self.close = handle.observe(self._take)

    def index(self, *topics: Topic) -> int:
        """Return the index of what reads ``topics``, as things are now."""
        self.look()
        stamp = self._stamp
        return max([stamp(topic) for topic in topics])

    def known(self, node: str) -> Known | None:
        """Return what is known of a member, since when; ``None`` if clients see none."""
        self.look()
        return self._members.get(node)

    def watch(self, topics: Iterable[Topic], event: Wakes) -> None:
        """Have ``event`` set with the next change of one of ``topics``."""
        if not self._is_ready:
            self._is_ready = True
            self._handle.on_service_change("", _look_away)()  # loads what the first news needs
        for topic in topics:
            self._waiters.setdefault(topic, {})[event] = None

    def forget(self, topics: Iterable[Topic], event: Wakes) -> None:
        """Watch no longer."""
        for topic in topics:
            waiters = self._waiters.get(topic)
            if waiters is not None:
                waiters.pop(event, None)
                if not waiters:
                    del self._waiters[topic]

    @property
    def waiting(self) -> int:
        """How many wait, each counted once for each topic."""
        return sum(len(waiters) for waiters in self._waiters.values())

    def look(self) -> None:
        """Compare what may have changed with what was known, stamp it, wake who waits."""
        if not (self._stale_services or self._stale_members or self._stale_others):
            return
        index = max(self._clock + 1, int(self._wall() * 1000))
        changed = self._look(index)
        if not changed:
            return
        self._clock = index
        for topic in changed:
            self._stamps[topic] = index
        for topic in changed:
            for event in self._waiters.pop(topic, ()):
                self.woken += not event.is_set()
                event.set()

    # -- what happened ----------------------------------------------------------

    def _take(self, event: NodeEvent, _now: float) -> None:
        match event:  # within the node's step: only noted
            case ServiceChanged():
                self._stale_services[event.name] = None
            case MemberJoined() | MemberUpdated() | MemberFailed() | MemberLeft() | MemberChange():
                self._stale_members[event.member.name] = None
            case LeaveNoted():
                self._stale_members[event.node] = None
            case OwnServicesChanged() | CheckChanged():
                self._stale_others[OWN] = None
            case _:
                return
        self._hurry()

    def tell(self, topic: Topic) -> None:
        """Take in that ``topic`` changed, which is kept by somebody else."""
        self._stale_others[topic] = None
        self._hurry()

    def _hurry(self) -> None:
        if self._waiters and not self._is_due:
            self._is_due = True
            self._soon(self._look_now)

    def _look_now(self) -> None:
        self._is_due = False
        self.look()

    # -- what is different ------------------------------------------------------

    def _look(self, index: int) -> dict[Topic, None]:
        changed, self._stale_others = self._stale_others, {}
        services, self._stale_services = self._stale_services, {}
        members, self._stale_members = self._stale_members, {}
        for name in services:
            self._look_at_service(name, changed)
        if members:
            present = {member.name: member for member in self._handle.view().members}
            for name in members:
                self._look_at_member(name, present.get(name), index, changed)
        if OWN in changed:
            self._look_at_ourselves(changed)
        self._drop_old()
        return changed

    def _look_at_service(self, name: str, changed: dict[Topic, None]) -> None:
        before, after = self._instances.get(name, ()), self._handle.service(name).instances
        if before is after:
            return
        gone = {instance.key: instance for instance in before}
        is_defined_anew = False
        for instance in after:
            known = gone.pop(instance.key, None)
            if known is instance:
                continue
            if known is None or known.service is not instance.service:
                is_defined_anew = True
            if known is None or not look_the_same(known, instance):
                self._stamp_instance(known, instance, changed)
            else:
                self._place_external(instance, True, changed)
        for instance in gone.values():
            self._stamp_instance(instance, None, changed)
        topic = service_topic(name)
        if after:
            self._instances[name] = after
            self._empty.pop(topic, None)
        else:
            self._instances.pop(name, None)
            self._put_empty(topic)
        if is_defined_anew or gone:
            self._look_at_tags(name, after, changed)

    def _look_at_tags(
        self, name: str, instances: tuple[Instance, ...], changed: dict[Topic, None]
    ) -> None:
        tags = tuple(sorted({tag for instance in instances for tag in instance.service.tags}))
        if instances and self._tags.get(name) != tags:
            self._tags[name] = tags
        elif instances or self._tags.pop(name, None) is None:
            return
        changed[NAMES] = None

    def _stamp_instance(
        self, before: Instance | None, after: Instance | None, changed: dict[Topic, None]
    ) -> None:
        for instance in (before, after):
            if instance is None:
                continue
            changed[service_topic(instance.service.name)] = None
            changed[node_topic(instance.owner)] = None  # its own checks come with its instances
            node = self._place_external(instance, instance is after, changed)
            if node is not None:
                changed[node_topic(node)] = None
        changed[CHECKS] = None
        if before is None or after is None or before.service != after.service:
            changed[DEFINITIONS] = None

    def _place_external(
        self, instance: Instance, is_there: bool, changed: dict[Topic, None]
    ) -> str | None:
        """Keep what says it is of a node without an agent, and return its name, if it is one."""
        node = claimed_node(instance.service)
        if node is None:
            return None
        before = self.externals.first(node)
        if is_there:
            self.externals.put(node, instance)
        elif self.externals.drop(node, instance) and node not in self._members:
            self._put_empty(node_topic(node))
        if node in self._members:
            return None
        after = self.externals.first(node)
        if after is not None:
            self._empty.pop(node_topic(node), None)
        if before is None or after is None or _node_of(before) != _node_of(after):
            changed[NODES] = None
            for one in self.externals.claims(node):
                changed[service_topic(one.service.name)] = None
        return node

    def _look_at_member(
        self, name: str, member: SerfMember | None, index: int, changed: dict[Topic, None]
    ) -> None:
        before = self._members.get(name)
        topic = node_topic(name)
        if member is None or member.status in (MemberStatus.LEFT, MemberStatus.NONE):
            if before is None:
                return
            del self._members[name]
            if name not in self.externals:
                self._put_empty(topic)
            is_other = is_elsewhere = is_turn = True
        else:
            host, standing = member.address.host, _standing_of(member)
            is_elsewhere = (
                before is None or before.host != host or dict(before.tags) != dict(member.tags)
            )
            is_other = before is None or before.standing != standing
            if not is_elsewhere and not is_other:
                return
            is_turn = before is None
            self._members[name] = Known(host, member.tags, standing, index)
            self._empty.pop(topic, None)
        changed[topic] = None
        if is_turn:
            self._look_at_claims(name, changed)
        for instance in self._handle.services_of(name):
            changed[service_topic(instance.service.name)] = None
        if is_elsewhere:
            changed[NODES] = None
        if is_other:
            changed[CHECKS] = None

    def _look_at_claims(self, name: str, changed: dict[Topic, None]) -> None:
        """Stamp what is shown elsewhere now: it says it is of a node that turned a member or
        ceased to be one."""
        for instance in self.externals.claims(name):
            changed[service_topic(instance.service.name)] = None
            changed[node_topic(instance.owner)] = None
            if instance.owner == self._handle.view().name:
                changed[OWN] = None

    def _look_at_ourselves(self, changed: dict[Topic, None]) -> None:
        """Compare what is told of this agent alone: checks of its node, which reason is whose."""
        own, name = self._handle.own_services(), self._handle.view().name
        checks = tuple([_sight(check) for check in own.node.checks])
        reasons = tuple([(o.service.id, o.state.maintenance) for o in own.services])
        seen = own.node.maintenance, checks, reasons
        if seen != self._own_seen:
            self._own_seen = seen
            changed[CHECKS] = changed[node_topic(name)] = None
            for instance in self._handle.services_of(name):
                changed[service_topic(instance.service.name)] = None

    # -- stamps -----------------------------------------------------------------

    def _stamp(self, topic: Topic) -> int:
        stamp = self._stamps.get(topic)
        if stamp is not None:
            return stamp
        kind, name = topic
        if kind == "service" and name not in self._instances:
            return self._adopt(topic, self._stamps.get(NAMES, self._start))
        if kind == "node" and name not in self._members and name not in self.externals:
            return self._adopt(topic, max(self._stamps.get(t, self._start) for t in (NODES, NAMES)))
        return self._start

    def _adopt(self, topic: Topic, stamp: int) -> int:
        """Give what is not there the index of the list it is missing from, and keep to it.

        So who waits for it is not woken by each entry of that list, and the index of what was
        forgotten does not fall: the list changed when it went.
        """
        if len(topic[1]) <= NAME_ADOPTED_MAX:
            self._stamps[topic] = stamp
            self._put_empty(topic)
            self._drop_old()
        return stamp

    def _put_empty(self, topic: Topic) -> None:
        self._empty.pop(topic, None)
        self._empty[topic] = None

    def _drop_old(self) -> None:
        while len(self._empty) > EMPTY_KEPT:
            topic = next(iter(self._empty))
            del self._empty[topic]
            self._stamps.pop(topic, None)


def look_the_same(one: Instance, other: Instance) -> bool:
    """Return whether clients of Consul's API see no difference, but for words of checks."""
    return (
        one.status == other.status
        and one.weight == other.weight
        and (one.service is other.service or one.service == other.service)
        and one.owner_address == other.owner_address
        and one.maintenance == other.maintenance
        and one.is_draining == other.is_draining
        and _is_out(one) == _is_out(other)
        and (
            one.checks is other.checks
            or [_sight(check) for check in one.checks] == [_sight(check) for check in other.checks]
        )
    )


def _is_out(instance: Instance) -> str:
    status = instance.owner_status
    return status if status in (OWNER_FAILED, OWNER_LEAVING) else ""


def _sight(check: CheckState) -> tuple[str, ...]:
    return check.id, check.name, check.kind, check.status


def _node_of(instance: Instance) -> tuple[str, dict[str, str]]:
    """Return what an instance says of its node, which has no agent."""
    return instance.address, node_meta(instance.service)


def _standing_of(member: SerfMember) -> str:
    return "" if member.status is MemberStatus.ALIVE else member.status.name.lower()


def _look_away() -> None:
    """Be woken for nothing."""


def _in_next_pass(call: Callable[[], None]) -> None:
    trio.lowlevel.current_trio_token().run_sync_soon(call, idempotent=True)
