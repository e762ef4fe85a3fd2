"""TLS of the HTTP face: certificate and key, and new ones when their files change."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

from gossipd.errors import ConfigError

LOOK_SECONDS = 1.0
"""The files are looked at for a new client, at most this often."""


def load_context(cert: str, key: str) -> ssl.SSLContext:
    """Return what a server with this certificate (PEM, its chain behind it) needs.

    Raises:
        ConfigError: a file cannot be read, or the two do not fit.
    """
    for setting, path in (("http.tls_cert", cert), ("http.tls_key", key)):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise ConfigError(f"{setting} {path}: {error.strerror}", key=setting) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # in TLS 1.2: a handshake more whenever they like
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        text = f"http.tls_cert {cert} and http.tls_key {key} cannot be used: {reason}"
        raise ConfigError(text, key="http.tls_cert") from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password; take it off, nobody could type it")


class Certificate:
    """The certificate that new clients are shown.

    Files that changed are loaded for the next client; what cannot be used is told once, and
    clients are shown the former certificate.

    Raises:
        ConfigError: it cannot be used.
    """

    def __init__(self, cert: str, key: str, log: Callable[[str, str], None]) -> None:
        self._paths = cert, key
        self._log = log
        self._marks = self._look()
        self._looked_at = float("-inf")
        self._context = load_context(cert, key)

    def context(self, now: float) -> ssl.SSLContext:
        """Return what a client that comes now is served with."""
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            marks = self._look()
            if marks != self._marks:
                self._marks = marks
                self._load()
        return self._context

    def _load(self) -> None:
        try:
            self._context = load_context(*self._paths)
        except ConfigError as error:
            self._log("ERR", f"agent.http: Keeping the former certificate: {error}")
        else:
            self._log("INFO", f"agent.http: Loaded a new certificate: {self._paths[0]}")

    def _look(self) -> tuple[tuple[int, ...] | None, ...]:
        """Return what changes with the files; links are followed."""
        marks: list[tuple[int, ...] | None] = []
        for path in self._paths:
            try:
                found = os.stat(path)
            except OSError:
                marks.append(None)
            else:
                # the change of owner or mode, too: a file that could not be read can be now
                moments = found.st_mtime_ns, found.st_ctime_ns
                marks.append((found.st_ino, found.st_size, found.st_dev, *moments))
        return tuple(marks)
