"""What a cluster without consensus does not offer, and how it says so (consul-http.md, 11)."""

from __future__ import annotations

from typing import NoReturn

from gossipd.rest.desk import Desk
from gossipd.rest.values import OPEN, Handler, Refused, Request, Route

METHODS = ("GET", "PUT", "POST", "DELETE")
UNSUPPORTED = ("X-Gossipd-Unsupported", "consensus")
NO_CONSENSUS = {
    "/v1/kv": "KV store",
    "/v1/session": "Sessions",
    "/v1/txn": "Transactions",
    "/v1/snapshot": "Snapshots of state",
    "/v1/query": "Prepared queries",
    "/v1/config": "Configuration entries",
    "/v1/operator": "Operations of servers",
    "/v1/peering": "Peering",
    "/v1/connect": "The mesh",
    "/v1/agent/connect": "The mesh",
    "/v1/discovery-chain": "Discovery chains",
    "/v1/exported-services": "Exported services",
    "/v1/internal": "Internal calls",
}
NO_ACL = ("/v1/acl", "/v1/agent/token")


def _needs_consensus(feature: str) -> Handler:
    text = f"{feature} not offered by gossipd: needs consensus"

    async def refuse(request: Request, desk: Desk) -> NoReturn:
        raise Refused(501, text, UNSUPPORTED)

    return refuse


async def refuse_acl(request: Request, desk: Desk) -> NoReturn:
    """Answer as Consul does where access control is off."""
    raise Refused(401, "ACL support disabled")


def _routes_of(path: str, handler: Handler, summary: str) -> tuple[Route, ...]:
    return tuple(
        [
            Route(method=method, pattern=pattern, handler=handler, level=OPEN, summary=summary)
            for method in METHODS
            for pattern in (path, f"{path}/{{rest*}}")
        ]
    )


ROUTES: tuple[Route, ...] = (
    *(
        route
        for path, feature in NO_CONSENSUS.items()
        for route in _routes_of(path, _needs_consensus(feature), "Refused: needs consensus.")
    ),
    *(route for path in NO_ACL for route in _routes_of(path, refuse_acl, "Refused: no ACLs.")),
)
