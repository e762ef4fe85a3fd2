"""GET /v1/agent/host: the machine, for small tools."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from gossipd.rest.consul.reads.questions import question_of
from gossipd.rest.consul.reads.reading import json_reply
from gossipd.rest.values import Reply, Request, Route

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk


async def host(request: Request, desk: Desk) -> Reply:
    """Answer what machine this is."""
    question_of(request, desk)
    system = os.uname()
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    disk = os.statvfs("/")
    size, left = disk.f_frsize * disk.f_blocks, disk.f_frsize * disk.f_bavail
    return json_reply(
        {
            "Memory": {"total": total, "available": free, "used": total - free, "free": free},
            "CPU": [{"cpu": place, "cores": 1} for place in range(os.cpu_count() or 1)],
            "Host": {
                "hostname": socket.gethostname(),
                "os": system.sysname.lower(),
                "kernelVersion": system.release,
                "kernelArch": system.machine,
            },
            "Disk": {"path": "/", "total": size, "free": left, "used": size - left},
            "CollectionTime": int(desk.wall() * 1e9),
            "Errors": None,
        }
    )


ROUTES: tuple[Route, ...] = (
    Route(method="GET", pattern="/v1/agent/host", handler=host, summary="The machine"),
)
