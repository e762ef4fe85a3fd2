"""dig, HAProxy and Prometheus at a real daemon (dns.md, section 9)."""

from __future__ import annotations

import configparser
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gossipd.client.blocking import Client
from support.agents import GOSSIPD, PROJECT, AgentProcess
from support.clusters import NewCluster
from support.dns_face import make_query
from support.dns_programs import Dig, dnsmasq, haproxy, program, prometheus
from support.waiting import wait_for

pytestmark = pytest.mark.interop
PORT = 8600
DEPLOY = PROJECT / "deploy"


def begin(new_cluster: NewCluster, port: int = PORT, *more: str) -> tuple[AgentProcess, str]:
    """Return an agent that answers DNS, and where."""
    cluster = new_cluster(log_level="info")
    host = cluster.next_host()
    words = ["--dns-addr", f"{host}:{port}", "--datacenter", "north", *more]
    agent = cluster.prepare(GOSSIPD, more=words, tags={"role": "edge"})
    agent.start()
    return agent, host


def register(agent: AgentProcess, number: int, **fields: Any) -> None:
    table = {"name": "web", "id": f"web-{number}", "port": 9000 + number, **fields}
    table.setdefault("address", f"127.1.{number // 250}.{number % 250 + 1}")
    with Client(agent.options.rpc) as client:
        client.register_service(table)


def deregister(agent: AgentProcess, number: int) -> None:
    with Client(agent.options.rpc) as client:
        client.deregister(f"web-{number}")


def test_dig_gets_each_form_of_name(new_cluster: NewCluster) -> None:
    agent, host = begin(new_cluster)
    dig = Dig(host, PORT)
    here = agent.options.bind.partition(":")[0]
    assert dig.status("web.service.consul", "SRV") == "NXDOMAIN"
    register(agent, 1, tags=["blue", "v1.2"], zone="eu-1")
    register(agent, 2, address="", weight=7)
    own = f"1 7 9002 {agent.name}.node.north.consul."
    other = "1 1 9001 7f010002.addr.north.consul."
    for name in ("web.service.consul", "_web._tcp.service.consul", "_web._tcp.consul",
                 "WEB.Service.north.consul", "web.service.north.dc.consul"):  # fmt: skip
        assert dig.short(name, "SRV") == [other, own]
    for name in ("blue.web.service.consul", "v1.2.web.service.consul", "_web._blue.consul",
                 "web.service.eu-1.zone.consul"):  # fmt: skip
        assert dig.short(name, "SRV") == [other]
    assert dig.short("web.service.consul") == sorted(["127.1.0.2", here])
    assert "WeB.SeRvIcE.cOnSuL.\t0\tIN\tA\t127.1.0.2" in dig("WeB.SeRvIcE.cOnSuL")
    whole = dig("web.service.consul", "SRV")
    assert "7f010002.addr.north.consul. 0\tIN\tA\t127.1.0.2" in whole
    assert "flags: qr aa rd;" in whole
    assert dig.short("7f00003d.addr.north.consul") == ["127.0.0.61"]
    assert dig.short(f"{agent.name}.node.consul", "TXT") == ['"role=edge"']
    assert dig.short(f"{agent.name}.node.consul", "ANY") == sorted(['"role=edge"', here])
    assert dig.short("-x", here) == [f"{agent.name}.node.north.consul."]
    assert dig.short("-x", "127.1.0.2") == ["web.service.north.consul."]
    assert dig.short("consul", "NS") == [f"{agent.name}.node.north.consul."]
    assert dig.short("ns.consul") == [here]
    assert dig.short("consul", "SOA")[0].startswith("ns.consul. hostmaster.consul. ")
    assert dig.status("web.service.consul", "AAAA") == "NOERROR"
    assert "SOA\tns.consul." in dig("web.service.consul", "AAAA")
    for words, status in (
        (["nope.service.consul"], "NXDOMAIN"),
        (["_web._tcp.consul", "A"], "NXDOMAIN"),
        (["example.com"], "REFUSED"),
        (["version.bind", "TXT", "CH"], "REFUSED"),
        (["web.service.consul", "+opcode=notify"], "NOTIMP"),
        (["web.service.consul", "+edns=7", "+noednsnegotiation"], "BADVERS"),
    ):
        assert dig.status(*words) == status
    assert "Transfer failed" in dig("consul", "AXFR")
    assert "CLIENT-SUBNET: 10.1.2.0/24/0" in dig("web.service.consul", "+subnet=10.1.2.0/24")


