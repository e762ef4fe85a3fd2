"""What a replica holds of an owner: its services by id, and how far it is known.

Versions are the owner's count of its changes. A part of a record is as new as its
version, and a removal takes every part that is not newer, so what is held does not
depend on the order in which things were heard.
"""

from __future__ import annotations

from hashlib import blake2b

from gossipd.services.definition import NodeState, Service, ServiceState
from gossipd.wire.catalog_messages import Record
from gossipd.wire.catalog_parts import are_made_again, encode_service

NO_NODE_STATE = NodeState()
_STATE_UNKNOWN = (b"", ServiceState())
_OUTPUTS_UNKNOWN: tuple[int, bytes, tuple[str, ...]] = (0, b"", ())


class Item:
    """One service id of an owner, or what is remembered of one that is gone."""

    __slots__ = (
        "_told_service", "id", "is_noted", "learned_at", "removed", "service",
        "service_version", "state_version", "told_outputs", "told_state",
    )  # fmt: skip

    def __init__(self, id: str) -> None:
        self.id = id
        self.service: Service | None = None
        """``None``: gone, or its definition is not here yet."""
        self.told_state: tuple[bytes, ServiceState] = _STATE_UNKNOWN
        """As it came and as it is read; many items share one."""
        self.told_outputs: tuple[int, bytes, tuple[str, ...]] = _OUTPUTS_UNKNOWN
        """Their version, how they came, and what they are: most services have none."""
        self.learned_at = 0.0
        """When its newest part came."""
        self.removed = 0
        self.service_version = 0
        self.state_version = 0
        self._told_service: bytes | int = b""
        """As it came; only how long that was, where encoding ``service`` gives it again."""
        self.is_noted = False
        """Whether it is part of the content of its owner."""

    def take_service(self, data: bytes, service: Service, version: int) -> None:
        """Take in the definition, which came as ``data``; see ``slim``."""
        self.service, self.service_version, self._told_service = service, version, data

    def slim(self) -> None:
        """Let go of the definition as it came, if it can be made again.

        The bytes would be a tenth of all that an instance costs, and are asked for only
        when something of it changes or others lack it.
        """
        told, service = self._told_service, self.service
        if isinstance(told, bytes) and service is not None and are_made_again(told, service):
            self._told_service = len(told)

    @property
    def encoded_service(self) -> bytes:
        """The definition as it came."""
        told = self._told_service
        if isinstance(told, bytes):
            return told
        assert self.service is not None
        return encode_service(self.service)

    @property
    def state(self) -> ServiceState:
        """How the service is."""
        return self.told_state[1]

    @property
    def encoded_state(self) -> bytes:
        """The same as it came."""
        return self.told_state[0]

    @property
    def outputs(self) -> tuple[str, ...]:
        """What its checks say."""
        return self.told_outputs[2]

    @property
    def outputs_version(self) -> int:
        """At which version its checks said that."""
        return self.told_outputs[0]

    @property
    def encoded_outputs(self) -> bytes:
        """The same as it came."""
        return self.told_outputs[1]

    @property
    def version(self) -> int:
        """Highest of its parts."""
        return max(self.removed, self.service_version, self.state_version, self.outputs_version)

    @property
    def is_tombstone(self) -> bool:
        """Whether it was taken back, and nothing newer is known."""
        return self.removed > 0 and self.removed == self.version

    @property
    def encoded_bytes(self) -> int:
        """What it costs, about."""
        told = self._told_service
        service = told if isinstance(told, int) else len(told)
        return len(self.id) + service + len(self.encoded_state) + len(self.encoded_outputs)

    def record(self) -> Record:
        """Return all of it as it travels."""
        return Record(
            self.id,
            self.removed,
            self.service_version,
            self.encoded_service,
            self.state_version,
            self.encoded_state,
            self.outputs_version,
            self.encoded_outputs,
        )

    @property
    def mark(self) -> int:
        """What it adds to the content of its owner; 0 of a tombstone.

        Made when it is asked for, some microseconds each time: a number of 64 bits beside
        each item would be a thirtieth of all that an instance costs.
        """
        return content_of(self.record()) if self.is_noted else 0

    def remove(self, version: int) -> None:
        """Forget every part that is older than the removal at ``version``."""
        self.removed = version
        if self.service_version < version:
            self.service, self.service_version, self._told_service = None, 0, b""
        if self.state_version < version:
            self.told_state, self.state_version = _STATE_UNKNOWN, 0
        if self.outputs_version < version:
            self.told_outputs = _OUTPUTS_UNKNOWN


