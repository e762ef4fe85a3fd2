"""Reads DNS messages as they come by multicast: bounded work for any bytes (RFC 1035, section 4).

Anybody on the link may send as much as he likes, and a general library spends
a quarter of a second on one message made for it. Here a message is walked
once, names are only read where they matter, and what is too long is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NoReturn

from gossipd.errors import WireError
from gossipd.value import Value

BAD_MESSAGE = "mdns-bad-message"
RECORDS_MAX = 256
"""Questions and records of one message; hundreds of hosts answer one by one."""
LABELS_MAX = 2048
"""Labels read in one message, those behind pointers each time again."""
NAME_BYTES_MAX = 255
CLASS_IN, CLASS_ANY = 1, 255
_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_TOP_BIT = 0x8000
_POINTER = 0xC0
_ANSWER, _ADDITIONAL = 1, 3
"""Sections that are read; what stands in the other two is passed over."""

Name = tuple[bytes, ...]
"""The labels of a name in lower case, without the root."""


class Question(Value):
    """One question: ``name_at`` is where its name stands."""

    name_at: int
    kind: int
    wants_unicast: bool


class Record(Value):
    """One record: ``name_at`` and ``data_at`` are where its name and its data stand."""

    name_at: int
    kind: int
    ttl: int
    data_at: int
    data: bytes


class DnsReader:
    """One message.

    The top bit of a class is mDNS's own (RFC 6762, sections 5.4 and 10.2). What is
    not of the internet class is passed over.

    Args:
        data: the whole of it.

    Raises:
        WireError: it has no header, or says that it has too many records.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < _HEADER.size:
            _refuse("shorter than a header")
        self._data = data
        self.id, self.flags, *self._counts = _HEADER.unpack_from(data)
        self._labels = LABELS_MAX
        if sum(self._counts) > RECORDS_MAX:
            _refuse(f"more than {RECORDS_MAX} records")

    def questions_untrusted(self) -> list[Question]:
        """Return the questions.

        Raises:
            WireError: ``mdns-bad-message``.
        """
        return [found for found in self._walk() if isinstance(found, Question)]

    def records_untrusted(self) -> list[Record]:
        """Return the answers and the additional records.

        Raises:
            WireError: ``mdns-bad-message``.
        """
        return [found for found in self._walk() if isinstance(found, Record)]

    def name_untrusted(self, at: int) -> tuple[Name, int]:
        """Return the name that stands at ``at``, and where it ends there.

        Raises:
            WireError: it ends nowhere, is too long, or points forward.
        """
        labels: list[bytes] = []
        end, before, size = 0, at, 0
        while True:
            self._labels -= 1
            if self._labels < 0:
                _refuse(f"more than {LABELS_MAX} labels")
            length = self._byte(at)
            if length >= _POINTER:
                end = end or at + 2
                at = (length & ~_POINTER) << 8 | self._byte(at + 1)
                if at >= before:
                    _refuse("a name that points forward")  # only so can names go round
                before = at
                continue
            if length >= 64:
                _refuse("a label of an unknown kind")
            if not length:
                return tuple(labels), end or at + 1
            size += length + 1
            label = self._data[at + 1 : at + 1 + length]
            if len(label) < length or size >= NAME_BYTES_MAX:
                _refuse("a name that is cut off or too long")
            labels.append(label.lower())
            at += 1 + length

    def _walk(self) -> Iterator[Question | Record]:
        at = _HEADER.size
        for section, count in enumerate(self._counts):
            for _ in range(count):
                name_at, at = at, self._end_of_name(at)
                if section == 0:
                    kind, group = self._fields(_QUESTION, at)
                    at += _QUESTION.size
                    if group & ~_TOP_BIT in (CLASS_IN, CLASS_ANY):
                        yield Question(name_at, kind, bool(group & _TOP_BIT))
                    continue
                kind, group, ttl, length = self._fields(_RECORD, at)
                data_at = at + _RECORD.size
                at = data_at + length
                if at > len(self._data):
                    _refuse("a record that is cut off")
                if section in (_ANSWER, _ADDITIONAL) and group & ~_TOP_BIT == CLASS_IN:
                    yield Record(name_at, kind, ttl, data_at, self._data[data_at:at])

    def _end_of_name(self, at: int) -> int:
        while length := self._byte(at):
            if length >= _POINTER:
                return at + 2
            at += 1 + length
        return at + 1

    def _byte(self, at: int) -> int:
        if at >= len(self._data):
            _refuse("cut off within a name")
        return self._data[at]

    def _fields(self, form: struct.Struct, at: int) -> tuple[int, ...]:
        if at + form.size > len(self._data):
            _refuse("cut off within a record")
        return form.unpack_from(self._data, at)


def _refuse(why: str) -> NoReturn:
    raise WireError(BAD_MESSAGE, why)
