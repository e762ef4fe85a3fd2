"""Every documented call of asyncserf or trio-serf against one agent; prints what came as JSON.

Run in an environment of its own, with the msgpack these two work with (below
1.0). ``tags`` is left out: both wait for a body there that Serf does not send.

    python async_calls.py asyncserf|trio_serf HOST PORT ADDRESS_TO_JOIN
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import trio


def text(value: Any) -> Any:
    """Return ``value`` with bytes as text, maps and lists within it too."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {text(key): text(one) for key, one in value.items()}
    return [text(one) for one in value] if isinstance(value, (list, tuple)) else value


async def calls(client: Any, address: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    shown["members"] = text((await client.members()).body)
    shown["filtered"] = text((await client.members(name="g.", tags={"role": "web"})).body)
    shown["joined"] = text((await client.join([address])).body)
    shown["force_leave"] = text((await client.force_leave("nobody")).head)
    shown["stats"] = text((await client.stats()).body)
    shown["coordinate"] = text((await client.get_coordinate("nobody")).body)
    shown["keys"] = text((await client.list_keys()).body)
    shown["event"] = text((await client.event("deploy", b"v1", coalesce=False)).head)
    replies = []
    async with client.query("load", request_ack=True, timeout=2) as query:
        async for reply in query:
            replies.append([text(reply.type), text(getattr(reply, "from")), text(reply.payload)])
    shown["query"] = sorted(replies)
    async with client.stream("user,query:who") as stream:
        await client.event("foo", b"bar", coalesce=False)
        async for event in stream:
            shown["streamed"] = [text(event.event), text(event.name), text(event.payload)]
            break
    answered = []
    async with trio.open_nursery() as nursery:
        asked = trio.Event()

        async def answer() -> None:
            async with client.stream("query:who") as stream:
                asked.set()
                async for event in stream:
                    await event.respond(b"me")
                    return

        nursery.start_soon(answer)
        await asked.wait()
        async with client.query("who", timeout=2) as query:
            async for reply in query:
                answered.append([text(reply.type), text(reply.payload)])
    shown["answered"] = answered
    return shown


async def main(name: str, host: str, port: str, address: str) -> None:
    serf_client = importlib.import_module(f"{name}.client").serf_client
    with trio.fail_after(30):
        async with serf_client(host=host, port=int(port)) as client:
            sys.stdout.write(json.dumps(await calls(client, address)))


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4])
