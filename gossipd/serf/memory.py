"""``Memory``: the Lamport times that a node takes over from its former life (section 20).

A file of its own, because every node is told one and few keep a snapshot.
"""

from __future__ import annotations

from gossipd.value import Value


class Memory(Value):
    """Lamport times seen before: of members, user events and queries; 0 is none.

    A node that is started with it takes events and queries up to these for old.
    """

    clock: int = 0
    event_clock: int = 0
    query_clock: int = 0


NO_MEMORY = Memory()
