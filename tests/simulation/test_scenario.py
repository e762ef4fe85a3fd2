"""Scenarios are read from TOML; what is wrong is refused with the file and the key."""

from __future__ import annotations

import pytest

from gossipd_sim.faults import Crash, TagChange
from gossipd_sim.hostile import HostilePackets
from gossipd_sim.latency import Constant, LogNormal, Uniform
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import LinkLaws
from gossipd_sim.scenario import FAULTS, Scenario, ScenarioError, read_scenario
from gossipd_sim.script import Bootstrap, LinkRule, Special
from gossipd_sim.workload import Churn

HEAD = "nodes = 10\nhorizon = 200\nsettle = 50\n"


def read(rest: str = "", head: str = HEAD) -> Scenario:
    return read_scenario(head + rest, "some/where/calm-sea.toml")


def fault(text: str) -> str:
    return "[[faults]]\n" + "\n".join(text.split("; ")) + "\n"


def test_a_short_scenario_has_defaults_and_the_name_of_its_file() -> None:
    scenario = read_scenario("nodes = 3\nhorizon = 100\n", "some/where/calm-sea.toml")
    assert scenario == Scenario(name="calm-sea", nodes=3, horizon=100.0)
    assert scenario.calm_from == 40.0


def test_everything_that_can_be_said_is_read() -> None:
    scenario = read(
        """
name = "storm"
description = "all of it"
profile = "local"
late = "n009"
keys = ["Z29zc2lwZCByZWhlYXJzZQ=="]
checkers = ["rest"]
bootstrap = { kind = "staggered", over = "2s", seeds = 3 }

[swim]
gossip_nodes = 4
probe_interval = "6500ms"

[serf]
resolve_name_conflicts = false

[wire]
label = "blue"

[network]
latency = { low = 0.001, high = 0.002 }
loss = 0.01

[groups]
rack = "n000-n003"

[[links]]
sources = "rack"
targets = "rest"
laws = { latency = { median = 0.04, sigma = 0.1 }, tcp = "hang" }

[[special]]
hosts = "rack"
profile = "wan"
tags = { zone = "a" }

[[churn]]
at = 10
lasts = 30
every = 3
leaves = 0.25

[[faults]]
do = "crash"
at = 20
hosts = "rack"
lasts = "1m"
remember = true

[[faults]]
do = "links"
at = 30
sources = "all"
targets = "all"
laws = { latency = 0.1, udp = false }

[[faults]]
do = "tags"
at = 35
hosts = "n007"
tags = { role = "web" }
delete = ["zone"]

[[faults]]
do = "hostile"
at = 40
hosts = "n008"
lasts = 2
kinds = ["noise"]
"""
    )
    assert scenario == Scenario(
        name="storm",
        description="all of it",
        nodes=10,
        horizon=200.0,
        settle=50.0,
        bootstrap=Bootstrap(kind="staggered", over=2.0, seeds=3),
        late="n009",
        profile="local",
        swim={"gossip_nodes": 4, "probe_interval": 6.5},
        serf={"resolve_name_conflicts": False},
        wire={"label": "blue"},
        keys=(b"gossipd rehearse",),
        laws=Laws(latency=Uniform(0.001, 0.002), loss=0.01),
        links=(
            LinkRule(
                sources="rack",
                targets="rest",
                laws={"latency": LogNormal(0.04, 0.1), "tcp": "hang"},
            ),
        ),
        special=(Special(hosts="rack", profile="wan", tags={"zone": "a"}),),
        groups={"rack": "n000-n003"},
        churn=(Churn(at=10.0, lasts=30.0, every=3.0, leaves=0.25),),
        faults=(
            Crash(at=20.0, hosts="rack", lasts=60.0, remember=True),
            LinkLaws(
                at=30.0,
                sources="all",
                targets="all",
                laws={"latency": Constant(0.1), "udp": False},
            ),
            TagChange(at=35.0, hosts="n007", tags={"role": "web"}, delete=("zone",)),
            HostilePackets(at=40.0, hosts="n008", lasts=2.0, kinds=("noise",)),
        ),
        checkers=("rest",),
    )


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("setle = 3", "setle: unknown key; did you mean 'settle'?"),
        ("[swim]\nprobe_intervall = 1", "swim.probe_intervall: unknown key; did you mean"),
        ("[swim]\nprobe_timeout = 2", "probe_timeout 2 is above probe_interval"),
        ("[swim]\ngossip_nodes = -1", "swim.gossip_nodes: -1 is not"),
        ("[serf]\nevent_buffer = 'many'", "serf.event_buffer: 'many'"),
        ("[wire]\npacket_bytes_max = 3", "packet_bytes_max is 3"),
        ("[network]\nloss = 1.5", "network.loss is 1.5"),
        ("[network]\nlatency = { low = 2, high = 1 }", "network.latency: low 2 is above"),
        ("[network]\nlatency = { mean = 2 }", "network.latency: "),
        ("[network]\nlatency = -0.1", "network.latency: -0.1"),
        ("[network]\ntcp = 'slow'", "network.tcp is 'slow'"),
        ("network = 3", "network: 3 is not a table"),
        ("profile = 'moon'", "profile: no profile is called 'moon'"),
        ("keys = ['short']", "keys: Invalid encryption key"),
        ("late = 'n010'", "late: there is no host n010"),
        ("late = 'all'", "late: every host is late"),
        ("bootstrap = 'twice'", "bootstrap: 'twice' is none of"),
        ("bootstrap = { over = 3 }", "bootstrap: kind: missing"),
        ("bootstrap = { kind = 'at once', seed = 2 }", "bootstrap: seed: unknown key"),
        ("checkers = ['sleep']", "checkers: 'sleep' is none of"),
        ("[groups]\nn001 = 'n002'", "groups.n001: a group is named"),
        ("[groups]\nrack = 'n070'", "groups.rack: there is no host n070"),
        ("[groups]\nrack = 7", "groups.rack: 7 is not text"),
        ("[[links]]\nsources = 'all'", "links[0].targets: missing"),
        ("[[links]]\nsources = 'all'\ntargets = 'n099'", "links[0].targets: there is no host"),
        ("[[links]]\nsources = 'all'\ntargets = 'all'\nlaws = { los = 1 }", "links[0].laws.los"),
        ("[[special]]\nhosts = 'n099'", "special[0].hosts: there is no host n099"),
        (f"[[special]]\nhosts = 'n001'\ntags = {{ a = '{'x' * 600}' }}", "special[0].tags: "),
        ("[[churn]]\nat = 1\nlasts = 9", "churn[0].every: missing"),
        ("[[churn]]\nat = 1\nlasts = 9\nevery = 0", "churn[0].every: 0 must be above 0"),
        ("[[churn]]\nat = 1\nlasts = 9\nevery = 1\nleaves = 2", "churn[0].leaves: 2 is not"),
        ("[[churn]]\nat = 1\nlasts = 9\nevery = 1\nhosts = 'n88'", "churn[0]: hosts: 'n88'"),
        (
            "[[churn]]\nat = 1\nlasts = 9\nevery = 1\nhosts = 'n001,n002'",
            "churn[0]: hosts: 'n001,n002': put several into a group",
        ),
        ("faults = 3", "faults: write [[faults]]"),
        (fault("at = 10"), "faults[0].do: missing"),
        (fault("do = 'crsh'; at = 10"), "faults[0].do: no fault is called 'crsh'; did you mean"),
        (fault("do = 'zzzzz'; at = 10"), "known are crash, restart"),
        (fault("do = 'crash'; hosts = 'n001'"), "faults[0].at: missing"),
        (fault("do = 'crash'; at = -3; hosts = 'n001'"), "faults[0].at: -3 is not a duration"),
        (fault("do = 'crash'; at = nan; hosts = 'n001'"), "faults[0].at: nan is not"),
        (fault("do = 'crash'; at = inf; hosts = 'n001'"), "faults[0].at: inf is not"),
        (fault("do = 'crash'; at = 10; hosts = 'n010'"), "faults[0].hosts: there is no host n010"),
        (fault("do = 'crash'; at = 10; host = 'n001'"), "faults[0].hosts: missing"),
        (fault("do = 'crash'; at = 10; hosts = 3"), "faults[0].hosts: 3 is not text"),
        (fault("do = 'crash'; at = 10; hosts = 'n001'; times = 0"), "faults[0].times: 0 times"),
        (fault("do = 'crash'; at = 10; hosts = 'n001'; last = 5"), "did you mean 'lasts'?"),
        (fault("do = 'crash'; at = 10; hosts = 'n001'; lasts = -1"), "faults[0].lasts: -1"),
        (fault("do = 'restart'; at = 10; hosts = 'n001'"), "faults[0].hosts: n001 is not down"),
        (fault("do = 'restart'; at = 10; hosts = 'n001'; lasts = 3"), "restart does not last"),
        (fault("do = 'join'; at = 10; hosts = 'n001'; to = 'n099'"), "faults[0].to: there is no"),
        (fault("do = 'slow'; at = 10; hosts = 'n001'"), "faults[0].seconds: missing"),
        (fault("do = 'clock_drift'; at = 9; hosts = 'n001'; rate = 0"), "faults[0].rate: 0 must"),
        (fault("do = 'heal'; at = 10; stagger = 3"), "faults[0].stagger: heal does not befall"),
        (fault("do = 'partition'; at = 10; groups = 'all'"), "faults[0].groups: 'all' is not"),
        (
            fault("do = 'links'; at = 10; sources = 'all'; targets = 'all'; laws = { loss = 3 }"),
            "faults[0].laws.loss is 3",
        ),
        (
            fault("do = 'force_leave'; at = 10; hosts = 'n001'; target = 'n099'"),
            "faults[0].target: there is no host n099",
        ),
        (
            fault("do = 'address_reuse'; at = 10; hosts = 'n001'; of = 'n002'"),
            "faults[0].hosts: n001 is not down or waiting to start",
        ),
        (
            fault("do = 'hostile'; at = 10; hosts = 'n001'; kinds = ['rude']"),
            "faults[0].kinds: 'rude' is none of",
        ),
        (
            fault("do = 'hostile'; at = 10; hosts = 'n001'; lasts = 100; rate = 1e9"),
            "faults[0].rate: more than",
        ),
        (
            "[network]\nlatency = { median = 1, sigma = 1000 }",
            "network.latency: sigma 1000 is above",
        ),
        (f"[network]\nlatency = {{ median = 1, sigma = 1{'0' * 400} }}", "is not a number"),
        ("[network]\nlatency = { low = 0, high = 1e308 }", "network.latency: 1e+308 s is above"),
        (fault("do = 'clock_jump'; at = 9; hosts = 'n001'; seconds = 1e308"), "s is above"),
        ("[swim]\ngossip_interval = 1e-300", "swim.gossip_interval: 1e-300 is below"),
        (f"[swim]\nsuspicion_mult = 1{'0' * 400}", "swim.suspicion_mult: the number is far too"),
        (
            fault("do = 'tags'; at = 10; hosts = 'n001'; tags = { a = 3 }"),
            "faults[0].tags: 3 is not text",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_the_file_and_the_key(rest: str, said: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        read(rest)
    text = str(refusal.value)
    assert text.startswith("some/where/calm-sea.toml: ")
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("horizon = 10\nsettle = 1\n", "nodes: missing"),
        ("nodes = 0\nhorizon = 100\n", "nodes: 0 is not within"),
        ("nodes = 2.5\nhorizon = 100\n", "nodes: 2.5 is not"),
        ("nodes = 1000000\nhorizon = 100\n", "nodes: 1000000 is not within"),
        ("nodes = 3\n", "horizon: missing"),
        ("nodes = 3\nhorizon = -5\n", "horizon: -5 is not"),
        ("nodes = 3\nhorizon = 30\n", "settle: 60 s leave nothing of a horizon of 30 s"),
        ("nodes = 3\nhorizon 30\n", "line 2"),
        ("nodes = 3\nnodes = 4\n", "line 2"),
        ('nodes = 3\nhorizon = 100\nname = "a\\u001bb"\n', "name: .* cannot be printed"),
        ("nodes = 3\nhorizon = 1e300\n", "horizon: 1e.300 s is above 1e.09 s"),
        (f"nodes = 3\nhorizon = 1{'0' * 400}\n", "horizon: 10+ is not a duration"),
        (f"nodes = 1{'0' * 5000}\n", "f.toml: "),
        (f"nodes = {'[' * 5000}{']' * 5000}\n", "f.toml: "),
    ],
)
def test_what_is_wrong_on_top_is_refused_with_key_or_line(head: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        read_scenario(head, "f.toml")


def test_an_address_that_passed_on_is_not_its_former_hosts_any_more() -> None:
    text = "late = 'n009'\n" + fault("do = 'crash'; at = 10; hosts = 'n001'")
    text += fault("do = 'address_reuse'; at = 20; hosts = 'n009'; of = 'n001'")
    read(text)
    with pytest.raises(ScenarioError, match=r"faults\[2\].hosts: n001 is not down at 30 s"):
        read(text + fault("do = 'restart'; at = 30; hosts = 'n001'"))


def test_every_fault_has_a_word_and_a_readable_line() -> None:
    given: dict[str, object] = {
        "at": 1.0,
        "hosts": "n001",
        "to": "n000",
        "of": "n002",
        "target": "n002",
        "sources": "n001",
        "targets": "n002",
        "groups": ("n001", "n002"),
        "seconds": 0.5,
        "rate": 2.0,
        "median": 0.03,
        "key": bytes(16),
        "name": "deploy",
        "service": "web",
        "load": 0.5,
    }
    for word, kind in FAULTS.items():
        fields = {key: value for key, value in given.items() if key in kind.__match_args__}
        line = kind(**fields).describe()  # type: ignore[arg-type]
        assert word
        assert line.strip() == line
        assert line
