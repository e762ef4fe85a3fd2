"""Parameters of a request in Go's words: flags, durations, an index; and what is not offered.

Unknown parameters are ignored, as Consul does (consul-http.md, sections 2 and 3).
"""

from __future__ import annotations

from gossipd.duration import read_duration
from gossipd.rest.values import Refused, Request

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
INDEX_MAX = 2**64 - 1
NOT_OFFERED = {
    "ns": "namespaces",
    "partition": "partitions",
    "peer": "peers",
}
_BY_HEADER = {"x-consul-namespace": "namespaces", "x-consul-partition": "partitions"}


def flag(request: Request, name: str, default: bool = False) -> bool:
    """Return whether a flag is set: by ``true`` in Go's spellings, or given without a value.

    Raises:
        Refused: 400, it is no boolean.
    """
    values = request.query.get(name)
    if values is None:
        return default
    if not values[0] or values[0] in TRUE:
        return True
    if values[0] in FALSE:
        return False
    raise Refused(400, f"Invalid value for ?{name}")


def index_of(request: Request) -> int:
    """Return ``?index=``, 0 without.

    Raises:
        Refused: 400, it is no unsigned number of 64 bits.
    """
    text = request.first("index")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= INDEX_MAX):
        raise Refused(400, "Invalid index")
    return int(text)


def duration_of(request: Request, name: str, default: float, fault: str = "") -> float:
    """Return a parameter that is a Go duration **with** a unit, in seconds.

    Args:
        fault: what is answered to something else.

    Raises:
        Refused: 400, it is none, or below 0.
    """
    text = request.first(name)
    if not text:
        return default
    try:
        if text != "0" and not text[-1].isalpha():
            raise ValueError
        return read_duration(text.removeprefix("+"))
    except ValueError:
        raise Refused(400, fault or f"Invalid value for ?{name}") from None


def wait_of(request: Request, default: float) -> float:
    """Return ``?wait=`` in seconds, however absurd; the caller has a cap.

    Raises:
        Refused: 400, as ``duration_of``.
    """
    return duration_of(request, "wait", default, "Invalid wait time")


def refuse_tenants(request: Request) -> None:
    """Let only requests pass that mean the one namespace, partition and cluster there is.

    Raises:
        Refused: 400, another one is meant.
    """
    for name, feature in NOT_OFFERED.items():
        for value in request.query.get(name, ()):
            if value not in ("", "default"):
                raise Refused(400, f"Invalid value for ?{name}: {feature} are not offered")
    for header, feature in _BY_HEADER.items():
        if request.headers.get(header, "") not in ("", "default"):
            raise Refused(400, f"Invalid {header}: {feature} are not offered")


def local_datacenter(request: Request, own: str) -> None:
    """Let only requests pass that mean our own datacenter, or none.

    Raises:
        Refused: 500, another one is meant.
    """
    if any(value not in ("", own) for value in request.query.get("dc", ())):
        raise Refused(500, "No path to datacenter")
