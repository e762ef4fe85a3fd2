"""What programs of simulated hosts do with services, and what of it the hosts keep."""

from __future__ import annotations

import pytest

from gossipd.config.model import CatalogConfig
from gossipd.node.node import Node
from gossipd.services.definition import CRITICAL, PASSING
from gossipd.value import replace
from gossipd_sim.cluster import Cluster
from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import Bounce, Crash, Leave
from gossipd_sim.host import Host
from gossipd_sim.scenario import read_scenario
from gossipd_sim.script import Scenario, Special
from gossipd_sim.service_faults import (
    Deregister,
    Drain,
    Flap,
    Load,
    Maintenance,
    Register,
    Report,
    ServiceFault,
)

WEB = Register(at=5.0, hosts="all", service="web")


def scenario(*faults: ServiceFault | Crash | Bounce | Leave, nodes: int = 3) -> Scenario:
    return Scenario(name="services", nodes=nodes, horizon=60.0, settle=35.0, faults=faults)


def shown_by(host: Host, service: str = "web") -> dict[tuple[str, str], str]:
    assert host.node is not None
    return {one.key: one.status for one in host.node.service(service).instances}


def run(*faults: ServiceFault | Crash | Bounce | Leave, until: float = 60.0) -> Cluster:
    cluster = Cluster(scenario(*faults), 1)
    if until < 60.0:
        cluster.world.run_until(until)
    else:
        assert cluster.run().violations == ()
    return cluster


@pytest.mark.parametrize("seed", [1, 2])
def test_everybody_shows_what_programs_registered(seed: int) -> None:
    cluster = Cluster(scenario(WEB), seed)
    outcome = cluster.run()
    assert outcome.violations == ()
    shown = {(name, "web-1"): PASSING for name in cluster.hosts}
    assert [shown_by(host) for host in cluster.hosts.values()] == [shown] * 3
    services = outcome.measures["services"]
    assert isinstance(services, dict)
    assert services["up"]["count"] == 3
    assert services["up"]["unheard"] == 0
    assert services["up"]["all"]["max"] < 1.0
    assert services["bytes"]


def test_a_scenario_without_services_has_hosts_without_a_catalog() -> None:
    cluster = Cluster(scenario(), 1)
    assert not any(host.config.catalog.enabled for host in cluster.hosts.values())
    assert "services" not in cluster.run().measures


def test_hosts_may_be_without_a_catalog_among_others() -> None:
    others = Special(hosts="n001", catalog={"enabled": False})
    cluster = Cluster(replace(scenario(WEB), special=(others,)), 1)
    assert cluster.run().violations == ()
    shown = {("n000", "web-1"): PASSING, ("n002", "web-1"): PASSING}
    one, two, three = (shown_by(host) for host in cluster.hosts.values())
    assert (one, two, three) == (shown, {}, shown)


def test_a_host_with_its_disk_registers_again_and_one_without_does_not() -> None:
    cluster = run(
        WEB,
        Report(at=8.0, hosts="all", service="web", status=CRITICAL),
        Bounce(at=12.0, hosts="n001", remember=True),
        Crash(at=12.0, hosts="n002", lasts=1.0),
    )
    shown = {("n000", "web-1"): CRITICAL, ("n001", "web-1"): CRITICAL}
    assert [shown_by(host) for host in cluster.hosts.values()] == [shown] * 3


def test_one_that_left_and_comes_back_with_its_disk_registers_again() -> None:
    cluster = run(WEB, Leave(at=10.0, hosts="n001", lasts=10.0, remember=True))
    assert len(shown_by(cluster.hosts["n000"])) == 3


@pytest.mark.parametrize("do", [Deregister, Drain, Report, Flap, Maintenance, Load])
def test_each_doing_is_seen_by_others(do: type[ServiceFault]) -> None:
    more: dict[type[ServiceFault], dict[str, object]] = {
        Drain: {"seconds": 4.0},
        Report: {"status": "warning"},
        Load: {"load": 0.9},
    }
    doing = do(at=10.0, hosts="n001", service="web", **more.get(do, {}))  # type: ignore[arg-type]
    cluster = run(WEB, doing)
    node = cluster.hosts["n000"].node
    assert isinstance(node, Node)
    shown = {one.owner: one for one in node.service("web").instances}
    seen = shown.get("n001")
    if do in (Deregister, Drain):
        assert seen is None
        return
    assert seen is not None
    assert shown["n002"].status == PASSING
    assert seen.weight < shown["n002"].weight if do is Load else seen.status != PASSING


def test_what_lasts_is_undone() -> None:
    cluster = run(
        WEB,
        Register(at=8.0, hosts="n000", service="db", lasts=10.0),
        Report(at=9.0, hosts="n001", service="web", status=CRITICAL, lasts=5.0),
        Maintenance(at=9.0, hosts="n002", lasts=5.0),
    )
    assert set(shown_by(cluster.hosts["n002"]).values()) == {PASSING}
    assert shown_by(cluster.hosts["n002"], "db") == {}


def test_a_doing_at_a_host_that_is_down_is_lost() -> None:
    cluster = run(
        WEB,
        Crash(at=8.0, hosts="n001", lasts=10.0, remember=True),
        Deregister(at=12.0, hosts="n001", service="web"),
    )
    assert len(shown_by(cluster.hosts["n000"])) == 3


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("do = 'register'\nservice = 'Web!'", "service"),
        ("do = 'register'\nservice = 'web'\ncount = 0", "count"),
        ("do = 'report'\nservice = 'web'\nstatus = 'fine'", "status"),
        ("do = 'load'\nservice = 'web'\nload = 1.5", "load"),
        ("do = 'drain'\nservice = 'web'\nseconds = -1", "seconds"),
        ("do = 'flap'\nservice = 'web'\nlasts = 3", "lasts"),
        ("do = 'register'\nservice = 'web'\nmeta = { a = 1 }", "meta"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_file_is_read(lines: str, key: str) -> None:
    text = f"nodes = 2\nhorizon = 90\n[[faults]]\nat = 1\nhosts = 'all'\n{lines}\n"
    with pytest.raises(ScenarioError, match=key):
        read_scenario(text, "f.toml")


def test_the_catalog_has_a_section_of_its_own() -> None:
    text = "nodes = 2\nhorizon = 90\n[catalog]\noutput_interval = 5\n"
    read = read_scenario(text, "f.toml")
    assert read.has_services
    config = Cluster(read, 1).hosts["n000"].config.catalog
    assert config == CatalogConfig(enabled=True, output_interval=5.0)
    with pytest.raises(ScenarioError, match=r"catalog\.output"):
        read_scenario(text.replace("output_interval", "output"), "f.toml")