def test_dig_gets_sixty_instances_by_tcp_after_tc(new_cluster: NewCluster) -> None:
    agent, host = begin(new_cluster)
    for number in range(60):
        register(agent, number)
    dig = Dig(host, PORT)
    assert len(dig.short("web.service.consul", "SRV")) == 60
    assert len(dig.short("web.service.consul", "SRV", "+keepopen", "+tcp")) == 60
    cut = dig("web.service.consul", "SRV", "+noedns", "+ignore")
    assert "flags: qr aa tc rd;" in cut
    assert int(cut.rpartition("rcvd: ")[2]) <= 512


def test_a_daemon_that_finds_no_seed_denies_nothing(new_cluster: NewCluster) -> None:
    cluster = new_cluster(log_level="info")
    seed = cluster.prepare(GOSSIPD)
    host = cluster.next_host()
    more = ["--dns-addr", f"{host}:{PORT}"]
    agent = cluster.prepare(GOSSIPD, more=more, retry_join=[seed.options.bind])
    agent.start()
    dig = Dig(host, PORT)
    assert dig.status("web.service.consul") == "SERVFAIL"
    assert dig.status(f"{agent.name}.node.consul") == "SERVFAIL"
    assert dig.status("consul", "SOA") == "NOERROR"
    seed.start()
    register(seed, 1)
    answered = ("NOERROR", "NXDOMAIN")
    wait_for(lambda: dig.status("web.service.consul") in answered, 10, "an answer")
    assert dig.status("web.service.consul") == "NOERROR"  # and never a wrong denial before


