"""GET /v1/agent/metrics and /v1/agent/host: counters and the machine, for small tools.

``/metrics`` tells the same and more to those who keep it.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gossipd.ledger import Tallied
from gossipd.rest.questions import question_of
from gossipd.rest.reading import json_reply
from gossipd.rest.shapes import Json
from gossipd.rest.values import Reply, Request, Route

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

GAUGES = (
    "members", "alive", "failed", "left", "health_score", "intent_queue", "event_queue",
    "query_queue", "claim_queue",
)  # fmt: skip


async def metrics(request: Request, desk: Desk) -> Reply:
    """Answer counters since the start of the daemon, gauges and samples as they are now."""
    question_of(request, desk)
    statistics, ledger = desk.handle.statistics(), desk.ledger
    counts = {
        **{f"gossipd.{name}": count for name, count in statistics.happened.items()},
        **{f"gossipd.dropped.{name}": count for name, count in statistics.dropped.items()},
        **{f"gossipd.lost.{name}": count for name, count in statistics.lost.items()},
        **{f"gossipd.packets.sent.{name}": n for name, n in statistics.packets_sent.items()},
        **{
            f"gossipd.packets.received.{name}": n for name, n in statistics.packets_received.items()
        },
        **ledger.counts,
    }
    gauges = {f"gossipd.{name}": float(getattr(statistics, name)) for name in GAUGES}
    gauges |= {f"gossipd.{name}": value for name, value in statistics.levels.items()}
    now = datetime.fromtimestamp(desk.wall(), UTC)
    return json_reply(
        {
            "Timestamp": now.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
            "Gauges": [
                {"Name": name, "Value": value, "Labels": {}}
                for name, value in sorted(gauges.items())
            ],
            "Points": [],
            "Counters": [_sample(name, Tallied(n, n, ())) for name, n in sorted(counts.items())],
            "Samples": [_sample(name, each) for name, each in sorted(ledger.read().items())],
        }
    )


def _sample(name: str, tallied: Tallied) -> Json:
    """Return a quantity; extremes are those of the latest values that are kept."""
    mean = tallied.total / tallied.count if tallied.count else 0.0
    latest = tallied.latest or (mean,)
    spread = sum((value - mean) ** 2 for value in latest) / len(latest)
    return {
        "Name": name,
        "Count": tallied.count,
        "Sum": tallied.total,
        "Min": min(latest),
        "Max": max(latest),
        "Mean": mean,
        "Stddev": spread**0.5,
        "Labels": {},
    }


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
    Route(
        method="GET", pattern="/v1/agent/metrics", handler=metrics,
        summary="Counters of this daemon",
    ),
    Route(method="GET", pattern="/v1/agent/host", handler=host, summary="The machine"),
)  # fmt: skip
