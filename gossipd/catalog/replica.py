"""``Replica``: what all owners said, as far as this node knows.

Merging is commutative and idempotent: whatever was heard, in whichever order and
however often, gives the same. Only the records of the life of an owner that holds
are kept; which life that is, the caller says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gossipd.catalog.item import Item, OwnerRecords, content_of, digest_of
from gossipd.config.model import CatalogConfig
from gossipd.errors import WireError
from gossipd.wire.catalog_messages import Known, Record
from gossipd.wire.catalog_parts import (
    decode_node_state_untrusted,
    decode_outputs_untrusted,
    service_of_untrusted,
    state_of_untrusted,
)
from gossipd.wire.reasons import MALFORMED

RANGES_MAX = 64
"""Pieces known above the floor of an owner; with more they are forgotten and fetched."""
TOTAL_BYTES_MAX = 2**28
"""Of all records of all owners, encoded."""
REFUSED_MAX = 1024
"""Services of an owner that were refused and are remembered, by a hash each."""
TOMBSTONES_SHARE = 4
"""Ids of an owner, those of tombstones included: so many times ``records_max``. Above it the
oldest tombstones are forgotten before their time."""


class Refused(Exception):
    """A record is not taken; the reason is what it is counted under."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Replica:
    """Records by owner.

    Args:
        config: how much of one owner is kept.
    """

    __slots__ = ("_config", "_own", "bytes", "owners", "records_count", "summary")

    def __init__(self, config: CatalogConfig) -> None:
        self._config = config
        self.owners: dict[str, OwnerRecords] = {}
        """Those of whom anything is held; read it, only the replica changes it."""
        self.summary = 0
        """64 bits that are the same on nodes that know the same, 0 of nothing."""
        self.bytes = 0
        self.records_count = 0
        """Services of all owners, tombstones included."""

    def records(self, owner: str) -> OwnerRecords | None:
        """Return what is held of ``owner``."""
        return self.owners.get(owner)

    def open(self, owner: str, epoch: int) -> OwnerRecords:
        """Return the records of that life of ``owner``, begun anew if they are of another."""
        records = self.owners.get(owner)
        if records is None or records.epoch != epoch:
            if records is not None:
                self.drop(owner)
            records = self.owners[owner] = OwnerRecords(owner, epoch)
        return records

    def drop(self, owner: str) -> OwnerRecords | None:
        """Forget all of ``owner``; return what it was."""
        records = self.owners.pop(owner, None)
        if records is not None:
            self.bytes -= records.bytes
            self.records_count -= len(records.items)
            self.summary ^= records.mark
        return records

    def apply(self, records: OwnerRecords, record: Record, now: float) -> bool:
        """Take in what is said of one service; return whether anything of it is new.

        Raises:
            Refused: there is no room for it.
            WireError: a part is not what it should be; nothing was changed.
        """
        id = record.id
        if not id:
            return self._apply_node(records, record)
        item = records.items.get(id)
        if item is None:
            gone, have_service, have_state, have_outputs = record.removed, 0, 0, 0
        else:
            gone = max(record.removed, item.removed)
            have_service, have_state = item.service_version, item.state_version
            have_outputs = item.outputs_version
        has_service = record.service_version > gone and record.service_version > have_service
        has_state = record.state_version > gone and record.state_version > have_state
        has_outputs = record.outputs_version > gone and record.outputs_version > have_outputs
        is_removed = record.removed > (0 if item is None else item.removed)
        if not (has_service or has_state or has_outputs or is_removed):
            return False
        # decoded before anything is changed: a bad part leaves all as it was
        service = service_of_untrusted(record.service) if has_service else None
        if service is not None and service[1].id != id:
            raise WireError(MALFORMED, "a definition of another id")
        state = state_of_untrusted(record.state) if has_state else None
        outputs = decode_outputs_untrusted(record.outputs) if has_outputs else ()
        before = 0 if item is None else item.encoded_bytes
        self._refuse_too_much(records, item, record)
        if item is None:
            if service is not None:
                id = service[1].id  # the same text only once
            item = records.items[id] = Item(id)
            self.records_count += 1
        was_tombstone, mark = item.is_tombstone, item.mark
        if is_removed:
            item.remove(record.removed)
        if service is not None:
            item.take_service(*service, record.service_version)
        if state is not None:
            item.told_state, item.state_version = state, record.state_version
        if has_outputs:
            item.told_outputs = record.outputs_version, record.outputs, outputs
        item.learned_at = now
        item.is_noted = True
        records.content ^= mark ^ item.mark ^ _taken_back(records, id)
        if service is not None:
            item.slim()  # not before its mark is made of what came
        records.tombstones += item.is_tombstone - was_tombstone
        self._resize(records, item.encoded_bytes - before)
        return True

    def _apply_node(self, records: OwnerRecords, record: Record) -> bool:
        if record.state_version <= records.node_version:
            return False
        records.node = decode_node_state_untrusted(record.state)
        records.node_version = record.state_version
        self._resize(records, len(record.state) - len(records.encoded_node))
        records.encoded_node = record.state
        mark = content_of(record)
        records.content ^= records.node_mark ^ mark ^ _taken_back(records, "")
        records.node_mark = mark
        return True

    def _refuse_too_much(self, records: OwnerRecords, item: Item | None, record: Record) -> None:
        config = self._config
        more = len(record.service) + len(record.state) + len(record.outputs)
        most = TOMBSTONES_SHARE * config.records_max
        if item is None and len(records.items) >= most:
            self._forget(records, sorted(_tombstones(records), key=_removed_at)[: most // 4])
        if item is None and len(records.items) >= most:
            raise Refused("owner-full", f"{records.name} has {len(records.items)} services")
        if records.bytes + more > config.node_bytes_max:
            raise Refused("owner-full", f"{records.name} has {records.bytes} bytes")
        if self.bytes + more > TOTAL_BYTES_MAX:
            raise Refused("catalog-full")

    def _resize(self, records: OwnerRecords, by: int) -> None:
        records.bytes += by
        self.bytes += by

    def learn(self, records: OwnerRecords, ranges: Iterable[tuple[int, int]]) -> None:
        """Note that what ``records.name`` said in these ranges is known now.

        Called after whatever was applied, so that the summary is up to date.
        """
        for low, high in ranges:
            records.learn(low, high)
        if len(records.ranges) > RANGES_MAX:
            del records.ranges[RANGES_MAX // 2 :]
        self.settle(records)

    def settle(self, records: OwnerRecords) -> None:
        """Bring the summary up to date with what is known of ``records``."""
        mark = 0
        if records.floor and records.is_compared:
            content = records.told_content
            mark = digest_of(records.name, records.epoch, records.floor, content)
        self.summary ^= records.mark ^ mark
        records.mark = mark

    def refuse(self, records: OwnerRecords, record: Record) -> None:
        """Count a whole record that was not taken in as part of what its owner said.

        Who takes it in has the same content then, and who was told something else by a liar,
        too large or malformed so that it be refused, has not.
        """
        id = record.id
        refused = {} if records.refused is None else records.refused
        if id not in refused and len(refused) >= REFUSED_MAX:
            records.is_partial = True
            return
        item = records.items.get(id)
        if item is not None:
            records.content ^= item.mark
            item.is_noted = False
        elif not id:
            records.content ^= records.node_mark
            records.node_mark = 0
        mark = content_of(record)
        records.content ^= _taken_back(records, id) ^ mark
        refused[id] = mark
        records.refused = refused

    def keep_only(self, records: OwnerRecords, ids: Iterable[str], upto: int) -> list[str]:
        """Drop services beside ``ids`` that are not newer than ``upto``; return which."""
        kept = frozenset(ids)
        dropped = [
            id for id, item in records.items.items() if id not in kept and item.version <= upto
        ]
        for id in dropped:
            self._drop_item(records, id)
        for id in [id for id in records.refused or () if id and id not in kept]:
            records.content ^= _taken_back(records, id)
        return dropped

    def expire(self, before: float) -> None:
        """Forget the tombstones that were learned ``before`` that time."""
        for records in self.owners.values():
            if not records.tombstones:
                continue
            self._forget(records, [i for i in _tombstones(records) if i.learned_at < before])

    def _forget(self, records: OwnerRecords, tombstones: list[Item]) -> None:
        for item in tombstones:
            records.gc = max(records.gc, item.removed)
            self._drop_item(records, item.id)

    def _drop_item(self, records: OwnerRecords, id: str) -> None:
        item = records.items.pop(id)
        records.content ^= item.mark
        records.tombstones -= item.is_tombstone
        self.records_count -= 1
        self._resize(records, -item.encoded_bytes)

    def compare(self, records: OwnerRecords, is_compared: bool) -> None:
        """Let ``records`` be part of what is compared with others, or not."""
        if records.is_compared != is_compared:
            records.is_compared = is_compared
            self.settle(records)

    def known(self) -> Iterator[Known]:
        """Yield how far each owner that is compared is known."""
        for records in self.owners.values():
            if records.floor and records.is_compared:
                yield Known(records.name, records.epoch, records.floor, records.told_content)


def _tombstones(records: OwnerRecords) -> list[Item]:
    """Return the tombstones that everybody who compares hears of, one way or the other."""
    floor = records.floor
    return [item for item in records.items.values() if item.is_tombstone and item.removed <= floor]


def _taken_back(records: OwnerRecords, id: str) -> int:
    """Return what a record that was refused added to the content, and forget it."""
    return records.refused.pop(id, 0) if records.refused else 0


def _removed_at(item: Item) -> int:
    return item.removed
