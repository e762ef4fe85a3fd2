"""Seeds behind DNS SRV records (RFC 2782): one name, many hosts, each with its port.

Asked through dnspython's resolver on trio, which is loaded when the first
such seed is tried: the system's own resolver knows no SRV records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from gossipd.errors import Unavailable
from gossipd.value import Value

if TYPE_CHECKING:
    import dns.asyncresolver


class ServiceHost(Value):
    """One host that offers a service, by name, and the port it does so on."""

    host: str
    port: int


ServiceLookUp: TypeAlias = Callable[[str], Awaitable[list[ServiceHost]]]


def is_service(host: str) -> bool:
    """Return whether ``host`` names a service, as ``_gossip._tcp.example.org``."""
    labels = host.lower().split(".")
    return len(labels) > 2 and labels[0][:1] == "_" and labels[1] in ("_tcp", "_udp")


async def look_up_service(
    name: str, make_resolver: Callable[[], dns.asyncresolver.Resolver] | None = None
) -> list[ServiceHost]:
    """Return the hosts of the service ``name``, those of the best priority first.

    Args:
        name: the whole name, no search list is tried.
        make_resolver: by default one with the name servers of this machine, which
            are read anew each time.

    Raises:
        Unavailable: no such name, no answer, or no resolver is configured.
    """
    import dns.asyncresolver
    import dns.exception

    try:
        resolver = (make_resolver or dns.asyncresolver.Resolver)()
        answer = await resolver.resolve(name, "SRV", search=False)
    except dns.exception.DNSException as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise Unavailable(f"lookup {name}: {reason}") from error
    except OSError as error:
        raise Unavailable(f"lookup {name}: {error.strerror or error}") from error
    records = sorted(answer, key=lambda record: (record.priority, -record.weight))
    # the root as target says that the service is decidedly not available
    return [
        ServiceHost(record.target.to_text(omit_final_dot=True), record.port)
        for record in records
        if record.target.labels != (b"",)
    ]