class OwnerRecords:
    """All that is held of one owner, in one life of it."""

    __slots__ = (
        "bytes", "content", "encoded_node", "epoch", "floor", "gc", "is_compared", "is_partial",
        "items", "mark", "name", "node", "node_mark", "node_version", "ranges", "refused",
        "tombstones",
    )  # fmt: skip

    def __init__(self, name: str, epoch: int) -> None:
        self.name = name
        self.epoch = epoch
        self.floor = 0
        """Everything that the owner said up to this version is known."""
        self.items: dict[str, Item] = {}
        self.node: NodeState = NO_NODE_STATE
        self.node_version = 0
        self.encoded_node = b""
        self.node_mark = 0
        self.content = digest_of(name, epoch)
        """64 bits that say what is held, tombstones apart; see ``told_content``."""
        self.refused: dict[str, int] | None = None
        """What services that were not taken in add to the content of who did take them in."""
        self.is_partial = False
        """Whether more than that was refused, so that others may rightly hold more."""
        self.is_compared = True
        """Whether it is part of the summary and told unasked: not while the owner is failed."""
        self.ranges: list[tuple[int, int]] = []
        """What is known above the floor, sorted: from (excluded) and to (included)."""
        self.gc = 0
        """Newest version whose tombstone was dropped: whoever knows less is told everything."""
        self.tombstones = 0
        self.bytes = 0
        self.mark = 0
        """What the owner adds to the summary of the replica."""

    @property
    def top(self) -> int:
        """Newest version that is known."""
        return self.ranges[-1][1] if self.ranges else self.floor

    @property
    def missing(self) -> int:
        """How many versions below the newest are not known, and may be replaced by known ones."""
        return self.top - self.floor - sum(high - low for low, high in self.ranges)

    @property
    def told_content(self) -> int:
        """``content``, if it is all of what the owner said up to the floor; 0 if not."""
        return 0 if self.ranges or self.is_partial else self.content

    def knows(self, version: int) -> bool:
        """Say whether what the owner said at ``version`` is known, or replaced."""
        if version <= self.floor:
            return True
        return any(low < version <= high for low, high in self.ranges)

    def learn(self, low: int, high: int) -> None:
        """Note that everything after ``low`` up to ``high`` is known."""
        if high <= self.floor:
            return
        if low <= self.floor:
            self.floor = high
        else:
            self.ranges.append((low, high))
            self.ranges.sort()
        self._join()

    def _join(self) -> None:
        if not self.ranges:
            return
        joined: list[tuple[int, int]] = []
        for low, high in self.ranges:
            if high <= self.floor:
                continue
            if low <= self.floor:
                self.floor = high
            elif joined and low <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
            else:
                joined.append((low, high))
        self.ranges = joined


def digest_of(*parts: str | int | bytes) -> int:
    """Return 64 bits of ``parts``, never 0."""
    digest = blake2b(digest_size=8)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return int.from_bytes(digest.digest(), "big") or 1


def content_of(record: Record) -> int:
    """Return what a whole record adds to the content of its owner; 0 of a tombstone."""
    versions = record.service_version, record.state_version, record.outputs_version
    if not any(versions):
        return 0
    return digest_of(record.id, *versions, record.service, record.state, record.outputs)
