"""What applications are told: each event once, each answer once, and at rest by everybody.

In one life a host tells an event (Lamport time and name; every event sent in a run
has its own) once at most, and nothing of a query after it was closed. When faults
are over, an event that anybody in touch was told was told to all who knew the sender
as alive when it was sent and have been up and in touch since then: gossip misses some by
chance, a push/pull brings it. Of an event that is for some only nothing is expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.node.events import NodeEvent
from gossipd.serf.events import QueryAcked, QueryAnswered, QueryClosed, UserEventReceived
from gossipd.swim.scaling import push_pull_interval
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster

SYNCS = 3
"""Push/pulls of each host after which an event must have reached everybody."""


_LOOKED_AT = (UserEventReceived, QueryAcked, QueryAnswered, QueryClosed)


class _Sent(Value):
    """An event for everybody, when it was sent, and the life of each host that had to hear."""

    event: tuple[int, str]
    at: float
    lives: dict[str, int]


class Applications:
    """Follows what each life of each host tells its application."""

    def __init__(self, complain: Complain, truth: Truth) -> None:
        self._complain = complain
        self._truth = truth
        self._told: dict[tuple[str, int], set[tuple[int, str]]] = {}
        self._answered: dict[tuple[str, int], set[tuple[int, str, str]]] = {}
        self._closed: dict[tuple[str, int], set[int]] = {}
        self._sent: list[_Sent] = []

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Look at what concerns applications."""
        if type(event) not in _LOOKED_AT:  # nearly all are about probes
            return
        match event:
            case UserEventReceived():
                self._on_user_event(host, event, now)
            case QueryAcked(query=query, node=node):
                self._on_answer(host, (query, "ack", node), now)
            case QueryAnswered(query=query, node=node):
                self._on_answer(host, (query, "answer", node), now)
            case QueryClosed(query=query):
                closed = self._closed.setdefault((host.name, host.life), set())
                if query in closed:
                    self._complain(host.name, now, f"query {query} was closed twice")
                closed.add(query)
            case _:
                pass

    def _on_user_event(self, host: Host, event: UserEventReceived, now: float) -> None:
        told = self._told.setdefault((host.name, host.life), set())
        which = (event.ltime, event.name)
        if which in told:
            self._complain(host.name, now, f"told event {event.name} at {event.ltime} twice")
        told.add(which)
        if event.is_own and host.node and insight.is_for_all(host.node, event.ltime, event.name):
            self._sent.append(_Sent(which, now, self._audience(host)))

    def _audience(self, sender: Host) -> dict[str, int]:
        """Return who shows ``sender`` as alive now, with their lives."""
        audience = {}
        for host in self._truth.up():
            shown = insight.roster(host.node).get(sender.config.name) if host.node else None
            if shown is not None and shown.status is MemberStatus.ALIVE:
                audience[host.name] = host.life
        return audience

    def _on_answer(self, host: Host, answer: tuple[int, str, str], now: float) -> None:
        query, what, node = answer
        if query in self._closed.get((host.name, host.life), ()):
            self._complain(host.name, now, f"{what} of {node} after query {query} was closed")
        answered = self._answered.setdefault((host.name, host.life), set())
        if answer in answered:
            self._complain(host.name, now, f"{what} of {node} to query {query} came twice")
        answered.add(answer)

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Complain of events that somebody in touch was told, and others were not."""
        for group in self._truth.groups():
            interval = max(host.config.swim.push_pull_interval for host in group)
            settled = now - SYNCS * push_pull_interval(interval, len(self._truth.hosts))
            for sent in self._sent:
                if sent.at > settled:
                    continue
                lives = [host for host in group if sent.lives.get(host.name) == host.life]
                missing = [host for host in lives if not self._was_told(host, sent)]
                if len(missing) < len(lives):
                    for host in missing:
                        self._complain(host.name, now, f"was never told event {sent.event[1]}")

    def _was_told(self, host: Host, sent: _Sent) -> bool:
        return sent.event in self._told.get((host.name, host.life), ())
