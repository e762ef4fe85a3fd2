"""What the HTTP face adds to an idle daemon, with metrics and after use."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from bench.report import Row
from bench.usage import proportional_bytes
from bench.web.daemons import call, one_daemon, register

BAR_BYTES = 6e6
ROUNDS = 3
SETTLED_SECONDS = 3.0
READ = (
    *("/v1/agent/self", "/v1/catalog/services", "/v1/health/service/web", "/v1/agent/services"),
    *("/v1/health/state/any", "/v1/catalog/nodes", "/v1/agent/members", "/v1/status/leader"),
)


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return lines of the table, and further figures."""
    found: dict[str, list[int]] = {"without": [], "with": [], "metrics": [], "used": []}
    for number in range(ROUNDS):
        with one_daemon(folder / f"plain-{number}", http=False) as (agent, _):
            time.sleep(SETTLED_SECONDS)
            found["without"].append(proportional_bytes(agent.pid))
        with one_daemon(folder / f"http-{number}") as (agent, host):
            time.sleep(SETTLED_SECONDS)
            found["with"].append(proportional_bytes(agent.pid))
            call(host, "/metrics")
            time.sleep(0.5)
            found["metrics"].append(proportional_bytes(agent.pid))
            register(host, "web", 3)
            for path in READ * 20:
                call(host, path)
            call(host, "/metrics")
            time.sleep(0.5)
            found["used"].append(proportional_bytes(agent.pid))
    middle = {key: median(values) for key, values in found.items()}
    rows = [
        Row(what, "MB", (middle[key] - middle["without"]) / 1e6, BAR_BYTES / 1e6, "the bar", bar)
        for what, key, bar in (
            ("memory that HTTP adds to an idle daemon", "with", 1.0),
            ("the same, once /metrics was asked", "metrics", 1.0),
            ("the same, after a registration and all kinds of reads", "used", 0.0),
        )
    ]
    return rows, {"an idle daemon without HTTP": f"{middle['without'] / 1e6:.1f} MB"}
