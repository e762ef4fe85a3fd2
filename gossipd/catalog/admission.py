"""What a node refuses to register or to be told, and what it warns about.

Sizes and forms of single fields are ``services.reading``'s; here is what depends
on what else the node registers, and what will not work everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gossipd.catalog.checks import REPORTED_KINDS, Check, is_run
from gossipd.catalog.loads import is_load
from gossipd.errors import UsageError
from gossipd.services.definition import (
    ALIAS,
    CHECKS_MAX,
    HELD,
    STATUSES,
    CheckDefinition,
    Service,
)
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, FROM_CONNECTION

LABEL_BYTES_MAX = 63
"""Of one part of a DNS name (RFC 1035, section 2.3.4)."""
NODE_CHECKS_MAX = 32
"""Of the node itself: they travel together."""
REASON_BYTES_MAX = 512
"""Of why something is in maintenance."""
_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_EVERYWHERE = ("0.0.0.0", "::")
_WHOSE = {
    FROM_CONFIG: "the configuration",
    FROM_CLIENT: "a client",
    FROM_CONNECTION: "a connection that is still open",
}


def refuse_source(service: str, holder: str, source: str) -> None:
    """Refuse what would replace a service that somebody else registered.

    Raises:
        UsageError: says who did.
    """
    if holder != source:
        raise UsageError(
            f"service id {service!r} is registered by {_WHOSE.get(holder, holder)}: "
            "take another id, or deregister it there first"
        )


def refuse_count(service: Service) -> None:
    """Refuse a service of more checks than a table of it may have, however they came.

    Raises:
        UsageError: says how many are accepted.
    """
    if len(service.checks) > CHECKS_MAX:
        raise UsageError(
            f"checks of service {service.id!r}: {len(service.checks)} of them; "
            f"at most {CHECKS_MAX} are accepted"
        )


def refuse_checks(
    checks: Iterable[CheckDefinition],
    service: str,
    source: str,
    known: Callable[[str], Check | None],
) -> None:
    """Refuse checks whose ids are taken, or that could not work where they are.

    Args:
        checks: of one service, or of the node.
        service: its id; empty for the node.
        source: who registers them.
        known: looks up a check of this node.

    Raises:
        UsageError: names the check.
    """
    seen = set()
    for check in checks:
        other = known(check.id)
        if check.id in seen:
            raise UsageError(f"check id {check.id!r} is there twice: ids are unique on a node")
        if other is not None and other.service != service:
            whose = f"service {other.service!r}" if other.service else "the node"
            raise UsageError(f"check id {check.id!r} is one of {whose}: ids are unique on a node")
        if check.kind == HELD and source != FROM_CONNECTION:
            raise UsageError(
                f"check {check.id!r} is of kind held: only services held by a connection have such"
            )
        if check.kind == ALIAS and check.target == service:
            raise UsageError(f"check {check.id!r} is an alias of its own service: name another one")
        seen.add(check.id)


def refuse_word(check: CheckDefinition, status: str) -> None:
    """Refuse what a provider says of a check that is not its to judge, or no status.

    Raises:
        UsageError: says what is accepted.
    """
    if check.kind not in REPORTED_KINDS:
        raise UsageError(
            f"check {check.id!r} is of kind {check.kind}: "
            f"only {' and '.join(REPORTED_KINDS)} checks are reported"
        )
    if status not in STATUSES:
        raise UsageError(f"status is {status!r}: {', '.join(STATUSES)} are accepted")


def refuse_load(load: float, service: str) -> None:
    """Refuse a load that is none, or that is reported for the node (no ``service``).

    Raises:
        UsageError: says what is accepted.
    """
    if not is_load(load):
        raise UsageError(f"load is {load}: 0 (idle) to 1 (full) is accepted")
    if not service:
        raise UsageError("load: a check of the node has none, report it for a service")


def reason_of(reason: str | None) -> str:
    """Return why something is in maintenance, as it is kept; empty for ``None``: it is not.

    Raises:
        UsageError: it is too long.
    """
    said = b"" if reason is None else (reason or "maintenance").encode("utf-8", "replace")
    if len(said) > REASON_BYTES_MAX:
        raise UsageError(f"reason: at most {REASON_BYTES_MAX} bytes are accepted")
    return said.decode()


def runs(checks: Iterable[CheckDefinition]) -> int:
    """Return how many of ``checks`` the daemon runs."""
    return sum(map(is_run, checks))


def warnings_about(service: Service, others: Iterable[Service]) -> tuple[str, ...]:
    """Return what of ``service`` will not work everywhere, a sentence each.

    Args:
        service: as it is registered.
        others: services of this node.
    """
    warnings = []
    if not is_dns_label(service.name):
        warnings.append(
            f"name {service.name!r} cannot be asked for by DNS: that takes at most "
            f"{LABEL_BYTES_MAX} letters, digits and inner hyphens"
        )
    for other in others:
        if (
            service.port
            and other.id != service.id
            and other.name == service.name
            and (other.address, other.port) == (service.address, service.port)
        ):
            where = (
                f"{service.address}:{service.port}" if service.address else f"port {service.port}"
            )
            warnings.append(
                f"service {other.id!r} of the same name is at {where} too: "
                "consumers will take them for two"
            )
    if service.address in _EVERYWHERE:
        warnings.append(
            f"address {service.address} is where a program listens, and nowhere to be reached: "
            "leave it out, and consumers are told that of the node"
        )
    if service.name in service.needs:
        warnings.append(f"needs names the service {service.name!r} itself")
    if not service.weight:
        warnings.append("weight is 0: consumers that look at weights will not use it")
    return tuple(warnings)


def is_dns_label(name: str) -> bool:
    """Return whether ``name`` can be one part of a DNS name, upper and lower case alike."""
    return (
        0 < len(name) <= LABEL_BYTES_MAX
        and _LABEL_CHARACTERS.issuperset(name.lower())
        and name[0] != "-"
        and name[-1] != "-"
    )
