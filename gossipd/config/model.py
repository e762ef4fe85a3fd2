"""Frozen configuration sections with their defaults and cross-field checks.

Durations are float seconds. Profiles follow memberlist's (gossip.md, section
13) and Serf's defaults (section 21). Each core takes only its own section.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gossipd.errors import ConfigError
from gossipd.value import Value, replace

DEFAULT_PORT = 7946
LABEL_BYTES_MAX = 255
NAME_BYTES_MAX = 512
"""Peers take no longer name, and with 512 bytes of tags it must fit into one packet."""


ZONE_MAX = 128
"""Characters of the name of a zone."""
USER_EVENT_BYTES_MAX = 9216
"""Serf accepts no higher limit for user events."""
STREAM_RESPONSE_BYTES_MAX = 2**20
"""No longer message is decoded."""


class SwimConfig(Value, kw_only=True):
    """Failure detection and dissemination (gossip.md, sections 8-13); defaults are ``lan``."""

    probe_interval: float = 1.0
    """Seconds between probes; scaled up by the local health multiplier."""
    probe_timeout: float = 0.5
    """Seconds to wait for a direct ack before ping-reqs go out; never scaled."""
    indirect_checks: int = 3
    """How many helpers are asked to ping a silent node."""
    stream_ping: bool = True
    """Also ping a silent node over TCP before suspecting it."""
    suspicion_mult: int = 4
    """Minimum suspicion time is this times log10(n), in probe intervals."""
    suspicion_max_timeout_mult: int = 6
    """Maximum suspicion time, without confirmations, as a multiple of the minimum."""
    awareness_max_multiplier: int = 8
    """Upper bound of the local health multiplier; the score stays below it."""
    gossip_interval: float = 0.2
    """Seconds between gossip ticks."""
    gossip_nodes: int = 3
    """Random nodes told at each gossip tick; with 0 claims only ride on pings and acks."""
    gossip_to_the_dead_time: float = 30.0
    """Seconds for which a dead node is still gossiped to, so that it can refute."""
    eager_gossip: bool = True
    """Gossip a new user event or query at once, not at the next tick as memberlist does."""
    retransmit_mult: int = 4
    """A claim is sent this times ceil(log10(n + 1)) times."""
    push_pull_interval: float = 30.0
    """Seconds between full state exchanges, scaled up above 32 nodes; 0 turns them off."""
    dead_node_reclaim_time: float = 0.0
    """Seconds after which another address may take a dead node's name; 0 is never."""

    # What follows takes parts of SWIM and Lifeguard away, to measure what each is worth.
    round_robin: bool = True
    """Probe in a shuffled order (SWIM 4.3); otherwise a random node each time (3.1)."""
    probe_stagger: bool = True
    """First probe after a random part of the interval; otherwise at whole multiples of it."""
    suspicion: bool = True
    """Suspect a silent node before declaring it dead (SWIM 4.2); otherwise declare at once."""
    final_death: bool = False
    """Let no incarnation bring back who is remembered as dead, as SWIM's confirm (4.2)."""
    natural_log: bool = False
    """Scale retransmits and suspicion times by ceil(ln(n + 1)), as SWIM's authors (5)."""
    lha_suspicion: bool = True
    """Shorten suspicions as others confirm (Lifeguard); otherwise they last the minimum."""
    suspicion_confirmations: int = 0
    """Accusers that bring a suspicion to its minimum; 0 is ``suspicion_mult`` - 2."""
    buddy_system: bool = True
    """Send a suspect its accusation along with a ping (Lifeguard)."""
    paper_health: bool = False
    """Judge local health as Lifeguard's paper does (IV-A), not as memberlist's code.

    The probe timeout is scaled as well, a helper's nack is due after 0.8 of it, and a
    failed probe counts 1, one with a missing nack another 1."""


class SerfConfig(Value, kw_only=True):
    """Members, intents and the queues of Serf's layer (gossip.md, section 21)."""

    broadcast_timeout: float = 5.0
    """Seconds to wait until an intent or a tag change has been sent often enough."""
    leave_propagate_delay: float = 1.0
    """Seconds to keep answering after leaving."""
    reap_interval: float = 15.0
    """Seconds between looks for members to forget."""
    reconnect_interval: float = 30.0
    """Seconds between attempts to reach a failed member again."""
    reconnect_timeout: float = 86400.0
    """Seconds after which a failed member is forgotten."""
    tombstone_timeout: float = 86400.0
    """Seconds after which a member that left is forgotten."""
    recent_intent_timeout: float = 300.0
    """Seconds for which an intent about an unknown member is remembered."""
    event_buffer: int = 512
    """Lamport times of user events kept to recognise duplicates and for replay."""
    query_buffer: int = 512
    """Lamport times of queries kept to recognise duplicates."""
    query_timeout_mult: int = 16
    """Default query timeout in gossip intervals, times ceil(log10(n + 1))."""
    query_size_limit: int = 1024
    query_response_size_limit: int = 1024
    query_stream_response_limit: int = STREAM_RESPONSE_BYTES_MAX
    """Bytes of an answer that is too large for a packet, sent over a stream to a gossipd."""
    user_event_size_limit: int = 512
    queue_check_interval: float = 30.0
    """Seconds between looks at the queue depths."""
    queue_depth_warning: int = 128
    max_queue_depth: int = 4096
    """A queue longer than this loses its most transmitted entries."""
    min_queue_depth: int = 0
    """If set, the maximum is max(this, 2 x members) instead."""
    resolve_name_conflicts: bool = True
    coordinates: bool = True
    """Tell our network coordinate in acks and learn those of others (section 19)."""


