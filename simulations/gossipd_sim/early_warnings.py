"""What each host's early warning says in a run: nobody asks it, and it changes nothing."""

from __future__ import annotations

from gossipd.agent.early_warning import EarlyWarning
from gossipd.ledger import Ledger
from gossipd.node.events import MemberDegraded, MemberRecovered, NodeEvent
from gossipd.swim.events import MemberFailed
from gossipd.value import Value
from gossipd_sim.host import Host
from gossipd_sim.observer import Watcher


class Warned(Value):
    """``host`` says at ``at`` (seconds) that ``name`` is degraded."""

    at: float
    host: str
    name: str
    reason: str


class EarlyWarnings(Watcher):
    """An ``EarlyWarning`` for each life of each host.

    Attributes:
        warned: what was said, in order.
        recovered: how often it was taken back.
        failed: when each member was first declared dead by anybody.
    """

    def __init__(self) -> None:
        self.warned: list[Warned] = []
        self.recovered = 0
        self.failed: dict[str, float] = {}
        self._watching: dict[tuple[str, int], EarlyWarning] = {}

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Show ``host``'s early warning what its node told."""
        if isinstance(event, MemberFailed):
            self.failed.setdefault(event.member.name, now)
        life = host.name, host.life
        watching = self._watching.get(life)
        if watching is None:

            def tell(told: NodeEvent, at: float) -> None:
                if isinstance(told, MemberDegraded):
                    self.warned.append(Warned(at, host.name, told.name, told.reason))
                elif isinstance(told, MemberRecovered):
                    self.recovered += 1

            watching = self._watching[life] = EarlyWarning(host.config.name, tell, Ledger())
        watching.take(event, now)

    def first(self, name: str) -> Warned | None:
        """Return the first warning about a member by another, ``None`` without."""
        return next((one for one in self.warned if one.name == name != one.host), None)
