"""Ask the instances of ``web``, whichever serves best; needs httpx and a running daemon."""

import httpx

from gossipd.client import Client

with Client() as client, client.balancer("web") as web, httpx.Client() as http:
    answer = web.call(
        lambda at: http.get(at.url("/"), timeout=at.timeout),
        idempotent=True,
        timeout=3.0,
    )
    print(answer.status_code, answer.text)
