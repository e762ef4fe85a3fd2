"""Tables into checks: what kind it is, what it looks at, and how often.

Targets that name no host or no port are completed with those of the service,
so that ``http = "/health"`` is enough. Nothing is resolved or connected here.
"""

from __future__ import annotations

from sys import intern

from gossipd.services.definition import (
    ALIAS,
    CHECK_KINDS,
    CRITICAL,
    HELD,
    HTTP,
    NAME_BYTES_MAX,
    PASSING,
    SCRIPT,
    STATUSES,
    TCP,
    TTL,
    CheckDefinition,
)
from gossipd.services.table import Table, is_printable, shown
from gossipd.value import fields_of

NAME_MAX = 128
ID_MAX = 160
"""Characters of a check's id: the service's, and what sets its checks apart."""
TARGET_MAX = 2048
"""Characters of a URL or address."""
ARGS_MAX, ARGS_BYTES_MAX = 64, 8192
HEADERS_MAX, HEADER_BYTES_MAX = 32, 1024
BODY_BYTES_MAX = 4096
INTERVAL_MIN = 0.1
"""Seconds between two runs, or two words of a provider; shorter ones are a slip."""
COUNT_MAX = 1000
LOCALHOST = "127.0.0.1"
_EVERYWHERE = ("", "0.0.0.0", "::")
_METHOD_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def read_check_table(
    table: Table, index: int, service_id: str, address: str, port: int
) -> CheckDefinition:
    """Return the check that ``table`` describes; see ``reading.read_check``.

    Raises:
        UsageError: a field is unknown, missing or cannot be.
    """
    kind = _read_kind(table)
    name = table.text("name", most=NAME_MAX, bytes_max=NAME_BYTES_MAX)
    check_id = table.text("id", most=ID_MAX, bytes_max=NAME_BYTES_MAX)
    check_id = check_id or _default_id(table, name, index, service_id)
    before_critical = table.whole("failures_before_critical", 1, 1, COUNT_MAX)
    # one failure must not take a service out of ``passing`` whose provider asked for more of them
    before_warning = table.whole("failures_before_warning", before_critical, 1, COUNT_MAX)
    if before_warning > before_critical:
        why = f"{before_warning} is above failures_before_critical, which is {before_critical}"
        raise table.refuse("failures_before_warning", why)
    host = LOCALHOST if address in _EVERYWHERE else address
    check = CheckDefinition(
        id=check_id,
        name=name,
        kind=kind,
        target=_read_target(table, kind, host, port),
        args=_read_args(table) if kind == SCRIPT else (),
        method=_read_method(table),
        headers=_read_headers(table),
        body=table.body("body", most=BODY_BYTES_MAX),
        verify_tls=table.flag("verify_tls", True),
        interval=table.seconds("interval", 10.0, low=INTERVAL_MIN),
        timeout=table.seconds("timeout", 10.0, low=0.001),
        ttl=table.seconds("ttl", 0.0, low=INTERVAL_MIN) if kind == TTL else 0.0,
        passes_needed=table.whole("passes_needed", 1, 1, COUNT_MAX),
        failures_before_warning=before_warning,
        failures_before_critical=before_critical,
        grace=table.seconds("grace", 0.0),
        deregister_after=table.seconds("deregister_after", 0.0),
        status=_read_status(table, kind),
        notes=table.text("notes", most=1024),
    )
    table.finish()
    return check


def default_status(kind: str) -> str:
    """Return what a check of that kind says before its first result, if nothing else was asked."""
    return PASSING if kind == HELD else CRITICAL


def default_check_id(service_id: str, index: int) -> str:
    """Return the id of a service's check that was given none; ``index`` is 0 of the first."""
    return f"service:{service_id}" if index == 0 else f"service:{service_id}:{index + 1}"


def _default_id(table: Table, name: str, index: int, service_id: str) -> str:
    if service_id:
        default = default_check_id(service_id, index)
        if len(default.encode("utf-8", "replace")) > NAME_BYTES_MAX:
            raise table.refuse("id", "missing; the service's own id leaves no room for one")
        return default
    if name:
        return name
    raise table.refuse("id", f"missing; a check of the node needs one, of 1 to {ID_MAX} characters")


def _read_kind(table: Table) -> str:
    kinds = [kind for kind in CHECK_KINDS if table.has(kind)]
    if HELD in kinds and not table.flag(HELD, True):
        kinds.remove(HELD)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise table.refuse(kinds[1], f"a check is of one kind, and there is {kinds[0]} too")
    remark = f" (kinds of checks are {', '.join(CHECK_KINDS)})"
    table.finish(*fields_of(CheckDefinition), remark=remark)  # perhaps an unknown kind
    raise table.refuse("", f"says not what to check; give one of {', '.join(CHECK_KINDS)}")


def _read_status(table: Table, kind: str) -> str:
    status = table.text("status") or default_status(kind)
    if status not in STATUSES:
        raise table.refuse("status", f"{shown(status)} is not one of {', '.join(STATUSES)}")
    return STATUSES[STATUSES.index(status)]  # the same text in each


def _read_target(table: Table, kind: str, host: str, port: int) -> str:
    if kind == HTTP:
        return _read_url(table, host, port)
    if kind == TCP:
        return _read_endpoint(table, host, port)
    if kind == ALIAS:
        other = table.text(ALIAS, most=NAME_MAX)
        if not other:
            raise table.refuse(ALIAS, "empty; give the id of another service of this node")
        return other
    return ""


