"""vmagent's service discovery against a gossipd: it finds services, and drops a killed one."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.agents import GOSSIPD, AgentProcess
from support.clusters import Cluster, NewCluster
from support.peers import skip_or_fail
from support.waiting import wait_for

pytestmark = pytest.mark.interop

HTTP_PORT, VMAGENT_PORT = 8500, 8429
CONFIG = """
scrape_configs:
  - job_name: consul
    consul_sd_configs:
      - server: {server}
    relabel_configs:
      - source_labels: [__meta_consul_health]
        regex: passing
        action: keep
      - source_labels: [__meta_consul_service_id]
        target_label: service_id
      - source_labels: [__meta_consul_node]
        target_label: node
      - source_labels: [__meta_consul_service_metadata_version]
        target_label: version
      - source_labels: [__meta_consul_tags]
        target_label: tags
      - source_labels: [__meta_consul_dc]
        target_label: dc
"""


class VmAgent:
    """A running vmagent that discovers at one gossipd and sends what it scrapes nowhere."""

    def __init__(self, folder: Path, server: str, host: str) -> None:
        config = folder / "vmagent.yml"
        config.write_text(CONFIG.format(server=server))
        self._url = f"http://{host}:{VMAGENT_PORT}/api/v1/targets"
        self.log = folder / "vmagent.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "vmagent",
                    f"-promscrape.config={config}",
                    "-promscrape.config.strictParse=false",
                    "-promscrape.consulSDCheckInterval=1s",
                    f"-httpListenAddr={host}:{VMAGENT_PORT}",
                    "-remoteWrite.url=http://127.0.0.1:9/api/v1/write",
                    f"-remoteWrite.tmpDataPath={folder / 'vmagent'}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def targets(self) -> dict[str, dict[str, str]]:
        """Return the labels of what would be scraped now, by address."""
        with urllib.request.urlopen(self._url, timeout=5) as reply:
            active = json.load(reply)["data"]["activeTargets"]
        return {target["discoveredLabels"]["__address__"]: target["labels"] for target in active}

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def vmagent(cluster: Cluster, folder: Path, server: str) -> Iterator[VmAgent]:
    if shutil.which("vmagent") is None:
        skip_or_fail("needs the vmagent program (Debian package victoria-metrics)")
    running = VmAgent(folder, server, cluster.next_host())
    try:
        yield running
    finally:
        running.end()


def put(agent: AgentProcess, path: str, body: object) -> None:
    request = urllib.request.Request(
        f"http://{http_of(agent)}{path}", json.dumps(body).encode(), method="PUT"
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert reply.status == 200


def http_of(agent: AgentProcess) -> str:
    return agent.options.more[1]


def start(cluster: Cluster, count: int) -> list[AgentProcess]:
    """Return members that answer HTTP, joined through the first."""
    agents: list[AgentProcess] = []
    for _ in range(count):
        http = f"{cluster.next_host()}:{HTTP_PORT}"
        join = [agents[0].options.bind] if agents else []
        agent = cluster.prepare(GOSSIPD, join=join, more=("--http-addr", http))
        agent.start()
        agents.append(agent)
    return agents


def test_vmagent_finds_services_and_drops_a_killed_one(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster(profile="local")
    asked, *providers = start(cluster, 3)
    for number, agent in enumerate(providers, 1):
        host = f"127.0.0.{60 + number}"
        put(agent, "/v1/agent/service/register", {
            "Name": "web", "ID": f"web-{number}", "Address": host, "Port": 9000,
            "Tags": ["http", "blue"], "Meta": {"version": "2.1"},
        })  # fmt: skip
    first, second = providers
    with vmagent(cluster, tmp_path, http_of(asked)) as discovering:

        def look(*addresses: str) -> None:
            wait_for(
                lambda: set(discovering.targets()) == set(addresses),
                30.0,
                f"vmagent to see {addresses}",
                seen=lambda: (discovering.targets(), discovering.log.read_text()[-2000:]),
            )

        look("127.0.0.61:9000", "127.0.0.62:9000")
        labels = discovering.targets()["127.0.0.61:9000"]
        assert labels["service_id"] == "web-1"
        assert labels["node"] == first.name
        assert labels["version"] == "2.1"
        assert labels["tags"] == ",http,blue,"
        assert labels["dc"]
        put(asked, "/v1/agent/service/register", {"Name": "cache", "Address": "127.0.0.63",
                                                  "Port": 9003})  # fmt: skip
        look("127.0.0.61:9000", "127.0.0.62:9000", "127.0.0.63:9003")
        second.kill()
        look("127.0.0.61:9000", "127.0.0.63:9003")
        put(asked, "/v1/agent/service/deregister/cache", None)
        look("127.0.0.61:9000")
