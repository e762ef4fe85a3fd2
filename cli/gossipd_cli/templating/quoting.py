"""Filters of templates: a value of somebody else, written so that it stays one value.

Each is for one language. None refuses: what cannot be written is replaced, so
that no instance can keep a whole configuration from being written.
"""

from __future__ import annotations

import hashlib
import re
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

HAPROXY_WEIGHT_MAX = 256
CHECKSUM_DIGITS = 12
_CHECKSUMMED = re.compile(rf".*_[0-9a-f]{{{CHECKSUM_DIGITS}}}", re.DOTALL)
"""A name that looks as if we had made it; it must not meet one that we did make."""
_NOT_HAPROXY_NAME = re.compile(r"[^A-Za-z0-9_.:-]", re.ASCII)
_NOT_NGINX_NAME = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def haproxy_name(value: object) -> str:
    """Return a name of a proxy or server: letters, digits and ``-_.:`` as they are.

    Where anything had to be replaced a checksum makes the name unlike all others:
    HAProxy refuses two servers of one name, and then takes no change of anybody.
    """
    return _name(_NOT_HAPROXY_NAME, str(value))


def haproxy_quote(value: object) -> str:
    """Return one word of HAProxy's configuration, in strong quotes."""
    return "'" + _one_line(value).replace("'", "'\\''") + "'"


def nginx_name(value: object) -> str:
    """Return a name of an upstream group; see ``haproxy_name``."""
    return _name(_NOT_NGINX_NAME, str(value))


def nginx_quote(value: object) -> str:
    """Return one word of nginx's configuration; ``$``, which nginx cannot escape, is ``_``."""
    text = _one_line(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "_")
    return f'"{text}"'


def as_json(value: object, indent: int | None = None) -> str:
    """Return JSON: of texts, numbers, lists and maps, and of what templates are shown."""
    import json

    return json.dumps(value, indent=indent, sort_keys=True, default=_plain)


def shell_quote(value: object) -> str:
    """Return one word for a shell."""
    return shlex.quote(_one_line(value))


def scaled(weight: int, instances: Iterable[Any], most: int = HAPROXY_WEIGHT_MAX) -> int:
    """Return ``weight`` as it is, or in proportion if one of ``instances`` is above ``most``.

    Above 0 stays above 0.
    """
    highest = max([instance.weight for instance in instances], default=0)
    if highest <= most:
        return max(0, min(weight, most))
    return max(1, weight * most // highest) if weight > 0 else 0


FILTERS: dict[str, Callable[..., Any]] = {
    "haproxy_name": haproxy_name,
    "haproxy_quote": haproxy_quote,
    "nginx_name": nginx_name,
    "nginx_quote": nginx_quote,
    "json": as_json,
    "shell_quote": shell_quote,
    "scaled": scaled,
}
"""By the name that templates use."""


def _name(forbidden: re.Pattern[str], text: str) -> str:
    cleaned = forbidden.sub("_", text)
    if cleaned == text and text and not _CHECKSUMMED.fullmatch(text):
        return text
    return f"{cleaned or '_'}_{checksum(text)}"


def checksum(text: str) -> str:
    """Return a short text for ``text`` for which nobody can find a second one."""
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()[:CHECKSUM_DIGITS]


def _one_line(value: object) -> str:
    return _CONTROL.sub("_", str(value))


def _plain(value: object) -> object:
    from gossipd.value import Value, fields_of

    if isinstance(value, Value):
        return {field: getattr(value, field) for field in fields_of(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
