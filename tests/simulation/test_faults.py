"""What faults do to a running cluster, and what is as before when they end."""

from __future__ import annotations

import pytest

from gossipd.node.events import InputDropped, NodeEvent
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.swim.events import MemberFailed, NameConflict
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.cluster import Cluster
from gossipd_sim.host import Host
from gossipd_sim.observer import Watcher
from gossipd_sim.scenario import read_scenario

ALIVE, LEFT, FAILED = MemberStatus.ALIVE, MemberStatus.LEFT, MemberStatus.FAILED


class Listener(Watcher):
    """Keeps what the nodes told and which faults came."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str, NodeEvent]] = []
        self.faults: list[tuple[float, str]] = []

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        self.events.append((now, host.name, event))

    def on_fault(self, text: str, now: float) -> None:
        self.faults.append((now, text))

    def of(self, kind: type[NodeEvent]) -> list[tuple[float, str, NodeEvent]]:
        return [entry for entry in self.events if isinstance(entry[2], kind)]


def made(rest: str, *, nodes: int = 5, horizon: int = 60, settle: int = 30) -> Cluster:
    head = f"nodes = {nodes}\nhorizon = {horizon}\nsettle = {settle}\n"
    return Cluster(read_scenario(head + rest, "f.toml"), 7)


def fault(text: str) -> str:
    return "[[faults]]\n" + "\n".join(text.split("; ")) + "\n"


def shown(cluster: Cluster, member: str) -> set[MemberStatus | None]:
    return {
        host.statuses().get(member)
        for host in cluster.hosts.values()
        if host.is_up and host.name != member
    }


def test_observers_hear_of_each_fault_when_it_happens() -> None:
    cluster = made(fault("do = 'freeze'; at = 10; hosts = 'n001'; lasts = 0.5"))
    listener = Listener()
    cluster.observers.append(listener)
    cluster.run()
    assert listener.faults == [
        (10.0, "freeze n001"),
        (10.5, "thaw n001"),
        (30.0, "faults are over"),
    ]


@pytest.mark.parametrize("remember", ["true", "false"])
@pytest.mark.parametrize("victim", ["n000", "n003"])
@pytest.mark.parametrize("do", ["crash", "leave"])
def test_whoever_went_and_came_back_is_alive_for_all(do: str, victim: str, remember: str) -> None:
    cluster = made(
        fault(f"do = '{do}'; at = 5; hosts = '{victim}'; lasts = 15; remember = {remember}")
    )
    cluster.world.run_until(19.0)
    assert shown(cluster, victim) == {FAILED if do == "crash" else LEFT}
    assert cluster.run().violations == ()
    assert shown(cluster, victim) == {ALIVE}
    assert cluster.hosts[victim].life == 2


def test_a_forced_leave_shows_as_left_and_a_prune_forgets() -> None:
    cluster = made(
        fault("do = 'crash'; at = 5; hosts = 'n003,n004'")
        + fault("do = 'force_leave'; at = 22; hosts = 'n001'; target = 'n003'")
        + fault("do = 'force_leave'; at = 24; hosts = 'n001'; target = 'n004'; prune = true")
    )
    cluster.run()
    assert shown(cluster, "n003") == {LEFT}
    assert shown(cluster, "n004") == {None}


def test_changed_tags_reach_everybody() -> None:
    cluster = made(
        fault("do = 'tags'; at = 5; hosts = 'n003'; tags = { role = 'web', turn = '1' }")
        + fault("do = 'tags'; at = 10; hosts = 'n003'; tags = { turn = '2' }; delete = ['role']")
    )
    cluster.run()
    for host in cluster.hosts.values():
        assert host.node is not None
        tags = {member.name: dict(member.tags) for member in host.node.view().members}
        assert tags["n003"] == {"turn": "2"}


def test_a_partition_cuts_only_between_its_parts_and_heals() -> None:
    cluster = made(fault("do = 'partition'; at = 5; lasts = 10; groups = ['n000', 'n001,n002']"))
    is_cut = cluster.network.is_cut
    cluster.world.run_until(6.0)
    assert is_cut("n000", "n001")
    assert is_cut("n002", "n000")
    assert not is_cut("n001", "n002")
    assert not is_cut("n000", "n003")
    cluster.world.run_until(16.0)
    assert not is_cut("n000", "n001")


def test_a_one_way_cut_leaves_the_way_back_open() -> None:
    cluster = made(fault("do = 'one_way'; at = 5; sources = 'n001'; targets = 'n002'; lasts = 3"))
    cluster.world.run_until(6.0)
    assert cluster.network.is_cut("n001", "n002")
    assert not cluster.network.is_cut("n002", "n001")
    cluster.world.run_until(9.0)
    assert not cluster.network.is_cut("n001", "n002")


def test_laws_of_links_change_what_they_name_and_are_as_usual_afterwards() -> None:
    cluster = made(
        "[network]\nduplicate = 0.25\n"
        "[[links]]\nsources = 'n000'\ntargets = 'n001'\nlaws = { loss = 0.125 }\n"
        + fault(
            "do = 'links'; at = 5; lasts = 5; sources = 'n000'; targets = 'all'"
            "; laws = { corrupt = 0.5 }"
        )
    )

    def laws() -> list[tuple[float, float, float]]:
        pairs = (("n000", "n001"), ("n000", "n002"), ("n003", "n000"), ("n003", "n004"))
        found = [cluster.network.laws_of(*pair) for pair in pairs]
        return [(each.duplicate, each.loss, each.corrupt) for each in found]

    usual = [(0.25, 0.125, 0.0), (0.25, 0.0, 0.0), (0.25, 0.0, 0.0), (0.25, 0.0, 0.0)]
    assert laws() == usual
    cluster.world.run_until(6.0)
    assert laws() == [(0.25, 0.125, 0.5), (0.25, 0.0, 0.5), (0.25, 0.0, 0.5), (0.25, 0.0, 0.0)]
    cluster.world.run_until(11.0)
    assert laws() == usual


def test_calm_undoes_whatever_still_lasts() -> None:
    cluster = made(
        fault("do = 'partition'; at = 25; groups = ['n000', 'rest']")
        + fault("do = 'links'; at = 25; sources = 'all'; targets = 'all'; laws = { loss = 0.5 }")
        + fault("do = 'freeze'; at = 25; hosts = 'n001'")
        + fault("do = 'slow'; at = 25; hosts = 'n002'; seconds = 3")
        + fault("do = 'block_sending'; at = 25; hosts = 'n003'")
        + fault("do = 'block_receiving'; at = 25; hosts = 'n004'")
        + fault("do = 'clock_drift'; at = 25; hosts = 'n000'; rate = 2")
    )
    cluster.world.run_until(29.0)
    assert sum(host.is_hindered for host in cluster.hosts.values()) == 4
    assert cluster.network.is_cut("n000", "n001")
    cluster.world.run_until(30.0)
    assert not any(host.is_hindered for host in cluster.hosts.values())
    assert not cluster.network.is_cut("n000", "n001")
    assert cluster.network.laws_of("n001", "n002").loss == 0.0
    host = cluster.hosts["n000"]
    ahead = host.local_time() - cluster.world.now
    assert ahead == pytest.approx(5.0)
    cluster.world.run_until(40.0)
    assert host.local_time() - cluster.world.now == pytest.approx(ahead)


def test_anomalies_block_both_ways_in_lock_step_and_come_again() -> None:
    cluster = made(
        fault("do = 'anomaly'; at = 10; hosts = 'n001,n003'; lasts = 2; times = 3; every = 2.5")
    )
    hindered = [
        ("n001", "n003") if 10 <= at < 17 and (at - 10) % 2.5 < 2 else () for at in range(30)
    ]
    for at, names in enumerate(hindered):
        cluster.world.run_until(at + 0.25)
        assert tuple(host.name for host in cluster.hosts.values() if host.is_hindered) == names, at


def test_calm_leaves_clocks_that_were_right_as_they_are() -> None:
    cluster = made("")
    cluster.run()
    assert {host.local_time() for host in cluster.hosts.values()} == {60.0}


def test_a_second_daemon_of_one_name_is_reported_and_the_first_keeps_it() -> None:
    cluster = made("late = 'n004'\n" + fault("do = 'name_clash'; at = 10; hosts = 'n004'; "
                                             "of = 'n002'; lasts = 10"))  # fmt: skip
    listener = Listener()
    cluster.observers.append(listener)
    cluster.run()
    assert listener.of(NameConflict)
    kept = cluster.hosts["n002"].address
    for host in cluster.hosts.values():
        if host.node is not None:
            addresses = {member.name: member.address for member in host.node.view().members}
            assert addresses["n002"] == kept
    assert cluster.hosts["n004"].config.name == "n004"


def test_a_new_member_lives_at_a_dead_ones_address() -> None:
    cluster = made(
        "late = 'n004'\n"
        + fault("do = 'crash'; at = 5; hosts = 'n002'")
        + fault("do = 'address_reuse'; at = 15; hosts = 'n004'; of = 'n002'")
    )
    cluster.run()
    assert cluster.hosts["n004"].address == cluster.hosts["n002"].address
    assert shown(cluster, "n004") == {ALIVE}
    assert cluster.hosts["n001"].statuses()["n002"] == FAILED


def test_a_member_that_moved_is_taken_back_when_its_name_may_be_reclaimed() -> None:
    cluster = made(
        "[swim]\ndead_node_reclaim_time = 10\n"
        + fault("do = 'crash'; at = 5; hosts = 'n002'")
        + fault("do = 'move'; at = 28; hosts = 'n002'")
    )
    before = cluster.hosts["n002"].address
    cluster.run()
    assert cluster.hosts["n002"].address != before
    assert shown(cluster, "n002") == {ALIVE}


def test_hostile_packets_are_dropped_and_counted_while_the_fault_lasts() -> None:
    cluster = made(fault("do = 'hostile'; at = 10; hosts = 'n001'; rate = 20; lasts = 5"))
    listener = Listener()
    cluster.observers.append(listener)
    cluster.run()
    dropped = listener.of(InputDropped)
    assert 60 < len(dropped) <= 100
    assert {name for _, name, _ in dropped} == {"n001"}
    assert all(10 <= at <= 15 for at, _, _ in dropped)
    assert shown(cluster, "n001") == {ALIVE}


def test_forged_deaths_are_believed_without_a_key_and_refused_with_one() -> None:
    forged = fault("do = 'hostile'; at = 10; hosts = 'n001'; kinds = ['forged']; lasts = 2")
    heard = []
    for keys in ("", "keys = ['Z29zc2lwZCByZWhlYXJzZQ==']\n"):
        cluster = made(keys + forged)
        cluster.world.run_until(12.5)
        statistics = [host.node.statistics() for host in cluster.hosts.values() if host.node]
        heard.append(max(each.incarnation for each in statistics))
    assert heard[0] > 2**31
    assert heard[1] < 10


def test_hosts_that_were_late_join_when_started() -> None:
    cluster = made("late = 'n003-n004'\n" + fault("do = 'start'; at = 10; hosts = 'n003-n004'"))
    cluster.world.run_until(9.0)
    assert [host.name for host in cluster.hosts.values() if not host.is_up] == ["n003", "n004"]
    cluster.run()
    assert shown(cluster, "n004") == {ALIVE}


def test_a_join_merges_two_clusters() -> None:
    cluster = made(
        "late = 'n003-n004'\n"
        + fault("do = 'partition'; at = 5; lasts = 6; groups = ['n000-n002', 'n003-n004']")
        + fault("do = 'start'; at = 6; hosts = 'n003'; to = ''")
        + fault("do = 'start'; at = 6; hosts = 'n004'; to = 'n003'")
        + fault("do = 'join'; at = 20; hosts = 'n004'; to = 'n001'")
    )
    cluster.world.run_until(19.0)
    assert shown(cluster, "n004") == {None, ALIVE}
    cluster.run()
    assert shown(cluster, "n004") == {ALIVE}
    assert shown(cluster, "n001") == {ALIVE}


def test_who_bounces_is_another_life_that_nobody_saw_die() -> None:
    cluster = made(fault("do = 'bounce'; at = 20; hosts = 'n002'; remember = true"))
    listener = Listener()
    cluster.observers.append(listener)
    assert cluster.run().violations == ()
    assert cluster.hosts["n002"].life == 2
    assert [entry for entry in listener.of(MemberFailed) if entry[0] > 20] == []
    assert shown(cluster, "n002") == {ALIVE}
    assert listener.faults[0][1] == "bounce n002 with memory"


@pytest.mark.parametrize("seed", [1, 3])
def test_a_member_that_was_too_slow_to_object_to_its_pruning_is_seen_again(seed: int) -> None:
    text = (
        "nodes = 6\nhorizon = 75\nsettle = 40\n"
        + fault("do = 'freeze'; at = 20; hosts = 'n003'; lasts = 6.2")
        + fault("do = 'force_leave'; at = 20.05; hosts = 'n000'; target = 'n003'; prune = true")
    )
    cluster = Cluster(read_scenario(text, "f.toml"), seed)
    listener = Listener()
    cluster.observers.append(listener)
    assert cluster.run().violations == ()
    reaped = [
        event
        for _, _, event in listener.of(MemberChange)
        if isinstance(event, MemberChange) and event.kind is ChangeKind.REAP
    ]
    assert reaped
    assert shown(cluster, "n003") == {ALIVE}


@pytest.mark.parametrize("seed", range(4))
def test_a_member_that_was_pruned_out_of_reach_is_seen_again_after_the_split(seed: int) -> None:
    # The split is too short for anybody to fail at n000, and too long for the leave
    # intent, which has been gossiped often enough when it ends.
    text = (
        "nodes = 8\nhorizon = 70\nsettle = 35\n"
        + fault("do = 'partition'; groups = ['n000', 'n001-n007']; at = 20; lasts = 9")
        + fault("do = 'force_leave'; at = 20.05; hosts = 'n000'; target = 'n003'; prune = true")
    )
    cluster = Cluster(read_scenario(text, "f.toml"), seed)
    listener = Listener()
    cluster.observers.append(listener)
    assert cluster.run().violations == ()
    reaped = [
        event.member.name
        for _, _, event in listener.of(MemberChange)
        if isinstance(event, MemberChange) and event.kind is ChangeKind.REAP
    ]
    assert reaped == ["n003"]
    assert shown(cluster, "n003") == {ALIVE}


@pytest.mark.parametrize("seed", range(4))
def test_a_member_whose_refutation_was_lost_is_asked_by_a_leave_that_it_takes_for_new(
    seed: int,
) -> None:
    # It hears of both leaves in either order and refutes at a time above both. It is asked
    # at 31.2; without that, push/pulls would tell one after the other.
    text = (
        "profile = 'wan'\nnodes = 16\nhorizon = 36\nsettle = 9\n"
        + fault("do = 'one_way'; sources = 'n003'; targets = 'rest'; at = 20; lasts = 6")
        + fault("do = 'force_leave'; at = 20.05; hosts = 'n000'; target = 'n003,n004'")
    )
    cluster = Cluster(read_scenario(text, "f.toml"), seed)
    stuck: list[set[MemberStatus | None]] = []
    cluster.world.at(30.0, lambda: stuck.append(shown(cluster, "n003")))
    assert cluster.run().violations == ()
    assert MemberStatus.LEAVING in stuck[0]
    assert shown(cluster, "n003") == {ALIVE}


def test_a_pruned_member_that_is_really_gone_stays_forgotten() -> None:
    cluster = made(
        fault("do = 'crash'; at = 20; hosts = 'n003'")
        + fault("do = 'force_leave'; at = 20.05; hosts = 'n000'; target = 'n003'; prune = true"),
        horizon=75,
        settle=40,
    )
    assert cluster.run().violations == ()
    assert shown(cluster, "n003") == {None}


TWO_LIVES = (
    "do = 'partition'; groups = ['n000-n005', 'n006-n007']; at = 10; lasts = 2",
    "do = 'tags'; hosts = 'n007'; tags = { life = 'first' }; at = 10.05",
    "do = 'partition'; groups = ['n000-n005,n007', 'n006']; at = 12.5; lasts = 2",
    "do = 'bounce'; hosts = 'n007'; at = 12.6",
    "do = 'tags'; hosts = 'n007'; tags = { life = 'second' }; at = 12.8",
)
"""Only n006 hears what n007 says at incarnation 2 before it restarts, and only n006
does not hear what it says at that incarnation afterwards."""


@pytest.mark.parametrize("by_wire", ["true", "false"])
@pytest.mark.parametrize("seed", range(3))
def test_two_lives_of_one_incarnation_are_outdone_by_the_second(seed: int, by_wire: str) -> None:
    text = "nodes = 8\nhorizon = 60\nsettle = 40\n" + f"by_wire = {by_wire}\n"
    # everybody in touch hears of everything at once, and suspects nobody for a while
    text += "[swim]\ngossip_nodes = 7\nretransmit_mult = 14\n"
    text += "probe_interval = 5\nprobe_timeout = 3\n"
    text += "".join(map(fault, TWO_LIVES))
    cluster = Cluster(read_scenario(text, "f.toml"), seed)
    cluster.world.at(14.4, check_two_lives, cluster)
    assert cluster.run().violations == ()
    owner = cluster.hosts["n007"].node
    assert owner is not None
    assert insight.incarnation(owner) == 3


def check_two_lives(cluster: Cluster) -> None:
    """See to it that the scenario does what it is for."""
    told = {}
    for name in ("n000", "n006"):
        node = cluster.hosts[name].node
        assert node is not None
        entry = insight.entry(node, "n007")
        assert entry is not None
        assert entry.incarnation == 2
        told[name] = dict(insight.roster(node)["n007"].tags)
    assert told == {"n000": {"life": "second"}, "n006": {"life": "first"}}


LEAVE_OF_BEFORE = (
    "do = 'tags'; hosts = 'n007'; tags = { life = 'first' }; at = 5",
    "do = 'tags'; hosts = 'n007'; tags = { life = 'still' }; at = 6",
    "do = 'leave'; hosts = 'n007'; lasts = 50; at = 10",
    "do = 'block_sending'; hosts = 'n006'; at = 9.9; lasts = 52",
)
"""When n006 can tell that n007 left, all have forgotten that and met it again, restarted
without memory: it counts its incarnations from one, and has not come to that of its leave."""


@pytest.mark.parametrize("seed", range(2))
def test_the_leave_of_a_former_life_is_refuted_at_the_first_pings(seed: int) -> None:
    text = "nodes = 8\nhorizon = 150\nsettle = 85\n" + "".join(map(fault, LEAVE_OF_BEFORE))
    cluster = Cluster(read_scenario(text, "f.toml"), seed)
    incarnations: list[int] = []
    for at in (61.8, 64.0):  # just before the leave is told, and two rounds after
        cluster.world.at(at, lambda: incarnations.append(incarnation_of(cluster, "n007")))
    assert cluster.run().violations == ()
    assert incarnations == [1, 4]
    assert shown(cluster, "n007") == {MemberStatus.ALIVE}


def incarnation_of(cluster: Cluster, name: str) -> int:
    node = cluster.hosts[name].node
    assert node is not None
    return insight.incarnation(node)
