"""What is in ``deploy/prometheus`` by Prometheus' own tools, and a real scrape of real daemons."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gossipd.client.blocking import Client
from gossipd.metrics.families import FAMILIES
from support.agents import GOSSIPD, AgentProcess
from support.clusters import GOSSIP_PORT, RPC_PORT, Cluster, NewCluster
from support.dns_face import make_query
from support.peers import skip_or_fail
from support.waiting import wait_for

pytestmark = pytest.mark.interop

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus"
HTTP_PORT, DNS_PORT, PROMETHEUS_PORT = 8500, 8600, 9090
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}/gossipd.rules.yml]
scrape_configs:
  - job_name: gossipd
    http_sd_configs:
      - url: http://{server}/v1/sd/prometheus?members
        refresh_interval: 1s
    relabel_configs:
      - source_labels: [__meta_gossipd_member]
        target_label: instance
  - job_name: services
    http_sd_configs:
      - url: http://{server}/v1/sd/prometheus?tag=metrics
        refresh_interval: 1s
    relabel_configs:
      - source_labels: [__meta_gossipd_service]
        target_label: job
      - source_labels: [__meta_gossipd_node]
        target_label: node
      - source_labels: [__meta_gossipd_service_meta_metrics_path]
        regex: (.+)
        target_label: __metrics_path__
"""


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin:/usr/sbin")
    if found is None:
        skip_or_fail(f"needs {name} (Debian package prometheus)")
    return found


def promtool(*words: str, folder: Path = RULES, given: bytes = b"") -> str:
    done = subprocess.run(
        [program("promtool"), *words],
        cwd=folder,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "gossipd.rules.yml")


def test_alerts_come_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "gossipd.rules.test.yml")


def test_a_rule_that_is_wrong_would_be_found(tmp_path: Path) -> None:
    text = (RULES / "gossipd.rules.yml").read_text()
    (tmp_path / "gossipd.rules.yml").write_text(text.replace("> 0.25", "> 25"))
    shutil.copy(RULES / "gossipd.rules.test.yml", tmp_path)
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", "gossipd.rules.test.yml", folder=tmp_path)


class Prometheus:
    """A running Prometheus that is told by one gossipd what to scrape."""

    def __init__(self, folder: Path, server: str, host: str) -> None:
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(server=server, rules=RULES))
        promtool("check", "config", str(config))
        self._api = f"http://{host}:{PROMETHEUS_PORT}/api/v1"
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={host}:{PROMETHEUS_PORT}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self._api}/{path}", timeout=5) as reply:
                return json.load(reply)["data"]
        except OSError:
            return {}  # it is still starting

    def health(self) -> dict[tuple[str, str], str]:
        """Return how the scrapes of each target went, by job and instance."""
        return {
            (target["labels"]["job"], target["labels"]["instance"]): target["health"]
            for target in self.ask("targets").get("activeTargets", ())
        }

    def values(self, query: str, label: str) -> dict[str, float]:
        """Return what a query finds, by the value of ``label``."""
        found = self.ask(f"query?query={quote(query)}").get("result", ())
        return {one["metric"].get(label, ""): float(one["value"][1]) for one in found}

    def found(self, query: str) -> bool:
        """Return whether a query that must be a right one finds anything now."""
        try:
            url = f"{self._api}/query?query={quote(query)}"
            with urllib.request.urlopen(url, timeout=5) as reply:
                return bool(json.load(reply)["data"]["result"])
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def prometheus(cluster: Cluster, folder: Path, server: str) -> Iterator[Prometheus]:
    running = Prometheus(folder, server, cluster.next_host())
    try:
        yield running
    finally:
        running.end()


def start(
    cluster: Cluster, count: int, *, dns: bool = False, more: tuple[str, ...] = ()
) -> list[AgentProcess]:
    """Return members that answer HTTP on the hosts where they gossip, joined through the first.

    Args:
        cluster: theirs.
        count: how many.
        dns: they answer DNS there, too.
        more: flags of the first.
    """
    agents: list[AgentProcess] = []
    for _ in range(count):
        host = cluster.next_host()
        agent = cluster.prepare(
            GOSSIPD,
            bind=f"{host}:{GOSSIP_PORT}",
            rpc=f"{host}:{RPC_PORT}",
            join=[agents[0].options.bind] if agents else [],
            more=(
                "--http-addr",
                f"{host}:{HTTP_PORT}",
                *(("--dns-addr", f"{host}:{DNS_PORT}") if dns else ()),
                *(() if agents else more),
            ),
        )
        agent.start()
        agents.append(agent)
    return agents


def http_of(agent: AgentProcess) -> str:
    return agent.options.more[1]


