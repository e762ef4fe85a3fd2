"""What two replicas tell each other so that they become equal: digests, wishes, deltas.

A digest says how far each owner is known. Whoever gets one tells what is missing
and asks for what is news to itself. Deltas come in portions of bounded size; each
says between which versions it closes the gap, so none has to wait for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gossipd.catalog.item import OwnerRecords
from gossipd.catalog.owners import Owners
from gossipd.catalog.replica import Replica
from gossipd.wire.catalog_codec import RECORDS_MAX, encode_portion
from gossipd.wire.catalog_messages import Known, Portion, Record
from gossipd.wire.dialect import pack

DELTA_BYTES_MAX = 2**18
"""Of one message, but for a single record that is longer."""
DELTAS_MAX = 16
"""Messages that answer one digest or wish; the last of them says that there is more."""
_RECORD_OVERHEAD = 64


def missing(
    replica: Replica, owners: Owners, known: Sequence[Known]
) -> tuple[list[tuple[OwnerRecords, int]], list[Known]]:
    """Compare with a digest; return what its sender lacks, and what we do.

    The first are records, each with the version from which on they are to be told; the
    second is how far we know owners of whom the sender knows more.
    """
    lacks: list[tuple[OwnerRecords, int]] = []
    wishes: list[Known] = []
    told = set()
    for one in known:
        if one.owner in told:
            continue  # each costs a look at all that is held of that owner
        told.add(one.owner)
        records = replica.records(one.owner)
        standing = owners.get(one.owner)
        if standing is None or standing.epoch is None or one.epoch > standing.epoch:
            continue  # not ours to judge: membership has to know of that life first
        if records is None or records.epoch < one.epoch:
            if one.epoch == standing.epoch:
                wishes.append(Known(one.owner, one.epoch, 0))
        elif records.epoch > one.epoch:
            lacks.append((records, 0))
        elif records.floor > one.floor:
            lacks.append((records, one.floor))
        elif records.floor < one.floor:
            wishes.append(Known(one.owner, one.epoch, records.floor))
    lacks.extend(
        [
            (each, 0)
            for each in replica.owners.values()
            if each.is_compared and each.name not in told
        ]
    )
    return [(records, floor) for records, floor in lacks if records.floor], wishes


def is_disputed(one: Known, records: OwnerRecords) -> bool:
    """Say whether somebody holds something else of an owner than we do, and both hold all."""
    if one.epoch != records.epoch or one.floor != records.floor:
        return False
    content = records.told_content
    return bool(one.content) and bool(content) and one.content != content


def wanted(replica: Replica, known: Iterable[Known]) -> list[tuple[OwnerRecords, int]]:
    """Return what a wish asks for, as ``missing`` does."""
    found: dict[str, tuple[OwnerRecords, int]] = {}
    for one in known:
        records = replica.records(one.owner)
        if records is None or not records.floor or records.epoch < one.epoch:
            continue
        floor = one.floor if records.epoch == one.epoch else 0
        if records.floor > floor:
            found.setdefault(one.owner, (records, floor))
    return list(found.values())


def deltas(sender: str, lacks: Sequence[tuple[OwnerRecords, int]]) -> list[bytes]:
    """Return ``Delta`` messages, encoded, that tell all of ``lacks`` or as much as may be."""
    head, last = pack([sender, False]), pack([sender, True])
    messages: list[bytes] = []
    parts: list[bytes] = []
    size = 0
    for records, floor in lacks:
        for portion in portions(records, floor):
            encoded = encode_portion(portion)
            if parts and size + len(encoded) > DELTA_BYTES_MAX:
                if len(messages) == DELTAS_MAX - 1:
                    return [*messages, b"".join((b"\xc2", last, *parts))]
                messages.append(b"".join((b"\xc2", head, *parts)))
                parts, size = [], 0
            parts.append(encoded)
            size += len(encoded)
    if parts:
        messages.append(b"".join((b"\xc2", head, *parts)))
    return messages


def portions(records: OwnerRecords, floor: int) -> Iterable[Portion]:
    """Yield what somebody lacks who knows ``records`` up to ``floor``.

    Records are whole: a part that is older than the version on which a portion ends
    may come in a later one, with the newer parts of its service.
    """
    news: list[tuple[int, Record]] = []
    for item in records.items.values():
        version = item.version
        if version > floor:
            news.append((version, item.record()))
    if records.node_version > floor:
        version = records.node_version
        node = Record("", state_version=version, state=records.encoded_node)
        news.append((version, node))
    news.sort(key=_version_of)
    base, size = floor, 0
    told: list[Record] = []
    for version, record in news:
        length = len(record.service) + len(record.state) + len(record.outputs) + _RECORD_OVERHEAD
        if told and (len(told) >= RECORDS_MAX or size + length > DELTA_BYTES_MAX // 2):
            upto = max(base, min(version - 1, records.floor))
            yield Portion(records.name, records.epoch, base, upto, tuple(told))
            base, size, told = upto, 0, []
        told.append(record)
        size += length
    # of what was removed so long ago that no tombstone tells of it, the list of all does
    ids = tuple(records.items) if floor < records.gc else None
    yield Portion(records.name, records.epoch, base, records.floor, tuple(told), ids)


def _version_of(entry: tuple[int, Record]) -> int:
    return entry[0]
