"""``Reply``: an answer in bytes but for the id, the order of its records and its length.

dns.md, section 6. It is made once and sent often: ``send`` puts the records in a new
order, leaves out what has no room and sets the bits. That the order is a new one each
time is why a cache of finished messages would not do: clients take the first.
"""

from __future__ import annotations

import struct
from random import Random

from gossipd.dns.kinds import AA, HEADER_BYTES, OPT, QR, RA, SRV, TC
from gossipd.dns.message import DNSSEC_OK, Query
from gossipd.dns.records import Answer, Record

POINTED_MAX = 0x3FFF
"""Bytes from the start to which names can point (RFC 1035, section 4.1.4)."""
SORTED_MAX = 64
"""Records that are shuffled by sorting, which is faster up to here."""
TARGET_AT = 18
"""Where the target stands in an SRV record whose owner is a pointer."""
_POINTER = 0xC000
_TO_QUESTION = struct.pack("!H", _POINTER | HEADER_BYTES)
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_SHORT = struct.Struct("!H")


class _Ready:
    """One piece in bytes."""

    __slots__ = ("blob", "extra", "target", "target_at")

    def __init__(self, blob: bytes, target: bytes, target_at: int, extra: tuple[bytes, ...]):
        self.blob = blob
        self.target = target
        """Owner of the additional records, where it cannot be pointed to."""
        self.target_at = target_at
        """Where that name stands in ``blob``."""
        self.extra = extra
        """The additional records without their owner."""


