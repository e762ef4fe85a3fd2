"""No claim is sent more often than its transmit limit (SWIM section 4.1; gossip.md, 11.1).

Counted from outside, in the datagrams: how often one host sent one claim
since its table entry of that node last changed, for only a change queues a
claim. An accusation that rides with a ping to the accused does not count: it
is sent on purpose at each probe; nor does what a node is shown of its former
life, at the head of a datagram. What a host that cannot send holds back goes
out when its table has moved on, perhaps more than once: each change meanwhile
allows for a full number of sendings.
"""

from __future__ import annotations

from gossipd.address import Address
from gossipd.swim.member import Member
from gossipd.swim.scaling import retransmit_limit
from gossipd.wire.messages import Alive, Dead, PacketMessage, Ping, Suspect
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth


class Transmits:
    """Counts each host's sendings of each claim."""

    def __init__(self, complain: Complain, truth: Truth) -> None:
        self._complain = complain
        self._truth = truth
        self._largest: dict[str, int] = {}
        self._sent: dict[str, dict[str, dict[PacketMessage, int]]] = {}
        self._queued: dict[str, dict[str, int]] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew with an empty queue."""
        self._largest[host.name] = 0
        self._sent[host.name] = {}
        self._queued[host.name] = {}

    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """Forget the counts of a node of which there is news to send."""
        member = after if after is not None else before
        if member is None:
            return
        queued = self._queued[host.name]
        if host.holds_back:
            queued[member.name] = queued.get(member.name, 1) + 1
        else:
            queued.pop(member.name, None)
            self._sent[host.name].pop(member.name, None)

    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """Count the claims of one datagram."""
        if sender.node is None:
            return
        name = sender.name
        size = max(self._largest.get(name, 0), insight.table_size(sender.node))
        self._largest[name] = size
        lead = messages[0] if messages else None
        pinged = lead.node if isinstance(lead, Ping) else None
        for message in messages:
            if not isinstance(message, Alive | Suspect | Dead):
                continue
            if isinstance(message, Suspect) and message.node == pinged:
                continue
            if message is lead and self._is_shown_to_owner(message, to):
                continue
            counts = self._sent[name].setdefault(message.node, {})
            times = counts[message] = counts.get(message, 0) + 1
            swim = sender.config.swim
            limit = retransmit_limit(swim.retransmit_mult, size, natural_log=swim.natural_log)
            limit *= self._queued[name].get(message.node, 1)
            if times == limit + 1:
                kind = type(message).__name__
                text = f"{kind} of {message.node} sent {times} times, the limit is {limit}"
                self._complain(name, now, text)

    def _is_shown_to_owner(self, claim: Alive | Suspect | Dead, to: Address) -> bool:
        """Say whether a former life is shown to its owner; gossip goes to nobody who left."""
        match claim:
            case Alive():
                return claim.address == to
            case Dead(node=name, accuser=accuser) if name == accuser:
                # where the owner is, which may be where the sender knows another member; a
                # ping has no checksum, so a turned bit may give it another member's name
                is_owner = any(machine.address == to for machine in self._truth.named(name))
                return is_owner or self._truth.bits_turned > 0
            case _:
                return False
