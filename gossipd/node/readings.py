"""What readers are shown, taken from the cores: the picture of the cluster, and counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gossipd.address import Address
from gossipd.coordinate import Coordinate
from gossipd.coordinates.chart import Chart
from gossipd.ledger import Ledger, Tallied
from gossipd.node.sessions import Sessions
from gossipd.node.statistics import Statistics
from gossipd.node.traffic import Traffic
from gossipd.node.view import Suspicion, View
from gossipd.serf.serf import Serf
from gossipd.swim.swim import Swim
from gossipd.wire.serf_messages import MemberStatus

COORDINATE_REFUSED = "coordinate-"
"""Before the reason, among what was dropped."""
COORDINATE_MOVED = "coordinate-moved"
"""Measured: seconds of round trip between our places before and after an ack."""
ZERO_RTT = "zero-rtt"
"""Counted: acks that took no measurable time."""


class Readings:
    """The readers' side of one node.

    Args:
        name, address: the node's own.
        swim, serf, traffic, sessions: the rooms that are looked at.
        chart: where coordinates are; none with them off.
        ledgers: what the rooms count and measure.
    """

    __slots__ = (
        "_address",
        "_chart",
        "_ledgers",
        "_name",
        "_serf",
        "_sessions",
        "_suspicions_version",
        "_swim",
        "_traffic",
        "_version",
        "_view",
        "_viewed",
    )

    def __init__(
        self,
        name: str,
        address: Address,
        swim: Swim,
        serf: Serf,
        traffic: Traffic,
        sessions: Sessions,
        chart: Chart | None,
        ledgers: Sequence[Ledger],
    ) -> None:
        self._name = name
        self._address = address
        self._swim = swim
        self._serf = serf
        self._traffic = traffic
        self._sessions = sessions
        self._chart = chart
        self._ledgers = tuple(ledgers)
        self._view: View | None = None
        self._version = 0
        self._viewed: tuple[int, int] = (-1, -1)
        self._suspicions_version = 0

    def suspicions_changed(self) -> None:
        """A suspicion began, was confirmed or ended: the picture is out of date."""
        self._suspicions_version += 1

    def view(self) -> View:
        """Return the current picture; the same object until something visible changes."""
        state = (self._serf.version, self._suspicions_version)
        view = self._view
        if view is None or state != self._viewed:
            self._viewed = state
            self._version += 1
            view = self._view = self._picture()
        return view

    def coordinate(self, node: str) -> Coordinate | None:
        """Return where ``node`` is; ``None`` if it is not known, or coordinates are off."""
        return None if self._chart is None else self._chart.coordinate(node)

    def statistics(self, *, encrypted: bool) -> Statistics:
        """Return the counters of all rooms as they are now."""
        swim, serf, traffic, sessions = self._swim, self._serf, self._traffic, self._sessions
        chart, view = self._chart, self.view()
        dropped = traffic.dropped + sessions.dropped + Counter(swim.refused)
        happened: Counter[str] = Counter()
        measured: dict[str, Tallied] = {}
        for ledger in self._ledgers:
            happened.update(ledger.counts)
            measured.update(ledger.read())
        if chart is not None:
            for reason, count in chart.ignored.items():
                dropped[f"{COORDINATE_REFUSED}{reason}"] += count
            happened[ZERO_RTT] = chart.zero_rtts
            measured[COORDINATE_MOVED] = chart.moved.read()
        return Statistics(
            members=len(view.members),
            alive=view.count(MemberStatus.ALIVE),
            failed=view.count(MemberStatus.FAILED),
            left=view.count(MemberStatus.LEFT),
            health_score=swim.health_score,
            incarnation=swim.incarnation,
            member_time=serf.member_time,
            event_time=serf.event_time,
            query_time=serf.query_time,
            intent_queue=serf.intent_queue,
            event_queue=serf.event_queue,
            query_queue=serf.query_queue,
            claim_queue=swim.queue_depth,
            encrypted=encrypted,
            coordinate_resets=0 if chart is None else chart.resets,
            packets_sent=dict(traffic.sent),
            packets_received=dict(traffic.received),
            bytes_sent=traffic.bytes_sent,
            bytes_received=traffic.bytes_received,
            stream_bytes_sent=sessions.bytes_sent,
            stream_bytes_received=sessions.bytes_received,
            dropped=dict(dropped),
            lost={},
            happened=dict(happened),
            measured=measured,
            packet_bytes_sent=dict(traffic.sent_bytes),
            packet_bytes_received=dict(traffic.received_bytes),
            stream_bytes_sent_by=dict(sessions.sent_by),
            stream_bytes_received_by=dict(sessions.received_by),
        )

    def _picture(self) -> View:
        members = self._serf.members
        return View(
            name=self._name,
            address=self._address,
            version=self._version,
            members=tuple(members[name] for name in sorted(members)),
            suspicions={
                name: Suspicion(
                    suspicion.accuser,
                    suspicion.confirmations,
                    suspicion.since,
                    suspicion.deadline,
                )
                for name, suspicion in self._swim.suspicions().items()
            },
        )
