"""What stands between method and version of a request: path and query, decoded once.

``%2F`` inside a segment stays in that segment. Nothing is tidied up: a path with ``.`` or
``..`` means what no client of ours asks for, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.rest.values import Refused
from gossipd.value import Value

SEGMENTS_MAX = 64
PARAMETERS_MAX = 256
SECRETS = frozenset({"token"})
"""Parameters that neither handlers nor logs ever see."""


class Target(Value):
    """Where a request goes.

    ``shown`` is path and query as they came, without secrets; ``secrets`` are their values.
    """

    segments: tuple[str, ...]
    query: Mapping[str, tuple[str, ...]]
    shown: str
    secrets: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The decoded path, for people."""
        return "/" + "/".join(self.segments)


def read_target_untrusted(raw: bytes) -> Target:
    """Return where a request goes.

    Args:
        raw: as it stands in the request line; ``http://host/path`` is taken as well, and
            ``*`` as the path ``*``.

    Raises:
        Refused: 400, it is no path and query of UTF-8.
    """
    if raw == b"*":
        return Target(("*",), {}, "*")
    raw = raw.partition(b"#")[0]
    path, mark, query = _origin_form(raw).partition(b"?")
    parts = path[1:].split(b"/")
    if len(parts) > SEGMENTS_MAX:
        raise Refused(400, "Invalid path: too many segments")
    segments = tuple([decode(part, "path") for part in parts])
    if any(segment in (".", "..") for segment in segments):
        raise Refused(400, "Invalid path: it holds . or ..")
    if not query:
        return Target(segments, {}, path.decode("latin-1"))
    parameters, shown, secrets = _read_query(query)
    return Target(
        segments, parameters, (path + mark).decode("latin-1") + "&".join(shown), tuple(secrets)
    )


def _origin_form(raw: bytes) -> bytes:
    if raw.startswith(b"/"):
        return raw
    scheme, _, rest = raw.partition(b"://")
    if scheme.lower() not in (b"http", b"https"):
        raise Refused(400, "Invalid path: it begins with /")
    after_host = len(rest) - len(rest.lstrip(b"/"))
    slash = min(at for at in (rest.find(b"/", after_host), rest.find(b"?"), len(rest)) if at >= 0)
    return rest[slash:] if rest[slash : slash + 1] == b"/" else b"/" + rest[slash:]


def _read_query(raw: bytes) -> tuple[dict[str, tuple[str, ...]], list[str], list[str]]:
    pairs = raw.split(b"&")
    if len(pairs) > PARAMETERS_MAX:
        raise Refused(400, f"Too many parameters, at most {PARAMETERS_MAX}")
    values: dict[str, tuple[str, ...]] = {}
    shown: list[str] = []
    secrets: list[str] = []
    for pair in pairs:
        if not pair:
            continue
        name_part, _, value_part = pair.partition(b"=")
        name = decode(name_part.replace(b"+", b" "), "query")
        value = decode(value_part.replace(b"+", b" "), "query")
        if name.lower() in SECRETS:
            secrets.append(value)
            shown.append(f"{name}=hidden")
            continue
        values[name] = (*values[name], value) if name in values else (value,)
        shown.append(pair.decode("latin-1"))
    return values, shown, secrets


def decode(part: bytes, where: str) -> str:
    """Return ``part`` with its percent signs read, once.

    Raises:
        Refused: 400, a broken escape, bytes that are not UTF-8, or a control character (in
            a query only NUL: texts of several lines are passed there).
    """
    if b"%" in part:
        first, *rest = part.split(b"%")
        made = bytearray(first)
        for piece in rest:
            made.append(_byte_of(piece[:2], where))
            made += piece[2:]
        part = bytes(made)
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, f"Invalid {where}: it is not UTF-8") from None
    if "\0" in text or (where == "path" and any(ord(c) < 32 or ord(c) == 127 for c in text)):
        raise Refused(400, f"Invalid {where}: it holds a control character")
    return text


def _byte_of(digits: bytes, where: str) -> int:
    try:
        if len(digits) == 2 and digits.isalnum():
            return int(digits, 16)
    except ValueError:
        pass
    raise Refused(400, f"Invalid {where}: two hexadecimal digits follow %")
