"""A desk over a fake node, and how its own handlers are asked without a transport."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from gossipd.address import Address
from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.rest.desk import Desk
from gossipd.rest.values import Handler, Reply, Request, Streamed
from gossipd.swim.member import Member
from gossipd.wire.messages import NodeStatus, Versions
from support.fake_handle import FakeHandle

WALL = 1_700_000_000.0


def make_desk(handle: FakeHandle, *, wall: float = WALL, **config: Any) -> Desk:
    """Return a desk over ``handle`` whose calendar stands still."""
    return Desk(
        handle,
        HttpConfig(**config),
        datacenter="dc1",
        ledger=Ledger(),
        log=lambda level, text: None,
        wall=lambda: wall,
    )


def swim_member(name: str, incarnation: int = 1, changed_at: float = 90.0) -> Member:
    """Return a member as the failure detector has it."""
    address = Address(b"\x0a\x00\x00\x01", 7946)
    return Member(name, address, b"", Versions(), NodeStatus.ALIVE, incarnation, changed_at)


async def ask(
    handler: Handler,
    desk: Desk,
    path: str = "/",
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    **names: str,
) -> Reply | Streamed:
    """Return what a handler answers."""
    request = Request(
        method="GET",
        path=path,
        query={key: (value,) for key, value in (query or {}).items()},
        headers=headers or {},
        names=names,
    )
    return await handler(request, desk)


async def ask_json(handler: Handler, desk: Desk, **options: Any) -> Any:
    """Return what a handler answers as JSON."""
    reply = await ask(handler, desk, **options)
    assert isinstance(reply, Reply)
    assert reply.status == 200
    return json.loads(reply.body)


def sse(piece: bytes) -> list[dict[str, Any]]:
    """Return the events in a piece of a stream; comments have the kind ``:``."""
    found = []
    for block in piece.decode().split("\n\n"):
        event: dict[str, Any] = {}
        for line in block.split("\n"):
            key, _, value = line.partition(": ")
            if line.startswith(":"):
                event["event"] = ":"
            elif key == "data":
                event["data"] = json.loads(value)
            elif key:
                event[key] = value
        if event:
            found.append(event)
    return found


async def next_of(pieces: AsyncIterator[bytes], kind: str) -> dict[str, Any]:
    """Return the next event of that kind; others are read over."""
    async for piece in pieces:
        for event in sse(piece):
            if event.get("event") == kind:
                return event
    raise AssertionError(f"the stream ended without {kind}")
