"""Where the values of ``/metrics`` come from: keys of counters to metrics and labels (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

PLAIN: tuple[str, ...] = ()

HAPPENED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "member-join": ("gossipd_member_changes_total", ("join",)),
    "member-leave": ("gossipd_member_changes_total", ("leave",)),
    "member-failed": ("gossipd_member_changes_total", ("failed",)),
    "member-update": ("gossipd_member_changes_total", ("update",)),
    "member-reap": ("gossipd_member_changes_total", ("reap",)),
    "flap": ("gossipd_member_changes_total", ("flap",)),
    "alive-adopted": ("gossipd_claims_adopted_total", ("alive",)),
    "suspect-adopted": ("gossipd_claims_adopted_total", ("suspect",)),
    "dead-adopted": ("gossipd_claims_adopted_total", ("dead",)),
    "probe-missed": ("gossipd_probes_missed_total", PLAIN),
    "probe-failed": ("gossipd_probes_failed_total", PLAIN),
    "round-stretched": ("gossipd_probes_stretched_total", PLAIN),
    "suspicion-raised": ("gossipd_suspicions_raised_total", PLAIN),
    "suspicion-confirmed": ("gossipd_suspicions_confirmed_total", PLAIN),
    "suspicion-refuted": ("gossipd_suspicions_refuted_total", PLAIN),
    "suspicion-unconfirmed": ("gossipd_suspicions_unconfirmed_total", PLAIN),
    "accusation-refuted": ("gossipd_accusations_refuted_total", PLAIN),
    "zero-rtt": ("gossipd_coordinate_zero_rtt_total", PLAIN),
    "event": ("gossipd_user_events_total", PLAIN),
    "query": ("gossipd_queries_total", PLAIN),
    "query-ack": ("gossipd_query_replies_total", ("ack", "no")),
    "query-answer": ("gossipd_query_replies_total", ("answer", "no")),
    "query-ack-duplicate": ("gossipd_query_replies_total", ("ack", "yes")),
    "query-answer-duplicate": ("gossipd_query_replies_total", ("answer", "yes")),
    "stream-accepted": ("gossipd_streams_total", ("accepted",)),
    "stream-opened": ("gossipd_streams_total", ("opened",)),
    "catalog-messages": ("gossipd_catalog_messages_total", PLAIN),
    "catalog-syncs": ("gossipd_catalog_syncs_total", PLAIN),
    "catalog-wishes": ("gossipd_catalog_wishes_total", PLAIN),
    "catalog-refutations": ("gossipd_catalog_refutations_total", PLAIN),
    "catalog-same": ("gossipd_catalog_comparisons_total", ("same",)),
    "catalog-different": ("gossipd_catalog_comparisons_total", ("different",)),
    "catalog-bytes-news": ("gossipd_catalog_bytes_sent_total", ("news",)),
    "catalog-bytes-sync": ("gossipd_catalog_bytes_sent_total", ("sync",)),
}
"""Of ``Statistics.happened``."""

MEASURED: Mapping[str, tuple[str, tuple[str, ...], float]] = {
    "probe-round": ("gossipd_probe_round_seconds", PLAIN, 1.0),
    "exchange": ("gossipd_push_pull_seconds", PLAIN, 1.0),
    "message-sent": ("gossipd_serf_message_bytes", ("sent",), 1.0),
    "message-received": ("gossipd_serf_message_bytes", ("received",), 1.0),
    "coordinate-moved": ("gossipd_coordinate_adjustment_seconds", PLAIN, 1.0),
    "catalog-gap": ("gossipd_catalog_gap_seconds", PLAIN, 1.0),
}
"""Of ``Statistics.measured``, with the factor to the metric's unit."""

LEVELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "services": ("gossipd_services", PLAIN),
    "services_guarded": ("gossipd_services_guarded", PLAIN),
    "instances_passing": ("gossipd_instances", ("passing",)),
    "instances_warning": ("gossipd_instances", ("warning",)),
    "instances_critical": ("gossipd_instances", ("critical",)),
    "instances_doubtful": ("gossipd_instances_doubtful", PLAIN),
    "own_services": ("gossipd_own_services", PLAIN),
    "own_checks_run": ("gossipd_own_checks", PLAIN),
    "catalog_owners": ("gossipd_catalog_owners", PLAIN),
    "catalog_peers": ("gossipd_catalog_peers", PLAIN),
    "catalog_records": ("gossipd_catalog_records", PLAIN),
    "catalog_record_bytes": ("gossipd_catalog_record_bytes", PLAIN),
    "catalog_missing": ("gossipd_catalog_missing", PLAIN),
    "catalog_queue": ("gossipd_queue_messages", ("catalog",)),
}
"""Of ``Statistics.levels``."""

