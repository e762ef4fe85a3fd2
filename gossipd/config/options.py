"""The table of the daemon's options: one truth for files, environment and flags.

Keys are Serf's JSON keys where Serf has one (agent.md, section 1), flags are
Serf's flags; ``GOSSIPD_`` and the key in capitals is the environment variable.
``target`` says where a value ends: a field of ``AgentConfig``, or
``section.field`` of a section. The fields of the sections can
be set on their own too, as tables of a file or with ``--set``, and need no
entry here.
"""

from __future__ import annotations

from typing import NamedTuple

NODE_SECTIONS = ("swim", "serf", "wire", "catalog")
"""Sections of the node."""
SECTIONS = (*NODE_SECTIONS, "http", "dns")
"""Those of the agent's faces, too."""
SERVICE_KEYS = ("service", "services")
"""What stands in files only: tables of services."""
NUMBERS = ("guard_share", "changes_per_second")
"""Fields of sections that are numbers and no durations."""


class Option(NamedTuple):
    """One setting. ``kind``: text, switch, count, duration, list, lines, tags or sets.

    Of ``lines``, a list too, a single text has one on each line and not between commas.
    ``flag_negates`` marks a switch whose flag means the opposite of its key,
    ``key_negates`` one whose key means the opposite of its target.
    """

    key: str
    flag: str
    kind: str
    target: str
    help: str
    metavar: str = ""
    flag_negates: bool = False
    key_negates: bool = False


