"""``OwnRecords``: what this node says of its own services; the only place that writes them.

Each change is one version further. It goes into the replica under our own name,
like anybody's, and waits here until it is told (``take_fresh``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gossipd.catalog.item import OwnerRecords
from gossipd.catalog.replica import Refused, Replica
from gossipd.config.model import CatalogConfig
from gossipd.errors import UsageError
from gossipd.services.definition import NodeState, Service, ServiceState
from gossipd.wire.catalog_messages import News, Record
from gossipd.wire.catalog_parts import (
    encode_node_state,
    encode_outputs,
    encode_service,
    encode_state,
)

COVERED_KEPT = 16
"""Versions of a part that a newer one replaced, told with it so that nobody misses them."""
OUTPUTS_BYTES_MAX = 65_536
"""Of the outputs of one service together; each is cut to its share."""


class OwnRecords:
    """The records of the node ``name`` in its life ``epoch``.

    Args:
        config: how large they may be.
        replica: where they are kept.
        changed: called with the id that changed, ``""`` for the node itself, and now.
    """

    __slots__ = (
        "_changed", "_config", "_covered", "_fresh", "_name", "_replica", "_withheld", "epoch",
    )  # fmt: skip

    def __init__(
        self,
        config: CatalogConfig,
        name: str,
        epoch: int,
        replica: Replica,
        changed: Callable[[str, float], None],
    ) -> None:
        self._config = config
        self._name = name
        self.epoch = epoch
        self._replica = replica
        self._changed = changed
        self._covered: dict[tuple[str, str], tuple[int, ...]] = {}
        """Versions of each part before the one that holds; most parts never had one."""
        self._fresh: dict[tuple[str, str], News] = {}
        self._withheld: dict[str, None] | None = None
        """Ids that changed since ``withhold``."""

    @property
    def records(self) -> OwnerRecords:
        """What the replica holds of us."""
        return self._replica.open(self._name, self.epoch)

    @property
    def has_fresh(self) -> bool:
        """Whether changes wait to be told."""
        return bool(self._fresh)

    def withhold(self) -> None:
        """Call nobody for what changes from now on, until ``show``: more of it follows."""
        self._withheld = {}

    def show(self, now: float) -> None:
        """Call for all that changed since ``withhold``, once each."""
        withheld, self._withheld = self._withheld, None
        for id in withheld or ():
            self._changed(id, now)

    def put_service(self, service: Service, now: float) -> None:
        """Say what a service is.

        Raises:
            UsageError: it is too large, or all of them together are; nothing was changed.
        """
        version = self._next()
        encoded = encode_service(service)
        most = self._config.record_bytes_max
        if len(encoded) > most:
            raise UsageError(
                f"service {service.id!r} is {len(encoded)} bytes long as it travels:"
                f" at most {most} are accepted (catalog.record_bytes_max)"
            )
        record = Record(service.id, service_version=version, service=encoded)
        self._put("service", record, version, now)

    def put_state(self, id: str, state: ServiceState, now: float) -> None:
        """Say how a service is."""
        version = self._next()
        self._put(
            "state", Record(id, state_version=version, state=encode_state(state)), version, now
        )

    def put_outputs(self, id: str, outputs: tuple[str, ...], now: float) -> None:
        """Say what the checks of a service say; cut if that is too much together."""
        version = self._next()
        encoded = encode_outputs(outputs)
        if len(encoded) > OUTPUTS_BYTES_MAX:
            share = OUTPUTS_BYTES_MAX // len(outputs) - 8
            encoded = encode_outputs(tuple([_cut(output, share) for output in outputs]))
        self._put("outputs", Record(id, outputs_version=version, outputs=encoded), version, now)

    def put_node(self, state: NodeState, now: float) -> None:
        """Say how the node itself is."""
        version = self._next()
        record = Record("", state_version=version, state=encode_node_state(state))
        self._put("state", record, version, now)

    def remove(self, id: str, now: float) -> None:
        """Take a service back."""
        version = self._next()
        covered = self._replaced(id, "removed")
        for part in ("service", "state", "outputs"):
            self._fresh.pop((id, part), None)
            covered += self._replaced(id, part)
            self._covered.pop((id, part), None)
        self._put("removed", Record(id, removed=version), version, now, covered)

    def take_fresh(self) -> list[News]:
        """Return what was not told yet, oldest first, and forget it.

        A definition and a state of one service come as one: whoever hears it never shows the
        new definition with no state, or with that of the old one.
        """
        fresh, self._fresh = self._fresh, {}
        for key, news in tuple(fresh.items()):
            other = fresh.get((key[0], "state")) if key[1] == "service" else None
            if other is None:
                continue
            last = max(news, other, key=_version_of)
            fresh[key[0], "service" if last is news else "state"] = _together(news, other)
            del fresh[key[0], "state" if last is news else "service"]
        return list(fresh.values())

    def forget_gone(self) -> None:
        """Keep nothing of services whose tombstones are forgotten."""
        items = self.records.items
        self._covered = {
            key: covered for key, covered in self._covered.items() if not key[0] or key[0] in items
        }

    def begin_anew(self, epoch: int, now: float) -> None:
        """Say everything again in the life ``epoch``: what others hold of us is void."""
        before = self.records
        self._replica.drop(self._name)
        self.epoch = epoch
        self._fresh.clear()
        self._covered.clear()
        if before.encoded_node:
            self.put_node(before.node, now)
        for item in before.items.values():
            if item.service is None:
                continue
            self.put_service(item.service, now)
            self.put_state(item.id, item.state, now)
            if item.outputs:
                self.put_outputs(item.id, item.outputs, now)

    def is_ours(self, record: Record) -> bool:
        """Say whether we could have said that."""
        records = self.records
        if record.version > records.floor:
            return False
        if not record.id:
            return _agrees(
                record.state_version, record.state, records.node_version, records.encoded_node
            )
        item = records.items.get(record.id)
        if item is None:
            return record.version <= records.gc
        gone = max(item.removed, records.gc)
        if record.removed > gone:
            return False
        return all(
            version <= gone or _agrees(version, encoded, ours, encoded_ours)
            for version, encoded, ours, encoded_ours in (
                (
                    record.service_version,
                    record.service,
                    item.service_version,
                    item.encoded_service,
                ),
                (record.state_version, record.state, item.state_version, item.encoded_state),
                (
                    record.outputs_version,
                    record.outputs,
                    item.outputs_version,
                    item.encoded_outputs,
                ),
            )
        )

    def holds_any(self, versions: Iterable[int]) -> bool:
        """Say whether something that holds was said at one of ``versions``."""
        asked = frozenset(versions)
        records = self.records
        return records.node_version in asked or any(
            not asked.isdisjoint((item.service_version, item.state_version, item.outputs_version))
            for item in records.items.values()
        )

    def _next(self) -> int:
        return self.records.floor + 1

    def _replaced(self, id: str, part: str) -> tuple[int, ...]:
        """Return the versions that a new one of ``part`` replaces, oldest first."""
        records, covered = self.records, self._covered.get((id, part), ())
        item = records.items.get(id)
        if not id:
            holds = records.node_version
        elif item is None:
            holds = 0
        elif part == "service":
            holds = item.service_version
        elif part == "state":
            holds = item.state_version
        else:
            holds = item.outputs_version if part == "outputs" else item.removed
        return (*covered, holds) if holds else covered

    def _put(
        self,
        part: str,
        record: Record,
        version: int,
        now: float,
        covered: tuple[int, ...] | None = None,
    ) -> None:
        records = self.records
        covered = self._replaced(record.id, part) if covered is None else covered
        try:
            self._replica.apply(records, record, now)
        except Refused as refused:
            raise UsageError(
                f"services of this node are {records.bytes} bytes together:"
                f" at most {self._config.node_bytes_max} are accepted (catalog.node_bytes_max)"
            ) from refused
        self._replica.learn(records, ((version - 1, version),))
        key = (record.id, part)
        covered = covered[-COVERED_KEPT:]
        if covered:
            self._covered[key] = covered
        self._fresh.pop(key, None)
        self._fresh[key] = News(self._name, self.epoch, version, covered, record)
        if self._withheld is None:
            self._changed(record.id, now)
        else:
            self._withheld[record.id] = None


def _agrees(version: int, encoded: bytes, ours: int, encoded_ours: bytes) -> bool:
    return version < ours or (version == ours and encoded == encoded_ours)


def _version_of(news: News) -> int:
    return news.version


def _together(definition: News, state: News) -> News:
    """Return one change that is both; the version of the older is that of a part of it."""
    one, other = definition.record, state.record
    record = Record(
        one.id,
        service_version=one.service_version,
        service=one.service,
        state_version=other.state_version,
        state=other.state,
    )
    covered = (*definition.covered, *state.covered)
    version = max(definition.version, state.version)
    return News(definition.owner, definition.epoch, version, covered, record)


def _cut(text: str, bytes_max: int) -> str:
    data = text.encode("utf-8", "surrogateescape")[:bytes_max]
    return data.decode("utf-8", "ignore")
