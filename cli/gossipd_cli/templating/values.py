"""What a template is shown of services and members: flat, and harmless as text.

Names, tags, meta and addresses were written by programs on other hosts. None of
them may add a line to somebody's configuration: whatever is no printable
character is replaced before a template sees it, and an instance whose address
is neither an IP nor a host name is not shown at all. Quoting for the language
that is written is the filters' business (``quoting.py``).
"""

from __future__ import annotations

import re

from gossipd.value import Value
from gossipd_cli.templating.quoting import CHECKSUM_DIGITS, checksum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossipd.query.records import MemberRecord
    from gossipd.services.instance import Instance, ServiceSummary

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CHECKSUMMED = re.compile(rf".*~[0-9a-f]{{{CHECKSUM_DIGITS}}}")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)


class TemplateInstance(Value, kw_only=True):
    """One instance of a service, as a template sees it."""

    name: str
    id: str
    node: str
    """Who registered it."""
    key: str
    """``node/id``: unique in the cluster, and the same over all changes. With a checksum
    where that alone would not be unique."""
    address: str
    port: int
    endpoint: str
    """``address:port``, with brackets around an IPv6 address; without a port the address."""
    is_ip: bool
    """Otherwise ``address`` is a host name, which somebody has to look up."""
    status: str
    is_passing: bool
    weight: int
    load: float | None
    tags: tuple[str, ...]
    meta: Mapping[str, str]
    tagged_addresses: Mapping[str, str]
    """Endpoints by label."""
    zone: str
    maintenance: str
    is_draining: bool
    is_doubtful: bool
    node_status: str


class TemplateService(Value, kw_only=True):
    """A line about a service, as a template sees it."""

    name: str
    passing: int
    warning: int
    critical: int
    doubtful: int
    total: int
    tags: tuple[str, ...]
    needs: tuple[str, ...]
    is_guarded: bool


class TemplateMember(Value, kw_only=True):
    """A member of the cluster, as a template sees it."""

    name: str
    address: str
    port: int
    endpoint: str
    status: str
    tags: Mapping[str, str]


def harmless(text: str) -> str:
    """Return ``text`` with every character replaced that is not printable."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else REPLACEMENT for c in text])


def is_host(text: str) -> bool:
    """Say whether ``text`` is an IP address or a host name, to look at."""
    if len(text) > 253 or not text.isprintable():
        return False
    return _HOST_NAME.fullmatch(text) is not None or (is_ip(text) and "%" not in text)


def is_ip(text: str) -> bool:
    """Say whether ``text`` is an IP address."""
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def endpoint(address: str, port: int) -> str:
    """Return ``address:port`` as URLs have it; without a port the address alone."""
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else host


def show_instance(instance: Instance) -> TemplateInstance | None:
    """Return what a template sees; ``None`` if its address could not be one."""
    service = instance.service
    if not is_host(instance.address):
        return None
    owner, own_id = harmless(instance.owner), harmless(service.id)
    return TemplateInstance(
        name=harmless(service.name),
        id=own_id,
        node=owner,
        key=_key(instance.owner, service.id),
        address=instance.address,
        port=int(service.port),
        endpoint=endpoint(instance.address, int(service.port)),
        is_ip=is_ip(instance.address),
        status=harmless(instance.status),
        is_passing=instance.is_usable,
        weight=int(instance.weight),
        load=instance.load,
        tags=_harmless_all(service.tags),
        meta=_harmless_map(service.meta),
        tagged_addresses={
            harmless(label): endpoint(address, port)
            for label, (address, port) in service.tagged_addresses.items()
            if is_host(address)
        },
        zone=harmless(instance.zone),
        maintenance=harmless(instance.maintenance),
        is_draining=instance.is_draining,
        is_doubtful=instance.is_doubtful,
        node_status=harmless(instance.owner_status),
    )


def _key(owner: str, own_id: str) -> str:
    """Return ``owner/own_id``; what others could write as well gets a checksum of both."""
    raw = f"{owner}/{own_id}"
    shown = harmless(raw)
    if shown == raw and "/" not in owner and not _CHECKSUMMED.fullmatch(raw):
        return raw
    return f"{shown}~{checksum(f'{len(owner)}/{raw}')}"


def show_summary(summary: ServiceSummary) -> TemplateService | None:
    """Return what a template sees of a service as a whole.

    ``None`` if no owner would have taken its name: as it would be shown nothing could be
    asked for, and two such services could be shown alike.
    """
    if not summary.name.isprintable():
        return None
    return TemplateService(
        name=harmless(summary.name),
        passing=summary.passing,
        warning=summary.warning,
        critical=summary.critical,
        doubtful=summary.doubtful,
        total=summary.total,
        tags=_harmless_all(summary.tags),
        needs=_harmless_all(summary.needs),
        is_guarded=summary.is_guarded,
    )


def show_member(member: MemberRecord) -> TemplateMember:
    """Return what a template sees of a member."""
    return TemplateMember(
        name=harmless(member.name),
        address=member.host,
        port=member.port,
        endpoint=endpoint(member.host, member.port),
        status=harmless(member.status),
        tags=_harmless_map(member.tags),
    )


def _harmless_all(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([harmless(text) for text in texts])


def _harmless_map(texts: Mapping[str, str]) -> dict[str, str]:
    return {harmless(key): harmless(texts[key]) for key in sorted(texts)}
