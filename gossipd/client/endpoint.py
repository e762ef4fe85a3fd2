"""Where a daemon is asked: a unix socket's path or ``host:port``.

One place for the client, the command line and the daemon itself to find the
default (DESIGN: files, ports, names). The environment is handed in.
"""

from __future__ import annotations

from gossipd.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_VARIABLE = "GOSSIPD_SOCKET"
AUTH_VARIABLE = "GOSSIPD_RPC_AUTH"
SERF_ADDRESS_VARIABLE = "SERF_RPC_ADDR"
SERF_AUTH_VARIABLE = "SERF_RPC_AUTH"
SERF_RPC_PORT = 7373


class Endpoint:
    """A unix socket (``path``) or a TCP address (``host`` and ``port``)."""

    __slots__ = ("host", "path", "port")

    def __init__(self, path: str = "", host: str = "", port: int = 0) -> None:
        self.path = path
        self.host = host
        self.port = port

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def default_socket_path(environ: Mapping[str, str], user_id: int) -> str:
    """Return where the daemon of ``user_id`` has its socket when nothing is said.

    Args:
        environ: the environment; ``XDG_RUNTIME_DIR`` and ``HOME`` are looked at.
        user_id: effective user id, 0 is root.
    """
    if user_id == 0:
        return "/run/gossipd/gossipd.sock"
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"{runtime}/gossipd.sock"
    return f"{environ.get('HOME', '')}/.gossipd/gossipd.sock"


def find_endpoint(text: str | None, environ: Mapping[str, str], user_id: int) -> Endpoint:
    """Return the endpoint to ask: ``text``, else the environment's, else the default.

    ``GOSSIPD_SOCKET`` is looked at before Serf's ``SERF_RPC_ADDR``.

    Raises:
        UsageError: what was given is neither a path nor ``host:port``.
    """
    for given in (text, environ.get(SOCKET_VARIABLE), environ.get(SERF_ADDRESS_VARIABLE)):
        if given:
            return parse_endpoint(given)
    return Endpoint(path=default_socket_path(environ, user_id))


def find_auth(text: str | None, environ: Mapping[str, str]) -> str:
    """Return the token to show: ``text``, else the environment's, else none."""
    return text or environ.get(AUTH_VARIABLE) or environ.get(SERF_AUTH_VARIABLE) or ""


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint that ``text`` names: with a slash or without a colon it is a path.

    ``unix:PATH``, ``host:port``, ``[v6]:port`` and ``:port`` (this host) are taken;
    ``host:`` and ``[v6]`` mean Serf's port 7373.

    Raises:
        UsageError: it is none of these.
    """
    path = text.removeprefix("unix:")
    if path != text or "/" in text or ":" not in text:
        if not path:
            raise UsageError(f"{text!r} names no socket")
        return Endpoint(path=path)
    host, _, port = text.rpartition(":")
    if text.startswith("[") and text.endswith("]"):
        host, port = text, ""
    port = port or str(SERF_RPC_PORT)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        raise UsageError(f"{text!r} is neither a socket's path nor host:port")
    host = host.removeprefix("[").removesuffix("]")
    return Endpoint(host=host or "127.0.0.1", port=int(port))
