"""Member events alternate: nobody joins who is there, nobody fails who is not.

Twice: for the events of the failure detector, and for the changes that
Serf's layer tells users. A reader who keeps a list from events alone ends up
with the right one only if both hold.
"""

from __future__ import annotations

from gossipd.node.events import NodeEvent
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.swim.events import (
    MemberFailed,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
)
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host

_THERE = (ChangeKind.JOIN, ChangeKind.UPDATE)
_GONE = (None, ChangeKind.LEAVE, ChangeKind.FAILED, ChangeKind.REAP)
_MAY_FOLLOW: dict[ChangeKind, tuple[ChangeKind | None, ...]] = {
    ChangeKind.JOIN: _GONE,
    ChangeKind.UPDATE: _THERE,
    ChangeKind.FAILED: _THERE,
    ChangeKind.LEAVE: (*_THERE, ChangeKind.FAILED),
    ChangeKind.REAP: (*_THERE, ChangeKind.LEAVE, ChangeKind.FAILED),
}
"""After which change of the same member each may come; ``None`` is the first.

A failed one may still leave, when an operator says so; one that is there may
be reaped only by a leave that prunes.
"""


class Alternation:
    """Follows each member in each life of each host."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._present: dict[str, dict[str, bool]] = {}
        self._changes: dict[str, dict[str, ChangeKind]] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew: a node starts knowing nobody, unless its cluster was formed before."""
        self._present[host.name] = dict.fromkeys(host.born_knowing, True)
        self._changes[host.name] = dict.fromkeys(host.born_knowing, ChangeKind.JOIN)

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Look at one event; those that are not about members are ignored."""
        match event:
            case MemberJoined(member=member):
                self._expect(host, member.name, present=False, what="joined", now=now)
                self._present[host.name][member.name] = True
            case MemberFailed(member=member):
                self._expect(host, member.name, present=True, what="failed", now=now)
                self._present[host.name][member.name] = False
            case MemberLeft(member=member):
                self._expect(host, member.name, present=True, what="left", now=now)
                self._present[host.name][member.name] = False
            case MemberSuspected(member=member):
                self._expect(host, member.name, present=True, what="was suspected", now=now)
            case MemberForgotten(member=member):
                self._expect(host, member.name, present=False, what="was forgotten", now=now)
            case MemberChange():
                self._on_change(host, event, now)
            case _:
                pass

    def _expect(self, host: Host, name: str, *, present: bool, what: str, now: float) -> None:
        if self._present[host.name].get(name, False) is not present:
            state = "was not there" if present else "was there"
            self._complain(host.name, now, f"{name} {what} although it {state}")

    def _on_change(self, host: Host, change: MemberChange, now: float) -> None:
        changes, name = self._changes[host.name], change.member.name
        before = changes.get(name)
        if before not in _MAY_FOLLOW[change.kind]:
            told = "nothing" if before is None else before.value
            self._complain(host.name, now, f"{change.kind.value} of {name} after {told}")
        changes[name] = change.kind
