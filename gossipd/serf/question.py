"""What can be asked of the whole cluster, and what came of asking for keys.

Values, and who listens: ``asking.py`` asks, ``key_queries.py`` answers (gossip.md,
sections 17 and 18.1).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Protocol

from gossipd.value import Value


class Question(Value, kw_only=True):
    """A query of ours.

    ``nodes`` and ``tags`` say whom it is for: names, and tag to RE2 expression
    (searched, not anchored); empty is everybody. ``timeout`` is in seconds, ``None``
    the default of the cluster's size. A question ends as soon as everybody whom it is
    for has answered or said that no answer comes, unless ``full_time`` is set.
    """

    name: str
    payload: bytes | None = None
    nodes: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    wants_acks: bool = False
    relay_factor: int = 0
    timeout: float | None = None
    full_time: bool = False


PING_ALL: Final = Question(name="_serf_ping", wants_acks=True)
"""Asks everybody for an ack and nothing else; the only query of Serf's own that users may ask."""


STRANGERS_MAX = 1024
"""Responders of one query who are no members; somebody who has just joined may be one."""


class Listener(Protocol):
    """Who asked within this floor: told of the answers to one query instead of applications.

    Both may be called from within ``ask``. Nothing follows ``closed``.
    """

    def answered(self, node: str, payload: bytes | None) -> None:
        """``node`` answered; once a node."""

    def closed(self) -> None:
        """Everybody has answered who will, or the time is up."""


class KeyCommand(enum.StrEnum):
    """What can be done with keys on all members; the value is the command of Serf's RPC."""

    INSTALL = "install-key"
    USE = "use-key"
    REMOVE = "remove-key"
    LIST = "list-keys"


class KeyReport(Value):
    """What the members said to a key query.

    ``error`` is empty if all ``nodes`` answered and agreed. ``messages`` has a remark or
    an error by node name; ``keys`` and ``primary_keys`` count by base64 key how many
    nodes have it installed, and as the primary one.
    """

    nodes: int
    responses: int
    errors: int
    messages: Mapping[str, str]
    keys: Mapping[str, int]
    primary_keys: Mapping[str, int]
    error: str = ""
