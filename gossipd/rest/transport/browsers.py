"""Pages of others that have the operator's browser ask us, where no token guards us.

A browser takes a page from anywhere and lets it talk to 127.0.0.1. What the page reads from
another origin the browser hides from it, and it asks us first (``OPTIONS``) before it sends
a PUT, which we do not allow. Two ways are left, and end here: a name of the page's own
domain that suddenly stands for 127.0.0.1 (DNS rebinding; the browser then takes us for the
page's own server), which shows in ``Host``; and whatever a browser sends unasked, which shows
in ``Origin`` and ``Sec-Fetch-Site``. Programs send neither of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from gossipd.config.faces import HttpConfig
from gossipd.rest.values import Refused

PRIVATE = (
    "localhost", "local", "internal", "intranet", "private", "lan", "corp", "home", "home.arpa",
    "test", "consul",
)  # fmt: skip
"""Domains that nobody can own names of in public DNS."""
ABROAD = ("cross-site", "same-site")
"""Of ``Sec-Fetch-Site``: a page of another origin; another port is one, too."""


class Foreign(Refused):
    """A request that a page of somebody else's sends, as far as can be seen."""


class Hosts:
    """Which names of ours may stand in ``Host``."""

    def __init__(self, config: HttpConfig) -> None:
        own = host_of(config.addr)
        self._names = {own, *(name.lower().removesuffix(".") for name in config.hosts)}
        self._are_strict = (
            bool(config.hosts) or not (config.token or config.insecure) or _is_loopback(own)
        )

    def check(self, headers: Mapping[str, str]) -> None:
        """Refuse a name that may be anybody's.

        Where others than this machine are served without a token nothing is looked at, unless
        ``http.hosts`` says what our names are: there we are reached by names of any domain.

        Raises:
            Foreign: 403.
        """
        host = host_of(headers.get("host", ""))
        if not self._are_strict or host in self._names or is_nobodys(host):
            return
        raise Foreign(403, "Host is not a name of ours: add it to http.hosts, or set a token")


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another origin sends.

    Raises:
        Foreign: 403.
    """
    origin = headers.get("origin")
    is_foreign = origin is not None and (
        origin.partition("://")[2].lower() != headers.get("host", "").lower()
    )
    if is_foreign or headers.get("sec-fetch-site", "") in ABROAD:
        raise Foreign(403, "A page of another origin may not command gossipd")


def is_nobodys(host: str) -> bool:
    """Return whether no owner of a domain can have ``host`` stand for what he likes."""
    if "." not in host or any(host.endswith(f".{domain}") for domain in PRIVATE):
        return True
    return _is_address(host)


def host_of(authority: str) -> str:
    """Return the host of ``host:port``, in lower case, without brackets and without a last dot."""
    host = authority.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
