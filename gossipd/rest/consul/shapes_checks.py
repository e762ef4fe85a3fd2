"""Checks as Consul's clients expect them, and what gossip thinks of a node as one of them.

``serfHealth`` carries the verdict of gossip: critical when the node failed, warning
while it leaves, passing otherwise; its output says what is doubted, which no client
of Consul needs to understand. Whatever else takes an instance out (maintenance, a
drain) is a check as well, so the worst check of an instance is always its status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from gossipd.node.handle import NodeHandle
from gossipd.rest.consul.external import Externals
from gossipd.serf.events import SerfMember
from gossipd.services.definition import (
    CRITICAL,
    PASSING,
    STATUSES,
    WARNING,
    CheckDefinition,
    CheckState,
    NodeState,
)
from gossipd.services.instance import OWNER_FAILED, OWNER_LEAVING, Instance
from gossipd.services.own import OwnService
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus

Json = dict[str, object]
LIVENESS = "serfHealth"
SERVICE_MAINTENANCE, NODE_MAINTENANCE = "_service_maintenance:", "_node_maintenance"
"""Ids of the checks that maintenance is shown as; clients look for them."""
SERVICE_MAINTENANCE_NAME = "Service Maintenance Mode"
NODE_MAINTENANCE_NAME = "Node Maintenance Mode"


class _Own(Value):
    """What records do not say, and this agent knows of its own services."""

    definitions: Mapping[str, CheckDefinition] = {}
    """Of checks, by their ids."""
    reasons: Mapping[str, str] = {}
    """Why services are out, by their ids."""
    node_reason: str = ""


_NOT_OURS = _Own()


class Checks:
    """Makes HealthChecks.

    Args:
        handle: the node.
        member: finds a member that is a node of the catalog.
        externals: knows which instances are shown under a node without an agent.
        own_index: returns the index of the last change of what this agent registers.
        offset: seconds between the node's clock and calendar time.
    """

    def __init__(
        self,
        handle: NodeHandle,
        member: Callable[[str], SerfMember | None],
        externals: Externals,
        own_index: Callable[[], int],
        offset: float,
    ) -> None:
        self._handle = handle
        self._member = member
        self._externals = externals
        self._own_index = own_index
        self._own = -1, _Own()
        self._offset = offset

    def of_entry(self, instance: Instance, index: int) -> list[Json]:
        """Return the checks of a ServiceEntry: of the node, then of the instance."""
        return [*self._of_its_node(instance, index), *self.of_instance(instance, index)]

    def of_instance(self, instance: Instance, index: int) -> list[Json]:
        """Return the checks of a service instance alone."""
        service, node = instance.service, self._externals.shown_node(instance)
        id, tags = self._externals.shown_service(service).id, list(service.tags)
        made = []
        reason, _ = self._maintenance_of(instance)
        if reason:
            made.append(_out_of_service(node, id, service.name, tags, reason, index))
        own = self._what_is_ours(instance).definitions
        for state in instance.checks[: len(service.checks)]:
            made.append(
                check_shape(node, state, index, own.get(state.id), (id, service.name, tags))
                | {"CheckID": self._externals.shown_check(service, state.id)}
            )
        if instance.status == CRITICAL and instance.owner_status != OWNER_FAILED:
            stated = {str(check["Status"]) for check in made}
            nodes = {state.status for state in instance.checks[len(service.checks) :]}
            if CRITICAL not in stated | nodes and not instance.maintenance:
                why = "draining" if instance.is_draining else "critical by its owner's word"
                made.append(_out_of_service(node, id, service.name, tags, why, index))
        return made

    def of_node(self, name: str, index: int, instances: tuple[Instance, ...]) -> list[Json]:
        """Return the checks of a node itself; ``instances`` are its own."""
        member = self._member(name)
        if member is None:
            return []
        made = [self._liveness(name, index)]
        view = self._handle.view()
        if name == view.name:
            return [*made, *self.of_own_node(index)]
        first = instances[0] if instances else None
        states = () if first is None else first.checks[len(first.service.checks) :]
        made.extend(check_shape(name, state, index) for state in states)
        return made

    def of_own(self, own: OwnService, index: int) -> list[Json]:
        """Return the checks of a service of this agent, as they are right now."""
        service = own.service
        about = service.id, service.name, list(service.tags)
        node, made = self._handle.view().name, []
        if own.state.maintenance:
            made.append(_out_of_service(node, *about, own.state.maintenance, index))
        definitions = {check.id: check for check in service.checks}
        for state in own.checks:
            made.append(check_shape(node, state, index, definitions.get(state.id), about))
        return made

    def of_own_node(self, index: int, state: NodeState | None = None) -> list[Json]:
        """Return the checks of this node itself, without gossip's verdict; ``state`` is its
        state, if the caller has read it already, which takes going over all services."""
        own = self._handle.own_services().node if state is None else state
        node = self._handle.view().name
        made = [check_shape(node, state, index) for state in own.checks]
        if own.maintenance:
            made.insert(0, _node_out_of_service(node, own.maintenance, index))
        return made

    def _of_its_node(self, instance: Instance, index: int) -> list[Json]:
        node = self._externals.shown_node(instance)
        made = []
        if node == instance.owner or instance.owner_status == OWNER_FAILED:
            made.append(self._liveness_for(node, instance, index))
        _, reason = self._maintenance_of(instance)
        if reason:
            made.append(_node_out_of_service(node, reason, index))
        states = instance.checks[len(instance.service.checks) :]
        made.extend(check_shape(node, state, index) for state in states)
        return made

    def _maintenance_of(self, instance: Instance) -> tuple[str, str]:
        """Return why the service is out, and why its node: others than us say one reason."""
        if instance.owner != self._handle.view().name:
            return instance.maintenance, ""
        own = self._what_is_ours(instance)
        return own.reasons.get(instance.service.id, ""), own.node_reason

    def _what_is_ours(self, instance: Instance) -> _Own:
        """Return what only the owner of ``instance`` knows, if that is this agent."""
        if instance.owner != self._handle.view().name:
            return _NOT_OURS
        index = self._own_index()
        if index != self._own[0]:
            own = self._handle.own_services()
            known = _Own(
                {check.id: check for one in own.services for check in one.service.checks},
                {one.service.id: one.state.maintenance for one in own.services},
                own.node.maintenance,
            )
            self._own = index, known
        return self._own[1]

    def _liveness_for(self, node: str, instance: Instance, index: int) -> Json:
        """Return gossip's verdict on the node of an instance, as far as it counts for it."""
        status, owner = PASSING, instance.owner_status
        output = self._said_of(instance.owner, is_failed=owner == OWNER_FAILED)
        if owner == OWNER_FAILED and instance.status == CRITICAL:
            status = CRITICAL
        elif owner == OWNER_FAILED:
            output += "; so many are lost at once that it is kept, doubtful"
        elif owner == OWNER_LEAVING:
            status = WARNING
        return _liveness(node, status, output, index)

    def _liveness(self, name: str, index: int) -> Json:
        member = self._member(name)
        status = PASSING
        if member is None or member.status is MemberStatus.FAILED:
            status = CRITICAL
        elif member.status is MemberStatus.LEAVING:
            status = WARNING
        return _liveness(name, status, self._said_of(name), index)

    def _said_of(self, name: str, *, is_failed: bool = False) -> str:
        member = self._member(name)
        if member is None:
            return "not a member by gossip"
        if is_failed or member.status is MemberStatus.FAILED:
            since = member.left_at
            return "failed by gossip" + ("" if since is None else f" since {self._date(since)}")
        if member.status is MemberStatus.LEAVING:
            return "leaving by its own word"
        suspicion = self._handle.view().suspicions.get(name)
        if suspicion is None:
            return "alive by gossip"
        date = self._date(suspicion.since)
        return f"alive by gossip, but suspected by {suspicion.accuser} since {date}"

    def _date(self, when: float) -> str:
        moment = datetime.fromtimestamp(max(0.0, when + self._offset), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_shape(
    node: str,
    state: CheckState,
    index: int,
    definition: CheckDefinition | None = None,
    service: tuple[str, str, list[str]] = ("", "", []),
) -> Json:
    """Return a HealthCheck; ``service`` is id, name and tags of what it is about, if any."""
    id, name, tags = service
    notes = interval = timeout = ""
    if definition is not None:
        notes = definition.notes
        if not definition.ttl:
            interval = go_duration(definition.interval)
            timeout = go_duration(definition.timeout)
    status = state.status if state.status in STATUSES else CRITICAL
    return _check(
        node, state.id, state.name or state.id, status, state.output, index,
        notes=notes, service_id=id, service_name=name, tags=tags, type=state.kind,
        interval=interval, timeout=timeout,
    )  # fmt: skip


def go_duration(seconds: float) -> str:
    """Return a duration as Go writes it (``1h30m0s``, ``10s``, ``500ms``)."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms" if seconds else "0s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{text}{rest:g}s"


def aggregate(checks: list[Json]) -> str:
    """Return what checks say together: maintenance before critical, warning, passing."""
    worst = 0
    for check in checks:
        id = str(check["CheckID"])
        if id == NODE_MAINTENANCE or id.startswith(SERVICE_MAINTENANCE):
            return "maintenance"
        worst = max(worst, STATUSES.index(str(check["Status"])))
    return STATUSES[worst]


def _liveness(node: str, status: str, output: str, index: int) -> Json:
    return _check(node, LIVENESS, "gossip liveness", status, output, index)


def _out_of_service(
    node: str, id: str, name: str, tags: list[str], reason: str, index: int
) -> Json:
    return _check(
        node, SERVICE_MAINTENANCE + id, SERVICE_MAINTENANCE_NAME, CRITICAL, reason, index,
        service_id=id, service_name=name, tags=tags, type="maintenance",
    )  # fmt: skip


def _node_out_of_service(node: str, reason: str, index: int) -> Json:
    return _check(
        node, NODE_MAINTENANCE, NODE_MAINTENANCE_NAME, CRITICAL, reason, index, type="maintenance"
    )


def _check(
    node: str,
    id: str,
    name: str,
    status: str,
    output: str,
    index: int,
    *,
    notes: str = "",
    service_id: str = "",
    service_name: str = "",
    tags: list[str] | None = None,
    type: str = "",
    interval: str = "",
    timeout: str = "",
) -> Json:
    return {
        "Node": node,
        "CheckID": id,
        "Name": name,
        "Status": status,
        "Notes": notes,
        "Output": output,
        "ServiceID": service_id,
        "ServiceName": service_name,
        "ServiceTags": tags or [],
        "Type": type,
        "Interval": interval,
        "Timeout": timeout,
        "ExposedPort": 0,
        "Definition": {},
        "CreateIndex": index,
        "ModifyIndex": index,
    }
