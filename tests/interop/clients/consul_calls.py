"""What a service that uses py-consul or python-consul2 does, against HOST PORT; prints JSON.

The two libraries have the same name and, in these calls, the same signatures.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import consul

HOST, PORT = sys.argv[1], int(sys.argv[2])
LONG = "30s"


def seen_by(entries: list[dict[str, dict[str, object]]]) -> list[object]:
    return [
        [entry["Node"]["Node"], entry["Service"]["ID"], entry["Service"]["Port"]]
        for entry in entries
    ]


def statuses(checks: list[dict[str, object]]) -> dict[str, object]:
    return {str(check["CheckID"]): check["Status"] for check in checks}


def later(call: str, *words: str) -> None:
    """Call a method of another client in half a second."""
    other = consul.Consul(host=HOST, port=PORT)
    method = {
        "deregister": other.agent.service.deregister,
        "pass": other.agent.check.ttl_pass,
    }[call]
    threading.Timer(0.5, method, words).start()


def main() -> dict[str, object]:
    client = consul.Consul(host=HOST, port=PORT)
    shown: dict[str, object] = {"leader": client.status.leader()}
    index, nothing = client.health.service("web")
    shown["before"] = nothing
    shown["registered"] = client.agent.service.register(
        "web",
        service_id="web-a",
        address="127.0.0.61",
        port=9001,
        tags=["http", "blue"],
        check=consul.Check.ttl("60s"),
    )
    index, entries = client.health.service("web", index=index, wait=LONG)
    shown["entries"] = seen_by(entries)
    shown["tags"] = [entry["Service"]["Tags"] for entry in entries]
    shown["critical"] = statuses(entries[0]["Checks"])
    shown["passing_before"] = client.health.service("web", passing=True)[1]

    later("pass", "service:web-a")
    began = time.monotonic()
    index, entries = client.health.service("web", index=index, wait=LONG, passing=True)
    shown["passing"] = seen_by(entries)
    shown["woken_by_pass"] = 0.3 < time.monotonic() - began < 15
    shown["unknown_check"] = client.agent.check.ttl_pass("ghost")
    shown["warned"] = client.agent.check.ttl_warn("service:web-a")
    shown["failed"] = client.agent.check.ttl_fail("service:web-a")
    shown["checks"] = statuses(list(client.agent.checks().values()))
    shown["passed"] = client.agent.check.ttl_pass("service:web-a", "fine")
    shown["output"] = client.agent.checks()["service:web-a"]["Output"]

    shown["maintained"] = client.agent.service.maintenance("web-a", "true", "works")
    shown["in_maintenance"] = client.health.service("web", passing=True)[1]
    shown["back"] = client.agent.service.maintenance("web-a", "false")
    shown["own"] = sorted(client.agent.services())
    shown["named"] = client.catalog.services()[1].get("web")
    shown["one"] = [one["ServiceID"] for one in client.catalog.service("web")[1]]

    shown["check_added"] = client.agent.check.register(
        "n1", check=consul.Check.ttl("60s"), check_id="c1", service_id="web-a"
    )
    shown["check_removed"] = client.agent.check.deregister("c1")
    shown["external"] = client.catalog.register(
        "ext", "127.0.0.75", service={"Service": "db", "ID": "s1", "Port": 80}
    )
    shown["external_seen"] = seen_by(client.health.service("db", passing=True)[1])
    shown["external_removed"] = client.catalog.deregister("ext", service_id="s1")
    shown["external_gone"] = client.health.service("db")[1]
    fired = client.event.fire("deploy", "v2")
    shown["fired"] = [fired["Name"], fired["ID"]]
    shown["listed"] = [[one["Name"], one["ID"]] for one in client.event.list("deploy")[1]]

    index, _ = client.health.service("web")
    later("deregister", "web-a")
    began = time.monotonic()
    _, gone = client.health.service("web", index=index, wait=LONG)
    shown["gone"] = gone
    shown["woken_by_deregister"] = 0.3 < time.monotonic() - began < 15
    try:
        client.kv.put("a", "1")
    except consul.ConsulException as error:
        shown["kv"] = str(error)
    return shown


sys.stdout.write(json.dumps(main()))
