"""Random requests of HTTP: what clients send, and whether what they get is legal.

``http_noise.py`` sends them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random

import h11

from gossipd.rest.consul.refusals import ROUTES as REFUSALS
from gossipd.rest.transport.http1 import CONTINUE
from gossipd.rest.values import REFUSAL_BYTES_MAX, Route

METHODS = ("GET", "PUT", "GET", "PUT", "HEAD", "OPTIONS", "DELETE", "POST", "get", "CONNECT", "X")
WORDS = (
    *("web", "a", "b", "alder", "serfHealth", "service:web", "any", "passing", "critical", "mail"),
    *("%2F", "a%2Fb", "%00", "%ff", "%", "..", "%2e%2e", ".", "", "%C3%BC", "x" * 300, "web/1"),
    *("_node_maintenance", "default", "-1", "0", "*", "{name}", "🦊", "a;b", "127.0.0.1:7946"),
)
PARAMETERS = (
    *("index", "wait", "hash", "stale", "consistent", "passing", "tag", "near", "node-meta", "dc"),
    *("filter", "ns", "partition", "peer", "pretty", "cached", "token", "enable", "reason", "note"),
    *("replace-existing-checks", "format", "name", "node", "service", "prune", "kind", "limit"),
)
VALUES = (
    *("", "0", "1", "true", "maybe", "-1", "18446744073709551616", "9" * 50, "1.5", "0x1", "nan"),
    *("5s", "1h", "10", "-5s", "99999999999h", "1e9s", "10ms", "default", "dc1", "dc9", "_agent"),
    *("rack:r1", ":", "a:b:c", "web", "%ff", "%00", "%0d%0aX:+y", "a+b", "%7B%7D", "x" * 500),
    *("Service.Tags+contains+%22a%22", "Node+==", "((((", "not+" * 100 + "a+==+b", "%22" * 50),
    *("Node.Meta.rack+==+%22r1%22+and+Checks+is+not+empty", "Service.ID+matches+%22(%22"),
)
FITTING = {
    "index": ("0", "1", "41"),
    "wait": ("1ms", "5s", "120000ms"),
    "tag": ("a", "http"),
    "near": ("_agent", "birch"),
    "node-meta": ("rack:r1", ""),
    "filter": ("Service.Tags+contains+%22http%22", "Node.Meta.rack+==+%22r1%22"),
    "ns": ("default", ""),
    "partition": ("default",),
    "peer": ("",),
    "dc": ("north",),
    "token": ("abc",),
    "reason": ("why%0Anot",),
    "note": ("fine",),
    "format": ("prometheus", "json"),
    "kind": ("service",),
    "limit": ("5",),
    "name": ("web",),
    "node": ("alder",),
    "service": ("web",),
}
"""What clients really send; flags are true."""
HEADERS = (
    *("Accept-Encoding: gzip", "Accept-Encoding: gzip;q=0", "Connection: close", "Expect: x"),
    *("Connection: keep-alive", "Authorization: Bearer x", "X-Consul-Token: x", "Host: b"),
    *("X-Consul-Namespace: team", "Cache-Control: max-age=5", "Content-Type: text/plain"),
    *(
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "X: " + "y" * 400,
    ),
    *("Expect: 100-continue", "Content-Length: 99999999", "bad header", ": empty", "Accept: */*"),
    *(
        "Accept: application/openmetrics-text",
        "Last-Event-ID: 5",
        "Upgrade: h2c",
        "Range: bytes=0-1",
    ),
)
OF_CONSUL = (b"Unknown service ID", b"Unknown check ID", b"Cannot specify ?stale")
"""Texts that clients look for, and that may be longer than ours."""
EXPECTED_500 = (b"No path to datacenter", b"not have associated TTL", b"connection refused")
"""Ends of texts that Consul has with 500, too: they are no defects."""
PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b" ",
    b":",
    b"/",
    b"?",
    b"%",
    b"&",
    b"\r\n\r\n",
    b"0",
)
NAMES = (
    *(
        "Name",
        "name",
        "ID",
        "Tags",
        "Port",
        "Address",
        "Meta",
        "Check",
        "Checks",
        "Weights",
        "Node",
    ),
    *("Service", "TTL", "Interval", "HTTP", "TCP", "Status", "Output", "CheckID", "ServiceID"),
    *("enable_tag_override", "TaggedAddresses", "Args", "Datacenter", "NodeMeta", "AliasService"),
)
ATOMS = (
    None,
    True,
    0,
    -1,
    80,
    2**70,
    1.5,
    "",
    "web",
    "10s",
    "1m",
    "passing",
    "x" * 600,
    "127.0.0.1",
)


CHUNKS = (
    *(
        b"5\r\nabcde\r\n",
        b"0\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"1;a=b\r\n{\r\n",
        b"00000002\r\n{}\r\n",
    ),
    *(
        b"g\r\n",
        b"-1\r\n",
        b"0x2\r\n{}\r\n",
        b"ffffffffffffffffff\r\n",
        b"7fffffff\r\n{",
        b"2\n{}\n",
    ),
    *(b"2\r\n{}", b"2\r\n{}{}\r\n", b" 2\r\n{}\r\n", b"2;" + b"x" * 5000 + b"\r\n{}\r\n", b"\r\n"),
    *(b"1\r\nx\r\n" * 1100, b"8000\r\n" + b"y" * 0x8000 + b"\r\n", b"", b"\x00", b"2\r\n{}\r\r\n"),
)
"""Legal ones and others."""
WAITS = (
    *("99999999999h", "-5s", "10m", "600000", "1e9s", "nan", "0", "0.0001ms", "1h1h1h", "", "5s"),
    *("9" * 400, "10m&wait=1s", "%31%30s", "1m&stale&consistent", "5m&filter=not+" + "not+" * 90),
)
_REPLY = re.compile(rb"HTTP/1\.1 (\d{3}) [\w -]+\r\nDate: ")


class Report:
    """What became of random requests."""

    def __init__(self) -> None:
        self.sent = 0
        self.kinds: Counter[str] = Counter()
        """Requests by how they were sent."""
        self.statuses: Counter[int] = Counter()
        self.unanswered = 0
        """The client was gone before its wait was over, or what it sent was no whole request."""
        self.failures: list[str] = []


class Fuzzer:
    """Makes requests; the same seed makes the same ones."""

    def __init__(self, seed: int, routes: tuple[Route, ...]) -> None:
        self._random = Random(seed)
        refusing = frozenset({route.handler for route in REFUSALS})
        self._served = tuple(route for route in routes if route.handler not in refusing)
        self._routes = routes

    def requests(self) -> bytes:
        """Return what one client sends: a few requests, more or less spoiled."""
        draw = self._random
        raw = b"".join(self._request() for _ in range(draw.choice((1, 1, 1, 2, 5))))
        for _ in range(draw.choice((0, 0, 0, 1, 1, 3))):
            raw = self._spoiled(raw)
        return raw

    def garbage(self) -> bytes:
        """Return bytes that are no request, or hardly one."""
        draw = self._random
        raw = draw.randbytes(draw.choice((1, 4, 40, 400, 4000, 40_000)))
        if draw.random() < 0.5:
            raw = bytes(byte & 0x7F for byte in raw)
        return raw + draw.choice((b"", b"\r\n\r\n", b" / HTTP/1.1\r\nHost: a\r\n\r\n"))

    def chunked(self) -> bytes:
        """Return a request whose chunks may be none."""
        draw = self._random
        route = draw.choice([route for route in self._served if route.method == "PUT"])
        more = draw.choice((b"", b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: gzip\r\n"))
        chunks = b"".join(draw.choices(CHUNKS, k=draw.choice((1, 2, 3, 8))))
        head = f"PUT {route.pattern} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        return head.encode() + more + b"\r\n" + chunks

    def waiting(self, index: int) -> bytes:
        """Return a request that is held for how long nobody would wait, or is refused."""
        draw = self._random
        path = draw.choice([route.pattern for route in self._served if route.waits])
        path = path.replace("{name}", "web").replace("{node}", "alder").replace("{id}", "web")
        wait = draw.choice(WAITS)
        return f"GET {path}?index={index}&wait={wait} HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    def _request(self) -> bytes:
        draw = self._random
        route = draw.choice(self._served if draw.random() < 0.9 else self._routes)
        method = draw.choice(METHODS) if draw.random() < 0.3 else route.method
        path = "/".join(
            draw.choice(WORDS) if part.startswith("{") or draw.random() < 0.02 else part
            for part in route.pattern.split("/")
        )
        names = draw.choices(PARAMETERS, k=draw.choice((0, 0, 1, 2, 6)))
        query = "&".join(
            f"{name}={draw.choice(VALUES if draw.random() < 0.2 else FITTING.get(name, ('true',)))}"
            for name in names
        )
        lines = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.{draw.choice('1110')}"]
        lines += ["Host: a", *draw.choices(HEADERS, k=draw.choice((0, 0, 0, 1, 2)))]
        body = b""
        if route.method == "PUT":
            body = json.dumps(self._json(0)).encode()
            if draw.random() < 0.2:
                lines.append("Transfer-Encoding: chunked")
                half = len(body) // 2
                portions = [portion for portion in (body[:half], body[half:]) if portion]
                body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in portions) + b"0\r\n\r\n"
            else:
                lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def _json(self, depth: int) -> object:
        draw = self._random
        kind = draw.random() + depth * 0.2
        if kind < 0.6:
            return {draw.choice(NAMES): self._json(depth + 1) for _ in range(draw.randrange(8))}
        if kind < 0.7:
            return [self._json(depth + 1) for _ in range(draw.randrange(4))]
        return draw.choice(ATOMS)

    def _spoiled(self, raw: bytes) -> bytes:
        draw = self._random
        at = draw.randrange(len(raw) + 1)
        match draw.randrange(6):
            case 0:
                return raw[:at] + bytes([draw.randrange(256)]) + raw[at + 1 :]
            case 1:
                return raw[:at]
            case 2:
                return raw[:at] + draw.choice(PIECES) + raw[at:]
            case 3:
                return raw[:at] + draw.randbytes(draw.randrange(40)) + raw[at:]
            case 4:
                return raw[:at] + raw[at + draw.randrange(60) :]
            case _:
                return raw[:at] + raw[max(0, at - 50) :]


def count(received: bytes, report: Report) -> None:
    """Count replies by their status, of which the last may be cut."""
    for status in _REPLY.findall(received):
        report.statuses[int(status)] += 1


def judge(raw: bytes, received: bytes, report: Report) -> None:
    """Read replies as a client does; what is illegal is noted."""
    count(received, report)
    if not received:
        report.unanswered += 1
    while received and b"HEAD " not in raw:  # whose replies end with their heads
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(received)
        reader.receive_data(b"")
        body, response = b"", None
        try:
            while type(event := reader.next_event()) is not h11.EndOfMessage:
                if isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.ConnectionClosed):
                    return
        except h11.RemoteProtocolError as error:
            is_stream = b"event-stream" in received  # has no end
            if not (is_stream or received == CONTINUE):
                report.failures.append(f"{error} in the reply to {raw!r}: {received[:300]!r}")
            return
        assert response is not None
        is_text = dict(response.headers).get(b"content-type", b"").startswith(b"text/plain")
        is_long = len(body) > REFUSAL_BYTES_MAX and not body.startswith(OF_CONSUL)
        if response.status_code >= 400 and is_text and is_long:
            report.failures.append(f"{body!r} is too long, for {raw!r}")
        if response.status_code == 500 and not (
            body.endswith(EXPECTED_500) or body.startswith(b"Failed to join ")
        ):
            report.failures.append(f"{body!r}, for {raw!r}")
        received = bytes(reader.trailing_data[0])