class Reply:
    """One prepared answer.

    Args:
        question: its bytes; other spellings of the name may be sent instead.
        apex_at: where in them the domain begins; ``None`` if it is not in them.
        answer: what is said.
    """

    __slots__ = (
        "_apex",
        "_apex_at",
        "_authority",
        "_begin",
        "_flags",
        "_is_shuffled",
        "_least",
        "_loose",
        "_pieces",
        "_pointers",
        "_size",
        "_step",
        "made_at",
        "rcode",
        "view",
    )

    def __init__(self, question: bytes, apex_at: int | None, answer: Answer) -> None:
        self._begin = HEADER_BYTES + len(question)
        self._apex = b"" if apex_at is None else question[apex_at:-4].lower()
        self._apex_at = HEADER_BYTES + (apex_at or 0)
        self._is_shuffled = answer.is_shuffled and len(answer.pieces) > 1
        self._pieces = [
            self._ready(piece.record, tuple(_bare(one) for one in piece.extra))
            for piece in answer.pieces
        ]
        self._least = min((len(piece.blob) for piece in self._pieces), default=1)
        self._step = _step(self._pieces)
        self._pointers = self._made_pointers() if self._step else []
        self._authority = [self._blob(record) for record in answer.authority]
        self._loose = [self._blob(record) for record in answer.loose]
        self._size = sum(map(len, (*self._authority, *self._loose)))
        self._flags = QR | answer.rcode | (AA if answer.is_authoritative else 0)
        self.rcode = answer.rcode
        self.view = answer.view
        self.made_at = 0.0

    @property
    def weight(self) -> int:
        """How much it keeps, in records; one alone costs as much as eight more."""
        return len(self._pieces) + 8

    def send(
        self,
        id: int,
        asked: int,
        question: bytes,
        room: int,
        random: Random,
        *,
        opt: bytes = b"",
        says_truncated: bool = True,
        can_recurse: bool = False,
    ) -> bytes:
        """Return the message of at most ``room`` bytes (512 or more).

        Args:
            id, asked, question: id, flags (RD, CD) and question of the query.
            room: bytes that the asker may be sent.
            random: decides the order.
            opt: the OPT record, empty for none.
            says_truncated: set TC when answers were left out.
            can_recurse: set RA.
        """
        begin = self._begin
        room -= begin + len(opt)
        pieces = self._in_order(room, random) if self._is_shuffled else self._pieces
        answers, extra = self._taken(pieces, begin, room)
        flags = self._flags | asked | (RA if can_recurse else 0)
        authority, loose = self._authority, self._loose
        if len(answers) < len(self._pieces):
            flags |= TC if says_truncated else 0
            authority, loose = [], []
        elif self._size and (used := sum(map(len, (*answers, *extra)))) + self._size > room:
            loose = []
            if used + sum(map(len, authority)) > room:
                authority = []
        others = len(extra) // 2 + len(loose) + bool(opt)
        header = _HEADER.pack(id, flags, 1, len(answers), len(authority), others)
        return b"".join((header, question, *answers, *authority, *extra, *loose, opt))

    def _in_order(self, room: int, random: Random) -> list[_Ready]:
        """Return all pieces, or as many as can have room, each order being equally likely."""
        pieces, draw = self._pieces, random.random
        if len(pieces) <= SORTED_MAX:
            return sorted(pieces, key=lambda _: draw())
        return random.sample(pieces, min(len(pieces), room // self._least + 1))

    def _taken(self, pieces: list[_Ready], at: int, room: int) -> tuple[list[bytes], list[bytes]]:
        """Return the answers that fit, and owner and rest of their additional records in turn."""
        if self._step:
            count = min(room // self._step, len(pieces))
            if 0 < count <= len(self._pointers):
                taken = pieces[:count]
                rests = [piece.extra[0] for piece in taken if piece.extra]
                extra = [part for pair in zip(self._pointers, rests, strict=False) for part in pair]
                return [piece.blob for piece in taken], extra
        answers: list[bytes] = []
        extras: list[bytes] = []
        told: set[bytes] = set()
        for piece in pieces:
            blob, owner = piece.blob, piece.target
            size = len(blob)
            more = () if owner in told else piece.extra
            if more:
                target_at = at + piece.target_at
                if target_at <= POINTED_MAX:
                    owner = _SHORT.pack(_POINTER | target_at)
                for rest in more:
                    size += len(owner) + len(rest)
            if size > room:
                if not answers and len(blob) <= room:
                    answers.append(blob)
                break
            room -= size
            at += len(blob)
            answers.append(blob)
            if more:
                told.add(piece.target)
                for rest in more:
                    extras += (owner, rest)
        return answers, extras

    def _made_pointers(self) -> list[bytes]:
        """Return where the target of each record is, wherever which one stands: all are as long."""
        first = self._pieces[0]
        begin, length = self._begin + first.target_at, len(first.blob)
        places = range(begin, begin + length * len(self._pieces), length)
        return [_SHORT.pack(_POINTER | place) for place in places if place <= POINTED_MAX]

    def _ready(self, record: Record, extra: tuple[bytes, ...]) -> _Ready:
        blob = self._blob(record)
        if not extra:
            return _Ready(blob, b"", 0, extra)
        # an SRV or NS: the target is the end of the record
        target_at = TARGET_AT if record.kind == SRV else len(blob) - len(record.data)
        return _Ready(blob, blob[target_at:], target_at, extra)

    def _blob(self, record: Record) -> bytes:
        return self._owner(record.owner) + _bare(record)

    def _owner(self, name: bytes) -> bytes:
        if not name:
            return _TO_QUESTION
        if self._apex and name.endswith(self._apex):
            before = name[: len(name) - len(self._apex)]
            if _ends_label(before):
                return before + _SHORT.pack(_POINTER | self._apex_at)
        return name


def _step(pieces: list[_Ready]) -> int:
    """Return how many bytes one piece more takes, if it is as many for each; else 0."""
    if not pieces or len({piece.target for piece in pieces if piece.extra}) not in (0, len(pieces)):
        return 0
    shapes = {(len(piece.blob), piece.target_at, *map(len, piece.extra)) for piece in pieces}
    if len(shapes) > 1 or any(len(piece.extra) > 1 for piece in pieces):
        return 0
    length, _target_at, *rest = shapes.pop()
    return length + sum(2 + size for size in rest)


def bare_message(head: tuple[int, int], rcode: int) -> bytes:
    """Return a reply without anything: to what could not be read."""
    id, flags = head
    return _HEADER.pack(id, flags | QR | rcode, 0, 0, 0, 0)


def refusal(query: Query, rcode: int, opt: bytes = b"", *, flags: int = 0) -> bytes:
    """Return a reply that repeats the question and says ``rcode`` (below 16)."""
    header = _HEADER.pack(query.id, QR | query.flags | flags | rcode, 1, 0, 0, bool(opt))
    return header + query.question + opt


def opt_record(
    payload: int, subnet: bytes = b"", *, extended: int = 0, dnssec: bool = False
) -> bytes:
    """Return our OPT: bytes that we take, the upper bits of the rcode, and DO."""
    ttl = extended << 24 | (DNSSEC_OK if dnssec else 0)
    return b"\0" + _RECORD.pack(OPT, payload, ttl, len(subnet)) + subnet


def _bare(record: Record) -> bytes:
    """Return a record without its owner."""
    return _RECORD.pack(record.kind, 1, record.ttl, len(record.data)) + record.data


def _ends_label(before: bytes) -> bool:
    """Return whether ``before`` consists of whole labels."""
    at = 0
    while at < len(before):
        at += 1 + before[at]
    return at == len(before)