def put(agent: AgentProcess, path: str, body: object) -> None:
    request = urllib.request.Request(
        f"http://{http_of(agent)}{path}", json.dumps(body).encode(), method="PUT"
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert reply.status == 200


def wait_until_found(running: Prometheus, query: str) -> None:
    wait_for(lambda: bool(running.values(query, "instance")), 30.0, query)


def test_a_real_prometheus_finds_daemons_and_services_and_sees_one_fail(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster(profile="local")
    asked, second, third = start(cluster, 3)
    cluster.wait_until_all_met()
    # the daemon itself stands for a service with metrics
    host, _, port = http_of(second).rpartition(":")
    service = {
        "Name": "shop", "Address": host, "Port": int(port), "Tags": ["metrics"],
        "Meta": {"metrics_path": "/metrics"},
    }  # fmt: skip
    put(second, "/v1/agent/service/register", service)
    with prometheus(cluster, tmp_path, http_of(asked)) as running:
        everybody = {("gossipd", agent.name): "up" for agent in (asked, second, third)}
        wanted = everybody | {("shop", http_of(second)): "up"}
        wait_for(lambda: running.health() == wanted, 60.0, "all scraped", seen=running.health)
        alive = 'gossipd_members{job="gossipd", status="alive"}'
        wait_for(
            lambda: set(running.values(alive, "instance").values()) == {3.0},
            30.0,
            "members as metrics",
            seen=lambda: running.values(alive, "instance"),
        )
        node = running.values('up{job="shop"}', "node")
        assert node == {second.name: 1.0}
        for query in (
            "gossipd_probe_rtt_seconds_count > 0",
            "gossipd_http_requests_total > 0",
            "process_resident_memory_bytes > 1e6",
            'gossipd_services{job="gossipd"} == 1',
            'gossipd_member_syncs_total{result="same"} > 0',
            "time() - gossipd_members_agreed_timestamp_seconds < 60",
        ):
            wait_until_found(running, query)
        third.kill()
        wait_for(
            lambda: running.health().get(("gossipd", third.name)) == "down",
            30.0,
            "the killed one is down and still a target",
            seen=running.health,
        )
        failed = 'gossipd_members{job="gossipd", status="failed"} == 1'
        survivors = {asked.name, second.name}
        wait_for(
            lambda: running.values(failed, "instance").keys() == survivors,
            60.0,
            "its failure as a metric",
            seen=lambda: running.values(failed, "instance"),
        )


def expressions() -> list[str]:
    """Return all that the dashboard asks, and what the rules ask, as Prometheus is asked it."""
    dashboard = json.loads((DEPLOY / "grafana" / "gossipd.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked += [one["expr"] for one in dashboard["annotations"]["list"] if "expr" in one]
    for word, value in (("$job", "gossipd"), ("$instance", ".+"), ("$__rate_interval", "1m")):
        asked = [text.replace(word, value) for text in asked]
    assert len(asked) > 50
    assert not any("$" in text for text in asked)
    return asked


def named(*texts: str) -> set[str]:
    """Return the names of metrics in expressions; not those that the rules record."""
    found = re.findall(r"(?<![a-z_:])((?:gossipd|process)_[a-z0-9_]+)", "\n".join(texts))
    return {re.sub("_(bucket|count|sum)$", "", name) for name in found}


def keep_busy(agent: AgentProcess) -> None:
    """Have everything happen once that is shown only when it has happened."""
    host = http_of(agent).rpartition(":")[0]
    check = {"HTTP": f"http://{http_of(agent)}/v1/agent/self", "Interval": "1s"}
    put(agent, "/v1/agent/service/register", {"Name": "shop", "Port": 80, "Check": check})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"\xffnonsense", (host, GOSSIP_PORT))
        sock.sendto(b"short", (host, DNS_PORT))
        sock.sendto(make_query("shop.service.consul").to_wire(), (host, DNS_PORT))
    with suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://{http_of(agent)}/nowhere", timeout=5)
    with Client(agent.options.rpc) as client:
        client.members()


SELDOM = {"gossipd_lost_total", "gossipd_degraded_warnings_total"}
"""Shown when it has happened, and nothing brings it about here."""
EMPTY = {"member_changes_total", "lost_total", "degraded_warnings_total", "http_refused_total"}


def test_what_dashboard_and_rules_ask_for_is_there(new_cluster: NewCluster, tmp_path: Path) -> None:
    cluster = new_cluster(profile="local")
    more = ("--snapshot", str(tmp_path / "snapshot"))
    agents = start(cluster, 2, dns=True, more=more)
    cluster.wait_until_all_met()
    keep_busy(agents[0])
    rules = (RULES / "gossipd.rules.yml").read_text()
    wanted = named(rules, *expressions()) - SELDOM

    def missing() -> set[str]:
        with urllib.request.urlopen(f"http://{http_of(agents[0])}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        return wanted - set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))

    assert {"gossipd_members", "process_open_fds", "gossipd_dns_replies_total"} <= wanted
    wait_for(lambda: not missing(), 30.0, "every metric that is asked for", seen=missing)
    assert {family.name for family in FAMILIES} >= SELDOM
    with prometheus(cluster, tmp_path, http_of(agents[0])) as running:
        wait_until_found(running, 'up{job="gossipd"} == 1')

        def silent() -> list[str]:
            keep_busy(agents[0])
            asked = [text for text in expressions() if not running.found(text)]
            return [text for text in asked if not any(name in text for name in EMPTY)]

        wait_for(lambda: not silent(), 60.0, "an answer to every panel", seen=silent)
        with pytest.raises(AssertionError, match="parse error"):
            running.found("sum(gossipd_members{)")


def test_what_a_real_daemon_shows_is_without_fault_for_promtool(
    new_cluster: NewCluster,
) -> None:
    (agent,) = start(new_cluster(profile="local"), 1)
    with urllib.request.urlopen(f"http://{http_of(agent)}/metrics", timeout=5) as reply:
        text = reply.read()
    assert b"gossipd_build_info" in text
    assert promtool("check", "metrics", given=text) == ""
