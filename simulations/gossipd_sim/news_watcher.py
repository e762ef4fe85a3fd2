"""``NewsWatcher``: tells ``Spreads`` what happens in a simulated run.

Moments are the true ones: a crash when it happened, a leave when the host was
told to, a return when it booted. It looks at the hosts after a fault and reads
the oracle's turns; it sets nothing to happen, so that a run with it is the
same as one without.
"""

from __future__ import annotations

from collections.abc import Iterator

from gossipd.node.events import NodeEvent
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd_sim.host import Host
from gossipd_sim.news import News, Spreads, Witness
from gossipd_sim.observer import Watcher
from gossipd_sim.truth import Change, Truth, Turn


class NewsWatcher(Watcher):
    """An observer; ``truth`` must observe before it.

    Args:
        spreads: the books it keeps.
        begins_formed: those up from time 0 on know each other then, and that is no news.
    """

    def __init__(self, truth: Truth, spreads: Spreads, *, begins_formed: bool = False) -> None:
        self._truth = truth
        self._spreads = spreads
        self._begins_formed = begins_formed
        self._turns_read = 0
        self._must_look = False
        self._faults_at = 0.0
        self._leaving: dict[str, int] = {}
        """By host: the life in which it was told to leave."""
        self._frozen: dict[str, int] = {}

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Note who hears what."""
        self.catch_up()
        if type(event) is MemberChange:
            node = event.member.name
            if not self._spreads.hear((host.name, host.life), event.kind, node, now):
                self._on_unexpected(host, event, now)

    def on_step(self, host: Host, now: float) -> None:
        """Notice what faults did, as soon as anything happens after them."""
        if self._must_look or self._turns_read != len(self._truth.turns):
            self.catch_up()
        elif host.is_leaving and host.name not in self._leaving:
            self._faults_at = now  # a slow host began to leave long after it was told to
            self._look()

    def on_fault(self, text: str, now: float) -> None:
        """Look when it has been applied: it is told before."""
        self.catch_up()
        self._must_look = True
        self._faults_at = now

    def catch_up(self) -> None:
        """Tell all news up to now."""
        turns = self._truth.turns
        while self._turns_read < len(turns):
            turn = turns[self._turns_read]
            self._turns_read += 1
            self._on_turn(turn)
        if self._must_look:
            self._must_look = False
            self._look()

    def _on_turn(self, turn: Turn) -> None:
        host = self._truth.hosts[turn.host]
        if turn.change is Change.UP:
            self._leaving.pop(turn.host, None)
            self._frozen.pop(turn.host, None)
            if turn.at > 0.0 or not self._begins_formed:
                self._begin(News.JOIN if turn.life == 1 else News.RETURN, host, turn.at)
            return
        self._spreads.drop((turn.host, turn.life))
        if self._leaving.get(turn.host) == turn.life:
            return  # that was the news, and it goes on being heard
        self._begin(News.CRASH if turn.change is Change.CRASHED else News.LEAVE, host, turn.at)

    def _look(self) -> None:
        for host in self._truth.hosts.values():
            if not host.is_up:
                continue
            if host.is_leaving and self._leaving.get(host.name) != host.life:
                self._leaving[host.name] = host.life
                self._spreads.drop((host.name, host.life))
                self._begin(News.LEAVE, host, self._faults_at)
            if host.is_frozen and self._frozen.get(host.name) != host.life:
                self._frozen[host.name] = host.life
                self._spreads.drop((host.name, host.life))
                self._begin(News.FREEZE, host, self._faults_at)
            elif not host.is_frozen and self._frozen.pop(host.name, None) == host.life:
                self._begin(News.RETURN, host, self._faults_at)

    def _on_unexpected(self, viewer: Host, change: MemberChange, now: float) -> None:
        """Begin a false alarm if ``viewer`` shows somebody as failed who is up and in touch."""
        if change.kind is not ChangeKind.FAILED:
            return
        machines = self._truth.named(change.member.name)
        if len(machines) != 1 or not machines[0].is_up or machines[0].is_leaving:
            return
        if not self._truth.are_connected(viewer, machines[0]):
            return  # cut off from each other, it is right
        self._begin(News.FALSE_ALARM, machines[0], now)
        self._spreads.hear((viewer.name, viewer.life), change.kind, change.member.name, now)

    def _begin(self, news: News, subject: Host, at: float) -> None:
        if len(self._truth.named(subject.config.name)) == 1:  # two that claim one name confuse
            self._spreads.begin(news, subject.config.name, at, self._witnesses(subject))

    def _witnesses(self, subject: Host) -> Iterator[Witness]:
        truth = self._truth
        for host in truth.up():
            if host is not subject and not host.is_frozen and truth.are_connected(host, subject):
                yield host.name, host.life
