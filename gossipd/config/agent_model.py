"""``AgentConfig``: the settings of the daemon around the node.

The node's own sections are in ``model.py``; here is what touches the machine:
where to bind, whom to join, where the local socket is, when to leave.
Durations are float seconds. Values are made by ``load.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gossipd.address import split_host_port
from gossipd.config.event_handler import split_handler
from gossipd.config.faces import DnsConfig, HttpConfig, face_faults
from gossipd.config.model import DEFAULT_PORT, NodeConfig, node_faults
from gossipd.errors import ConfigError, UsageError
from gossipd.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.services.definition import Service

PROTOCOL = 5
PROTOCOLS = range(2, PROTOCOL + 1)
"""What Serf's agent takes for ``protocol`` (agent.md, section 1)."""
VALID_NAME_MAX = 128
"""Characters of a node name under ``validate_node_names`` (gossip.md, section 21)."""
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
LABEL_OF_SERVICE = "_serf_"
"""What Serf puts before ``discover`` (agent.md, section 8)."""
DISCOVER_BYTES_MAX = 128
"""With a label of 63 bytes for the node and the rest of the service it fits into a DNS name."""
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERR")
LOG_FORMATS = ("text", "json")
EARLY_WARNINGS = ("auto", "on", "off")
_FACILITIES = (
    "KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON",
    "AUTHPRIV", "FTP",
)  # fmt: skip
SYSLOG_FACILITIES = {name: code for code, name in enumerate(_FACILITIES)} | {
    f"LOCAL{number}": 16 + number for number in range(8)
}
"""Codes of syslog's facilities by name (RFC 5424, section 6.2.1)."""
DEFAULT_RPC_PORT = 7373
RETRY_INTERVAL_MIN = 1.0
RPC_REQUEST_SIZES = range(1024, 16 * 2**20 + 1)
"""Smaller and no tags could be set; larger and a few clients fill the memory."""

HANDLERS = range(1, 1025)
"""Scripts that may run at a time; each is a process with two pipes to us."""


class AgentConfig(Value, kw_only=True):
    """Everything one daemon is started with."""

    node: NodeConfig
    bind: str = f"0.0.0.0:{DEFAULT_PORT}"
    """Gossip address, UDP and TCP on one port; port 0 takes a free one."""
    advertise: str = ""
    """Address told to others; empty is the bind address, or a detected one for 0.0.0.0."""
    profile: str = "lan"
    """Which timings are the starting point: lan, wan or local."""
    socket: str = ""
    """Path of the local query socket; empty is none (the command fills in the default place)."""
    rpc_addr: str = ""
    """TCP address for Serf's clients; empty is off."""
    rpc_auth: str = ""
    """Token that clients of the query socket must show; empty is none."""
    rpc_request_size_limit: int = 2**20
    """Bytes of one header or body of a client; a larger one is refused unread."""
    start_join: tuple[str, ...] = ()
    """Seeds joined at start; when none answers the start fails."""
    retry_join: tuple[str, ...] = ()
    """Seeds joined in the background until one answers."""
    retry_interval: float = 30.0
    """Longest pause between background tries, in seconds."""
    retry_max_attempts: int = 0
    """Retries after which the daemon gives up with exit code 1; 0 is never."""
    replay_on_join: bool = False
    """Deliver the cluster's old user events after a join."""
    keyring_file: str = ""
    """JSON list of base64 keys, primary first; excludes ``encrypt_key``."""
    log_level: str = "INFO"
    leave_on_terminate: bool = True
    """SIGTERM leaves the cluster gracefully."""
    skip_leave_on_interrupt: bool = False
    """SIGINT stops without leaving."""
    leave_timeout: float = 15.0
    """Seconds granted to a leave that a signal started."""
    data_dir: str = ""
    """Folder for state: ``snapshot``, ``tags.json`` and ``keyring.json`` unless set apart,
    and what is kept of services."""
    snapshot_path: str = ""
    """File that remembers members and clocks over a restart; empty is none."""
    rejoin_after_leave: bool = False
    """Rejoin from the snapshot even if the last run ended with a leave."""
    tags_file: str = ""
    """JSON object of the own tags, rewritten when they change; excludes ``tags``."""
    event_handlers: tuple[str, ...] = ()
    """Scripts run on events, ``script`` or ``filters=script`` (agent.md, section 4)."""
    handler_timeout: float = 30.0
    """Seconds after which a handler is killed."""
    handlers_max: int = 16
    """Handlers that run at the same time; further ones wait."""
    coalesce_period: float = 3.0
    """Longest time for which events are gathered before applications are told, in seconds."""
    quiescent_period: float = 1.0
    """Applications are told when no further event came for so long, in seconds."""
    log_format: str = "text"
    """How log lines are written: text or json."""
    enable_syslog: bool = False
    """Copy the log to the machine's syslog."""
    syslog_facility: str = "LOCAL0"
    statsd_addr: str = ""
    """Where metrics go by UDP, as statsd takes them, ``host:port``; empty is nowhere."""
    statsite_addr: str = ""
    """Where metrics go by TCP, as statsite takes them, ``host:port``; empty is nowhere."""
    early_warning: str = "auto"
    """Watch for members that behave worse than usual: on, off, or auto, which is with HTTP."""
    discover: str = ""
    """Cluster name under which members find each other by mDNS; empty is off."""
    interface: str = ""
    """Take the address from this network interface, or check that it has it."""
    mdns_interface: str = ""
    """Where mDNS is spoken; empty is ``interface``, or every one that has multicast."""
    mdns_disable_ipv4: bool = False
    mdns_disable_ipv6: bool = False
    http: HttpConfig = HttpConfig()
    dns: DnsConfig = DnsConfig()
    datacenter: str = "dc1"
    """What Consul's clients are told that they are in; labels of DNS names, too."""
    services: tuple[Service, ...] = ()
    """What is registered from the start on, as files say it."""
    services_dir: str = ""
    """Folder of such files; empty is ``services.d`` beside each configuration file."""
    drain_on_leave: float = 0.0
    """Seconds for which consumers are given time to turn away before a leave by a signal, or
    at the end of an embedded agent."""
    protocol: int = PROTOCOL
    """Serf's protocol number as asked for; what is spoken is always ``PROTOCOL``."""
    validate_node_names: bool = False
    """Refuse a name of our own that is more than letters, digits, dots and dashes."""
    warnings: tuple[str, ...] = ()
    """What the operator should know about the settings; logged at start."""

    @property
    def warns_early(self) -> bool:
        """Whether members are watched for being worse than usual."""
        return self.early_warning == "on" or (self.early_warning == "auto" and bool(self.http.addr))


