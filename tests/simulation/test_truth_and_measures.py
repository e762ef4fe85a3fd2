"""The oracle knows who is up and who reaches whom; the measures say how well views follow it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gossipd.swim.events import MemberFailed
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import TagChange
from gossipd_sim.latency import Constant
from gossipd_sim.laws import Laws
from gossipd_sim.numbers import mean, quantile
from gossipd_sim.script import FORMED, Bootstrap, Scenario
from gossipd_sim.truth import Change
from support.watched import Watched


def part(values: Mapping[str, object], *keys: str) -> object:
    """Return what stands under a path of keys."""
    found: object = values
    for key in keys:
        assert isinstance(found, Mapping)
        found = found[key]
    return found


def number(values: Mapping[str, object], *keys: str) -> float:
    """Return the number under a path of keys."""
    found = part(values, *keys)
    assert isinstance(found, int | float)
    return float(found)


def groups(watched: Watched) -> list[list[str]]:
    return [[host.name for host in group] for group in watched.truth.groups()]


# -- truth ------------------------------------------------------------------------


def test_truth_tells_boots_crashes_leaves_and_restarts_in_order() -> None:
    watched = Watched(nodes=3, settle=5.0)
    _, one, two = watched.hosts
    watched.crash(one)
    watched.run(3)
    two.leave()
    watched.run(30)
    watched.site.tell_fault("restart n001")
    one.restart(remember=False)
    watched.run(1)
    watched.site.tell_fault("restart n001")
    one.restart(remember=False)
    watched.run(1)
    told = [(turn.host, turn.change, turn.life) for turn in watched.truth.turns]
    assert told == [
        ("n000", Change.UP, 1),
        ("n001", Change.UP, 1),
        ("n002", Change.UP, 1),
        ("n001", Change.CRASHED, 1),
        ("n002", Change.LEFT, 1),
        ("n001", Change.UP, 2),
        ("n001", Change.CRASHED, 2),
        ("n001", Change.UP, 3),
    ]
    assert watched.truth.turns[3].at == 5.0


def test_truth_parts_hosts_by_who_reaches_whom_also_through_others() -> None:
    watched = Watched(nodes=5, settle=5.0)
    network = watched.site.network
    assert groups(watched) == [["n000", "n001", "n002", "n003", "n004"]]
    network.cut(["n000", "n001"], ["n003", "n004"])  # one way is enough not to be connected
    assert groups(watched) == [["n000", "n001", "n002", "n003", "n004"]]
    network.cut(["n002"], ["n003", "n004"])
    assert groups(watched) == [["n000", "n001", "n002"], ["n003", "n004"]]
    assert watched.truth.reaches(watched.hosts[3], watched.hosts[0])
    assert not watched.truth.are_connected(watched.hosts[3], watched.hosts[0])
    watched.crash(watched.hosts[0])
    watched.hosts[4].freeze()
    assert groups(watched) == [["n001", "n002"], ["n003"]]


def test_truth_takes_nobody_for_healthy_who_was_hindered_lately() -> None:
    watched = Watched(nodes=3, settle=20.0)
    host = watched.hosts[1]
    assert watched.truth.is_healthy(host, watched.now, 20.0)
    assert not watched.truth.is_healthy(host, watched.now, 30.0)
    watched.site.tell_fault("freeze n001")
    host.freeze()
    watched.run(10)
    assert not watched.truth.is_healthy(host, watched.now, 0.0)
    watched.site.tell_fault("thaw n001")
    host.thaw()
    watched.run(5)
    assert watched.truth.is_healthy(host, watched.now, 4.0)
    assert not watched.truth.is_healthy(host, watched.now, 6.0)


@pytest.mark.parametrize(
    "laws",
    [
        Laws(loss=0.001),
        Laws(udp=False),
        Laws(tcp="hang"),
        Laws(corrupt=0.001),
        Laws(latency=Constant(0.3)),
        Laws(mtu=1000),
    ],
)
def test_truth_is_calm_only_while_all_links_are_good(laws: Laws) -> None:
    watched = Watched(nodes=3, settle=20.0)
    assert watched.truth.is_calm(watched.now, 15.0)
    watched.site.network.set_laws(["n001"], ["n002"], laws)
    watched.site.tell_fault("one link")
    watched.run(20)
    assert not watched.truth.is_calm(watched.now, 15.0)
    watched.site.network.set_laws(["n001"], ["n002"], Laws())
    watched.site.tell_fault("as before")
    watched.run(10)
    assert not watched.truth.is_calm(watched.now, 15.0)
    watched.run(10)
    assert watched.truth.is_calm(watched.now, 15.0)


# -- measures ---------------------------------------------------------------------


def test_a_crash_is_measured_by_its_first_and_its_last_witness() -> None:
    watched = Watched(nodes=6, settle=20.0)
    watched.crash(watched.hosts[5])
    shown: dict[str, float] = {}
    crashed_at = watched.now
    for _ in range(600):
        watched.run(0.05)
        for host in watched.hosts[:5]:
            if host.statuses()["n005"] is MemberStatus.FAILED:
                shown.setdefault(host.name, watched.now - crashed_at)
    values = watched.measures.values()
    assert len(shown) == 5
    assert part(values, "detection", "crashes") == 1
    assert number(values, "detection", "first", "median") == pytest.approx(
        min(shown.values()), abs=0.06
    )
    assert number(values, "detection", "full", "median") == pytest.approx(
        max(shown.values()), abs=0.06
    )
    assert part(values, "deaths") == {"told": 5, "false": 0, "false_apart": 0, "false_healthy": 0}


def test_a_crash_that_some_did_not_notice_is_not_fully_detected() -> None:
    watched = Watched(nodes=6, settle=20.0)
    watched.crash(watched.hosts[5])
    watched.run(0.0)
    node = watched.hosts[0].node
    assert node is not None
    member = node._swim.member("n005")
    assert member is not None
    watched.inspector.on_event(
        watched.hosts[0], MemberFailed(member, "n000", 0, 4.0), watched.now + 4.0
    )
    values = watched.measures.values()
    assert part(values, "detection", "first") == {
        "count": 1,
        "median": 4.0,
        "p99": 4.0,
        "max": 4.0,
    }
    assert part(values, "detection", "full") == {"count": 0}


def test_deaths_of_the_living_are_counted_and_those_without_excuse_apart() -> None:
    watched = Watched(nodes=4, settle=70.0)
    node = watched.hosts[0].node
    assert node is not None
    member = node._swim.member("n002")
    assert member is not None
    failed = MemberFailed(member, "n001", 0, None)
    watched.inspector.on_event(watched.hosts[0], failed, watched.now)
    assert part(watched.measures.values(), "deaths") == {
        "told": 1,
        "false": 1,
        "false_apart": 0,
        "false_healthy": 1,
    }
    watched.site.tell_fault("slow n002")
    watched.hosts[2].slow(0.1)
    watched.run(3)
    watched.hosts[2].slow(0.0)
    watched.inspector.on_event(watched.hosts[0], failed, watched.now)
    assert part(watched.measures.values(), "deaths") == {
        "told": 2,
        "false": 2,
        "false_apart": 0,
        "false_healthy": 1,
    }


def test_deaths_across_a_split_are_false_and_have_an_excuse() -> None:
    watched = Watched(nodes=5, settle=70.0)
    names = [host.name for host in watched.hosts]
    watched.site.tell_fault("split")
    watched.site.network.cut(names[:1], names[1:])
    watched.site.network.cut(names[1:], names[:1])
    watched.run(60)
    values = watched.measures.values()
    assert part(values, "deaths") == {
        "told": 8,
        "false": 8,
        "false_apart": 8,
        "false_healthy": 0,
    }
    # those cut off from each other may show what they like
    assert number(values, "agreement", "share") == 1.0
    node = watched.hosts[1].node
    assert node is not None
    member = node._swim.member("n002")
    assert member is not None
    watched.site.tell_fault("heal")
    watched.site.network.heal()
    watched.inspector.on_event(watched.hosts[0], MemberFailed(member, "n001", 0, None), watched.now)
    assert number(watched.measures.values(), "deaths", "false_healthy") == 0
    watched.inspector.on_event(
        watched.hosts[1], MemberFailed(member, "n003", 0, None), watched.now + 100
    )
    assert number(watched.measures.values(), "deaths", "false_healthy") == 1


def test_those_who_begin_as_a_formed_cluster_agree_from_the_start() -> None:
    scenario = Scenario(
        name="formed", nodes=8, horizon=5.0, settle=1.0, bootstrap=Bootstrap(kind=FORMED)
    )
    agreement = part(Cluster(scenario, 1).run().measures, "agreement")
    assert isinstance(agreement, Mapping)
    assert [share for _, share in agreement["course"]] == [1.0]
    assert agreement["max"] < 0.5


def test_the_mean_depth_of_a_queue_is_not_rounded_down() -> None:
    scenario = Scenario(
        name="bump",
        nodes=4,
        horizon=20.0,
        settle=1.0,
        bootstrap=Bootstrap(kind=FORMED),
        swim={"gossip_interval": 30.0, "probe_interval": 30.0, "push_pull_interval": 0.0},
        faults=(TagChange(at=1.5, hosts="n001", tags={"a": "b"}),),
    )
    claims = part(Cluster(scenario, 1).run().measures, "queues", "claims")
    assert isinstance(claims, Mapping)
    assert 0 < claims["mean"] < 1
    assert claims["max"] == 1


def test_agreement_falls_with_a_crash_and_returns_when_all_know() -> None:
    watched = Watched(nodes=5, settle=20.0)
    watched.crash(watched.hosts[4])
    watched.run(3)
    course = part(watched.measures.values(), "agreement", "course")
    assert isinstance(course, list)
    # four hosts show each of five machines, and all four are wrong about one
    assert course[-1][1] == pytest.approx(16 / 20)
    assert part(watched.measures.values(), "agreement", "unsettled") is not None
    watched.run(30)
    values = watched.measures.values()
    assert number(values, "agreement", "share") == 1.0
    assert part(values, "agreement", "unsettled") is None
    assert 4.0 < number(values, "agreement", "max") < 20.0


def test_bytes_by_cause_add_up_to_what_the_network_carried() -> None:
    watched = Watched(nodes=5, settle=60.0)
    values = watched.measures.values()
    packets = part(values, "a_node_a_second", "packets")
    sizes = part(values, "a_node_a_second", "bytes")
    assert isinstance(packets, Mapping)
    assert isinstance(sizes, Mapping)
    assert sum(packets.values()) == pytest.approx(
        number(values, "a_node_a_second", "udp_packets"), abs=0.01
    )
    assert sum(sizes.values()) == pytest.approx(
        number(values, "a_node_a_second", "udp_bytes"), abs=0.1
    )
    # one probe a second, answered
    assert packets["ping"] == pytest.approx(1.0, abs=0.05)
    assert packets["ack"] == packets["ping"]
    assert number(values, "a_node_a_second", "tcp_bytes") > 0


def test_watching_changes_nothing_in_a_run() -> None:
    watched, alone = Watched(nodes=5, seed=3, settle=0.0), Watched(nodes=5, seed=3, settle=0.0)
    alone.site.observers.clear()
    for run in (watched, alone):
        run.run(30)
        run.site.tell_fault("crash n004")
        run.hosts[4].crash()
        run.run(30)
    assert watched.site.trace.hexdigest() == alone.site.trace.hexdigest()


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0, 5.0], 0.5, 3.0),
        ([float(n) for n in range(1, 201)], 0.99, 198.0),
        ([1.0, 2.0], 0.0, 1.0),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_a_quantile_is_a_value_that_was_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert quantile(values, share) == expected


def test_the_mean_of_nothing_is_nothing() -> None:
    assert mean([]) == 0.0
    assert mean([1, 2, 6]) == 3.0
