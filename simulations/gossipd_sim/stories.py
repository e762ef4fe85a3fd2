"""Records of ``evidence.py`` as the values that an explanation is made of."""

from __future__ import annotations

from gossipd.wire.messages import Ack, Nack
from gossipd_sim.evidence import Ask, Belief, Flight, Round, Sync
from gossipd_sim.explanation import Fate, Helper, Hop, Probe


def hop_of(flight: Flight, heard: Belief) -> Hop:
    """Return the way of a packet that made its receiver believe ``heard``."""
    return Hop(
        by="packet",
        source=flight.sender,
        target=flight.target,
        sent_at=flight.sent_at,
        arrived_at=flight.arrived_at if flight.arrived_at is not None else heard.at,
        handled_at=heard.at,
        found=flight.found,
        is_damaged=flight.is_damaged,
    )


def sync_hop_of(sync: Sync, heard: Belief) -> Hop:
    """Return the way of a state that made its receiver believe ``heard``."""
    return Hop(
        by="push/pull",
        source=sync.source,
        target=heard.host,
        sent_at=sync.at,
        arrived_at=sync.at,
        handled_at=heard.at,
    )


def probe_of(probe: Round, over_at: float) -> Probe:
    """Return a round that was over at ``over_at`` (seconds) without an ack."""
    stream = ""
    if probe.stream_at is not None:
        if probe.stream_error:
            stream = probe.stream_error
        elif probe.stream_carried_at is None:
            stream = "nobody answered"
        elif probe.stream_found:
            stream = f"delivered while the member was {probe.stream_found}"
        else:
            stream = "delivered, but the answer did not come back in time"
    return Probe(
        prober=probe.prober,
        started_at=probe.started_at,
        over_at=over_at,
        ping=_fate(probe.ping),
        acks=tuple(fate for ack in probe.acks if (fate := _fate(ack)) is not None),
        helpers=tuple(_helper(ask) for ask in probe.asks),
        stream_at=probe.stream_at,
        stream=stream,
    )


def _helper(ask: Ask) -> Helper:
    answer = ""
    if ask.answer is not None:
        kinds = {Ack: "ack", Nack: "nack"}
        answer = next(
            kinds[type(one)] for one in ask.answer.messages if isinstance(one, Ack | Nack)
        )
    asked = _fate(ask.request)
    assert asked is not None
    return Helper(
        name=ask.request.target,
        asked=asked,
        pinged=_fate(ask.relay),
        acked=_fate(ask.relay_ack),
        answer=answer,
        answered=_fate(ask.answer),
    )


def _fate(flight: Flight | None) -> Fate | None:
    if flight is None:
        return None
    return Fate(
        source=flight.sender,
        target=flight.target,
        sent_at=flight.sent_at,
        arrived_at=None if flight.lost else flight.arrived_at,
        lost=flight.lost,
        found=flight.found,
    )


def outcome_of(flight: Flight) -> str:
    """Return what became of a packet, in few words."""
    if flight.lost:
        return f"lost: {flight.lost}"
    if flight.arrived_at is None:
        return "on the way"
    return f"delivered while {flight.found}" if flight.found else "delivered"
