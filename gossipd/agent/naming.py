"""What HTTP and DNS make of this node's name, if they cannot show it as it is.

Only for the log at start: no name is refused, for members of any name are told of.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_letters, digits

LABEL_BYTES_MAX = 63
"""Of one part of a DNS name (RFC 1035, section 2.3.4)."""
_HOST = frozenset(ascii_letters + digits + "-._")
BETTER = f"better are letters, digits and hyphens, at most {LABEL_BYTES_MAX}"


def warning_of_name(name: str, *, by_http: bool, by_dns: bool) -> str:
    """Return what follows for those who ask about the node, and what would be better.

    Empty if nothing follows.

    Args:
        by_http, by_dns: whether this daemon answers it.
    """
    found = [*(_by_http(name) if by_http else ()), *(_by_dns(name) if by_dns else ())]
    return f"node name {name!a}: {', '.join(found)}; {BETTER}" if found else ""


def _by_http(name: str) -> Iterator[str]:
    if _is_odd(name):
        yield "it is no UTF-8, so HTTP shows ? for what is not"
    elif not name.isprintable():
        yield "it has characters that do not print, so clients of HTTP may show another one"


def _by_dns(name: str) -> Iterator[str]:
    labels = [label.encode("utf-8", "surrogateescape") for label in name.split(".")]
    if not all(0 < len(label) <= LABEL_BYTES_MAX for label in labels):
        yield f"it has no labels of 1 to {LABEL_BYTES_MAX} bytes, so DNS points to its address"
    elif not _HOST.issuperset(name):
        yield "it is none of a host, so DNS points to its address"
    elif "_" in name:
        yield "many resolvers and all of TLS refuse a host name with _"
    elif "." in name:
        yield "DNS takes its dots for the ends of labels, which wildcards do not cover"


def _is_odd(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)
