"""The same for trio and asyncio; an attempt that takes too long is cancelled."""

import anyio
import httpx

from gossipd.client import AsyncClient


async def main() -> None:
    async with (
        AsyncClient() as client,
        client.balancer("web") as web,
        httpx.AsyncClient() as http,
    ):
        answer = await web.call(
            lambda at: http.get(at.url("/")),
            idempotent=True,
            timeout=3.0,
        )
        print(answer.status_code, answer.text)


anyio.run(main)
