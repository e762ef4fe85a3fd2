"""What those who are left can know of a member that is gone.

Where few are left of many, each of them finds out at the pace of its local
health, and hardly anybody confirms a suspicion: with eight rounds in one
(Lifeguard, LHA-Probe) and the longest suspicion after that, the last of ten
crashes is known some minutes after the first. As long as a round or a
suspicion runs as it has to, that is no mistake.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.address import Address
from gossipd.serf.events import SerfMember
from gossipd.swim.member import MemberState
from gossipd.swim.scaling import push_pull_interval, retransmit_limit
from gossipd.value import Value
from gossipd.wire.messages import PacketMessage, Ping
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

THERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)
SYNCS = 3
"""Push/pulls until those who are left have found each other among the dead."""

RECONNECTS = 3
"""Tries for each failed member after which one of them is left out by a chance of 1 in 20."""


class Visit(Value):
    """A ping of a host's own: its number, and when, in virtual and in local seconds."""

    number: int
    at: float
    local: float


class Findings:
    """Remembers whom each host pinged last, and asks what should have come of it."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._rounds: dict[str, int] = {}
        self._last: dict[str, dict[str, Visit]] = {}
        self._largest: dict[str, int] = {}
        """By host: the most entries its table had."""

    def on_boot(self, host: Host) -> None:
        """Begin anew."""
        self._rounds[host.name] = self._largest[host.name] = 0
        self._last[host.name] = {}

    def on_messages(self, sender: Host, to: Address, messages: Sequence[PacketMessage]) -> None:
        """Note a ping."""
        lead, node, name = messages[0] if messages else None, sender.node, sender.name
        if isinstance(lead, Ping) and node is not None and insight.is_probing(node, lead.seq):
            number = self._rounds[name] = self._rounds[name] + 1
            self._last[name][lead.node] = Visit(number, self._truth.now, sender.local_time())
            self._largest[name] = max(self._largest[name], insight.table_size(node))

    def may_be_unknown(self, host: Host, name: str, group: Sequence[Host]) -> bool:
        """Say whether ``name`` is down and ``host``, one of ``group``, cannot know yet."""
        if not self._is_down(name):
            return False
        gone_at = max(self._truth.since(machine) for machine in self._truth.named(name))
        return self._cannot_know(host, name, gone_at) and all(
            self._has_not_told(other, name, gone_at, len(group))
            for other in group
            if other is not host
        )

    def may_be_out_of_touch(
        self, host: Host, member: SerfMember, group: Sequence[Host], calm_from: float
    ) -> bool:
        """Say whether ``host`` may still have to find ``member``, who is up, among the failed.

        It tries one of all of them in a reconnect interval (gossip.md, section 18.3), and
        where half of all are gone, nobody else brings them together.
        """
        node = host.node
        if node is None or member.left_at is None or 2 * len(group) > len(self._truth.hosts):
            return False
        shown = insight.roster(node).values()
        failed = sum(other.status is MemberStatus.FAILED for other in shown)
        tried = min(host.local_time() - member.left_at, self._truth.now - calm_from)
        return failed > 1 and tried < RECONNECTS * failed * host.config.serf.reconnect_interval

    def is_telling(self, host: Host, group: Sequence[Host]) -> bool:
        """Say whether ``host`` finds out about somebody, or found out so lately that it tells."""
        node = host.node
        if node is None:
            return False
        if any(self.may_be_unknown(host, name, group) for name in insight.suspicions(node)):
            return True
        swim, now = host.config.swim, host.local_time()
        size = insight.table_size(node)
        limit = retransmit_limit(swim.retransmit_mult, size, natural_log=swim.natural_log)
        return any(
            now - member.changed_at <= (limit + 1) * swim.gossip_interval
            for member in insight.table(node)
            if member.state is MemberState.DEAD and self._is_down(member.name)
        )

    def _is_down(self, name: str) -> bool:
        machines = self._truth.named(name)
        return bool(machines) and not any(machine.is_up for machine in machines)

    def _has_not_told(self, host: Host, name: str, gone_at: float, alive: int) -> bool:
        """Say whether ``host`` cannot know either, or may have told only the dead so far.

        Claims are sent a few times, to anybody in the table: where half of all are gone,
        nobody who is left may be among them, and a push/pull has to bring the news.
        """
        node = host.node
        shown = None if node is None else insight.roster(node).get(name)
        if node is None or shown is None:
            return True
        if shown.status in THERE or shown.left_at is None:
            return self._cannot_know(host, name, gone_at)
        size = insight.table_size(node)
        lately = SYNCS * push_pull_interval(host.config.swim.push_pull_interval, size)
        return 2 * alive <= len(self._truth.hosts) and host.local_time() - shown.left_at <= lately

    def _cannot_know(self, host: Host, name: str, gone_at: float) -> bool:
        """Say whether neither a probe nor a suspicion of ``host`` is over that would tell it."""
        node = host.node
        if node is None:
            return True
        suspicion, entry = insight.suspicions(node).get(name), insight.entry(node, name)
        if suspicion is not None:
            return suspicion.deadline >= host.local_time()
        if entry is None:
            return name not in insight.roster(node)
        if entry.state is not MemberState.ALIVE:
            return False
        probed = insight.probed(node)
        if probed is not None and probed[0] == name:
            return True
        last = self._last[host.name].get(name, Visit(0, 0.0, 0.0))
        # one that was refuted since, by what was under way, has to be suspected anew
        if last.at > gone_at and last.local > entry.changed_at:
            return False
        # the bound of the shuffled round-robin (SWIM section 4.3)
        others = max(self._largest[host.name], insight.table_size(node)) - 1
        return self._rounds[host.name] - last.number < 2 * others - 1
