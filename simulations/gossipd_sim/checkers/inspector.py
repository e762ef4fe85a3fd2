"""``Inspector``: the one observer behind all checkers.

What several checkers need is found out once: each datagram is opened and
decoded, each table is compared with what it was after the step before, and a
host's new life is noticed before anything else of it. A checker is any object
with those of the hooks below that it needs.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gossipd.address import Address
from gossipd.node.events import NodeEvent
from gossipd.swim.member import Member
from gossipd.wire.messages import PacketMessage
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.decoding import Decoding
from gossipd_sim.host import Host
from gossipd_sim.network import Datagram

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster


@runtime_checkable
class OnBoot(Protocol):
    def on_boot(self, host: Host, now: float) -> None:
        """A life of ``host`` began; nothing of it was told yet."""


@runtime_checkable
class OnEvent(Protocol):
    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """The node of ``host`` told ``event``."""


@runtime_checkable
class OnPacket(Protocol):
    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """The node of ``sender`` sent a datagram."""


@runtime_checkable
class OnMessages(Protocol):
    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """That datagram, decoded; what could not be decoded is not there."""


@runtime_checkable
class OnTable(Protocol):
    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """An entry of the table of ``host`` is new, changed or gone after a step."""


@runtime_checkable
class OnStep(Protocol):
    def on_step(self, host: Host, now: float) -> None:
        """A step of ``host`` is over and its table was compared."""


@runtime_checkable
class OnFault(Protocol):
    def on_fault(self, text: str, now: float) -> None:
        """A fault was applied, or ended."""


@runtime_checkable
class AtEnd(Protocol):
    def at_end(self, cluster: Cluster, now: float) -> None:
        """The run is over."""


class Inspector:
    """Tells ``checkers``, in their order, what each of them wants to know.

    Args:
        checkers: objects with any of the hooks of this file.
        decoding: opens datagrams; ``None`` leaves ``on_messages`` silent.
    """

    def __init__(self, checkers: list[object], decoding: Decoding | None) -> None:
        self._on_boot = [one for one in checkers if isinstance(one, OnBoot)]
        self._on_event = [one for one in checkers if isinstance(one, OnEvent)]
        self._on_packet = [one for one in checkers if isinstance(one, OnPacket)]
        self._on_messages = [one for one in checkers if isinstance(one, OnMessages)]
        self._on_table = [one for one in checkers if isinstance(one, OnTable)]
        self._on_step = [one for one in checkers if isinstance(one, OnStep)]
        self._on_fault = [one for one in checkers if isinstance(one, OnFault)]
        self._at_end = [one for one in checkers if isinstance(one, AtEnd)]
        self._decoding = decoding
        self._lives: dict[str, int] = {}
        self._tables: dict[str, list[Member]] = {}

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Pass an event on."""
        self._meet(host, now)
        for checker in self._on_event:
            checker.on_event(host, event, now)

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Pass a datagram on, as bytes and decoded."""
        self._meet(sender, now)
        for checker in self._on_packet:
            checker.on_packet(sender, to, data, now)
        if self._decoding is not None:
            messages = self._decoding.open(sender, to, data, now)
            for listener in self._on_messages:
                listener.on_messages(sender, to, messages, now)

    def on_step(self, host: Host, now: float) -> None:
        """Compare the table of ``host`` with what it was, then pass the step on."""
        self._meet(host, now)
        if host.node is None:
            return
        if self._on_table:
            known = self._tables[host.name]
            table = list(insight.table(host.node))
            # entries are replaced, never changed, so identity tells news
            if len(table) != len(known) or not all(map(is_, table, known)):
                self._tables[host.name] = table
                self._compare(host, known, table, now)
        for checker in self._on_step:
            checker.on_step(host, now)

    def on_fault(self, text: str, now: float) -> None:
        """Pass a fault on."""
        for checker in self._on_fault:
            checker.on_fault(text, now)

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Pass the end on."""
        for checker in self._at_end:
            checker.at_end(cluster, now)

    def _meet(self, host: Host, now: float) -> None:
        if self._lives.get(host.name) != host.life:
            self._lives[host.name] = host.life
            self._tables[host.name] = []
            for checker in self._on_boot:
                checker.on_boot(host, now)

    def _compare(self, host: Host, known: list[Member], table: list[Member], now: float) -> None:
        before = {member.name: member for member in known}
        for member in table:
            old = before.pop(member.name, None)
            if old is not member:
                for checker in self._on_table:
                    checker.on_table(host, old, member, now)
        for gone in before.values():
            for checker in self._on_table:
                checker.on_table(host, gone, None, now)
