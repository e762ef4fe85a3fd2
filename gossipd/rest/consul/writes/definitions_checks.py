"""Definitions of checks in Consul's words, as our own values (consul-http.md, section 10.2).

One kind per check; what gossipd does not run is refused by name, so that nobody
believes to be watched who is not.
"""

from __future__ import annotations

from gossipd.errors import UsageError
from gossipd.rest.consul.writes.bodies import Fields, Pairs, refused, shown_json
from gossipd.services.definition import (
    ALIAS,
    HTTP,
    SCRIPT,
    STATUSES,
    TCP,
    TTL,
    CheckDefinition,
)
from gossipd.services.reading import read_check

INTERVAL_LEAST = 1.0
"""Seconds between two runs that Consul's clients can ask for at least; less is taken as this."""
DEREGISTER_LEAST = 60.0
"""The same of ``DeregisterCriticalServiceAfter``."""
SHORT_INTERVAL = 10.0
"""Below it a run may take no longer than the interval."""
TIMEOUT, SCRIPT_TIMEOUT = 10.0, 30.0
COUNT_MAX = 1000
NOTES_MAX = 1024
SCRIPTS_OFF = "Invalid check: scripts are not taken; the option is http.script_checks"
UNSUPPORTED = "Invalid check: type not supported by gossipd"
_KINDS = {"HTTP": HTTP, "TCP": TCP, "TTL": TTL, "Args": SCRIPT, "AliasService": ALIAS}
_NOT_OURS = {
    "GRPC": "GRPC",
    "UDP": "UDP",
    "H2PING": "H2PING",
    "DockerContainerID": "Docker",
    "OSService": "OSService",
    "Script": "Script, give Args",
}
_UNHEEDED = ("TLSServerName", "TCPUseTLS", "DisableRedirects")
"""What would make a verdict of ours another one than was asked for."""
_THEIR_NAMES = {
    "id": "ID",
    "http": "HTTP",
    "tcp": "TCP",
    "ttl": "TTL",
    "alias": "AliasService",
    "script": "Args",
    "headers": "Header",
    "deregister_after": "DeregisterCriticalServiceAfter",
    "passes_needed": "SuccessBeforePassing",
}


def read_check_definition(
    fields: Fields, *, node: str, takes_scripts: bool, address: str = "", port: int = 0
) -> CheckDefinition:
    """Return the check of ``PUT /v1/agent/check/register``.

    Args:
        fields: its body.
        node: name of this node.
        takes_scripts: whether this client may have commands run.
        address, port: of its service, to complete targets that name none.

    Raises:
        Refused: 400 with the field and what would be taken.
    """
    name = fields.text("Name")
    if not name:
        raise refused("Missing check name")
    table = check_table(
        fields, default_id=name, default_name=name, node=node, takes_scripts=takes_scripts
    )
    try:
        return read_check(table, path="check", address=address, port=port)
    except UsageError as error:
        raise refused(translated(str(error).removeprefix("check."))) from None


def check_table(
    fields: Fields, *, default_id: str, default_name: str, node: str, takes_scripts: bool
) -> dict[str, object]:
    """Return our table of a check; ``node`` is the name of this one.

    Raises:
        Refused: 400, it is of no kind that is offered, or of two, or its times cannot be.
    """
    label, kind = _kind_of(fields)
    table: dict[str, object] = {
        "id": fields.text("CheckID") or fields.text("ID") or default_id,
        "name": fields.text("Name") or default_name,
        "notes": read_notes(fields),
    }
    table |= _times_of(fields, label, kind)
    if kind == SCRIPT:
        if not takes_scripts:
            raise refused(SCRIPTS_OFF)
        table[SCRIPT] = fields.texts("Args") or fields.texts("ScriptArgs")
    elif kind == ALIAS:
        if fields.text("AliasNode") not in ("", node):
            raise refused("Invalid check: AliasNode: only services of this node are followed")
        table[ALIAS] = fields.text("AliasService")
    elif kind == TTL:
        table[TTL] = fields.seconds("TTL")
    else:
        table[kind] = fields.text(label)
    if kind == HTTP:
        table |= _request_of(fields)
    status = read_status(fields)
    return table | _thresholds_of(fields) | ({"status": status} if status else {})


def read_notes(fields: Fields) -> str:
    """Return what a check is about, on one line and cut."""
    return " ".join(fields.text("Notes").split())[:NOTES_MAX]


def read_status(fields: Fields) -> str:
    """Return what a check says before its first result; empty if nothing was said.

    Raises:
        Refused: 400, it is no status.
    """
    status = fields.text("Status")
    if status and status not in STATUSES:
        raise refused("Status for checks must be 'passing', 'warning', 'critical'")
    return status


