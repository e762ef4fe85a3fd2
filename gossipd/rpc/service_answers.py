"""Answers about services: values in, msgpack bytes out (pure).

An instance is encoded once as long as it is the same value, whoever asks and
whatever is filtered; only how old it is, is written anew each time. Loaded with
the first question about services.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance
from gossipd.query.framing import encode
from gossipd.query.service_records import SET
from gossipd.query.service_requests import AskService
from gossipd.services.instance import Instance, ServiceChange, ServiceSummary, ServiceView
from gossipd.services.own import OwnServices
from gossipd.services.saved import write_own_services
from gossipd.services.writing import write_service

SPARE_MAX = 64
"""Encoded instances of a service kept beyond those that it has."""

_NUMBER = Struct(">Bd").pack
_FLOAT64 = 0xCB
_AGE, _SUSPECTED = encode("Age"), encode("SuspectedFor")


class Encoded:
    """Encoded instances by the value that they were made from."""

    __slots__ = ("_services", "_summaries", "_summaries_body")

    def __init__(self) -> None:
        self._services: dict[str, dict[tuple[str, str], tuple[Instance, bytes]]] = {}
        self._summaries: tuple[ServiceSummary, ...] | None = None
        self._summaries_body = b""

    def instance(self, instance: Instance, now: float) -> bytes:
        """Return an encoded instance with its age at ``now``."""
        kept_of_service = self._services.get(instance.service.name)
        if kept_of_service is None:
            kept_of_service = self._services[instance.service.name] = {}
        kept = kept_of_service.get(instance.key)
        if kept is None or kept[0] is not instance:
            kept = kept_of_service[instance.key] = instance, _encode_rest(instance)
        rest = kept[1]
        age = _NUMBER(_FLOAT64, max(0.0, now - instance.learned_at))
        if instance.suspected_at is None:
            return b"".join((_PLAIN_HEAD, _AGE, age, rest))
        suspected_for = _NUMBER(_FLOAT64, max(0.0, now - instance.suspected_at))
        return b"".join((_SUSPECTED_HEAD, _AGE, age, _SUSPECTED, suspected_for, rest))

    def tidy(self, view: ServiceView) -> None:
        """Drop what is kept of instances that ``view`` has no longer, once it is too much."""
        kept = self._services.get(view.name)
        if kept is None or len(kept) <= len(view.instances) + SPARE_MAX:
            return
        shown = {instance.key for instance in view.instances}
        for key in [key for key in kept if key not in shown]:
            del kept[key]
        if not kept:
            del self._services[view.name]

    def instances(self, instances: Sequence[Instance], now: float) -> bytes:
        """Return an encoded list of instances."""
        count = len(instances)
        head = bytes((144 | count,)) if count < 16 else b"\xdd" + count.to_bytes(4, "big")
        one = self.instance
        return head + b"".join([one(instance, now) for instance in instances])

    def view_body(self, view: ServiceView, shown: Sequence[Instance], now: float) -> bytes:
        """Return the body of the answer to ``service`` with the ``shown`` instances."""
        self.tidy(view)
        head = _map_head(3) + encode("Guarded", view.is_guarded, "Index", view.index, "Instances")
        return head + self.instances(shown, now)

    def set_body(self, view: ServiceView, now: float) -> bytes:
        """Return the record of a watch with the whole set."""
        self.tidy(view)
        head = _map_head(4) + encode(
            "Guarded", view.is_guarded, "Index", view.index, "Kind", SET, "Instances"
        )
        return head + self.instances(view.instances, now)

    def change_body(self, change: ServiceChange, is_guarded: bool, now: float) -> bytes:
        """Return the record of a watch with one change."""
        head = _map_head(4) + encode(
            "Guarded", is_guarded, "Index", change.index, "Kind", change.kind, "Instance"
        )
        return head + self.instance(change.instance, now)

    def node_body(self, instances: Sequence[Instance], now: float) -> bytes:
        """Return the body of the answer to ``services-of``."""
        return _map_head(1) + encode("Instances") + self.instances(instances, now)

    def summaries_body(self, summaries: tuple[ServiceSummary, ...]) -> bytes:
        """Return the body of the answer to ``services``; the same value gives the same bytes."""
        if summaries is not self._summaries:
            index = max([one.index for one in summaries], default=0)
            services = [_summary_map(one) for one in summaries]
            self._summaries_body = encode({"Index": index, "Services": services})
            self._summaries = summaries
        return self._summaries_body


def own_body(own: OwnServices) -> dict[str, object]:
    """Return the body of the answer to ``own-services``."""
    table = write_own_services(own)
    return {"Node": table["node"], "Services": table["services"]}


def selected(view: ServiceView, request: AskService) -> Sequence[Instance]:
    """Return the instances of ``view`` that ``request`` asks for, in their order."""
    tags, meta, zone = request.tags, request.meta, request.zone
    if not (tags or meta or zone or request.is_passing):
        return view.instances
    return [
        one
        for one in view.instances
        if (not request.is_passing or one.is_usable)
        and (not zone or one.zone == zone)
        and all(tag in one.service.tags for tag in tags)
        and all(one.service.meta.get(key) == value for key, value in meta.items())
    ]


def nearest_first(
    instances: Sequence[Instance], here: Coordinate, coordinates: dict[str, Coordinate | None]
) -> list[Instance]:
    """Return ``instances`` by round trip from ``here``; those of unknown places at the end."""
    far = float("inf")
    apart = {}
    for owner, there in coordinates.items():
        rtt = far if there is None else distance(here, there)
        apart[owner] = rtt if rtt == rtt else far  # coordinates come from peers: NaN too
    return sorted(instances, key=lambda one: apart.get(one.owner, far))


def _encode_rest(instance: Instance) -> bytes:
    """Return all of an instance's keys and values but those that change with time."""
    return encode(
        "Address", instance.address,
        "Checks", [
            {"ID": c.id, "Kind": c.kind, "Name": c.name, "Output": c.output, "Status": c.status}
            for c in instance.checks
        ],
        "Doubtful", instance.is_doubtful,
        "Draining", instance.is_draining,
        "Epoch", instance.epoch,
        "Load", instance.load,
        "Maintenance", instance.maintenance,
        "Owner", instance.owner,
        "OwnerAddress", instance.owner_address,
        "OwnerStatus", instance.owner_status,
        "Service", write_service(instance.service, with_checks=False),
        "Status", instance.status,
        "Version", instance.version,
        "Weight", instance.weight,
        "Zone", instance.zone,
    )  # fmt: skip


_REST_KEYS = 15


def _map_head(count: int) -> bytes:
    return bytes((0x80 | count,)) if count < 16 else b"\xde" + count.to_bytes(2, "big")


_PLAIN_HEAD, _SUSPECTED_HEAD = _map_head(_REST_KEYS + 1), _map_head(_REST_KEYS + 2)


def _summary_map(one: ServiceSummary) -> dict[str, object]:
    return {
        "Critical": one.critical,
        "Doubtful": one.doubtful,
        "Guarded": one.is_guarded,
        "Index": one.index,
        "Name": one.name,
        "Needs": list(one.needs),
        "Passing": one.passing,
        "Tags": list(one.tags),
        "Warning": one.warning,
    }
