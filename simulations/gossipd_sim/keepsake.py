"""What the disk of a host keeps of a life: the daemon's snapshot, and its services.

The snapshot is written and read as text.

A leave is not recorded: a host that is to remember does so after a leave too,
as with the daemon's ``--rejoin``.
"""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.node.node import Node
from gossipd.node.view import View
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.serf.memory import Memory
from gossipd.serf.snapshot import Snapshot, replay_untrusted
from gossipd.wire.serf_messages import MemberStatus

_LAST_CHANGES = {
    MemberStatus.ALIVE: ChangeKind.JOIN,
    MemberStatus.LEAVING: ChangeKind.JOIN,
    MemberStatus.FAILED: ChangeKind.FAILED,
}


class Keepsake:
    """What the node of a life showed and knew when it ended."""

    __slots__ = ("_memory", "_view", "services")

    def __init__(self, node: Node) -> None:
        self._view: View = node.view()
        self._memory: Memory = node.memory()
        self.services = node.own_services()
        """What it registered, as the file of services holds it."""

    def restore_services(self, node: Node, now: float) -> None:
        """Register with ``node``, the next life, what the last one had."""
        if self.services.services or self.services.node.maintenance:
            node.restore_services(self.services, now)

    def read(self) -> Snapshot:
        """Return what the next life makes of the file."""
        written = Snapshot()
        for member in self._view.members:
            if kind := _LAST_CHANGES.get(member.status):
                written.record(MemberChange(kind, member))
        written.witness(self._memory)
        read = replay_untrusted(written.text(), rejoin_after_leave=True)
        assert not read.complaints, read.complaints
        return read.snapshot


def in_order_of_trial(snapshot: Snapshot, own_name: str, random: Random) -> list[Address]:
    """Return whom to rejoin: those alive, then the failed ones, each in random order."""
    order: list[Address] = []
    for group in (snapshot.alive, snapshot.failed):
        addresses = [address for name, address in group.items() if name != own_name]
        random.shuffle(addresses)
        order += addresses
    return order
