"""Answers about services: values in, msgpack bytes out (pure).

An instance is encoded once as long as it is the same value, whoever asks and
whatever is filtered; only how old it is, is written anew each time. Loaded with
the first question about services.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from gossipd.catalog.lookup import Selection, select
from gossipd.query.framing import encode
from gossipd.query.service_records import SET
from gossipd.query.service_requests import AskService
from gossipd.services.instance import (
    OWNER_ALIVE,
    Instance,
    ServiceChange,
    ServiceSummary,
    ServiceView,
)
from gossipd.services.own import OwnServices
from gossipd.services.saved import write_own_services
from gossipd.services.writing import write_service

SPARE_MAX = 64
"""Encoded instances of a service kept beyond those that it has."""

SERVICES_MAX = 4096
"""Services of which encoded instances are kept; of one that ended nobody may ask again."""
ANSWERS_MAX, ANSWERS_BYTES_MAX = 1024, 4 << 20
"""Answers to questions with their filters that are kept, all together."""

_FORM = Struct(">Bd")
_NUMBER, _NUMBER_INTO, _NUMBER_BYTES = _FORM.pack, _FORM.pack_into, _FORM.size
_FLOAT64, _MAP16 = 0xCB, 0xDE
_AGE, _SUSPECTED = encode("Age"), encode("SuspectedFor")


class _Answer:
    """An encoded answer, and where in it the ages stand.

    Args:
        view: what it was made from.
        shown: the instances in it, in their order.
        head: what stands before them.
        pieces: each of them encoded, whatever its age.
    """

    __slots__ = ("_ages", "body", "view")

    def __init__(
        self, view: ServiceView, shown: Sequence[Instance], head: bytes, pieces: Sequence[bytes]
    ) -> None:
        self.view = view
        self.body = bytearray(head + b"".join(pieces))
        self._ages: list[tuple[int, float]] = []
        at = len(head)
        for instance, piece in zip(shown, pieces, strict=True):
            # not looked for: a tag may look like the key
            age_at = at + (1 if piece[0] < _MAP16 else 3) + len(_AGE)
            self._ages.append((age_at, instance.learned_at))
            if instance.suspected_at is not None:
                suspected_at = age_at + _NUMBER_BYTES + len(_SUSPECTED)
                self._ages.append((suspected_at, instance.suspected_at))
            at += len(piece)

    def at(self, now: float) -> bytes:
        """Return the answer with the ages at ``now``."""
        body = self.body
        for at, since in self._ages:
            _NUMBER_INTO(body, at, _FLOAT64, now - since if now > since else 0.0)
        return bytes(body)


class Encoded:
    """Encoded instances by the value that they were made from."""

    __slots__ = ("_answers", "_answers_bytes", "_services", "_summaries", "_summaries_body")

    def __init__(self) -> None:
        self._answers: dict[object, _Answer] = {}
        self._answers_bytes = 0
        self._services: dict[str, dict[tuple[str, str], tuple[Instance, bytes, bytes]]] = {}
        self._summaries: tuple[ServiceSummary, ...] | None = None
        self._summaries_body = b""

    def instance(self, instance: Instance, now: float) -> bytes:
        """Return an encoded instance with its age at ``now``."""
        kept_of_service = self._services.get(instance.service.name)
        if kept_of_service is None:
            if len(self._services) >= SERVICES_MAX:
                self._services = {}
            kept_of_service = self._services[instance.service.name] = {}
        kept = kept_of_service.get(instance.key)
        if kept is None or kept[0] is not instance:
            kept = kept_of_service[instance.key] = instance, *_encode_instance(instance)
        _, before, rest = kept
        age = _NUMBER(_FLOAT64, max(0.0, now - instance.learned_at))
        if instance.suspected_at is None:
            return b"".join((before, age, rest))
        suspected_for = _NUMBER(_FLOAT64, max(0.0, now - instance.suspected_at))
        return b"".join((before, age, _SUSPECTED, suspected_for, rest))

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
        one = self.instance
        return _list_head(len(instances)) + b"".join([one(i, now) for i in instances])

    def view_body(self, view: ServiceView, shown: Sequence[Instance], now: float) -> bytes:
        """Return the body of the answer to ``service`` with the ``shown`` instances."""
        self.tidy(view)
        one = self.instance
        head = _view_head(view, len(shown))
        return head + b"".join([one(instance, now) for instance in shown])

    def answer(self, view: ServiceView, request: AskService, now: float) -> bytes:
        """Return the body of the answer to ``request``, which says nothing of ``near``.

        Of the same view and question only the ages are written anew.
        """
        key = (request.name, request.tags, tuple(request.meta.items()), request.zone,
               request.is_passing)  # fmt: skip
        kept = self._answers.get(key)
        if kept is None or kept.view is not view:
            shown = selected(view, request)
            if kept is not None:
                self._answers_bytes -= len(kept.body)
            self.tidy(view)
            pieces = [self.instance(instance, now) for instance in shown]
            kept = self._answers[key] = _Answer(view, shown, _view_head(view, len(shown)), pieces)
            self._answers_bytes += len(kept.body)
            if self._answers_bytes > ANSWERS_BYTES_MAX or len(self._answers) > ANSWERS_MAX:
                self._answers, self._answers_bytes = {}, 0
        return kept.at(now)

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


def selected(view: ServiceView, request: AskService) -> Sequence[Instance]:
    """Return the instances of ``view`` that pass all filters of ``request``."""
    if not (request.tags or request.meta or request.zone or request.is_passing):
        return view.instances
    wanted = Selection(
        tags=request.tags, meta=request.meta, zone=request.zone, is_passing=request.is_passing
    )
    return select(view.instances, wanted)


def own_body(own: OwnServices) -> dict[str, object]:
    """Return the body of the answer to ``own-services``."""
    table = write_own_services(own)
    return {"Node": table["node"], "Services": table["services"]}


def _encode_instance(instance: Instance) -> tuple[bytes, bytes]:
    """Return what stands before an instance's age, and what stands behind it.

    What is as it nearly always is, is left out: whoever asks reads less.
    """
    rest: dict[str, object] = {
        "Address": instance.address,
        "Epoch": instance.epoch,
        "Owner": instance.owner,
        "OwnerAddress": instance.owner_address,
        "Service": write_service(instance.service, with_checks=False),
        "Status": instance.status,
        "Version": instance.version,
        "Weight": instance.weight,
    }
    if instance.checks:
        rest["Checks"] = [
            {"ID": c.id, "Kind": c.kind, "Name": c.name, "Output": c.output, "Status": c.status}
            for c in instance.checks
        ]
    if instance.is_doubtful:
        rest["Doubtful"] = True
    if instance.is_draining:
        rest["Draining"] = True
    if instance.load is not None:
        rest["Load"] = instance.load
    if instance.maintenance:
        rest["Maintenance"] = instance.maintenance
    if instance.owner_status != OWNER_ALIVE:
        rest["OwnerStatus"] = instance.owner_status
    if instance.zone:
        rest["Zone"] = instance.zone
    count = len(rest) + (1 if instance.suspected_at is None else 2)
    flat = [part for pair in rest.items() for part in pair]
    return _BEFORE_AGE[count], encode(*flat)


def _view_head(view: ServiceView, count: int) -> bytes:
    """Return what stands before ``count`` instances of ``view``."""
    keys = encode("Guarded", view.is_guarded, "Index", view.index, "Instances")
    return _map_head(3) + keys + _list_head(count)


def _list_head(count: int) -> bytes:
    return bytes((0x90 | count,)) if count < 16 else b"\xdd" + count.to_bytes(4, "big")


def _map_head(count: int) -> bytes:
    return bytes((0x80 | count,)) if count < 16 else b"\xde" + count.to_bytes(2, "big")


_BEFORE_AGE = tuple([_map_head(count) + _AGE for count in range(20)])
"""What stands before an instance's age, by how many keys it has."""


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
