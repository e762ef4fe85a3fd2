"""Which number of ours is shown under which name of Serf's (agent.md, section 9).

Names without Serf's meaning begin with ``gossipd.``.
"""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "serf-agent"
"""Before every name, as Serf's agent has it."""
COORDINATE_REFUSED = "coordinate-"
"""Reasons for which coordinates are dropped begin like this."""

HAPPENED: Mapping[str, str] = {
    "member-join": "serf.member.join",
    "member-leave": "serf.member.left",
    "member-failed": "serf.member.failed",
    "member-update": "serf.member.update",
    "member-reap": "gossipd.member.reap",
    "flap": "serf.member.flap",
    "event": "serf.events",
    "query": "serf.queries",
    "query-ack": "serf.query_acks",
    "query-answer": "serf.query_responses",
    "query-ack-duplicate": "serf.query_duplicate_acks",
    "query-answer-duplicate": "serf.query_duplicate_responses",
    "zero-rtt": "serf.coordinate.zero-rtt",
    "alive-adopted": "memberlist.msg.alive",
    "suspect-adopted": "memberlist.msg.suspect",
    "dead-adopted": "memberlist.msg.dead",
    "round-stretched": "memberlist.degraded.probe",
    "suspicion-unconfirmed": "memberlist.degraded.timeout",
    "stream-accepted": "memberlist.tcp.accept",
    "stream-opened": "memberlist.tcp.connect",
    "catalog-messages": "gossipd.catalog.messages",
    "catalog-syncs": "gossipd.catalog.syncs",
    "catalog-wishes": "gossipd.catalog.wishes",
    "catalog-refutations": "gossipd.catalog.refutations",
    "suspicion-raised": "gossipd.suspicion.raised",
    "suspicion-confirmed": "gossipd.suspicion.confirmed",
    "suspicion-refuted": "gossipd.suspicion.refuted",
    "accusation-refuted": "gossipd.accusation.refuted",
    "probe-missed": "gossipd.probe.missed",
    "probe-failed": "gossipd.probe.failed",
    "catalog-same": "gossipd.catalog.comparisons.same",
    "catalog-different": "gossipd.catalog.comparisons.different",
    "catalog-bytes-news": "gossipd.catalog.bytes.news",
    "catalog-bytes-sync": "gossipd.catalog.bytes.sync",
}
"""Counters by what is in ``Statistics.happened``."""

MEASURED: Mapping[str, tuple[str, float]] = {
    "probe-round": ("memberlist.probeNode", 1000.0),
    "exchange": ("memberlist.pushPullNode", 1000.0),
    "message-sent": ("serf.msgs.sent", 1.0),
    "message-received": ("serf.msgs.received", 1.0),
    "catalog-gap": ("gossipd.catalog.gap", 1000.0),
    "coordinate-moved": ("serf.coordinate.adjustment-ms", 1000.0),
}
"""Samples by what is in ``Statistics.measured``, and the factor to their unit."""

DEPTHS: Mapping[str, str] = {
    "intent_queue": "serf.queue.Intent",
    "event_queue": "serf.queue.Event",
    "query_queue": "serf.queue.Query",
    "claim_queue": "memberlist.queue.broadcasts",
}
"""Samples taken at the end of an interval, by field of ``Statistics``."""

GAUGES: Mapping[str, str] = {
    "health_score": "memberlist.health.score",
    "alive": "gossipd.members.alive",
    "failed": "gossipd.members.failed",
    "left": "gossipd.members.left",
}
"""Gauges by field of ``Statistics``."""

RUNTIME = "runtime."
LEVELS = "gossipd."
"""Before the gauges of services, where a dot stands for the first underscore."""
BYTES: Mapping[str, str] = {
    "packet_bytes_sent": "gossipd.udp.sent.",
    "packet_bytes_received": "gossipd.udp.received.",
    "stream_bytes_sent_by": "gossipd.tcp.sent.",
    "stream_bytes_received_by": "gossipd.tcp.received.",
}
"""What stands before the kind or cause of bytes, by field of ``Statistics``."""
DROPPED = "gossipd.dropped."
LOST = "gossipd.lost."
REJECTED = "serf.coordinate.rejected"
UDP_SENT, UDP_RECEIVED = "memberlist.udp.sent", "memberlist.udp.received"
TCP_SENT = "memberlist.tcp.sent"


def plain(name: str) -> str:
    """Return ``name`` as it may stand in a line: no blanks, colons or control characters.

    Names of events come from peers, and scripts hold what the operator likes.
    """
    return "".join("_" if c in " :" or not c.isprintable() else c for c in name)
