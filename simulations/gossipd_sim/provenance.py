"""``Provenance``: who knew what of one member, since when and from whom.

It follows a run as an observer and as the network's tap, and keeps what
concerns that member alone: pings of it with all that was done about them,
claims about it with the way of each packet that carried them, and every
change of what a host believed of it. ``explain.py`` walks it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.address import Address
from gossipd.errors import UsageError
from gossipd.node.effects import OpenStream
from gossipd.node.events import NodeEvent
from gossipd.node.unsealed import UnsealedStream
from gossipd.swim.events import (
    AccusationRefuted,
    MemberFailed,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
    SuspicionConfirmed,
)
from gossipd.wire.messages import (
    Alive,
    Dead,
    PacketMessage,
    Ping,
    Suspect,
)
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.decoding import Decoding
from gossipd_sim.evidence import (
    CLAIMS,
    KINDS,
    NOWHERE,
    Answer,
    Basis,
    Belief,
    Born,
    Expiry,
    Flight,
    Kind,
    MemberEvent,
    Own,
    Round,
    Sync,
    says,
)
from gossipd_sim.hindrance import hindrance_of
from gossipd_sim.host import Host
from gossipd_sim.network import Datagram
from gossipd_sim.observer import Watcher
from gossipd_sim.rounds import A_HAIR, Rounds

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster

BEHIND = "still behind with its input"


class Provenance(Watcher):
    """Observes a cluster that did not run yet; by reference only, not by wire.

    Args:
        member: the name of the node that it is about.

    Raises:
        UsageError: the cluster runs by wire.
    """

    def __init__(self, cluster: Cluster, member: str) -> None:
        if cluster.network.by_wire:
            raise UsageError("provenance is recorded by reference, and this cluster runs by wire")
        self.member = member
        self.hosts = cluster.hosts
        self.beliefs: dict[str, list[Belief]] = {}
        """By host, in the order of time."""
        self.answers: list[Answer] = []
        self.flights: list[Flight] = []
        """In the order in which they were sent."""
        self.arrivals: dict[str, list[Flight]] = {}
        """By receiver, in the order of arrival."""
        self.syncs: dict[str, list[Sync]] = {}
        """By receiver."""
        self.faults: list[tuple[float, str]] = []
        self._bearers: set[str] = set()
        self._lives: dict[str, int] = {}
        self._ready_at: dict[str, float] = {}
        """By host that was slow: when it is done with what came until now."""
        self._well_at: dict[str, tuple[float, float]] = {}
        """By host: the last two moments at which it was seen to be unhindered."""
        self._rounds = Rounds(member)
        self._network = cluster.network
        self._world = cluster.world
        self._decoding = Decoding(_say_nothing, by_wire=False)
        self._flying: dict[tuple[int, Address], Flight] = {}
        self._streams: dict[tuple[str, int], Round | None] = {}
        """By dialler: pings of the member, and push/pulls (``None``)."""
        cluster.observers.append(self)
        cluster.network.tap = self

    # -- what is sent ----------------------------------------------------------------

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Keep a datagram if anything in it concerns the member."""
        receiver = self._network.at(to)
        target = receiver.name if receiver is not None else str(to)
        found = self._messages(sender, to, data, now)
        messages = tuple(one for one in found if self._concerns(one, sender, target))
        if not messages:
            return
        flight = Flight(sender.name, target, messages, now)
        flight.data = data
        self._flying[id(data), to] = flight
        self.flights.append(flight)
        for message in messages:
            self._rounds.on_sent(message, flight, sender)

    def _messages(
        self, sender: Host, to: Address, data: Datagram, now: float
    ) -> tuple[PacketMessage, ...]:
        """Return what a datagram says: the one place where any is decoded."""
        return self._decoding.open(sender, to, data, now)

    def _concerns(self, message: PacketMessage, sender: Host, target: str) -> bool:
        if isinstance(message, Alive | Suspect | Dead):
            return message.node == self.member
        return self._rounds.concerns(message, sender, target)

    # -- what becomes of it ------------------------------------------------------------

    def datagram_lost(self, sender: str, to: Address, data: Datagram, cause: str) -> None:
        """Note why a packet did not arrive."""
        flight = self._flying.get((id(data), to))
        if flight is not None and (flight.arrived_at is None or cause == "buffer"):
            flight.lost = cause

    def datagram_arrived(self, sender: str, to: Address, data: Datagram) -> None:
        """Note when a packet arrived, and whether its receiver could handle it."""
        receiver = self._network.at(to)
        assert receiver is not None
        now = self._world.now
        host = self.hosts[receiver.name]
        due_at = self._due_at(host, now)
        if isinstance(data, bytes):  # all else travels by reference
            flight = self._strange(sender, receiver.name, to, data)
        else:
            flight = self._flying.get((id(data), to))
        if flight is None:
            return
        if flight.arrived_at is None:  # and not a copy
            flight.arrived_at = now
            flight.due_at = due_at
            flight.found = hindrance_of(host) or (BEHIND if due_at > now else "")
            self.arrivals.setdefault(receiver.name, []).append(flight)
        for message in flight.messages:
            self._rounds.on_arrived(message, flight)

    def _due_at(self, host: Host, now: float) -> float:
        """Return when input of now is handled by a host that is slow, or was until lately."""
        ready_at = self._ready_at.get(host.name, 0.0)
        if not host.delay and now >= ready_at:
            return now
        ready_at = self._ready_at[host.name] = max(now + host.delay, ready_at)
        return ready_at

    def _strange(self, sender: str, target: str, to: Address, data: bytes) -> Flight | None:
        """Return a forged or damaged packet as its receiver reads it, if it holds a claim."""
        found = self._messages(self.hosts[target], to, data, self._world.now)
        claims = tuple(
            one
            for one in found
            if isinstance(one, Alive | Suspect | Dead) and one.node == self.member
        )
        if not claims:
            return None
        flight = Flight(sender or NOWHERE, target, claims, self._world.now)
        flight.is_damaged = bool(sender)
        self.flights.append(flight)
        return flight

    def stream_dialled(self, host: str, effect: OpenStream) -> None:
        """Note a ping of the member by TCP; every other stream is a push/pull."""
        message = effect.data.message if isinstance(effect.data, UnsealedStream) else None
        stream = (host, effect.stream)
        if not isinstance(message, Ping):
            self._streams[stream] = None
            return
        probe = self._rounds.by_stream(host, message)
        if probe is None:
            self._streams.pop(stream, None)
        else:
            probe.stream_at = self._world.now
            self._streams[stream] = probe

    def stream_carried(self, source: str, target: str, dialler: str, stream: int) -> None:
        """Note a ping that got there, or a state that did."""
        self._due_at(self.hosts[target], self._world.now)
        if (dialler, stream) not in self._streams:
            return
        probe = self._streams[dialler, stream]
        if probe is None:
            self.syncs.setdefault(target, []).append(Sync(source, self._world.now))
        elif source == dialler:
            probe.stream_carried_at = self._world.now
            probe.stream_found = hindrance_of(self.hosts[target])

    def stream_failed(self, host: str, stream: int, reason: str) -> None:
        """Note why a ping by TCP came to nothing."""
        probe = self._streams.get((host, stream))
        if probe is not None:
            probe.stream_error = reason

    # -- what is believed ----------------------------------------------------------------

    def on_step(self, host: Host, now: float) -> None:
        """Notice that a host is well, or what it keeps back because it is not."""
        self._meet(host, now)
        if host.is_hindered:
            self._rounds.on_hindered(host, now)
            return
        last, _ = self._well_at.get(host.name, (0.0, 0.0))
        if now > last:
            self._well_at[host.name] = (now, last)

    def on_fault(self, text: str, now: float) -> None:
        """Keep what was done to the cluster."""
        self.faults.append((now, text))

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Keep every change of belief about the member, and its own answers."""
        self._meet(host, now)
        if host.config.name == self.member:
            self._bearers.add(host.name)
        match event:
            case AccusationRefuted() if host.config.name == self.member:
                basis = self._heard(host.name, event.kind, 0, event.accuser, now, or_above=True)
                self.answers.append(
                    Answer(
                        at=now,
                        host=host.name,
                        kind=event.kind,
                        accuser=event.accuser,
                        incarnation=event.incarnation,
                        basis=basis,
                    )
                )
            case (
                MemberJoined()
                | MemberUpdated()
                | MemberSuspected()
                | SuspicionConfirmed()
                | MemberRefuted()
                | MemberFailed()
                | MemberLeft()
                | MemberForgotten()
            ) if event.member.name == self.member:
                belief = self._belief(host, event, now)
                self.beliefs.setdefault(host.name, []).append(belief)
            case _:
                pass

    def _meet(self, host: Host, now: float) -> None:
        """Note what a new life of ``host`` knows of the member to begin with."""
        if self._lives.get(host.name) == host.life or host.node is None:
            return
        self._lives[host.name] = host.life
        entry = insight.entry(host.node, self.member)
        knows = entry is not None and self.member in host.born_knowing
        if not knows and (host.life == 1 or host.config.name == self.member):
            return
        belief = Belief(
            at=now,
            host=host.name,
            life=host.life,
            kind=Kind.JOINED if knows else Kind.BLANK,
            incarnation=entry.incarnation if knows and entry is not None else 0,
            reality=self._reality(now),
            basis=Own() if host.config.name == self.member else Born() if knows else None,
        )
        self.beliefs.setdefault(host.name, []).append(belief)

    def is_bearer(self, host: str) -> bool:
        """Say whether a host has ever called itself by the member's name."""
        return host in self._bearers

    def _belief(self, host: Host, event: MemberEvent, now: float) -> Belief:
        kind = KINDS[type(event)]
        accuser = self.member if kind is Kind.LEFT else getattr(event, "accuser", "")
        incarnation = event.member.incarnation
        local_deadline = getattr(event, "deadline", None)
        deadline = None if local_deadline is None else now + local_deadline - host.local_time()
        return Belief(
            at=now,
            host=host.name,
            life=host.life,
            kind=kind,
            incarnation=incarnation,
            accuser=accuser,
            confirmations=getattr(event, "confirmations", 0),
            deadline=deadline,
            local_deadline=local_deadline,
            suspected_for=getattr(event, "suspected_for", None),
            reality=self._reality(now),
            basis=self._basis(host, kind, incarnation, accuser, now),
        )

    def _basis(self, host: Host, kind: Kind, incarnation: int, accuser: str, now: float) -> Basis:
        if host.config.name == self.member:
            return Own()
        if kind is Kind.FORGOTTEN:
            return None
        if accuser == host.config.name:
            if kind is Kind.FAILED and self._has_run_out(host):
                return Expiry()
            if kind in (Kind.SUSPECTED, Kind.CONFIRMED):
                return self._own_accusation(host, incarnation, now)
        is_confirmed = kind is Kind.CONFIRMED  # then it is ours, and theirs may be above
        return self._heard(
            host.name, CLAIMS[kind], incarnation, accuser, now, or_above=is_confirmed
        )

    def _has_run_out(self, host: Host) -> bool:
        for belief in reversed(self.beliefs.get(host.name, [])):
            if belief.kind in (Kind.SUSPECTED, Kind.CONFIRMED) and belief.life == host.life:
                local = belief.local_deadline
                return local is not None and local <= host.local_time() + A_HAIR
        return False

    def _own_accusation(self, host: Host, incarnation: int, now: float) -> Basis:
        """Return the push/pull that just came in, or else the round that just ended.

        A damaged or forged claim may come to the host as its own.
        """
        for flight in reversed(self.arrivals.get(host.name, ())):
            if flight.due_at < now - A_HAIR:
                break
            name = host.config.name
            if any(says(one, "suspect", incarnation, name) for one in flight.messages):
                return flight
        syncs = self.syncs.get(host.name)
        if syncs and syncs[-1].at == now:
            return syncs[-1]
        probe = self._rounds.last(host.name)
        if probe is not None and not any(_is_read(ack) for ack in probe.acks):
            return probe
        return syncs[-1] if syncs else None

    def _heard(
        self,
        host: str,
        claim: str,
        incarnation: int,
        accuser: str,
        now: float,
        *,
        or_above: bool = False,
    ) -> Basis:
        """Return what brought a claim to ``host``, which handled it now."""
        last, before = self._well_at.get(host, (0.0, 0.0))
        well_at = last if last < now else before
        waited = None
        for flight in self.arrivals.get(host, ()):
            if not any(
                says(one, claim, incarnation, accuser, or_above=or_above) for one in flight.messages
            ):
                continue
            if abs(flight.due_at - now) < A_HAIR:
                return flight
            if flight.found and flight.due_at >= well_at:
                waited = waited or flight
        syncs = self.syncs.get(host, [])
        if waited is not None and not (syncs and syncs[-1].at == now):
            return waited
        return syncs[-1] if syncs else None

    def _reality(self, now: float) -> str:
        """Return what is with the machines that bear the member's name."""
        parts = []
        for machine in self.hosts.values():
            if machine.config.name != self.member:
                continue
            if machine.is_up:
                parts.append(hindrance_of(machine) or ("leaving" if machine.is_leaving else "up"))
            else:
                parts.append("gone after a leave" if machine.has_left else "down")
        return " / ".join(parts)


def _is_read(ack: Flight) -> bool:
    """Say whether an ack got to a host that handled it."""
    return ack.arrived_at is not None and not ack.found


def _say_nothing(host: str, now: float, text: str) -> None:
    """Complain of nothing: that is for the checkers."""
