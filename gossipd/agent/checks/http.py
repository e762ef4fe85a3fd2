"""One HTTP(S) check: a request, the head of the answer, and the beginning of its body.

2xx passes, 429 (too many requests) warns, all else is critical, as with Consul.
A header ``X-Load`` tells the load of the service. Everything that the other side
can stretch is bounded: bytes of an exchange, redirects, and by the caller the time.
Written on h11; not for the client library, which brings programs their own.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

import h11
import trio

from gossipd.agent.checks.dial import Dial
from gossipd.agent.checks.result import Result, beginning, critical, load_from
from gossipd.services.definition import (
    CRITICAL,
    OUTPUT_BYTES_MAX,
    PASSING,
    WARNING,
    CheckDefinition,
)
from gossipd.value import Value, replace
from gossipd.version import __version__

HEAD_BYTES_MAX = 16 * 1024
READ_BYTES_MAX = 64 * 1024
"""Of one answer; what comes after that is not read."""
REDIRECTS_MAX = 5
SHOWN_URL_MAX = 256
_REDIRECTS = (301, 302, 303, 307, 308)
_TOO_MANY_REQUESTS = 429
_SECRETS = ("authorization", "cookie", "proxy-authorization")
_URL_SAFE = "/%:?#[]@!$&'()*+,;=~"

Contexts: TypeAlias = Callable[[bool], Awaitable[ssl.SSLContext]]
"""Returns how TLS is spoken, told whether certificates are to be verified."""


class Answer(Value):
    """What one exchange brought; ``body`` is its beginning."""

    status: int
    reason: str
    location: str
    load: float | None
    body: bytes


class TlsContexts:
    """How TLS is spoken, made when the first check asks for it: it reads many certificates."""

    def __init__(self) -> None:
        self._made: dict[bool, ssl.SSLContext] = {}

    async def get(self, verify: bool) -> ssl.SSLContext:
        """Return the one with or without a look at the certificate."""
        made = self._made.get(verify)
        if made is None:
            made = await trio.to_thread.run_sync(_context, verify)
            self._made[verify] = made
        return made


def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def check_http(check: CheckDefinition, dial: Dial, contexts: Contexts) -> Result:
    """Ask for ``check.target`` and judge the answer; the caller bounds the time."""
    request, seen = check, [check.target]
    while True:
        try:
            answer = await _exchange(request, dial, contexts)
        except (OSError, ValueError, h11.ProtocolError, trio.BrokenResourceError) as error:
            return critical(f"{request.method} {_shown(request.target)}: {_reason(error)}")
        if answer.status not in _REDIRECTS or not answer.location:
            return _judged(request, answer)
        try:
            request = _redirected(request, answer)
        except ValueError as error:
            return critical(f"{request.method} {_shown(request.target)}: {error}")
        if request.target in seen:
            return critical(f"redirected in a circle to {_shown(request.target)}")
        if len(seen) > REDIRECTS_MAX:
            return critical(f"redirected more than {REDIRECTS_MAX} times")
        seen.append(request.target)


def _judged(check: CheckDefinition, answer: Answer) -> Result:
    if 200 <= answer.status < 300:
        status = PASSING
    else:
        status = WARNING if answer.status == _TOO_MANY_REQUESTS else CRITICAL
    body = answer.body[:OUTPUT_BYTES_MAX].decode("utf-8", "replace")
    head = f"{check.method} {_shown(check.target)}: {answer.status} {answer.reason}".rstrip()
    return Result(status, beginning(f"{head}\n{body}" if body else head), answer.load)


def _redirected(check: CheckDefinition, answer: Answer) -> CheckDefinition:
    """Return the request that ``answer`` sends us to.

    Secrets of the headers stay with the host they were meant for, and a form is not
    posted to a page that only says where to look (RFC 9110, 15.4).
    """
    target = urljoin(check.target, answer.location)
    before, after = urlsplit(check.target), urlsplit(target)
    if after.scheme not in ("http", "https"):
        raise ValueError(f"redirected to {_shown(target)}, which is not HTTP")
    headers = check.headers
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        headers = tuple(pair for pair in headers if pair[0].lower() not in (*_SECRETS, "host"))
    is_form = check.method == "POST" and answer.status in (301, 302)
    is_see_other = answer.status == 303 and check.method != "HEAD"
    if is_form or is_see_other:
        return replace(check, target=target, headers=headers, method="GET", body="")
    return replace(check, target=target, headers=headers)


async def _exchange(check: CheckDefinition, dial: Dial, contexts: Contexts) -> Answer:
    url = urlsplit(check.target)
    is_tls = url.scheme == "https"
    if not url.hostname or url.scheme not in ("http", "https"):
        raise ValueError("it is not an http:// or https:// URL")
    if not _has_legal_port(url.netloc.rpartition("@")[2]):
        raise ValueError("its port is no number")
    request = _request(check, url)  # before anything is dialled: it may be no legal one
    stream = await dial(url.hostname, url.port or (443 if is_tls else 80))
    try:
        if is_tls:
            context = await contexts(check.verify_tls)
            # many servers end without TLS's goodbye; h11 knows whether the answer was whole
            secure = trio.SSLStream(
                stream, context, server_hostname=url.hostname, https_compatible=True
            )
            stream = secure
            await secure.do_handshake()  # here, where its errors still have their cause
        return await _converse(stream, request, check.body.encode("utf-8", "replace"))
    finally:
        await trio.aclose_forcefully(stream)


def _request(check: CheckDefinition, url: SplitResult) -> h11.Request:
    path = quote(url.path or "/", safe=_URL_SAFE)
    target = f"{path}?{quote(url.query, safe=_URL_SAFE)}" if url.query else path
    named = {name.lower() for name, _ in check.headers}
    usual = {
        "Host": url.netloc.rpartition("@")[2],
        "User-Agent": f"gossipd/{__version__} (health check)",
        "Accept": "*/*",
        "Connection": "close",
    }
    if check.body:
        usual["Content-Length"] = str(len(check.body.encode("utf-8", "replace")))
    ours = [(name, text) for name, text in usual.items() if name.lower() not in named]
    headers = [
        (name.encode("latin-1", "replace"), text.encode("utf-8", "replace"))
        for name, text in (*ours, *check.headers)
    ]
    return h11.Request(
        method=check.method.encode("ascii", "replace"), target=target, headers=headers
    )


async def _converse(stream: trio.abc.Stream, request: h11.Request, body: bytes) -> Answer:
    """Send ``request`` and return the answer as far as it is wanted.

    Raises:
        h11.RemoteProtocolError: what comes back is not HTTP, or too long before it begins.
        trio.BrokenResourceError: the connection broke.
    """
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    data = talk.send(request) or b""
    if body:
        data += talk.send(h11.Data(body)) or b""
    data += talk.send(h11.EndOfMessage()) or b""
    answer: Answer | Exception
    async with trio.open_nursery() as nursery:
        # a server may answer, and be right, before it has read all of a long body
        nursery.start_soon(_send, stream, data)
        try:
            answer = await _answer(stream, talk)
        except (h11.ProtocolError, trio.BrokenResourceError) as error:
            answer = error  # out of the nursery it would come in a group
        nursery.cancel_scope.cancel()
    if isinstance(answer, Exception):
        raise answer
    return answer


async def _send(stream: trio.abc.Stream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # whoever reads the answer finds out whether that matters


async def _answer(stream: trio.abc.Stream, talk: h11.Connection) -> Answer:
    head: h11.Response | None = None
    body, read = bytearray(), 0
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            if read >= READ_BYTES_MAX + HEAD_BYTES_MAX:
                break
            data = await stream.receive_some(8192)
            if not data and head is None:
                raise h11.RemoteProtocolError("the connection was closed without an answer")
            read += len(data)
            talk.receive_data(bytes(data))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) >= READ_BYTES_MAX:
                break
        elif not isinstance(event, h11.InformationalResponse):
            break  # the end of the message, or of the connection
    if head is None:
        raise h11.RemoteProtocolError("no answer in all that was sent")
    headers = {bytes(name): bytes(text).decode("latin-1") for name, text in head.headers}
    return Answer(
        head.status_code,
        bytes(head.reason).decode("latin-1"),
        headers.get(b"location", ""),
        load_from(headers.get(b"x-load", "-1")),
        bytes(body),
    )


def _shown(url: str) -> str:
    """Return ``url`` for people: without user and password, and not longer than a line."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    where = parts.netloc.rpartition("@")[2]
    if not _has_legal_port(where):
        return f"{parts.scheme}://..."  # the beginning of user and password, cut by a slash
    url = urlunsplit(parts._replace(netloc=where))
    return url if len(url) <= SHOWN_URL_MAX else f"{url[:SHOWN_URL_MAX]}..."


def _has_legal_port(where: str) -> bool:
    _, colon, port = where.rpartition(":")
    return not colon or not port or where.endswith("]") or (port.isascii() and port.isdigit())


def _reason(error: Exception) -> str:
    """Return what went wrong in words: of TLS the cause, which trio wraps."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or cause}"
    if isinstance(error, trio.BrokenResourceError):
        return "the connection broke"
    return str(error) or type(error).__name__