def check_agent_config(config: AgentConfig) -> None:
    """Refuse a configuration that cannot work.

    Raises:
        ConfigError: names the key, what it holds and what would be accepted.
    """
    for fault in agent_faults(config):
        raise fault


def agent_faults(config: AgentConfig) -> Iterator[ConfigError]:
    """Yield all that ``check_agent_config`` has to say."""
    yield from node_faults(config.node)
    for key, text in (
        ("bind", config.bind),
        ("advertise", config.advertise),
        ("rpc_addr", config.rpc_addr),
    ):
        if text:
            yield from _faults_of_address(key, text)
    if "/" not in config.socket and ":" in config.socket:
        yield ConfigError(f"socket {config.socket!r} is not a path; rpc_addr is for host:port")
    if config.log_level not in LOG_LEVELS:
        yield ConfigError(
            f"Invalid log level: {config.log_level}."
            f" Valid log levels are: [{' '.join(LOG_LEVELS)}]",
            key="log_level",
        )
    if config.rpc_request_size_limit not in RPC_REQUEST_SIZES:
        yield ConfigError(
            f"rpc_request_size_limit is {config.rpc_request_size_limit}: it must be within"
            f" {RPC_REQUEST_SIZES[0]}..{RPC_REQUEST_SIZES[-1]}"
        )
    if config.tags_file and config.node.tags:
        yield ConfigError(
            "Tags config not allowed while using tag files: tags or tags_file", key="tags_file"
        )
    if config.keyring_file and config.node.keys:
        yield ConfigError(
            "encrypt_key is not allowed together with keyring_file: give one", key="keyring_file"
        )
    if not config.leave_timeout > 0:
        yield ConfigError(f"leave_timeout is {config.leave_timeout:g}: it must be above 0")
    if not config.drain_on_leave >= 0:
        yield ConfigError(f"drain_on_leave is {config.drain_on_leave:g}: it must not be negative")
    yield from face_faults(config.http, config.dns, config.datacenter, config.node.catalog.zone)
    if not _PLAIN.issuperset(config.datacenter) or not 0 < len(config.datacenter) < 64:
        yield ConfigError(
            f"datacenter {config.datacenter!r}: write up to 63 letters, digits or dashes"
        )
    yield from _faults_of_services(config)
    for handler in config.event_handlers:
        try:
            split_handler(handler)
        except ConfigError as error:
            yield ConfigError(str(error), key="event_handlers")
    for key in ("handler_timeout", "coalesce_period", "quiescent_period"):
        seconds = getattr(config, key)
        if not seconds > 0:
            yield ConfigError(f"{key} is {seconds:g}: it must be above 0")
    if config.handlers_max not in HANDLERS:
        yield ConfigError(
            f"handlers_max is {config.handlers_max}: it must be within"
            f" {HANDLERS[0]}..{HANDLERS[-1]}"
        )
    if config.log_format not in LOG_FORMATS:
        yield ConfigError(
            f"log_format is {config.log_format!r}: it must be one of {', '.join(LOG_FORMATS)}"
        )
    if config.early_warning not in EARLY_WARNINGS:
        yield ConfigError(
            f"early_warning is {config.early_warning!r}: it must be one of"
            f" {', '.join(EARLY_WARNINGS)}",
            key="early_warning",
        )
    if config.syslog_facility.upper() not in SYSLOG_FACILITIES:
        yield ConfigError(
            f"syslog_facility is {config.syslog_facility!r}: it must be one of"
            f" {', '.join(SYSLOG_FACILITIES)}"
        )
    if config.retry_max_attempts < 0:
        yield ConfigError(
            f"retry_max_attempts is {config.retry_max_attempts}: it must not be negative"
        )
    if config.protocol not in PROTOCOLS:
        yield ConfigError(
            f"protocol is {config.protocol}: it must be within {PROTOCOLS[0]}..{PROTOCOLS[-1]}"
        )
    if config.validate_node_names:
        yield from _faults_of_name(config.node.name)
    yield from _faults_of_discovery(config)
    yield from _faults_of_sink("statsd_addr", config.statsd_addr)
    yield from _faults_of_sink("statsite_addr", config.statsite_addr)


