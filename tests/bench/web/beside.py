"""Hypercorn and Starlette serving given bytes: what the HTTP face is compared with.

python tests/bench/web/beside.py HOST:PORT PATH FILE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path


def main() -> None:
    """Serve the bytes of a file at one path until killed."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    address, path, file = sys.argv[1:]
    body = Path(file).read_bytes()
    headers = {
        "X-Consul-Index": "1795382494319",
        "X-Consul-KnownLeader": "true",
        "X-Consul-LastContact": "0",
        "X-Consul-Effective-Consistency": "stale",
    }

    async def answer(request: Request) -> Response:
        return Response(body, media_type="application/json", headers=headers)

    config = Config()
    config.bind = [address]
    config.accesslog = None
    asyncio.run(serve(Starlette(routes=[Route(path, answer)]), config))


if __name__ == "__main__":
    main()
