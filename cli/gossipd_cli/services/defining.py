"""The flags that describe a service, for ``register`` and ``run``; and files that do."""

from __future__ import annotations

import sys

from gossipd.errors import UsageError
from gossipd_cli.plain import Option, as_pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gossipd.services.definition import Service

DEFINING_OPTIONS = (
    Option("--id", help="Unique on this node (default: the name).", metavar="ID"),
    Option("--address", help="Where it answers (default: this node's).", metavar="HOST"),
    Option("--port", help="The port where it answers.", kind="count", metavar="PORT"),
    Option("--tag", help="A tag; repeatable.", kind="repeat", metavar="TAG"),
    Option("--meta", help="Text for consumers; repeatable.", kind="pairs", metavar="KEY=VALUE"),
    Option(
        "--tagged-address",
        help="A further address by its purpose, as lan=10.0.0.1:80; repeatable.",
        kind="pairs",
        metavar="LABEL=HOST:PORT",
    ),
    Option("--zone", help="Where it is (default: this node's zone).", metavar="ZONE"),
    Option(
        "--needs",
        help="A service it depends on; repeatable.",
        kind="repeat",
        metavar="NAME",
        offers="services",
    ),
    Option("--weight", help="Its share of requests, 0 to 65535.", kind="count", metavar="N"),
    Option(
        "--warning-weight",
        help="The same while a check warns.",
        kind="count",
        metavar="N",
    ),
    Option(
        "--check",
        help="http:/health, http:URL, tcp, tcp:PORT, ttl:30s, script:CMD, alias:ID, held;"
        " repeatable. The options below are for all of them.",
        kind="repeat",
        metavar="CHECK",
    ),
    Option("--interval", help="Between two checks.", kind="number", metavar="SECONDS"),
    Option("--timeout", help="Of one check.", kind="number", metavar="SECONDS"),
    Option("--passes", help="Good results that make it passing.", kind="count", metavar="N"),
    Option("--failures", help="Bad results that make it critical.", kind="count", metavar="N"),
    Option(
        "--grace",
        help="So long after the start bad results do not count.",
        kind="number",
        metavar="SECONDS",
    ),
    Option(
        "--deregister-after",
        help="Deregister it when it was critical for so long.",
        kind="number",
        metavar="SECONDS",
    ),
)
"""Without the name, which ``register`` and ``run`` take in different places."""

_PLAIN = ("id", "address", "port", "zone", "weight", "warning_weight")
_OF_CHECKS = {
    "interval": "interval",
    "timeout": "timeout",
    "passes": "passes_needed",
    "failures": "failures_before_critical",
    "grace": "grace",
    "deregister_after": "deregister_after",
}
_TIMED = ("http", "tcp", "script")
"""Kinds that are run again and again; of the others nothing has an interval."""
FILE_BYTES_MAX = 1 << 20


def read_definition(values: Mapping[str, Any], name: str | None) -> Service:
    """Return the service that the flags describe.

    Raises:
        UsageError: it is none; the text names the flag or field.
    """
    from gossipd.services.reading import read_service

    if not name:
        raise UsageError("say the name of the service")
    return read_service(definition_fields(values, name))


def definition_fields(values: Mapping[str, Any], name: str) -> dict[str, object]:
    """Return the flags as the table that files have."""
    fields: dict[str, object] = {"name": name}
    for key in _PLAIN:
        if values[key] is not None:
            fields[key] = values[key]
    for key, field in (("tag", "tags"), ("needs", "needs")):
        if values[key]:
            fields[field] = list(values[key])
    if values["meta"]:
        fields["meta"] = as_pairs(values["meta"])
    if values["tagged_address"]:
        fields["tagged_addresses"] = as_pairs(values["tagged_address"])
    common = {field: values[key] for key, field in _OF_CHECKS.items() if values[key] is not None}
    if common and not values["check"]:
        flag = next(key for key in _OF_CHECKS if values[key] is not None).replace("_", "-")
        raise UsageError(f"--{flag} is of a check: name one with --check")
    if values["check"]:
        checks = [check_fields(text, common) for text in values["check"]]
        _refuse_unused(values, checks)
        fields["checks"] = checks
    return fields


def _refuse_unused(values: Mapping[str, Any], checks: Sequence[Mapping[str, object]]) -> None:
    """Refuse a flag that no check of the line takes."""
    for key, field in _OF_CHECKS.items():
        if values[key] is not None and not any(field in check for check in checks):
            flag = key.replace("_", "-")
            raise UsageError(f"--{flag} is of {', '.join(_TIMED)} checks, and there is none")


def check_fields(text: str, common: Mapping[str, object]) -> dict[str, object]:
    """Return the table of the check that ``KIND`` or ``KIND:TARGET`` stands for.

    Raises:
        UsageError: there is no such kind, or it lacks its target.
    """
    kind, _, target = text.partition(":")
    fields: dict[str, object]
    if kind in ("http", "https"):
        fields = {"http": text if target else f"{kind}:/"}
    elif kind == "tcp":
        fields = {"tcp": target}  # a port, host:port, or nothing: the service's own
    elif kind in ("ttl", "script", "alias"):
        if not target:
            example = {"ttl": "ttl:30s", "script": "script:CMD", "alias": "alias:ID"}[kind]
            raise UsageError(f"--check {text}: say {example}")
        fields = {kind: target}
    elif text == "held":
        fields = {"held": True}
    else:
        raise UsageError(
            f"--check {text}: give http:/PATH, http://URL, tcp, tcp:PORT, tcp:HOST:PORT,"
            " ttl:SECONDS, script:CMD, alias:ID or held"
        )
    is_timed = any(key in fields for key in _TIMED)
    return fields | {
        key: value
        for key, value in common.items()
        if is_timed or key in ("grace", "deregister_after")
    }


def read_files(path: str) -> list[Service]:
    """Return the services of a TOML or JSON file, ``-`` for standard input.

    A file has one service as its keys, or several under ``service``.

    Raises:
        UsageError: it cannot be read, or describes none; the text names file and field.
    """
    from gossipd.services.reading import read_service

    shown = "standard input" if path == "-" else path
    table = _parse(_text(path, shown), shown)
    found = table.get("service", table.get("services", table))
    tables = found if isinstance(found, list) else [found]
    if found is not table and len(table) > 1:
        other = next(key for key in table if key not in ("service", "services"))
        raise UsageError(f"{shown}: {other}: unknown beside the list of services")
    services = []
    for index, fields in enumerate(tables):
        where = f"{shown}: service[{index}]" if len(tables) > 1 else shown
        if not isinstance(fields, dict):
            raise UsageError(f"{where}: is no table")
        try:
            services.append(read_service(fields))
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    if not services:
        raise UsageError(f"{shown}: describes no service")
    return services


def _text(path: str, shown: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror or error}") from error
    if len(data) > FILE_BYTES_MAX:
        raise UsageError(f"{shown}: is larger than {FILE_BYTES_MAX} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: is not UTF-8") from error


def _parse(text: str, shown: str) -> dict[str, Any]:
    begin = text.lstrip()
    if begin.startswith("{") or (begin.startswith("[") and begin[1:].lstrip().startswith("{")):
        import json

        try:
            found = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{shown}: {error}") from error
        return found if isinstance(found, dict) else {"service": found}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown}: {error}") from error
