"""A drain: consumers are given time to turn away before a service or a node goes.

Weight 0 at once, out of ``passing`` after half of the time, at the end of it a
service is gone while a node's stay out.
"""

from __future__ import annotations

from gossipd.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.services.definition import NodeState, ServiceState

DRAINED = "draining"
"""What stands as the reason of maintenance in the second half of a drain."""


class Drain(Value):
    """One that runs, from ``since`` for ``seconds``; ``is_out`` from the middle on."""

    since: float
    seconds: float
    is_out: bool = False

    @property
    def maintenance(self) -> str:
        """Why no part is taken; empty in the first half."""
        return DRAINED if self.is_out else ""

    def at(self, now: float) -> Drain:
        """Return how it stands at ``now``."""
        return Drain(self.since, self.seconds, now >= self.since + self.seconds / 2)

    def next_deadline(self, now: float) -> float | None:
        """Return when the next step is due, or ``None`` after the last."""
        for deadline in (self.since + self.seconds / 2, self.since + self.seconds):
            if now < deadline:
                return deadline
        return None


def reason_without_drain(state: NodeState | ServiceState) -> str:
    """Return why an operator took it out, in a state in which a drain may have said why too."""
    return "" if state.is_draining and state.maintenance == DRAINED else state.maintenance


class DrainDue(Value):
    """Timer: the drain of a service (empty: of the node) takes its next step."""

    service: str