class WireConfig(Value, kw_only=True):
    """How packets and streams are wrapped (gossip.md, sections 4, 5, 7)."""

    packet_bytes_max: int = 1400
    """Budget of one datagram before the checksum's five bytes."""
    compression: bool = True
    label: str = ""
    """Cluster label; packets of another label are dropped. At most 255 bytes."""
    verify_incoming: bool = True
    """With a key: refuse plaintext."""
    verify_outgoing: bool = True
    """With a key: never send plaintext."""
    stream_timeout: float = 10.0
    """Seconds to connect, and for a whole inbound stream."""
    streams_max: int = 128
    """Push/pulls served at the same time; the one that reaches this is closed."""


class CatalogConfig(Value, kw_only=True):
    """Services: how much one node may register, and when answers are doubted."""

    enabled: bool = True
    """Take part in the catalog; otherwise this node is to others as one of Serf's."""
    zone: str = ""
    """Where this node is, for consumers that prefer what is near."""
    records_max: int = 2048
    """Services that this node registers at most."""
    record_bytes_max: int = 16384
    """Of one service as it travels, its checks' outputs apart."""
    node_bytes_max: int = 2**22
    """Of all records of one node; more is refused here and ignored of others."""
    changes_per_second: float = 50.0
    """Registrations that one node takes on average, ten seconds of them at once; changes of
    status above it are told together instead."""
    output_interval: float = 60.0
    """Seconds between two tellings of an output that changed without its status."""
    tombstone_timeout: float = 3600.0
    """Seconds for which a deregistered service is remembered, so that the news reaches all."""
    load_interval: float = 0.5
    """Seconds between two changes of a weight because of a reported load."""
    guard_share: float = 0.5
    """The mass-loss guard holds when more than this share of a service is lost at once."""
    guard_minimum: int = 3
    """And at least so many instances of it."""
    guard_window: float = 60.0
    """What at once means, in seconds. Whoever is cut off from seven others needs up to 40 to find
    all of them failed: its probes slow down (Lifeguard), and nobody confirms its suspicions."""
    checks_max: int = 1024
    """Checks by HTTP, TCP and script that this node runs at most."""
    check_runs_max: int = 32
    """Checks that run at the same time; further ones wait."""


class NodeConfig(Value, kw_only=True):
    """Everything the sans-IO node needs; the agent's own settings are beside it."""

    name: str
    """Unique in the cluster, not empty."""
    tags: Mapping[str, str] = {}
    keys: tuple[bytes, ...] = ()
    """Encryption keys of 16, 24 or 32 bytes, primary first; empty is plaintext."""
    swim: SwimConfig = SwimConfig()
    serf: SerfConfig = SerfConfig()
    wire: WireConfig = WireConfig()
    catalog: CatalogConfig = CatalogConfig()


PROFILES: dict[str, tuple[SwimConfig, WireConfig]] = {
    "lan": (SwimConfig(), WireConfig()),
    "wan": (
        SwimConfig(
            suspicion_mult=6,
            push_pull_interval=60.0,
            probe_interval=5.0,
            probe_timeout=3.0,
            gossip_interval=0.5,
            gossip_nodes=4,
            gossip_to_the_dead_time=60.0,
        ),
        WireConfig(stream_timeout=30.0),
    ),
    "local": (
        SwimConfig(
            indirect_checks=1,
            retransmit_mult=2,
            suspicion_mult=3,
            push_pull_interval=15.0,
            probe_timeout=0.2,
            gossip_interval=0.1,
            gossip_to_the_dead_time=15.0,
        ),
        WireConfig(stream_timeout=1.0),
    ),
}
"""Settings by profile name, as memberlist's DefaultLAN/WAN/LocalConfig."""


FIXED: dict[str, tuple[str, ...]] = {
    "swim": ("round_robin", "probe_stagger"),
    "serf": ("event_buffer", "query_buffer", "resolve_name_conflicts", "coordinates"),
    "catalog": ("enabled",),
}
"""Fields of the sections that matter at the start only; all of ``wire`` are of that kind."""


def with_fixed(config: NodeConfig, swim: SwimConfig, serf: SerfConfig) -> NodeConfig:
    """Return ``config`` with other sections, but for what cannot change while a node runs."""
    keep_swim = {field: getattr(config.swim, field) for field in FIXED["swim"]}
    keep_serf = {field: getattr(config.serf, field) for field in FIXED["serf"]}
    return replace(config, swim=replace(swim, **keep_swim), serf=replace(serf, **keep_serf))


