"""Tables into services: what a provider writes, judged field by field, becomes a ``Service``.

One form for ``[[service]]`` in files, JSON, the local socket's maps, the client
library's keywords and the command line. Everything is bounded here; what one
node may register in all is judged by its owner. The way back is ``writing.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.errors import UsageError
from gossipd.services.definition import (
    CHECKS_MAX,
    NAME_BYTES_MAX,
    WEIGHT_MAX,
    CheckDefinition,
    Service,
)
from gossipd.services.reading_checks import read_check_table
from gossipd.services.table import Table, is_printable, shown
from gossipd.services.writing import write_check, write_service

__all__ = ["read_check", "read_service", "write_check", "write_service"]

NAME_MAX = 128
"""Characters of an id or a name."""
ADDRESS_MAX = 255
"""Of a host's name, as DNS has it."""
PORT_MAX = 65_535
TAGS_MAX, TAG_BYTES_MAX = 64, 256
META_MAX, META_KEY_BYTES_MAX, META_BYTES_MAX = 64, 128, 512
ADDRESSES_MAX = 16
NEEDS_MAX = 32


def read_service(fields: Mapping[str, object]) -> Service:
    """Return the service that a table of ``fields`` describes.

    Raises:
        UsageError: a field is unknown, missing or cannot be; the text begins with its path
            (``checks[1].interval``) and says what would be accepted.
    """
    table = Table(fields)
    name = read_name(table, "name")
    if not name:
        raise table.refuse("name", "missing; say what the service is called, such as 'web'")
    service_id = read_name(table, "id") or name
    address = read_address(table, "address")
    port = table.whole("port", 0, 0, PORT_MAX)
    service = Service(
        id=service_id,
        name=name,
        address=address,
        port=port,
        tags=table.lines("tags", count_max=TAGS_MAX, bytes_max=TAG_BYTES_MAX),
        meta=table.text_map(
            "meta", count_max=META_MAX, key_max=META_KEY_BYTES_MAX, value_max=META_BYTES_MAX
        ),
        tagged_addresses=_read_tagged(table),
        weight=table.whole("weight", 1, 0, WEIGHT_MAX),
        warning_weight=table.whole("warning_weight", 1, 0, WEIGHT_MAX),
        zone=table.text("zone", most=NAME_MAX),
        needs=_read_needs(table),
        checks=_read_checks(table, service_id, address, port),
    )
    table.finish()
    return service


def read_check(
    fields: Mapping[str, object],
    index: int = 0,
    service_id: str = "",
    *,
    path: str = "",
    address: str = "",
    port: int = 0,
) -> CheckDefinition:
    """Return the check that a table of ``fields`` describes.

    Args:
        fields: ``http``, ``tcp``, ``script``, ``ttl``, ``alias`` or ``held``, and the rest.
        index: the how-manieth of its service it is, from 0 on: part of its default id.
        service_id: of which service; empty for a check of the node, which needs an own id.
        path: how messages name the table; by default ``checks[index]``.
        address, port: of the service, to complete targets that name none.

    Raises:
        UsageError: as ``read_service``.
    """
    at = path or f"checks[{index}]"
    return read_check_table(Table(fields, at), index, service_id, address, port)


def read_name(table: Table, field: str) -> str:
    """Return an id or a name: printable, without spaces around it; empty if none was given."""
    name = table.text(field, most=NAME_MAX, bytes_max=NAME_BYTES_MAX)
    if name != name.strip():
        raise table.refuse(field, f"{shown(name)} begins or ends with a space")
    if not name and table.has(field):
        raise table.refuse(field, f"empty; give 1 to {NAME_MAX} printable characters")
    return name


def read_address(table: Table, field: str) -> str:
    """Return an IP address or host name without brackets; empty if none was given."""
    text = table.text(field, most=ADDRESS_MAX)
    return _checked_host(table, field, text) if text else ""


def _checked_host(table: Table, field: str, text: str) -> str:
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if host.count(":") == 1:
        raise table.refuse(field, f"{shown(text)} has a port; it belongs into the field port")
    if not host or any(part in host for part in " /[]@?#,;'\"\\") or not is_printable(host):
        raise table.refuse(field, f"{shown(text)} is neither an IP address nor a host name")
    return host


def _read_tagged(table: Table) -> dict[str, tuple[str, int]]:
    field = "tagged_addresses"
    given = table.raw(field)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise table.refuse(field, f"{shown(given)} is not a table of addresses by label")
    if len(given) > ADDRESSES_MAX:
        raise table.refuse(field, f"{len(given)} of them; at most {ADDRESSES_MAX} are taken")
    labels = Table(given, table.path_of(field))
    found = {}
    for key, value in given.items():
        label = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
        if not label or not is_printable(label) or len(label) > NAME_MAX:
            raise table.refuse(field, f"the label {shown(key)}: give 1 to {NAME_MAX} characters")
        found[label] = _read_one_tagged(labels, label, value)
    return found


def _read_one_tagged(labels: Table, label: str, value: object) -> tuple[str, int]:
    if isinstance(value, str | bytes):
        text = labels.text(label, most=ADDRESS_MAX + 8)
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
            host, port = text, "0"  # an address alone, IPv6 without brackets as well
        host = _checked_host(labels, label, host)
        return host, labels.whole_of(label, port, 0, PORT_MAX)
    one = Table(value, labels.path_of(label))
    address = read_address(one, "address")
    if not address:
        raise one.refuse("address", "missing; give an IP address or a host name")
    port_number = one.whole("port", 0, 0, PORT_MAX)
    one.finish()
    return address, port_number


def _read_needs(table: Table) -> tuple[str, ...]:
    needs = table.lines("needs", count_max=NEEDS_MAX, bytes_max=4 * NAME_MAX)
    for index, name in enumerate(needs):
        if len(name) > NAME_MAX or name != name.strip():
            raise table.refuse(f"needs[{index}]", f"{shown(name)} is no name of a service")
    return needs


def _read_checks(
    table: Table, service_id: str, address: str, port: int
) -> tuple[CheckDefinition, ...]:
    given: list[tuple[str, object]] = []
    if table.has("check"):
        one = table.raw("check")
        if isinstance(one, list | tuple):
            raise table.refuse("check", "a list, and not one check: give several as checks")
        given.append(("check", one))
    many = table.raw("checks")
    if isinstance(many, list | tuple):
        given += [(f"checks[{index}]", fields) for index, fields in enumerate(many)]
    elif many is not None:
        raise table.refuse("checks", f"{shown(many)} is not a list of tables")
    if len(given) > CHECKS_MAX:
        raise table.refuse("checks", f"{len(given)} of them; at most {CHECKS_MAX} are taken")
    checks: dict[str, CheckDefinition] = {}
    for index, (path, fields) in enumerate(given):
        check = read_check_table(Table(fields, path), index, service_id, address, port)
        if check.id in checks:
            raise UsageError(f"{path}.id: {shown(check.id)} is taken by a check before it")
        checks[check.id] = check
    return tuple(checks.values())