def _read_url(table: Table, host: str, port: int) -> str:
    """Return a whole URL from one, or from ``/path``, ``:port/path`` or ``http:/path``."""
    text = table.text(HTTP, most=TARGET_MAX)
    wanted = "is not a URL such as http://127.0.0.1:8080/health, nor a path such as /health"
    scheme, rest = "http", text
    for prefix in ("http:", "https:"):
        if text.lower().startswith(prefix):
            scheme, rest = prefix[:-1], text[len(prefix) :]
    if not text.isascii() or " " in text or "\\" in text:
        raise table.refuse(HTTP, f"{shown(text)} {wanted}")
    if rest.startswith("//"):
        where, slash, path = _split_path(rest[2:])
    elif rest.startswith((":", "/")):
        where, slash, path = _split_path(rest)
    else:
        raise table.refuse(HTTP, f"{shown(text)} {wanted}")
    where = _endpoint(table, HTTP, text, where, host, port, port_needed=not rest.startswith("//"))
    return f"{scheme}://{where}{slash or '/'}{path}"


def _split_path(text: str) -> tuple[str, str, str]:
    """Return where, the slash, and the rest of what follows the scheme."""
    for at, letter in enumerate(text):
        if letter in "/?#":
            return text[:at], "/", text[at + 1 :] if letter == "/" else text[at:]
    return text, "", ""


def _read_endpoint(table: Table, host: str, port: int) -> str:
    """Return host:port from that, ``:port``, a port alone, or a host alone."""
    given = table.raw(TCP)
    if isinstance(given, int) and not isinstance(given, bool):
        return _joined(host, table.whole_of(TCP, given, 1, 65_535))
    text = table.text(TCP, most=TARGET_MAX)
    if text.isascii() and text.isdigit():
        text = f":{text}"
    return _endpoint(table, TCP, text, text, host, port, port_needed=True)


def _endpoint(
    table: Table, field: str, text: str, where: str, host: str, port: int, *, port_needed: bool
) -> str:
    """Return ``where`` (host, host:port or :port) with what it lacks; ``text`` was given."""
    named, colon, digits = where.rpartition(":")
    if not colon or where.endswith("]"):
        named, digits = where, ""
    bare = named[1:-1] if named.startswith("[") and named.endswith("]") else named
    is_v6 = named != bare
    allowed = is_printable(bare) and not any(c in bare for c in " /[]@?#,;\"'\\")
    if not allowed or (":" in bare) != is_v6 or (colon and not digits and not is_v6):
        raise table.refuse(field, f"{shown(text)}: give host:port, [v6]:port or :port")
    bare = bare or host
    if digits:
        return _joined(bare, table.whole_of(field, digits, 1, 65_535))
    if not port_needed and named:
        return f"[{bare}]" if ":" in bare else bare
    if not port:
        raise table.refuse(field, f"{shown(text)} has no port, and the service has none either")
    return _joined(bare, port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _read_args(table: Table) -> tuple[str, ...]:
    """Return a command as a list; text is split as a shell does, but no shell is run."""
    given = table.raw(SCRIPT)
    if isinstance(given, str | bytes):
        import shlex  # few registrations have scripts

        try:
            given = shlex.split(table.body(SCRIPT, most=ARGS_BYTES_MAX))
        except ValueError as error:
            raise table.refuse(SCRIPT, f"cannot be split: {error}") from None
    wanted = 'give ["command", "argument"], or text that is split as a shell does'
    if not isinstance(given, list | tuple) or not given or not given[0]:
        raise table.refuse(SCRIPT, f"{shown(given)} is no command; {wanted}")
    if len(given) > ARGS_MAX:
        raise table.refuse(SCRIPT, f"{len(given)} arguments; at most {ARGS_MAX} are taken")
    args = []
    for index, item in enumerate(given):
        text = item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else item
        if not isinstance(text, str) or "\0" in text or not _is_utf8(text):
            raise table.refuse(f"{SCRIPT}[{index}]", f"{shown(item)} is not text; {wanted}")
        args.append(text)
    if sum(len(arg.encode()) for arg in args) > ARGS_BYTES_MAX:
        raise table.refuse(SCRIPT, f"more than {ARGS_BYTES_MAX} bytes")
    return tuple(args)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_method(table: Table) -> str:
    method = table.text("method", "GET", most=32).upper()
    if not method or not _METHOD_LETTERS.issuperset(method):
        raise table.refuse("method", f"{shown(method)} is not a method such as GET or HEAD")
    return intern(method)


def _read_headers(table: Table) -> tuple[tuple[str, str], ...]:
    """Return pairs from a table of texts, or from a list of pairs (a header may come twice)."""
    given = table.raw("headers")
    pairs: list[tuple[str, str]] = []
    if isinstance(given, list | tuple):
        for index, pair in enumerate(given):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise table.refuse(f"headers[{index}]", f"{shown(pair)} is not a name and a value")
            one = Table({"name": pair[0], "value": pair[1]}, table.path_of(f"headers[{index}]"))
            pairs.append((one.text("name"), one.text("value", most=HEADER_BYTES_MAX)))
    else:
        found = table.text_map(
            "headers", count_max=HEADERS_MAX, key_max=128, value_max=HEADER_BYTES_MAX
        )
        pairs = list(found.items())
    if len(pairs) > HEADERS_MAX:
        raise table.refuse("headers", f"{len(pairs)} of them; at most {HEADERS_MAX} are taken")
    for name, value in pairs:
        if not name or not _TOKEN.issuperset(name) or not is_printable(value):
            raise table.refuse("headers", f"{shown(name)}: no header has such a name or value")
    return tuple(pairs)
