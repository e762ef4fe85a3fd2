"""A member table that is deaf to deaths, so that verdicts can be counted and change nothing."""

from __future__ import annotations

from collections.abc import Collection

from gossipd.swim.member import Member, MemberState
from gossipd.swim.membership import MemberTable


class FirmTable:
    """A table in which nobody ever becomes suspect or dead: verdicts change nothing."""

    __slots__ = ("_table",)

    def __init__(self, table: MemberTable) -> None:
        self._table = table

    def get(self, name: str) -> Member | None:
        """Return the entry of ``name``."""
        return self._table.get(name)

    def __setitem__(self, name: str, member: Member) -> None:
        if member.state is MemberState.ALIVE:
            self._table[name] = member

    def __delitem__(self, name: str) -> None:
        del self._table[name]

    def __len__(self) -> int:
        return len(self._table)

    def values(self) -> Collection[Member]:
        """Return all entries, oldest first."""
        return self._table.values()
