"""What readers are shown, taken from the cores: the picture of the cluster, and counters."""

from __future__ import annotations

from collections import Counter

from gossipd.address import Address
from gossipd.coordinates.chart import Chart
from gossipd.node.sessions import Sessions
from gossipd.node.statistics import Statistics
from gossipd.node.traffic import Traffic
from gossipd.node.view import Suspicion, View
from gossipd.serf.serf import Serf
from gossipd.swim.swim import Swim
from gossipd.wire.serf_messages import MemberStatus


def picture(name: str, address: Address, version: int, swim: Swim, serf: Serf) -> View:
    """Return what the node ``name`` at ``address`` sees now."""
    members = serf.members
    return View(
        name=name,
        address=address,
        version=version,
        members=tuple(members[name] for name in sorted(members)),
        suspicions={
            name: Suspicion(
                suspicion.accuser,
                suspicion.confirmations,
                suspicion.since,
                suspicion.deadline,
            )
            for name, suspicion in swim.suspicions().items()
        },
    )


def counters(
    view: View,
    swim: Swim,
    serf: Serf,
    traffic: Traffic,
    sessions: Sessions,
    chart: Chart | None,
    *,
    encrypted: bool,
) -> Statistics:
    """Return the counters of all rooms as they are now; ``chart`` is none with it off."""
    dropped = traffic.dropped + sessions.dropped + Counter(swim.refused)
    if chart is not None:
        for reason, count in chart.ignored.items():
            dropped[f"coordinate-{reason}"] += count
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
    )