def check_node_config(config: NodeConfig) -> None:
    """Refuse a configuration that cannot work.

    Raises:
        ConfigError: names the key, what it holds and what would be accepted.
    """
    for fault in node_faults(config):
        raise fault


def node_faults(config: NodeConfig) -> Iterator[ConfigError]:
    """Yield all that ``check_node_config`` has to say."""
    swim, serf, wire = config.swim, config.serf, config.wire
    if not config.name:
        yield ConfigError(
            "node_name is empty: give the node a name unique in the cluster", key="name"
        )
    name_bytes = len(config.name.encode("utf-8", "surrogateescape"))
    if name_bytes > NAME_BYTES_MAX:
        yield ConfigError(
            f"node_name is {name_bytes} bytes long: at most {NAME_BYTES_MAX} fit", key="name"
        )
    for key in config.keys:
        if len(key) not in (16, 24, 32):
            yield ConfigError(f"encryption key of {len(key)} bytes: a key has 16, 24 or 32 bytes")
    if len(wire.label.encode("utf-8", "surrogateescape")) > LABEL_BYTES_MAX:
        yield ConfigError(f"label is longer than {LABEL_BYTES_MAX} bytes")
    yield from _catalog_faults(config.catalog)
    positive: dict[str, float] = {
        "probe_interval": swim.probe_interval,
        "probe_timeout": swim.probe_timeout,
        "gossip_interval": swim.gossip_interval,
        "suspicion_mult": swim.suspicion_mult,
        "suspicion_max_timeout_mult": swim.suspicion_max_timeout_mult,
        "awareness_max_multiplier": swim.awareness_max_multiplier,
        "retransmit_mult": swim.retransmit_mult,
        "broadcast_timeout": serf.broadcast_timeout,
        "reap_interval": serf.reap_interval,
        "reconnect_interval": serf.reconnect_interval,
        "event_buffer": serf.event_buffer,
        "query_buffer": serf.query_buffer,
        "max_queue_depth": serf.max_queue_depth,
        "stream_timeout": wire.stream_timeout,
        "streams_max": wire.streams_max,
    }
    for key_name, value in positive.items():
        if not value > 0:
            yield ConfigError(f"{key_name} is {value:g}: it must be above 0")
    not_negative: dict[str, float] = {
        "indirect_checks": swim.indirect_checks,
        "gossip_nodes": swim.gossip_nodes,
        "gossip_to_the_dead_time": swim.gossip_to_the_dead_time,
        "push_pull_interval": swim.push_pull_interval,
        "dead_node_reclaim_time": swim.dead_node_reclaim_time,
        "leave_propagate_delay": serf.leave_propagate_delay,
    }
    for key_name, value in not_negative.items():
        if not value >= 0:
            yield ConfigError(f"{key_name} is {value:g}: it must not be negative")
    if swim.probe_timeout > swim.probe_interval:
        yield ConfigError(
            f"probe_timeout {swim.probe_timeout:g} is above probe_interval"
            f" {swim.probe_interval:g}: the direct ack must be due within the round"
        )
    if not 0 <= serf.user_event_size_limit <= USER_EVENT_BYTES_MAX:
        yield ConfigError(
            f"user_event_size_limit is {serf.user_event_size_limit}:"
            f" it must be within 0..{USER_EVENT_BYTES_MAX}"
        )
    if not 0 <= serf.query_stream_response_limit <= STREAM_RESPONSE_BYTES_MAX:
        yield ConfigError(
            f"query_stream_response_limit is {serf.query_stream_response_limit}:"
            f" it must be within 0..{STREAM_RESPONSE_BYTES_MAX}"
        )
    if not 512 <= wire.packet_bytes_max <= 65000:
        yield ConfigError(
            f"packet_bytes_max is {wire.packet_bytes_max}: it must be within 512..65000"
        )


def _catalog_faults(catalog: CatalogConfig) -> Iterator[ConfigError]:
    positive: dict[str, float] = {
        "records_max": catalog.records_max,
        "record_bytes_max": catalog.record_bytes_max,
        "node_bytes_max": catalog.node_bytes_max,
        "changes_per_second": catalog.changes_per_second,
        "output_interval": catalog.output_interval,
        "tombstone_timeout": catalog.tombstone_timeout,
        "load_interval": catalog.load_interval,
        "guard_minimum": catalog.guard_minimum,
        "guard_window": catalog.guard_window,
        "checks_max": catalog.checks_max,
        "check_runs_max": catalog.check_runs_max,
    }
    for key_name, value in positive.items():
        if not value > 0:
            yield ConfigError(
                f"catalog.{key_name} is {value:g}: it must be above 0", key=f"catalog.{key_name}"
            )
    if not 0 < catalog.guard_share <= 1:
        yield ConfigError(
            f"catalog.guard_share is {catalog.guard_share:g}: it must be above 0, at most 1",
            key="catalog.guard_share",
        )
    if len(catalog.zone) > ZONE_MAX or not catalog.zone.isprintable():
        yield ConfigError(
            f"zone {catalog.zone[:ZONE_MAX]!r}: at most {ZONE_MAX} printable characters are taken",
            key="catalog.zone",
        )
