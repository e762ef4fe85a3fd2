"""``EventFilter``: which events a stream wants (rpc.md, section 8)."""

from __future__ import annotations

from gossipd.config.event_handler import MEMBER_EVENTS, is_event_filter
from gossipd.errors import WireError
from gossipd.query.fields import BAD_FIELD
from gossipd.query.requests import INVALID_FILTER


class EventFilter:
    """Which events a stream wants (rpc.md, section 8)."""

    __slots__ = ("_kinds", "_queries", "_user_events", "_wants_all")

    def __init__(self, text: str) -> None:
        """Read the comma separated filters in ``text``; empty means all.

        Raises:
            WireError: ``bad-field``, one of them is no filter.
        """
        self._kinds: set[str] = set()
        self._user_events: set[str] = set()
        self._queries: set[str] = set()
        self._wants_all = False
        for part in (text or "*").split(","):
            if not is_event_filter(part):
                raise WireError(BAD_FIELD, INVALID_FILTER)
            kind, _, name = part.partition(":")
            if part == "*":
                self._wants_all = True
            elif part in MEMBER_EVENTS:
                self._kinds.add(part)
            elif kind == "user":
                self._user_events.add(name)
            else:
                self._queries.add(name)

    def wants_member_event(self, kind: str) -> bool:
        """Return whether a membership event of ``kind`` (``member-join`` ...) passes."""
        return self._wants_all or kind in self._kinds

    def wants_user_event(self, name: str) -> bool:
        """Return whether the user event ``name`` passes."""
        return self._wants_all or "" in self._user_events or name in self._user_events

    def wants_query(self, name: str) -> bool:
        """Return whether the query ``name`` passes."""
        return self._wants_all or "" in self._queries or name in self._queries
