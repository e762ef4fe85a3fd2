"""``Settling``: what one core wrote is handed to the others, until all are quiet.

The failure detector and Serf's layer do not know each other. What happens in
one and concerns the other passes here, in a fixed order: events before
effects, the failure detector's first. What concerns the driver goes on to the
node's own outbox.
"""

from __future__ import annotations

from gossipd.coordinates.chart import Chart
from gossipd.node.delivery import Delivery
from gossipd.node.effects import NodeEffect
from gossipd.node.events import NodeEvent
from gossipd.node.operations import Operations
from gossipd.node.readings import Readings
from gossipd.node.traffic import Traffic
from gossipd.outbox import Outbox
from gossipd.serf.effects import SerfEffect
from gossipd.serf.events import BroadcastDone, ChangeKind, MemberChange, MessageIgnored, SerfEvent
from gossipd.serf.serf import Serf
from gossipd.swim.effects import SwimEffect
from gossipd.swim.events import (
    AckObserved,
    BroadcastFinished,
    MemberFailed,
    MemberForgotten,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
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
    """

    __slots__ = (
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

    def settle(self, now: float) -> None:
        """Hand what the cores wrote to each other until all are quiet."""
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
        if self._serf.has_payloads:
            self._swim.wake_gossip(now)

    def _on_swim_event(self, event: SwimEvent, now: float) -> None:
        if type(event) is AckObserved:  # nearly every event is one
            chart = self._chart
            if chart is not None and chart.ack_observed(
                event.member.name, event.payload, event.rtt
            ):
                self._swim.set_ack_payload(chart.payload)
            self._outbox.events.append(event)
            return
        if isinstance(event, BroadcastFinished):
            self._operations.done(event.token, now)
            return
        if isinstance(event, _SUSPICION_EVENTS):
            self._readings.suspicions_changed()
        elif type(event) is MemberForgotten and event.member.name not in self._serf.members:
            self._forget_coordinate(event.member.name)
        self._serf.handle(event, now)
        self._outbox.events.append(event)

    def _on_serf_event(self, event: SerfEvent, now: float) -> None:
        if isinstance(event, BroadcastDone):
            error = "timed out broadcasting node removal" if event.timed_out else ""
            self._operations.done(event.token, now, error)
            return
        if isinstance(event, MessageIgnored):
            self._traffic.dropped[event.reason] += 1
        elif type(event) is MemberChange and event.kind is ChangeKind.REAP:
            self._forget_coordinate(event.member.name)
        self._outbox.events.append(event)

    def _forget_coordinate(self, node: str) -> None:
        if self._chart is not None:
            self._chart.forget(node)
