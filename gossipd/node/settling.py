"""``Settling``: what one core wrote is handed to the others, until all are quiet.

The failure detector and Serf's layer do not know each other. What happens in
one and concerns the other passes here, in a fixed order: events before
effects, the failure detector's first. What concerns the driver goes on to the
node's own outbox.
"""

from __future__ import annotations

from gossipd.coordinates.chart import Chart
from gossipd.node.carriage import Carriage
from gossipd.node.delivery import Delivery
from gossipd.node.effects import NodeEffect
from gossipd.node.events import NodeEvent
from gossipd.node.operations import Operations
from gossipd.node.readings import Readings
from gossipd.node.traffic import Traffic
from gossipd.outbox import Outbox
from gossipd.serf.effects import SerfEffect
from gossipd.serf.events import (
    BroadcastDone,
    ChangeKind,
    LeaveNoted,
    MemberChange,
    MessageIgnored,
    SerfEvent,
)
from gossipd.serf.serf import Serf
from gossipd.swim.effects import SwimEffect
from gossipd.swim.events import (
    AckMissed,
    AckObserved,
    BroadcastFinished,
    MemberFailed,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
    PayloadReceived,
    StrangerPinged,
    SuspicionConfirmed,
    SwimEvent,
)
from gossipd.swim.swim import Swim

_SUSPICION_EVENTS = (
    MemberSuspected,
    SuspicionConfirmed,
    MemberRefuted,
    MemberFailed,
    MemberLeft,
)
"""What changes ``View.suspicions``."""
_STANDING_EVENTS = (
    MemberSuspected,
    MemberRefuted,
    MemberJoined,
    MemberUpdated,
    MemberFailed,
    MemberLeft,
)
"""What changes how the catalog sees a member."""
FIRST_OURS, FIRST_NOT_OURS = b"\xc0", b"\xc8"
"""User messages of these types are the catalog's, none of Serf's."""
IGNORED_RECORD = "catalog-"
"""Before the reason, among what was dropped."""


class Settling:
    """The way of values between the cores of one node.

    Args:
        swim, serf: the cores, and where each of them writes: ``swim_outbox``, ``serf_outbox``.
        outbox: the node's own, which the driver empties.
        delivery: carries out effects.
        operations: told which broadcasts are done.
        readings: told that suspicions changed.
        traffic: counts what Serf's layer ignored.
        chart: learns from acks; none with coordinates off.
        carriage: where the catalog is, if there is one.
    """

    __slots__ = (
        "_carriage",
        "_chart",
        "_delivery",
        "_operations",
        "_outbox",
        "_readings",
        "_serf",
        "_serf_outbox",
        "_swim",
        "_swim_outbox",
        "_traffic",
    )

    def __init__(
        self,
        swim: Swim,
        serf: Serf,
        swim_outbox: Outbox[SwimEffect, SwimEvent],
        serf_outbox: Outbox[SerfEffect, SerfEvent],
        outbox: Outbox[NodeEffect, NodeEvent],
        delivery: Delivery,
        operations: Operations,
        readings: Readings,
        traffic: Traffic,
        chart: Chart | None,
        carriage: Carriage,
    ) -> None:
        self._swim = swim
        self._serf = serf
        self._swim_outbox = swim_outbox
        self._serf_outbox = serf_outbox
        self._outbox = outbox
        self._delivery = delivery
        self._operations = operations
        self._readings = readings
        self._traffic = traffic
        self._chart = chart
        self._carriage = carriage

    def settle(self, now: float) -> None:
        """Hand what the cores wrote to each other until all are quiet."""
        self._settle_cores(now)
        carriage = self._carriage
        while carriage.catalog is not None and self._settle_catalog(now):
            self._settle_cores(now)
        if self._serf.has_payloads:
            self._swim.wake_gossip(now)

    def _settle_catalog(self, now: float) -> bool:
        """Carry out what the catalog wants; return whether a core has to say more to it."""
        carriage = self._carriage
        catalog, outbox = carriage.catalog, carriage.outbox
        assert catalog is not None
        catalog.flush(now)
        if not (outbox.effects or outbox.events):
            return False
        from gossipd.catalog.effects import AnnounceEpoch
        from gossipd.catalog.events import RecordIgnored

        for event in outbox.take_events():
            if type(event) is RecordIgnored:
                self._traffic.dropped[IGNORED_RECORD + event.reason] += 1
            self._outbox.events.append(event)
        for effect in outbox.take_effects():
            if isinstance(effect, AnnounceEpoch):
                carriage.announced(effect.epoch)
                self._serf.announce_tail(carriage.tail, self._operations.next_number())
            else:
                self._delivery.do_for_catalog(effect, now)
        return bool(self._serf_outbox.effects)

    def _settle_cores(self, now: float) -> None:
        swim, serf = self._swim_outbox, self._serf_outbox
        while swim.events or swim.effects or serf.events or serf.effects:
            if swim.events:
                for swim_event in swim.take_events():
                    self._on_swim_event(swim_event, now)
            elif serf.events:
                for serf_event in serf.take_events():
                    self._on_serf_event(serf_event, now)
            elif serf.effects:
                for serf_effect in serf.take_effects():
                    self._delivery.do_for_serf(serf_effect, now)
            else:
                for swim_effect in swim.take_effects():
                    self._delivery.do_for_swim(swim_effect, now)

    def _on_swim_event(self, event: SwimEvent, now: float) -> None:
        if type(event) is AckObserved:  # nearly every event is one
            chart = self._chart
            if chart is not None and chart.ack_observed(
                event.member.name, event.payload, event.rtt
            ):
                self._swim.set_ack_payload(chart.payload)
            self._outbox.events.append(event)
            return
        if type(event) is AckMissed:
            self._outbox.events.append(event)
            return
        if isinstance(event, BroadcastFinished):
            self._operations.done(event.token, now)
            return
        if type(event) is StrangerPinged:
            self._serf.handle(event, now)  # whatever follows is told; pings are not, they are many
            return
        if type(event) is PayloadReceived and FIRST_OURS <= event.payload[:1] < FIRST_NOT_OURS:
            self._carriage.receive(event.payload, event.source, now)
            return
        if isinstance(event, _SUSPICION_EVENTS):
            self._readings.suspicions_changed()
        elif type(event) is MemberForgotten and event.member.name not in self._serf.members:
            self._forget_coordinate(event.member.name)
        self._serf.handle(event, now)
        self._outbox.events.append(event)
        if self._carriage.catalog is not None and isinstance(event, _STANDING_EVENTS):
            self._carriage.member_changed(event.member.name, now)

    def _on_serf_event(self, event: SerfEvent, now: float) -> None:
        if isinstance(event, BroadcastDone):
            error = "timed out broadcasting node removal" if event.timed_out else ""
            self._operations.done(event.token, now, error)
            return
        if type(event) is LeaveNoted:
            self._carriage.member_changed(event.node, now)
            return
        if isinstance(event, MessageIgnored):
            self._traffic.dropped[event.reason] += 1
        elif type(event) is MemberChange and event.kind is ChangeKind.REAP:
            self._forget_coordinate(event.member.name)
        if type(event) is MemberChange:
            self._carriage.member_changed(event.member.name, now)
        self._outbox.events.append(event)

    def _forget_coordinate(self, node: str) -> None:
        if self._chart is not None:
            self._chart.forget(node)