CAUSES: Mapping[str, str] = {
    "Ping": "probe",
    "Ack": "probe",
    "IndirectPing": "probe",
    "Nack": "probe",
    "Gossip": "gossip",
    "Riders": "gossip",
    "Alive": "gossip",
    "Suspect": "gossip",
    "Dead": "gossip",
    "Catalog": "services",
    "UserPayload": "serf",
}
"""What packets and messages are for, by kind. Serf's messages and those about services are
of one kind when they are received (user messages)."""

COUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "agent.ipc.accept": ("gossipd_rpc_connections_total", PLAIN),
    "agent.ipc.command": ("gossipd_rpc_requests_total", PLAIN),
    "gossipd.service.changes": ("gossipd_service_changes_total", PLAIN),
    "gossipd.checks.run": ("gossipd_check_runs_total", PLAIN),
    "gossipd.checks.failed": ("gossipd_check_runs_failed_total", PLAIN),
    "gossipd.checks.late": ("gossipd_check_runs_late_total", PLAIN),
    "gossipd.http.connections.accepted": ("gossipd_http_connections_total", PLAIN),
    "gossipd.http.waits.gone": ("gossipd_http_waits_gone_total", PLAIN),
    "gossipd.http.handler-failures": ("gossipd_http_handler_failures_total", PLAIN),
    "gossipd.dns.cache.hit": ("gossipd_dns_cache_hits_total", PLAIN),
    "gossipd.dns.truncated": ("gossipd_dns_truncated_total", PLAIN),
    "gossipd.dns.forwarded": ("gossipd_dns_forwarded_total", PLAIN),
    "gossipd.dns.upstream.failed": ("gossipd_dns_upstream_failures_total", PLAIN),
    "gossipd.dns.upstream.loops": ("gossipd_dns_upstream_loops_total", PLAIN),
    "gossipd.dns.upstream.ignored": ("gossipd_dns_upstream_ignored_total", PLAIN),
}
"""Of the agent's ledger."""

OPEN: Mapping[str, tuple[str, str]] = {
    "gossipd_http_open_connections": (
        "gossipd.http.connections.accepted", "gossipd.http.connections.closed",
    ),
    "gossipd_http_open_waits": ("gossipd.http.waits.begun", "gossipd.http.waits.ended"),
}  # fmt: skip
"""What is open now: the counts of beginnings and ends in the ledger."""

TALLIED: Mapping[str, tuple[str, tuple[str, ...], float]] = {
    "memberlist.gossip": ("gossipd_gossip_tick_seconds", PLAIN, 0.001),
    "gossipd.checks.time": ("gossipd_check_run_seconds", PLAIN, 0.001),
    "serf.snapshot.appendLine": ("gossipd_snapshot_write_seconds", ("append",), 0.001),
    "serf.snapshot.compact": ("gossipd_snapshot_write_seconds", ("compact",), 0.001),
}
"""Of the agent's ledger, in milliseconds there."""


def _whole(rest: str) -> tuple[str, ...]:
    return (rest,)


def _of_request(rest: str) -> tuple[str, ...]:
    """Split ``2xx.GET./v1/...``, as ``rest/counting.py`` writes it."""
    status, _, more = rest.partition(".")
    method, _, route = more.partition(".")
    return status, method, route


COUNTS_BY_LABEL: Mapping[str, tuple[str, Callable[[str], tuple[str, ...]]]] = {
    "gossipd.http.requests.": ("gossipd_http_requests_total", _of_request),
    "gossipd.http.refused.": ("gossipd_http_refused_total", _whole),
    "gossipd.dns.query.": ("gossipd_dns_queries_total", _whole),
    "gossipd.dns.reply.": ("gossipd_dns_replies_total", _whole),
    "gossipd.dns.dropped.": ("gossipd_dns_dropped_total", _whole),
    "gossipd.member.news.": ("gossipd_member_news_total", _whole),
    "gossipd.member.syncs.": ("gossipd_member_syncs_total", _whole),
    "gossipd.degraded.": ("gossipd_degraded_warnings_total", _whole),
}
"""Of the agent's ledger: what a name begins with, and how the labels are read from its end."""
