"""Every metric of ``/metrics``: its name, kind, labels, what it says, and Serf's name for it.

Pure, and without prometheus_client: the documentation, the dashboard and the alert rules
are compared with this table. Values of labels are ours or of a bounded number; none is
a name that peers or clients choose.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.value import Value

COUNTER, GAUGE, SUMMARY, HISTOGRAM = "counter", "gauge", "summary", "histogram"


class Family(Value):
    """One metric. Counters end in ``_total``; of times, seconds are the unit."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()
    serf: str = ""
    """What Serf's agent calls it, with the end that a label stands for as ``*``."""


_MEMBERS = (
    Family("gossipd_build_info", GAUGE, "Always 1; which version runs.", ("version",)),
    Family("gossipd_node_info", GAUGE, "Always 1; who this node is.", ("node", "address")),
    Family("gossipd_members", GAUGE, "Members by what is known of them.", ("status",)),
    Family("gossipd_members_suspected", GAUGE, "Members that are accused of having failed."),
    Family("gossipd_members_degraded", GAUGE, "Members that behave worse than they usually do."),
    Family(
        "gossipd_degraded_warnings_total", COUNTER,
        "Members that left their band, by the first sign; self is this node.", ("sign",),
    ),
    Family(
        "gossipd_member_changes_total", COUNTER, "Changes of members, each once.",
        ("kind",), "serf.member.*",
    ),
    Family(
        "gossipd_claims_adopted_total", COUNTER, "Claims that changed what this node believes.",
        ("claim",), "memberlist.msg.*",
    ),
    Family(
        "gossipd_member_news_total", COUNTER,
        "Joins and leaves of others by what told of them first; what only push_pull did,"
        " gossip was late with or lost, but for joins through this node.",
        ("way",),
    ),
    Family(
        "gossipd_member_syncs_total", COUNTER,
        "Regular push/pulls of ours: same if they told of no join or leave, behind if they did,"
        " or failed. What the peer lacked is not seen here.",
        ("result",),
    ),
    Family(
        "gossipd_members_agreed_timestamp_seconds", GAUGE,
        "When such a push/pull last told of none, seconds since 1970; 0 is never.",
    ),
    Family("gossipd_incarnation", GAUGE, "This node's own incarnation."),
    Family(
        "gossipd_health_score", GAUGE, "Local health; 0 is well, each point slows probing.",
        (), "memberlist.health.score",
    ),
    Family("gossipd_lamport_time", GAUGE, "Serf's logical clocks.", ("clock",)),
)  # fmt: skip
_PROBES = (
    Family(
        "gossipd_probe_round_seconds", SUMMARY, "Probe rounds, those that failed included.",
        (), "memberlist.probeNode",
    ),
    Family("gossipd_probe_rtt_seconds", HISTOGRAM, "Round trips of direct acks to our probes."),
    Family("gossipd_probes_missed_total", COUNTER, "Rounds without a direct ack in time."),
    Family("gossipd_probes_failed_total", COUNTER, "Rounds that found nobody, in any way."),
    Family(
        "gossipd_probes_stretched_total", COUNTER, "Rounds slowed down by our own bad health.",
        (), "memberlist.degraded.probe",
    ),
    Family("gossipd_suspicions_raised_total", COUNTER, "Suspicions that began here."),
    Family("gossipd_suspicions_confirmed_total", COUNTER, "Further accusers of a suspect."),
    Family("gossipd_suspicions_refuted_total", COUNTER, "Suspects that proved to be alive."),
    Family(
        "gossipd_suspicions_unconfirmed_total", COUNTER,
        "Suspicions that ran out with fewer accusers than wanted.",
        (), "memberlist.degraded.timeout",
    ),
    Family(
        "gossipd_accusations_refuted_total", COUNTER, "Claims against this node that it answered."
    ),
    Family(
        "gossipd_coordinate_adjustment_seconds", SUMMARY,
        "How far an ack moved us, as round trip.", (), "serf.coordinate.adjustment-ms",
    ),
    Family(
        "gossipd_coordinates_rejected_total", COUNTER, "Coordinates that cannot be true.",
        (), "serf.coordinate.rejected",
    ),
    Family(
        "gossipd_coordinate_zero_rtt_total", COUNTER, "Acks in no measurable time.",
        (), "serf.coordinate.zero-rtt",
    ),
    Family("gossipd_coordinate_resets_total", COUNTER, "How often our own coordinate was reset."),
)  # fmt: skip
_GOSSIP = (
    Family(
        "gossipd_queue_messages", GAUGE, "Messages that wait to be gossiped.",
        ("queue",), "serf.queue.*, memberlist.queue.broadcasts",
    ),
    Family(
        "gossipd_gossip_tick_seconds", SUMMARY, "Work at a gossip tick.", (), "memberlist.gossip",
    ),
    Family(
        "gossipd_push_pull_seconds", SUMMARY, "Push/pulls of ours until the answer was here.",
        (), "memberlist.pushPullNode",
    ),
    Family(
        "gossipd_serf_message_bytes", SUMMARY, "Messages of Serf's layer.",
        ("direction",), "serf.msgs.*",
    ),
    Family(
        "gossipd_user_events_total", COUNTER, "User events that were new here.", (), "serf.events"
    ),
    Family("gossipd_queries_total", COUNTER, "Queries that were new here.", (), "serf.queries"),
    Family(
        "gossipd_query_replies_total", COUNTER, "Acks and answers to our own queries.",
        ("kind", "again"), "serf.query_*",
    ),
)  # fmt: skip
_TRAFFIC = (
    Family(
        "gossipd_datagram_bytes_total", COUNTER, "Bytes of all datagrams.",
        ("direction",), "memberlist.udp.*",
    ),
    Family(
        "gossipd_stream_bytes_total", COUNTER, "Bytes of all streams.",
        ("direction",), "memberlist.tcp.sent",
    ),
    Family(
        "gossipd_streams_total", COUNTER, "Streams of peers (accepted) and ours (opened).",
        ("direction",), "memberlist.tcp.accept, .connect",
    ),
    Family(
        "gossipd_packets_sent_total", COUNTER, "Datagrams sent, by their first message.",
        ("kind",),
    ),
    Family("gossipd_messages_received_total", COUNTER, "Messages received by kind.", ("kind",)),
    Family(
        "gossipd_packet_bytes_sent_total", COUNTER,
        "Bytes of datagrams by their first message and by what they are for;"
        " what rode along is a kind of its own.",
        ("kind", "cause"),
    ),
    Family(
        "gossipd_message_bytes_received_total", COUNTER,
        "Bytes of messages received, unpacked, by kind and by what they are for.",
        ("kind", "cause"),
    ),
    Family(
        "gossipd_stream_bytes_sent_total", COUNTER,
        "Bytes of streams sent by what for; accepted are those of peers.", ("cause",),
    ),
    Family(
        "gossipd_stream_bytes_received_total", COUNTER, "Likewise, received.", ("cause",)
    ),
    Family("gossipd_input_dropped_total", COUNTER, "Input of peers not taken.", ("reason",)),
    Family(
        "gossipd_lost_total", COUNTER, "What this machine could not send or take in.", ("kind",)
    ),
)  # fmt: skip
_SERVICES = (
    Family("gossipd_services", GAUGE, "Services known here."),
    Family("gossipd_services_guarded", GAUGE, "Services whose mass-loss guard holds."),
    Family("gossipd_instances", GAUGE, "Instances by status.", ("status",)),
    Family("gossipd_instances_doubtful", GAUGE, "Instances, of any status, in doubt."),
    Family("gossipd_own_services", GAUGE, "Services that this node registers."),
    Family("gossipd_own_checks", GAUGE, "Checks that this node runs."),
    Family("gossipd_service_changes_total", COUNTER, "Changes that consumers were shown."),
    Family("gossipd_catalog_owners", GAUGE, "Nodes of which services are known."),
    Family("gossipd_catalog_peers", GAUGE, "Nodes alive that speak the catalog's protocol."),
    Family("gossipd_catalog_records", GAUGE, "Records, those of ended services included."),
    Family("gossipd_catalog_record_bytes", GAUGE, "Bytes of them as they travel."),
    Family(
        "gossipd_catalog_missing", GAUGE, "Changes that are known to be made and not here yet."
    ),
    Family(
        "gossipd_catalog_gap_seconds", SUMMARY,
        "From noticing that such a change is missing until it was here (lag of convergence).",
    ),
    Family(
        "gossipd_catalog_comparisons_total", COUNTER,
        "Push/pulls by whether the peer knew the same of services.", ("result",),
    ),
    Family("gossipd_catalog_messages_total", COUNTER, "Messages about services received."),
    Family("gossipd_catalog_syncs_total", COUNTER, "Comparisons with peers that we began."),
    Family("gossipd_catalog_wishes_total", COUNTER, "Fetches of what was missing."),
    Family("gossipd_catalog_refutations_total", COUNTER, "Forgeries of ours refuted."),
    Family("gossipd_catalog_bytes_sent_total", COUNTER, "Bytes sent about services.", ("cause",)),
    Family("gossipd_check_runs_total", COUNTER, "Runs of checks."),
    Family("gossipd_check_runs_failed_total", COUNTER, "Runs that did not pass."),
    Family("gossipd_check_runs_late_total", COUNTER, "Runs that waited over a second."),
    Family("gossipd_check_run_seconds", SUMMARY, "Runs of checks."),
)  # fmt: skip
_DAEMON = (
    Family(
        "gossipd_loop_lag_seconds", HISTOGRAM,
        "By how much the event loop woke the node too late: a busy or paused machine.",
    ),
    Family("gossipd_step_seconds", HISTOGRAM, "Work each time the node's deadline came."),
    Family("gossipd_tasks", GAUGE, "Tasks of the event loop.", (), "runtime.num_goroutines"),
    Family(
        "gossipd_memory_blocks", GAUGE, "Blocks of memory in use.", (), "runtime.heap_objects"
    ),
    Family(
        "gossipd_gc_runs_total", COUNTER, "Garbage collections.", (), "runtime.total_gc_runs"
    ),
    Family("gossipd_snapshot_ok", GAUGE, "1 while the snapshot can be written, where one is kept."),
    Family(
        "gossipd_snapshot_write_seconds", SUMMARY, "Writes of the snapshot until on disk.",
        ("kind",), "serf.snapshot.appendLine, .compact",
    ),
    Family("gossipd_event_handlers", GAUGE, "Event handlers that are configured."),
    Family("gossipd_rpc_connections_total", COUNTER, "Clients of the local socket.",
        (), "agent.ipc.accept"),
    Family("gossipd_rpc_requests_total", COUNTER, "Their requests.", (), "agent.ipc.command"),
    Family("gossipd_rpc_request_seconds", HISTOGRAM, "From a request of theirs to its answer."),
)  # fmt: skip
_FACES = (
    Family(
        "gossipd_http_requests_total", COUNTER, "Requests answered.", ("status", "method", "route")
    ),
    Family("gossipd_http_request_seconds", HISTOGRAM, "Requests that cannot wait."),
    Family("gossipd_http_waited_seconds", HISTOGRAM, "Requests that may wait for a change."),
    Family("gossipd_http_open_connections", GAUGE, "Open connections."),
    Family("gossipd_http_connections_total", COUNTER, "Connections accepted."),
    Family("gossipd_http_open_waits", GAUGE, "Requests that wait now."),
    Family("gossipd_http_waits_gone_total", COUNTER, "Of those, ended by their client."),
    Family("gossipd_http_refused_total", COUNTER, "What was not let in.", ("reason",)),
    Family("gossipd_http_handler_failures_total", COUNTER, "Errors of ours, answered with 500."),
    Family("gossipd_dns_queries_total", COUNTER, "Questions by type.", ("type",)),
    Family("gossipd_dns_replies_total", COUNTER, "Replies by code.", ("rcode",)),
    Family("gossipd_dns_dropped_total", COUNTER, "Queries not taken.", ("reason",)),
    Family("gossipd_dns_cache_hits_total", COUNTER, "Replies that were kept."),
    Family("gossipd_dns_truncated_total", COUNTER, "Replies that did not fit."),
    Family("gossipd_dns_forwarded_total", COUNTER, "Questions that recursors were asked."),
    Family("gossipd_dns_upstream_failures_total", COUNTER, "Recursors asked in vain."),
    Family("gossipd_dns_upstream_ignored_total", COUNTER, "Datagrams that were no reply."),
    Family(
        "gossipd_dns_upstream_loops_total", COUNTER,
        "Questions for recursors that came back to us; the configuration is wrong.",
    ),
    Family("gossipd_dns_reply_seconds", HISTOGRAM, "From a question to its reply."),
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (
    *_MEMBERS, *_PROBES, *_GOSSIP, *_TRAFFIC, *_SERVICES, *_DAEMON, *_FACES,
)  # fmt: skip
"""In the order in which they are shown."""
BY_NAME: Mapping[str, Family] = {family.name: family for family in FAMILIES}
