"""Writes through the handlers of the HTTP face, without a connection."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, unquote

import trio

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.node.events import NodeEvent
from gossipd.rest.consul.writes import agent as writes_agent
from gossipd.rest.consul.writes import catalog as writes_catalog
from gossipd.rest.consul.writes import check as writes_check
from gossipd.rest.consul.writes import event as writes_event
from gossipd.rest.consul.writes import service as writes_service
from gossipd.rest.desk import Desk
from gossipd.rest.transport.routing import Table
from gossipd.rest.values import TEXT, Refused, Reply, Request, Route
from support.core_handle import CoreHandle
from support.fake_handle import FakeHandle

ROUTES: tuple[Route, ...] = (
    *writes_service.ROUTES,
    *writes_check.ROUTES,
    *writes_agent.ROUTES,
    *writes_catalog.ROUTES,
    *writes_event.ROUTES,
)
TABLE = Table(ROUTES)


class Writer:
    """Sends requests to the handlers of one node."""

    def __init__(
        self,
        config: HttpConfig | None = None,
        *,
        handle: FakeHandle | None = None,
        is_loopback: bool = True,
    ) -> None:
        self.handle = handle or CoreHandle()
        self.lines: list[str] = []
        self.is_loopback = is_loopback
        self.desk = Desk(
            self.handle,
            config or HttpConfig(),
            datacenter="dc1",
            ledger=Ledger(),
            log=lambda _level, line: self.lines.append(line),
            wall=lambda: 1_700_000_000.0,
        )

    async def put(self, target: str, body: object = None) -> Reply:
        """Return what is answered; refusals as replies, as the transport sends them."""
        path, _, query = target.partition("?")
        parameters: dict[str, tuple[str, ...]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            parameters[name] = (*parameters.get(name, ()), value)
        try:
            match = TABLE.match("PUT", [unquote(part) for part in path.split("/")[1:]])
        except Refused as refusal:
            return _answered(refusal)
        request = Request(
            method="PUT",
            path=unquote(path),
            query=parameters,
            body=body if isinstance(body, bytes) else _encoded(body),
            names=match.names,
            is_loopback=self.is_loopback,
            target=target,
        )
        try:
            reply = await match.route.handler(request, self.desk)
        except Refused as refusal:
            return _answered(refusal)
        assert isinstance(reply, Reply)
        return reply

    def at(self, seconds: float) -> None:
        """Let ``seconds`` pass on a real core."""
        assert isinstance(self.handle, CoreHandle)
        self.handle.at(seconds)

    def heard(self) -> list[NodeEvent]:
        """Return a list to which all that happens on a real core from now on is added."""
        assert isinstance(self.handle, CoreHandle)
        return self.handle.heard()

    def put_now(self, target: str, body: object = None) -> Reply:
        """Return what is answered, for tests that are not asynchronous."""
        return trio.run(self.put, target, body)

    async def said(self, target: str, body: object = None) -> tuple[int, str]:
        """Return status and text of the answer."""
        reply = await self.put(target, body)
        return reply.status, reply.body.decode()


def _answered(refusal: Refused) -> Reply:
    return Reply(
        status=refusal.status,
        body=refusal.text.encode(),
        content_type=TEXT,
        headers=refusal.headers,
    )


def is_write(path: str) -> bool:
    """Return whether a PUT of ``path`` is answered here."""
    try:
        TABLE.match("PUT", [unquote(part) for part in path.split("/")[1:]])
    except Refused:
        return False
    return True


def _encoded(body: object) -> bytes:
    return b"" if body is None else json.dumps(body).encode()