OPTIONS: tuple[Option, ...] = (
    Option("node_name", "node", "text", "name", "Name, unique in the cluster (host name).", "NAME"),
    Option("bind", "bind", "text", "bind", "Gossip address, UDP and TCP (0.0.0.0:7946).", "ADDR"),
    Option("interface", "iface", "text", "interface", "Take the address from here.", "NAME"),
    Option("advertise", "advertise", "text", "advertise", "Address told to others.", "ADDR"),
    Option("profile", "profile", "text", "profile", "Timings: lan, wan or local.", "NAME"),
    Option("start_join", "join", "list", "start_join", "Join this seed at start.", "ADDR"),
    Option("retry_join", "retry-join", "list", "retry_join", "Join until it works.", "ADDR"),
    Option(
        "retry_interval", "retry-interval", "duration", "retry_interval",
        "Longest pause between retries (30s).", "TIME",
    ),
    Option(
        "retry_max_attempts", "retry-max", "count", "retry_max_attempts",
        "Give up after so many retries; 0 is never.", "N",
    ),
    Option(
        "replay_on_join", "replay", "switch", "replay_on_join",
        "Deliver old user events after a join.",
    ),
    Option("encrypt_key", "encrypt", "text", "keys", "Base64 of 16, 24 or 32 bytes.", "KEY"),
    Option("keyring_file", "keyring-file", "text", "keyring_file", "JSON list of keys.", "FILE"),
    Option("tags", "tag", "tags", "tags", "Own tag, key=value; may be repeated.", "K=V"),
    Option("role", "role", "text", "tags.role", "Old spelling of the tag role.", "TEXT"),
    Option("label", "label", "text", "wire.label", "Cluster label on every packet.", "TEXT"),
    Option(
        "enable_compression", "disable-compression", "switch", "wire.compression",
        "Send nothing compressed.", flag_negates=True,
    ),
    Option("socket", "socket", "text", "socket", "Path of the local query socket.", "PATH"),
    Option("rpc_addr", "rpc-addr", "text", "rpc_addr", "Also answer Serf's RPC by TCP.", "ADDR"),
    Option("rpc_auth", "rpc-auth", "text", "rpc_auth", "Token that RPC clients show.", "TOKEN"),
    Option(
        "rpc_request_size_limit", "rpc-request-size-limit", "count", "rpc_request_size_limit",
        "Longest RPC request in bytes (1048576).", "N",
    ),
    Option("http_addr", "http-addr", "text", "http.addr", "Answer HTTP as Consul does.", "ADDR"),
    Option("http_token", "http-token", "text", "http.token", "Token that writers show.", "TOKEN"),
    Option(
        "http_insecure", "http-insecure", "switch", "http.insecure",
        "Answer others than loopback without a token.",
    ),
    Option("dns_addr", "dns-addr", "text", "dns.addr", "Answer DNS, UDP and TCP.", "ADDR"),
    Option("dns_domain", "dns-domain", "text", "dns.domain", "Domain of names (consul.).", "NAME"),
    Option("recursors", "recursor", "list", "dns.recursors", "Ask it for other names.", "ADDR"),
    Option("datacenter", "datacenter", "text", "datacenter", "What Consul's clients see.", "NAME"),
    Option("log_level", "log-level", "text", "log_level", "TRACE DEBUG INFO WARN ERR.", "LEVEL"),
    Option(
        "leave_on_terminate", "leave-on-terminate", "switch", "leave_on_terminate",
        "Leave on SIGTERM (default; =false to stop at once).",
    ),
    Option(
        "skip_leave_on_interrupt", "skip-leave-on-interrupt", "switch",
        "skip_leave_on_interrupt", "Stop on SIGINT without leaving.",
    ),
    Option(
        "leave_timeout", "leave-timeout", "duration", "leave_timeout",
        "Time granted to a leave by signal (15s).", "TIME",
    ),
    Option(
        "broadcast_timeout", "broadcast-timeout", "duration", "serf.broadcast_timeout",
        "How long a leave or tag change may take to be sent (5s).", "TIME",
    ),
    Option("data_dir", "data-dir", "text", "data_dir", "Folder for state.", "DIR"),
    Option("snapshot_path", "snapshot", "text", "snapshot_path", "Remember members here.", "FILE"),
    Option(
        "rejoin_after_leave", "rejoin", "switch", "rejoin_after_leave",
        "Rejoin from the snapshot also after a leave.",
    ),
    Option("tags_file", "tags-file", "text", "tags_file", "Keep the own tags here.", "FILE"),
    Option(
        "event_handlers", "event-handler", "lines", "event_handlers",
        "Run this on events: SCRIPT or FILTERS=SCRIPT; may be repeated.", "HANDLER",
    ),
    Option(
        "handler_timeout", "handler-timeout", "duration", "handler_timeout",
        "Time after which a handler is killed (30s).", "TIME",
    ),
    Option(
        "handlers_max", "handlers-max", "count", "handlers_max",
        "Handlers that run at a time (16).", "N",
    ),
    Option("log_format", "log-format", "text", "log_format", "text or json.", "FORMAT"),
    Option("enable_syslog", "syslog", "switch", "enable_syslog", "Copy the log to syslog."),
    Option("statsd_addr", "statsd-addr", "text", "statsd_addr", "Metrics by UDP.", "ADDR"),
    Option("statsite_addr", "statsite-addr", "text", "statsite_addr", "Metrics by TCP.", "ADDR"),
    Option(
        "early_warning", "early-warning", "text", "early_warning",
        "Warn of members that get worse: auto, on or off.", "WHEN",
    ),
    Option("discover", "discover", "text", "discover", "Find members of NAME by mDNS.", "NAME"),
    Option("mdns_interface", "mdns-iface", "text", "mdns_interface", "Use mDNS here.", "NAME"),
    Option(
        "mdns_disable_ipv4", "mdns-disable-ipv4", "switch", "mdns_disable_ipv4",
        "Use mDNS over IPv6 alone.",
    ),
    Option(
        "mdns_disable_ipv6", "mdns-disable-ipv6", "switch", "mdns_disable_ipv6",
        "Use mDNS over IPv4 alone.",
    ),
    Option("services_dir", "services-dir", "text", "services_dir", "Services to register.", "DIR"),
    Option("zone", "zone", "text", "catalog.zone", "Where this node is.", "NAME"),
    Option(
        "drain_on_leave", "drain-on-leave", "duration", "drain_on_leave",
        "Drain services for so long before a leave by signal.", "TIME",
    ),
    Option("protocol", "protocol", "count", "protocol", "Accepted as Serf does: 2 to 5.", "N"),
    Option("set", "set", "sets", "", "Any timing, as swim.probe_interval=500ms.", "KEY=VALUE"),
)  # fmt: skip
"""Options that have a flag, in the order in which help shows them."""

FILE_ONLY: tuple[Option, ...] = (
    Option("reconnect_interval", "", "duration", "serf.reconnect_interval", ""),
    Option("reconnect_timeout", "", "duration", "serf.reconnect_timeout", ""),
    Option("tombstone_timeout", "", "duration", "serf.tombstone_timeout", ""),
    Option("query_size_limit", "", "count", "serf.query_size_limit", ""),
    Option("query_response_size_limit", "", "count", "serf.query_response_size_limit", ""),
    Option("user_event_size_limit", "", "count", "serf.user_event_size_limit", ""),
    Option("validate_node_names", "", "switch", "validate_node_names", ""),
    Option("coalesce_period", "", "duration", "coalesce_period", ""),
    Option("quiescent_period", "", "duration", "quiescent_period", ""),
    Option("syslog_facility", "", "text", "syslog_facility", ""),
    Option(
        "disable_coordinates", "", "switch", "serf.coordinates", "", key_negates=True,
    ),
    Option(
        "disable_name_resolution", "", "switch", "serf.resolve_name_conflicts", "",
        key_negates=True,
    ),
)  # fmt: skip
"""Further keys of Serf's configuration files."""
