"""``Readiness``: whether this node knows its cluster well enough to deny anything.

A daemon that has just been started knows its own services alone. Clients that were
told so would drop the servers that they have (NXDOMAIN, or a short list); on SERVFAIL
they keep them.
"""

from __future__ import annotations

from math import inf

from gossipd.node.events import NodeEvent, SyncFinished
from gossipd.node.handle import NodeHandle
from gossipd.swim.events import MemberJoined

SETTLING = 1.0
"""Seconds from the first word of another member until its services count as known: its
catalog is asked for after its members."""


class Readiness:
    """Watches one handle until it is ready.

    Args:
        handle: the node.
        expects_others: there are seeds; without, it is ready at once.
        wait: seconds after which it is ready in any case.
    """

    def __init__(self, handle: NodeHandle, *, expects_others: bool, wait: float) -> None:
        self._handle = handle
        self._ready_at = -inf
        if expects_others:
            view = handle.view()
            is_alone = all(member.name == view.name for member in view.members)
            self._ready_at = handle.now() + (wait if is_alone else min(wait, SETTLING))
        self._unobserve = handle.observe(self._see) if expects_others else None

    def __call__(self) -> bool:
        """Return whether it is ready."""
        if self._ready_at == -inf:
            return True
        if self._handle.now() < self._ready_at:
            return False
        self._ready_at = -inf
        if self._unobserve is not None:
            self._unobserve()
        return True

    def _see(self, event: NodeEvent, now: float) -> None:
        match event:
            case SyncFinished(error=""):
                pass
            case MemberJoined(member) if member.name != self._handle.view().name:
                pass
            case _:
                return
        self._ready_at = min(self._ready_at, now + SETTLING)