def _faults_of_services(config: AgentConfig) -> Iterator[ConfigError]:
    services, catalog = config.services, config.node.catalog
    if not services:
        return
    if not catalog.enabled:
        yield ConfigError(
            "catalog.enabled is false: a node without it registers no service",
            key="catalog.enabled",
        )
    from gossipd.services.definition import HTTP, SCRIPT, TCP  # a start without any does without

    checks = sum(
        check.kind in (HTTP, SCRIPT, TCP) for service in services for check in service.checks
    )
    for field, count, what in (
        ("records_max", len(services), "services"),
        ("checks_max", checks, "checks"),
    ):
        limit = getattr(catalog, field)
        if count > limit:
            yield ConfigError(
                f"catalog.{field} is {limit}: the files have {count} {what}",
                key=f"catalog.{field}",
            )


def _faults_of_name(name: str) -> Iterator[ConfigError]:
    if len(name) > VALID_NAME_MAX:
        yield ConfigError(
            f"node_name has {len(name)} characters: validate_node_names allows {VALID_NAME_MAX}",
            key="name",
        )
    if not _PLAIN.issuperset(name):
        yield ConfigError(
            f"node_name {name!r}: validate_node_names allows letters, digits, '.' and '-'",
            key="name",
        )


def _faults_of_discovery(config: AgentConfig) -> Iterator[ConfigError]:
    if config.mdns_disable_ipv4 and config.mdns_disable_ipv6:
        yield ConfigError("mdns_disable_ipv4 and mdns_disable_ipv6 leave nothing: give one")
    if not config.discover:
        if config.mdns_interface:
            yield ConfigError("mdns_interface is of no use without discover")
        return
    for label in f"{LABEL_OF_SERVICE}{config.discover}".split("."):
        if not 0 < len(label.encode("utf-8", "surrogateescape")) <= 63:
            yield ConfigError(f"discover {config.discover!r}: a part between dots is empty or long")
    if len(config.discover.encode("utf-8", "surrogateescape")) > DISCOVER_BYTES_MAX:
        yield ConfigError(f"discover is longer than {DISCOVER_BYTES_MAX} bytes")


def _faults_of_sink(key: str, text: str) -> Iterator[ConfigError]:
    if not text:
        return
    faults = list(_faults_of_address(key, text))
    yield from faults
    if not faults and not split_host_port(text, 0)[1]:
        yield ConfigError(f"{key}: {text!r} names no port: write host:port, as 127.0.0.1:8125")


def _faults_of_address(key: str, text: str) -> Iterator[ConfigError]:
    try:
        split_host_port(text, 0)
    except UsageError as error:
        yield ConfigError(f"{key}: {error}")


def faults_of_seeds(seeds: Iterable[str]) -> Iterator[str]:
    """Tell of seeds that no try can ever reach; the others may do, so it is no fault of all."""
    for seed in seeds:
        try:
            split_host_port(seed.strip().rpartition("/")[2], 0)
        except UsageError as error:
            yield f"{seed!r}: {error}"
