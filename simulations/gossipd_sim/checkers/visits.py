"""Each member is probed at least once in 2m - 1 rounds, m others (SWIM section 4.3).

The bound of the shuffled round-robin, counted in the pings of one host while
nothing changes: same table, everybody alive. Pings done for others do not
count.
"""

from __future__ import annotations

from gossipd.address import Address
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import PacketMessage, Ping
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host


class Visits:
    """Numbers each host's pings, and remembers whom the last ones went to."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._rounds: dict[str, int] = {}
        self._last: dict[str, dict[str, int]] = {}
        """By host and member: the number of the last ping; empty while not quiet."""
        self._told: dict[str, int] = {}
        self._was_hindered: dict[str, bool] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew."""
        self._begin_anew(host.name)

    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """Begin anew when somebody comes, goes or changes state."""
        if before is None or after is None or before.state is not after.state:
            self._begin_anew(host.name)

    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """Number a ping."""
        lead = messages[0] if messages else None
        node = sender.node
        if not isinstance(lead, Ping) or node is None or not sender.config.swim.round_robin:
            return
        if insight.is_probing(node, lead.seq):
            self._visit(sender, lead.node, now)

    def on_step(self, host: Host, now: float) -> None:
        """Begin anew after what was kept back: those pings are of another time."""
        if host.is_hindered:
            self._begin_anew(host.name)
        self._was_hindered[host.name] = host.is_hindered

    def _visit(self, host: Host, target: str, now: float) -> None:
        name, node = host.name, host.node
        if node is None or self._was_hindered.get(name, False):
            return
        number = self._rounds[name] = self._rounds.get(name, 0) + 1
        last = self._last.setdefault(name, {})
        if not last:
            members = insight.table(node)
            if any(member.state is not MemberState.ALIVE for member in members):
                return
            # unknown when each was visited before: the first gap counts from here
            last.update(
                (member.name, number - 1) for member in members if member.name != host.config.name
            )
        if target not in last:
            return
        last[target] = number
        allowed = 2 * len(last) - 1
        for other, visited in last.items():
            if number - visited > allowed and self._told.get(name) != host.life:
                self._told[name] = host.life
                text = f"{other} not probed in {number - visited} rounds, allowed are {allowed}"
                self._complain(name, now, text)

    def _begin_anew(self, name: str) -> None:
        self._last[name] = {}
