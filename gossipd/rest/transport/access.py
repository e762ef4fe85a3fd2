"""Who may ask: tokens of two levels, compared in constant time.

What no token guards is guarded against pages of others in a browser (``browsers.py``). A
token comes as ``Authorization: Bearer``, ``X-Consul-Token`` or ``?token=``. It is looked at
here and nowhere else: neither handlers nor log lines nor errors hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gossipd.config.faces import HttpConfig
from gossipd.rest.transport.browsers import Hosts, check_origin
from gossipd.rest.values import OPEN, READ, WRITE, Refused

HEADERS = ("authorization", "x-consul-token")
"""What carries tokens."""


def without_tokens(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``headers`` as handlers may see them."""
    if not any(name in headers for name in HEADERS):
        return headers
    return {name: value for name, value in headers.items() if name not in HEADERS}


class Access:
    """What the tokens of the configuration allow."""

    def __init__(self, config: HttpConfig) -> None:
        self._write = config.token.encode()
        self._read = config.read_token.encode()
        self._hosts = Hosts(config)

    def check(self, level: str, headers: Mapping[str, str], in_query: Sequence[str]) -> None:
        """Let those pass who may do what needs ``level``.

        Args:
            in_query: values of ``?token=``.

        Raises:
            Refused: 401, no token was shown; 403, it does not allow this, or none is needed
                and somebody else's page asks.
        """
        if level == OPEN:
            return
        if not self._write or (level == READ and not self._read):
            self._hosts.check(headers)
            if level == WRITE:
                check_origin(headers)
            return
        shown = [*_tokens(headers), *[value.encode() for value in in_query if value]]
        if not shown:
            raise Refused(401, "A token is needed", ("WWW-Authenticate", 'Bearer realm="gossipd"'))
        allowed = [self._write] if level != READ else [self._write, self._read]
        verdicts = [_equal(token, wanted) for token in shown for wanted in allowed]
        if True not in verdicts:  # all were compared, so that the time tells nothing
            raise Refused(403, "Permission denied")


def _tokens(headers: Mapping[str, str]) -> Iterator[bytes]:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        yield credentials.strip().encode()
    if headers.get("x-consul-token"):
        yield headers["x-consul-token"].encode()


def _equal(shown: bytes, wanted: bytes) -> bool:
    from hmac import compare_digest  # brings OpenSSL: only where there are tokens

    return compare_digest(shown, wanted)
