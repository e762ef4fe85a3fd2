"""What a provider says of a service: where it answers, what it is, how it is checked.

The values alone, legal by construction only if they come from ``reading.py``,
which makes them from tables of files, from the local socket and from HTTP. The
owner (the node whose program registered it) is the only one who changes them.
"""

from __future__ import annotations

from gossipd.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PASSING, WARNING, CRITICAL = "passing", "warning", "critical"
STATUSES = (PASSING, WARNING, CRITICAL)
"""What a check says, best first."""
HTTP, TCP, TTL, SCRIPT, ALIAS, HELD = "http", "tcp", "ttl", "script", "alias", "held"
CHECK_KINDS = (HTTP, TCP, TTL, SCRIPT, ALIAS, HELD)
CHECKS_MAX = 32
"""Of one service."""
NAME_BYTES_MAX = 255
"""Of ids and names, as they travel."""
OUTPUT_BYTES_MAX = 4096
"""Of what a check says; the rest is cut."""
TOO_OFTEN = "too many registrations in a short time"
"""So begins what a node says to whoever registers faster than it takes; later it will."""
WEIGHT_MAX = 65535
"""As in an SRV record (RFC 2782)."""


class CheckDefinition(Value, kw_only=True):
    """How to find out whether a service (or a whole node) is well. Durations in seconds."""

    id: str
    """Unique on its node."""
    name: str = ""
    kind: str = TTL
    """One of ``CHECK_KINDS``; ``held`` passes as long as the provider's connection lives."""
    target: str = ""
    """``http``: a URL; ``tcp``: host:port; ``alias``: the id of another service of this node."""
    args: tuple[str, ...] = ()
    """``script``: the command and its arguments, run without a shell."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    verify_tls: bool = True
    interval: float = 10.0
    """Between the ends of two runs; the first one comes after a random part of it."""
    timeout: float = 10.0
    ttl: float = 0.0
    """``ttl``: critical when the provider was silent for so long."""
    passes_needed: int = 1
    """Results in a row that make it passing."""
    failures_before_warning: int = 1
    """Failures in a row that make a passing check warning; not above the next. A table that
    says nothing of it means the same as the next."""
    failures_before_critical: int = 1
    """Failures in a row that make it critical."""
    grace: float = 0.0
    """After the registration failures do not count for so long."""
    deregister_after: float = 0.0
    """Its service is deregistered when it was critical for so long; 0 is never."""
    status: str = CRITICAL
    """Until the first result."""
    notes: str = ""


class Service(Value, kw_only=True):
    """One instance of a service, as its provider registers it; sizes are bounded.

    ``checks`` are how its owner finds out about it. Others are told only their ``id``,
    ``name`` and ``kind``: they have the ``CheckState`` of each as it is while it passes.
    """

    id: str
    """Unique on its node; the name, if nothing else was said."""
    name: str
    address: str = ""
    """Where it answers; empty is the node's own address."""
    port: int = 0
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = {}
    tagged_addresses: Mapping[str, tuple[str, int]] = {}
    """Further addresses by what they are for: ``lan``, ``wan``, and so on."""
    weight: int = 1
    """Its share of requests while it passes, 0 to 65,535; the share follows a reported load."""
    warning_weight: int = 1
    """The same while a check warns."""
    zone: str = ""
    """Empty is the node's own zone."""
    needs: tuple[str, ...] = ()
    """Names of the services it depends on."""
    checks: tuple[CheckDefinition, ...] = ()


class CheckState(Value):
    """What is known of one check: ``status`` is one of ``STATUSES``."""

    id: str
    name: str
    kind: str
    status: str
    output: str = ""


class ServiceState(Value, kw_only=True):
    """What changes of a registered service while it runs, as its owner tells it."""

    statuses: tuple[str, ...] = ()
    """Of its checks, in the order of the definition; none is passing."""
    weight: int = 1
    """In force now: by the definition, the load, and a drain."""
    load: float | None = None
    """What counts of the reports, damped: 0 is idle, 1 is full; ``None`` if there was none."""
    maintenance: str = ""
    """Why it takes no part; empty is that it does."""
    is_draining: bool = False


class NodeState(Value, kw_only=True):
    """What an owner tells of itself, for all of its services."""

    zone: str = ""
    maintenance: str = ""
    """Why none of its services takes part; empty is that they do."""
    is_draining: bool = False
    checks: tuple[CheckState, ...] = ()
    """Of the node itself; the worst of them counts for each of its services."""
