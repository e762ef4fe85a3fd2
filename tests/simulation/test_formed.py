"""A formed cluster: everybody knows everybody from the start, at little cost."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.config.model import NodeConfig
from gossipd.swim.rotation import RandomRotation
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.anomaly_faults import Starve
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import Crash, Fault, Leave, Restart, TagChange
from gossipd_sim.formed import Formed, LazyRotation
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import Partition
from gossipd_sim.script import FORMED, Bootstrap, Scenario, Special

NAMES = tuple(f"n{number:03d}" for number in range(40))
ROUGH = Scenario(
    name="formed",
    nodes=40,
    horizon=150.0,
    settle=60.0,
    bootstrap=Bootstrap(kind=FORMED),
    laws=Laws(loss=0.02),
    faults=(
        Crash(at=5.0, hosts="n003"),
        Crash(at=6.0, lasts=20.0, hosts="n007"),
        Leave(at=10.0, hosts="n010"),
        Crash(at=11.0, hosts="n020"),
        Restart(at=12.0, hosts="n020", remember=True),
    ),
)


def test_all_are_members_from_the_start_and_nobody_says_a_word_about_it() -> None:
    quiet = replace(ROUGH, horizon=10.0, settle=1.0, faults=(), laws=Laws())
    cluster = Cluster(quiet, 1)
    outcome = cluster.run()
    assert outcome.violations == ()
    for host in cluster.hosts.values():
        assert set(host.statuses().values()) == {MemberStatus.ALIVE}
        assert len(host.statuses()) == 40
    packets = outcome.measures["a_node_a_second"]
    assert isinstance(packets, dict)
    assert "gossip" not in packets["packets"]


def test_faults_in_it_are_noticed_by_wire_as_by_reference() -> None:
    by_reference = Cluster(ROUGH, 2)
    ours, theirs = by_reference.run(), Cluster(ROUGH, 2, by_wire=True).run()
    assert ours.trace == theirs.trace
    assert ours.measures == theirs.measures
    assert ours.violations == ()
    for name in ("n000", "n039"):
        statuses = by_reference.hosts[name].statuses()
        assert statuses["n003"] is MemberStatus.FAILED
        assert statuses["n010"] is MemberStatus.LEFT
        assert statuses["n007"] is statuses["n020"] is MemberStatus.ALIVE


@pytest.mark.parametrize(
    "trouble",
    [
        Partition(at=2.0, lasts=20.0, groups=("n000-n019", "n020-n039")),
        Starve(at=2.0, lasts=20.0, hosts="n000-n009", median=0.02),
    ],
)
def test_large_states_with_much_news_are_merged_alike_by_wire_and_by_reference(
    trouble: Fault,
) -> None:
    scenario = replace(
        ROUGH,
        horizon=30.0,
        settle=5.0,
        swim={"push_pull_interval": 2.0},
        wire={"compression": False},
        special=(Special(hosts="all", tags={"note": 460 * "x"}),),
        faults=(trouble, TagChange(at=5.0, hosts="n003, n031", tags={"role": "new"})),
        checkers=("none",),
    )
    ours, theirs = Cluster(scenario, 1).run(), Cluster(scenario, 1, by_wire=True).run()
    assert ours.trace == theirs.trace
    assert ours.measures == theirs.measures


def test_a_lazy_rotation_visits_everybody_once_in_each_pass_and_newcomers_too() -> None:
    rotation = LazyRotation(NAMES, Random(3))
    first = [rotation.next_target(lambda name: True, list) for _ in NAMES]
    assert sorted(map(str, first)) == list(NAMES)
    assert first != list(NAMES)
    rotation.insert("new")
    rotation.next_target(lambda name: True, list)  # ends the pass, whatever is left of it
    while rotation._position != 0 and rotation._position < len(rotation):
        rotation.next_target(lambda name: True, list)
    second = [rotation.next_target(lambda name: True, list) for _ in range(41)]
    assert sorted(map(str, second)) == sorted([*NAMES, "new"])


def test_a_lazy_rotation_drops_the_forgotten_when_it_wraps() -> None:
    rotation = LazyRotation(NAMES, Random(4))
    for _ in NAMES:
        rotation.next_target(lambda name: True, list)
    seen = {rotation.next_target(lambda name: True, lambda: ["n005", "n006"]) for _ in range(38)}
    assert seen == set(NAMES) - {"n005", "n006"}
    assert len(rotation) == 38


def test_every_place_of_a_lazy_rotation_is_equally_likely() -> None:
    counts = dict.fromkeys(NAMES[:5], 0)
    for seed in range(2000):
        rotation = LazyRotation(NAMES[:5], Random(seed))
        targets = [rotation.next_target(lambda name: True, list) for _ in range(5)]
        counts[str(targets[3])] += 1
    assert all(320 < count < 480 for count in counts.values())


def test_a_lazy_rotation_chooses_distinct_names_that_are_accepted() -> None:
    rotation = LazyRotation(NAMES, Random(5))
    for _ in range(100):
        chosen = rotation.choose(3, lambda name: name > "n010")
        assert len(set(chosen)) == 3
        assert min(chosen) > "n010"
    assert LazyRotation(NAMES[:2], Random(6)).choose(3, lambda name: True) != []


def test_a_name_that_is_forgotten_is_not_probed_again() -> None:
    rotation = LazyRotation(NAMES[:6], Random(7))
    rotation.insert("new")
    rotation.forget(("n002", "new"))
    assert len(rotation) == 5
    seen = [rotation.next_target(lambda name: True, tuple) for _ in range(10)]
    assert {name for name in seen if name} == set(NAMES[:6]) - {"n002"}


def test_the_order_of_probes_of_a_formed_cluster_is_that_of_its_configuration() -> None:
    formed = Formed((Address(bytes([10, 0, 0, 1]), 7946), NodeConfig(name=name)) for name in "abc")
    assert isinstance(formed.storage(Random(1)).rotation, LazyRotation)
    assert isinstance(formed.storage(Random(1), round_robin=False).rotation, RandomRotation)
