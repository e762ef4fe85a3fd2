"""Names that a shell offers because the daemon knows them; loaded for completion only.

They were chosen on other hosts and end up on a command line: only those are
offered that mean nothing to a shell.
"""

from __future__ import annotations

import re

from gossipd.client.blocking import Client
from gossipd.errors import GossipdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MEMBERS, SERVICES, OWN_SERVICES, OWN_CHECKS = "members", "services", "own services", "own checks"
ANSWER_SECONDS = 1.0
_PLAIN = re.compile(r"[A-Za-z0-9_.:@/+-]+", re.ASCII)


def known_names(kind: str, socket: str | None, auth: str | None) -> list[str]:
    """Return the names of ``kind`` that may be offered, sorted; none without a daemon."""
    try:
        with Client(socket, auth=auth, timeout=ANSWER_SECONDS) as client:
            names = set(_names(client, kind))
    except GossipdError:
        return []
    return sorted([name for name in names if _PLAIN.fullmatch(name) and name[0] != "-"])


def _names(client: Client, kind: str) -> Iterable[str]:
    if kind == MEMBERS:
        return [member.name for member in client.members()]
    if kind == SERVICES:
        return [summary.name for summary in client.services()]
    own = client.own_services()
    if kind == OWN_SERVICES:
        return [one.service.id for one in own.services]
    return [check.id for one in own.services for check in one.checks]
