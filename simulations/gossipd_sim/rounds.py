"""``Rounds``: all pings of one member, and what was done about each.

Sequence numbers tie answers to pings: a prober numbers its round, and its
ping-reqs and their answers bear that number; a helper numbers the ping that
it does for somebody else.
"""

from __future__ import annotations

from gossipd.wire.messages import Ack, IndirectPing, Nack, PacketMessage, Ping
from gossipd_sim.checkers import insight
from gossipd_sim.evidence import Ask, Flight, Round
from gossipd_sim.host import Host

A_HAIR = 1e-6
"""Seconds; two moments closer than this are one, for rounding."""


class Rounds:
    """Follows the pings of ``member``; see ``provenance.py``, which tells it everything."""

    def __init__(self, member: str) -> None:
        self._member = member
        self._rounds: dict[str, list[Round]] = {}
        """By prober."""
        self._pings: dict[tuple[str, int], Round | Ask] = {}
        """By host and sequence number: whose ping of the member that is."""
        self._asked: dict[str, list[Ask]] = {}
        """By helper: requests that arrived and were not acted on yet."""

    def last(self, prober: str) -> Round | None:
        """Return the last round of ``prober`` that is about the member."""
        rounds = self._rounds.get(prober)
        return rounds[-1] if rounds else None

    def concerns(self, message: PacketMessage, sender: Host, target: str) -> bool:
        """Say whether a message is part of some probing of the member."""
        match message:
            case Ping() | IndirectPing():
                return message.node == self._member
            case Ack() | Nack():
                pinging = self._pings.get((target, message.seq))
                if sender.config.name == self._member:
                    return pinging is not None
                return isinstance(pinging, Round) and any(
                    ask.request.target == sender.name for ask in pinging.asks
                )
            case _:
                return False

    def on_sent(self, message: PacketMessage, flight: Flight, sender: Host) -> None:
        """Note a message that concerns the probing, as it is sent in ``flight``."""
        match message:
            case Ping():
                self._on_ping(message, flight)
            case IndirectPing():
                probe = self._pings.get((flight.sender, message.seq))
                if isinstance(probe, Round):
                    probe.asks.append(Ask(flight))
            case Ack() | Nack():
                self._on_answer(message, flight, sender)
            case _:
                pass

    def on_arrived(self, message: PacketMessage, flight: Flight) -> None:
        """Note that a ping-req is at its helper, which will act on it."""
        if isinstance(message, IndirectPing):
            probe = self._pings.get((flight.sender, message.seq))
            if isinstance(probe, Round):
                asked = self._asked.setdefault(flight.target, [])
                asked += [ask for ask in probe.asks if ask.request is flight]

    def on_hindered(self, host: Host, now: float) -> None:
        """Notice the round of a host whose packets cannot be seen, for it keeps them back."""
        running = None if host.node is None else insight.probed(host.node)
        if running is None or running[0] != self._member:
            return
        last = self.last(host.name)
        if last is None or last.seq != running[1]:
            self._begin(Round(host.name, running[1], None, now))

    def by_stream(self, host: str, ping: Ping) -> Round | None:
        """Return the round that a ping by TCP belongs to, if it is about the member."""
        probe = self._pings.get((host, ping.seq))
        return probe if isinstance(probe, Round) and ping.node == self._member else None

    def _on_ping(self, ping: Ping, flight: Flight) -> None:
        ask = self._take_asked(flight)
        if ask is not None:
            ask.relay = flight
            self._pings[flight.sender, ping.seq] = ask
            return
        last = self.last(flight.sender)
        if last is not None and last.ping is None and last.seq == ping.seq:
            last.ping = flight  # kept back until now
        else:
            self._begin(Round(flight.sender, ping.seq, flight, flight.sent_at))

    def _take_asked(self, ping: Flight) -> Ask | None:
        """Return the request that ``ping`` is done for: they are done in the order they came.

        One that a well helper did not act on at once it never will: it had too many.
        """
        asked = self._asked.get(ping.sender, [])
        while asked:
            ask = asked.pop(0)
            request = ask.request
            if request.found or abs(request.due_at - ping.sent_at) < A_HAIR:
                return ask
        return None

    def _on_answer(self, message: Ack | Nack, flight: Flight, sender: Host) -> None:
        pinging = self._pings.get((flight.target, message.seq))
        if sender.config.name == self._member:
            if isinstance(pinging, Round):
                pinging.acks.append(flight)
            elif isinstance(pinging, Ask):
                pinging.relay_ack = flight
        elif isinstance(pinging, Round):
            for ask in pinging.asks:
                if ask.request.target == flight.sender and ask.answer is None:
                    ask.answer = flight
                    return

    def _begin(self, probe: Round) -> None:
        self._pings[probe.prober, probe.seq] = probe
        self._rounds.setdefault(probe.prober, []).append(probe)