def test_haproxy_fills_drains_and_empties_its_servers(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    agent, host = begin(
        new_cluster, PORT, "--set", "dns.payload_max=8192", "--set", "dns.srv_weight_scale=256"
    )
    for number in range(3):
        register(agent, number, weight=5)
    name = "_web._tcp.service.consul"
    with haproxy(tmp_path, f"{host}:{PORT}", name) as proxy:

        def shown() -> dict[str, int]:
            return {address: weight for address, (_, _, weight) in proxy.servers().items()}

        full = {f"127.1.0.{n + 1}:{9000 + n}": 5 for n in range(3)}
        wait_for(lambda: shown() == full, 10, "three servers", seen=shown)
        register(agent, 1, weight=0)
        drained = full | {"127.1.0.2:9001": 0}
        wait_for(lambda: shown() == drained, 10, "a server without weight", seen=shown)
        deregister(agent, 1)
        left = {address: 5 for address in full if address != "127.1.0.2:9001"}
        wait_for(lambda: shown() == left, 10, "two servers", seen=shown)
        register(agent, 1, weight=5)
        wait_for(lambda: shown() == full, 10, "three servers again", seen=shown)
        for number in range(3):
            deregister(agent, number)
        wait_for(lambda: not shown(), 10, "no server", seen=shown)
        register(agent, 7, weight=5)
        wait_for(lambda: len(shown()) == 1, 10, "a server after NXDOMAIN", seen=shown)
        before = proxy.resolutions()
        wait_for(lambda: proxy.resolutions()["sent"] >= before["sent"] + 5, 10, "five queries")
        after = proxy.resolutions()
        asked = after["sent"] - before["sent"]
        # with the addresses along, each refresh costs one query and each has an answer
        assert after["valid"] - before["valid"] >= asked - 1
        assert after.get("update", 0) == before.get("update", 0)


def test_haproxy_reads_forty_instances_from_one_reply(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    agent, host = begin(new_cluster, PORT, "--set", "dns.payload_max=8192")
    for number in range(40):
        register(agent, number)
    with haproxy(tmp_path, f"{host}:{PORT}", "_web._tcp.service.consul", 40) as proxy:
        wait_for(lambda: len(proxy.servers()) == 40, 10, "forty servers", seen=proxy.servers)


def test_haproxy_fills_a_plain_template_too(new_cluster: NewCluster, tmp_path: Path) -> None:
    agent, host = begin(new_cluster)
    for number in range(3):
        register(agent, number)
    with haproxy(tmp_path, f"{host}:{PORT}", "web.service.consul:9001") as proxy:
        expected = {f"127.1.0.{n}:9001" for n in (1, 2, 3)}
        wait_for(lambda: set(proxy.servers()) == expected, 10, "three servers", seen=proxy.servers)


@pytest.mark.slow
def test_prometheus_finds_all_instances_by_srv_and_a(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    agent, host = begin(new_cluster, 53)  # the only port that it asks
    for number in range(59):
        register(agent, number)
    with prometheus(tmp_path, host, host) as found:
        srv = {
            f"7f01{n // 250:02x}{n % 250 + 1:02x}.addr.north.consul:{9000 + n}" for n in range(59)
        }
        wait_for(
            lambda: found.targets("srv") == srv, 30, "59 targets of SRV", interval=0.3,
            seen=lambda: sorted(found.targets("srv"))[:3],
        )  # fmt: skip
        wait_for(lambda: len(found.targets("a")) == 59, 30, "59 targets of A", interval=0.3)
        deregister(agent, 0)
        wait_for(lambda: len(found.targets("srv")) == 58, 30, "one target less", interval=0.3)


def test_dnsmasq_passes_our_names_on_as_in_deploy(new_cluster: NewCluster, tmp_path: Path) -> None:
    agent, host = begin(new_cluster)
    for number in range(60):
        register(agent, number, tags=["blue"] if number == 1 else [])
    text = (DEPLOY / "dnsmasq" / "gossipd.conf").read_text("utf-8")
    assert text.count("127.0.0.1#8600") == 2
    config = tmp_path / "dnsmasq.conf"
    config.write_text(text.replace("127.0.0.1#8600", f"{host}#{PORT}"), "utf-8")
    with dnsmasq(config, host) as port:
        dig = Dig(host, port)
        assert dig.short("blue.web.service.consul", "SRV") == [
            "1 1 9001 7f010002.addr.north.consul."
        ]
        assert len(dig.short("web.service.consul", "SRV")) == 60
        assert dig.status("nope.service.consul") == "NXDOMAIN"
        register(agent, 99, name="nope")
        assert len(dig.short("nope.service.consul")) == 1


def test_haproxy_takes_the_configuration_in_deploy() -> None:
    words = [
        program("haproxy", "haproxy"),
        "-c",
        "-q",
        "-f",
        str(DEPLOY / "haproxy/gossipd-dns.cfg"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_configuration_of_resolved_in_deploy_says_what_is_meant() -> None:
    reader = configparser.ConfigParser()
    reader.read(DEPLOY / "systemd-resolved" / "gossipd.conf", "utf-8")
    assert dict(reader["Resolve"]) == {
        "dns": "127.0.0.1:8600",
        "domains": "~consul",
        "dnssec": "no",
        "cache": "no-negative",
    }


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "[::]"])
def test_bound_to_all_addresses_it_answers_from_the_one_asked(
    new_cluster: NewCluster, everywhere: str
) -> None:
    cluster = new_cluster(log_level="info")
    one, other = cluster.next_host(), cluster.next_host()
    with socket.create_server((one, 0)) as taken:
        port = taken.getsockname()[1]
    agent = cluster.prepare(GOSSIPD, more=["--dns-addr", f"{everywhere}:{port}"])
    agent.start()
    query = make_query("7f000001.addr.consul").to_wire()
    for host in (one, other):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5.0)
            sock.sendto(query, (host, port))
            reply, source = sock.recvfrom(4096)
        assert source == (host, port)
        assert reply[:2] == query[:2]
