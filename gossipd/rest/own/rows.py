"""Members, services and this node as rows of our own JSON: what operators look at.

Moments are seconds since 1970, so that a row stays true while it is kept and readers count
ages by their own clock (``node.now`` tells how far theirs is off); what is unknown is null
or left out. Consul's words for the same things are in ``rest/consul/shapes.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gossipd.coordinates.space import distance, is_finite
from gossipd.serf.events import SerfMember
from gossipd.version import __version__
from gossipd.wire.serf_messages import MemberStatus

if TYPE_CHECKING:
    from gossipd.coordinate import Coordinate
    from gossipd.node.view import Suspicion, View
    from gossipd.rest.desk import Desk
    from gossipd.services.instance import Instance, ServiceSummary, ServiceView

Row = dict[str, object]
SUSPECT = "suspect"
"""Of a member that is alive by its status but accused."""


class Rows:
    """Makes rows of one moment.

    Args:
        desk: the node and what is kept of it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._handle = desk.handle
        self._timeline = desk.timeline
        self._view = desk.handle.view()
        self._offset = desk.wall() - desk.handle.now()
        self._here = self._coordinate(self._view.name)
        self._degraded = desk.handle.degraded()

    @property
    def view(self) -> View:
        """The members of that moment."""
        return self._view

    def moment(self, at: float) -> float:
        """Return a moment of the node's clock as seconds since 1970."""
        return round(at + self._offset, 3)

    def node(self) -> Row:
        """Return this node: its place, its health, counts of what it sees."""
        view, statistics = self._view, self._handle.statistics()
        return {
            "name": view.name,
            "address": str(view.address),
            "version": __version__,
            "datacenter": self._desk.datacenter,
            "tags": dict(view.own_tags()),
            "now": round(self._desk.wall(), 3),
            "health_score": statistics.health_score,
            "incarnation": statistics.incarnation,
            "encrypted": statistics.encrypted,
            "life": self._timeline.life,
            "newest": self._timeline.newest,
            "members": self.counts(),
            "degraded": dict(self._degraded),
            "guarded": [each.name for each in self._handle.services() if each.is_guarded],
            "packets_sent": sum(statistics.packets_sent.values()),
            "packets_received": sum(statistics.packets_received.values()),
            "bytes_sent": statistics.bytes_sent + statistics.stream_bytes_sent,
            "bytes_received": statistics.bytes_received + statistics.stream_bytes_received,
            "dropped": sum(statistics.dropped.values()),
        }

    def counts(self) -> Row:
        """Return how many members there are of each status; suspects are not alive here."""
        counted = Counter(self.status(member) for member in self._view.members)
        names = ("alive", SUSPECT, "leaving", "left", "failed")
        return {name: counted.get(name, 0) for name in names}

    def status(self, member: SerfMember) -> str:
        """Return the status of a member as operators call it."""
        if member.status is MemberStatus.ALIVE and member.name in self._view.suspicions:
            return SUSPECT
        return member.status.name.lower()

    def member(self, member: SerfMember) -> Row:
        """Return one member."""
        name = member.name
        row: Row = {
            "name": name,
            "address": str(member.address),
            "status": self.status(member),
            "tags": dict(member.tags),
            "rtt_ms": self.rtt_ms(name),
        }
        known, contact = self._timeline.known.get(name), self._timeline.contacts.get(name)
        if name == self._view.name:
            row["self"] = True
        if known is not None:
            row["incarnation"] = known.incarnation
            row["since"] = self.moment(known.changed_at)
        if contact is not None:
            row["ack"] = {"at": self.moment(contact.at), "rtt_ms": round(contact.rtt * 1000, 3)}
        suspicion = self._view.suspicions.get(name)
        if suspicion is not None:
            row["suspicion"] = self.suspicion(name, suspicion)
        if member.left_at is not None:
            row["gone_since"] = self.moment(member.left_at)
        if name in self._degraded:
            row["degraded"] = self._degraded[name]
        return row

    def suspicion(self, name: str, suspicion: Suspicion) -> Row:
        """Return who accuses a member, since when, and until when it can refute."""
        return {
            "accuser": suspicion.accuser,
            "confirmations": suspicion.confirmations,
            "accusers": list(self._timeline.accusers(name)) or [suspicion.accuser],
            "since": self.moment(suspicion.since),
            "deadline": self.moment(suspicion.deadline),
        }

    def rtt_ms(self, name: str) -> float | None:
        """Return the round trip to a member as coordinates estimate it, in milliseconds."""
        if name == self._view.name:
            return None
        there = self._coordinate(name)
        if self._here is None or there is None or len(there.vec) != len(self._here.vec):
            return None
        return round(distance(self._here, there) * 1000, 3)

    def _coordinate(self, name: str) -> Coordinate | None:
        coordinate = self._handle.coordinate(name)
        return coordinate if coordinate is not None and is_finite(coordinate) else None

    def service(
        self, summary: ServiceSummary | None, view: ServiceView, *, with_instances: bool = True
    ) -> Row:
        """Return one service; ``summary`` is ``None`` when it has no instances."""
        row: Row = {
            "name": view.name,
            "passing": summary.passing if summary else 0,
            "warning": summary.warning if summary else 0,
            "critical": summary.critical if summary else 0,
            "doubtful": summary.doubtful if summary else 0,
            "guarded": view.is_guarded,
            "tags": list(summary.tags) if summary else [],
            "needs": list(summary.needs) if summary else [],
        }
        if with_instances:
            row["instances"] = [self.instance(each) for each in view.instances]
        return row

    def instance(self, instance: Instance) -> Row:
        """Return one instance; what is usual is left out."""
        service = instance.service
        row: Row = {
            "node": instance.owner,
            "id": service.id,
            "address": instance.address,
            "port": service.port,
            "status": instance.status,
            "weight": instance.weight,
            "learned_at": self.moment(instance.learned_at),
            "checks": [
                {
                    "id": check.id,
                    "name": check.name,
                    "kind": check.kind,
                    "status": check.status,
                    "output": check.output,
                }
                for check in instance.checks
            ],
        }
        unusual: Mapping[str, object] = {
            "tags": list(service.tags),
            "meta": dict(service.meta),
            "zone": instance.zone,
            "maintenance": instance.maintenance,
            "draining": instance.is_draining,
            "doubtful": instance.is_doubtful,
            "owner_status": "" if instance.owner_status == "alive" else instance.owner_status,
        }
        row |= {key: value for key, value in unusual.items() if value}
        if instance.load is not None:
            row["load"] = round(instance.load, 3)
        if instance.suspected_at is not None:
            row["suspected_since"] = self.moment(instance.suspected_at)
        return row


def summaries_by_name(desk: Desk) -> dict[str, ServiceSummary]:
    """Return the lines of all services by name."""
    return {summary.name: summary for summary in desk.handle.services()}