def _kind_of(fields: Fields) -> tuple[str, str]:
    """Return how the API calls the kind, and how we do."""
    for label, shown in _NOT_OURS.items():
        if fields.raw(label) not in (None, ""):
            raise refused(f"{UNSUPPORTED}: {shown}")
    for label in _UNHEEDED:
        if fields.raw(label) not in (None, "", False):
            raise refused(f"Invalid check: {label} is not supported by gossipd")
    found = [label for label in ("HTTP", "TCP") if fields.text(label)]
    if fields.raw("Args") or fields.raw("ScriptArgs"):
        found.append("Args")
    if fields.text("AliasService"):
        found.append("AliasService")
    elif fields.text("AliasNode"):
        raise refused(f"{UNSUPPORTED}: alias of a node, give AliasService")
    if fields.seconds("TTL") or (not found and fields.raw("TTL") is not None):
        found.append("TTL")
    if len(found) == 2 and found[0] in ("HTTP", "TCP", "Args") and found[1] == "TTL":
        raise refused("Invalid check: Interval and TTL cannot both be specified")
    if len(found) > 1:
        raise refused(f"Invalid check: one of {found[0]} and {found[1]} is taken, not both")
    if not found:
        raise refused("Invalid check: no type; HTTP, TCP, TTL, Args or AliasService is taken")
    return found[0], _KINDS[found[0]]


def _times_of(fields: Fields, label: str, kind: str) -> dict[str, object]:
    interval, timeout = fields.seconds("Interval"), fields.seconds("Timeout")
    after = fields.seconds("DeregisterCriticalServiceAfter")
    for field, value in (("Timeout", timeout), ("DeregisterCriticalServiceAfter", after)):
        if value < 0:
            raise fields.refuse(field, f"{shown_json(fields.raw(field))} is below 0")
    times: dict[str, object] = {}
    if after:
        times["deregister_after"] = max(after, DEREGISTER_LEAST)
    if kind == TTL:
        if interval:
            raise refused("Invalid check: Interval and TTL cannot both be specified")
        if fields.seconds("TTL") <= 0:
            raise refused("Invalid check: TTL must be > 0 for TTL checks")
    elif kind != ALIAS:
        if interval <= 0:
            raise refused(f"Invalid check: Interval must be > 0 for {label} checks")
        interval = max(interval, INTERVAL_LEAST)
        timeout = timeout or (SCRIPT_TIMEOUT if kind == SCRIPT else TIMEOUT)
        if interval < SHORT_INTERVAL:
            timeout = min(timeout, interval)
        times |= {"interval": interval, "timeout": timeout}
    return times


def _request_of(fields: Fields) -> dict[str, object]:
    """Return what an HTTP check sends; a header may have a list of values, or one."""
    headers: list[list[str]] = []
    for name, values in fields.pairs("Header"):
        one = Fields(Pairs([(name, values)]), fields.path_of("Header"))
        headers += [[name, value] for value in one.texts(name)]
    return {
        "method": fields.text("Method") or "GET",
        "headers": headers,
        "body": fields.text("Body"),
        "verify_tls": not fields.flag("TLSSkipVerify"),
    }


def _thresholds_of(fields: Fields) -> dict[str, object]:
    """Return how many results in a row turn the status: 0 and 1 mean the same."""
    passes = fields.whole("SuccessBeforePassing", 0, 0, COUNT_MAX)
    critical = fields.whole("FailuresBeforeCritical", 0, 0, COUNT_MAX)
    warning = fields.whole("FailuresBeforeWarning", 0, 0, COUNT_MAX) or critical
    fields.whole("OutputMaxSize", 0, 0, 2**31 - 1)  # we keep the usual 4 KiB, whatever is said
    if max(warning, 1) > max(critical, 1):
        raise refused("Invalid check: FailuresBeforeWarning is above FailuresBeforeCritical")
    return {
        "passes_needed": max(passes, 1),
        "failures_before_critical": max(critical, 1),
        "failures_before_warning": max(warning, 1),
    }


def translated(text: str) -> str:
    """Return one of our messages about a table with the names that the API has for its fields."""
    path, colon, why = text.partition(": ")
    if not colon or " " in path:
        return text
    words = path.split(".")
    shown = [_their_name(word) for word in words]
    if words[0] == "tagged_addresses":
        shown[1:2] = words[1:2]  # a label is the user's
    elif words[0] == "meta":
        shown[1:] = words[1:]  # and so are keys
    return f"{'.'.join(shown)}: {why}"


def _their_name(field: str) -> str:
    bare, bracket, index = field.partition("[")
    name = _THEIR_NAMES.get(bare) or "".join(part.capitalize() for part in bare.split("_"))
    return f"{name}{bracket}{index}"
