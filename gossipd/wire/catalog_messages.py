"""The catalog's messages (docs/catalog-protocol.md): what gossipd nodes tell each other.

They travel as user messages of private types, by packet or by stream, between
gossipd nodes only. What an owner says of a service is carried in parts that stay
encoded: whoever passes them on writes the very bytes that the owner wrote.
"""

from __future__ import annotations

from typing import TypeAlias

from gossipd.value import Value


class Record(Value):
    """What is known of one service of an owner; a part that is not told has version 0.

    The service ``""`` is the node itself: its ``state`` is a ``NodeState``, and it has no
    other parts.
    """

    id: str
    removed: int = 0
    """The version at which the owner took it back; parts that are not newer are gone."""
    service_version: int = 0
    service: bytes = b""
    state_version: int = 0
    state: bytes = b""
    outputs_version: int = 0
    outputs: bytes = b""

    @property
    def version(self) -> int:
        """Highest of its parts."""
        return max(self.versions)

    @property
    def versions(self) -> tuple[int, int, int, int]:
        """Those of all parts."""
        return self.removed, self.service_version, self.state_version, self.outputs_version


class News(Value):
    """One change of ``owner``, at ``version`` of its life ``epoch``.

    ``covered`` are versions that this one replaced, so that nobody misses them. A record with
    several parts tells the versions of all of them; the newest is ``version``.
    """

    owner: str
    epoch: int
    version: int
    covered: tuple[int, ...]
    record: Record


class Notice(Value):
    """``owner`` has reached ``version``, and whoever says so can tell what it is."""

    owner: str
    epoch: int
    version: int


class Known(Value):
    """All that ``owner`` said up to the version ``floor`` of its life ``epoch`` is known.

    ``content`` are 64 bits of what that is, 0 where it is not told.
    """

    owner: str
    epoch: int
    floor: int
    content: int = 0


class Portion(Value):
    """Records of one owner: whoever knew all up to ``base`` knows all up to ``upto`` now.

    With ``ids`` it is the last portion of everything: of that owner nothing exists beside
    the services in it, tombstones among them. Records are whole, never single parts.
    """

    owner: str
    epoch: int
    base: int
    upto: int
    records: tuple[Record, ...]
    ids: tuple[str, ...] | None = None


class Delta(Value):
    """What ``sender`` knows and the receiver does not; ``has_more``: ask again."""

    sender: str
    has_more: bool
    portions: tuple[Portion, ...]


class Digest(Value):
    """All that ``sender`` knows: the receiver tells what is missing, and asks in turn."""

    sender: str
    known: tuple[Known, ...]


class Wish(Value):
    """``sender`` asks what happened to these owners after the versions that it knows."""

    sender: str
    known: tuple[Known, ...]


CatalogMessage: TypeAlias = News | Notice | Delta | Digest | Wish
