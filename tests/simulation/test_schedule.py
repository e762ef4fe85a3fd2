"""A schedule makes plain faults of written ones, and knows what is possible when."""

from __future__ import annotations

from random import Random

import pytest

from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import Crash, Fault, Freeze, HostFault, Leave, Restart, Slow, Start, Thaw
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import Calm, Heal, LinkLaws, OneWay, Partition
from gossipd_sim.schedule import Schedule, make_schedule
from gossipd_sim.script import AT_ONCE, STAGGERED, Bootstrap, LinkRule, Scenario, Special
from gossipd_sim.selectors import plain_names
from gossipd_sim.workload import Churn


def schedule(*faults: Fault, seed: int = 1, **fields: object) -> Schedule:
    values: dict[str, object] = {"name": "t", "nodes": 10, "horizon": 200.0, "settle": 50.0}
    scenario = Scenario(**(values | {"faults": faults} | fields))  # type: ignore[arg-type]
    return make_schedule(scenario, Random(seed))


def lines(made: Schedule) -> list[str]:
    return [f"{fault.at:g} {fault.describe()}" for fault in made.faults]


def test_faults_come_in_order_of_time_and_calm_is_the_last() -> None:
    made = schedule(Crash(at=30.0, hosts="n003"), Leave(at=10.0, hosts="n001,n002"))
    assert lines(made) == ["10 leave n001,n002", "30 crash n003", "150 faults are over"]


def test_what_lasts_is_undone() -> None:
    made = schedule(
        Crash(at=10.0, lasts=5.0, hosts="n003", remember=True),
        Freeze(at=11.0, lasts=2.0, hosts="n004"),
        Partition(at=12.0, lasts=20.0, groups=("n000-n004", "rest")),
        OneWay(at=13.0, lasts=1.0, sources="n001", targets="n002"),
        LinkLaws(at=40.0, lasts=3.0, sources="n001", targets="rest", laws={"loss": 0.5}),
    )
    assert lines(made) == [
        "10 crash n003",
        "11 freeze n004",
        "12 partition n000-n004 | n005-n009",
        "13 cut n001 -> n002",
        "13 thaw n004",
        "14 open n001 -> n002",
        "15 restart n003 with memory",
        "32 heal n000-n004 | n005-n009",
        "40 links n001 <-> n000,n002-n009 loss=0.5",
        "43 links n001 <-> n000,n002-n009 as usual",
        "150 faults are over",
    ]
    assert all(fault.lasts == 0 for fault in made.faults)


def test_staggered_hosts_follow_each_other_each_with_its_own_end() -> None:
    made = schedule(Crash(at=10.0, lasts=3.0, stagger=2.0, hosts="n001-n003"))
    assert lines(made)[:-1] == [
        "10 crash n001",
        "12 crash n002",
        "13 restart n001 without memory",
        "14 crash n003",
        "15 restart n002 without memory",
        "17 restart n003 without memory",
    ]


def test_what_repeats_happens_so_often() -> None:
    made = schedule(Freeze(at=10.0, lasts=1.0, times=3, every=5.0, hosts="n001"))
    assert [fault.at for fault in made.faults if isinstance(fault, Freeze)] == [10, 15, 20]


def test_a_group_is_the_same_hosts_throughout_a_run() -> None:
    made = schedule(
        Freeze(at=10.0, lasts=1.0, times=4, every=5.0, hosts="few"), groups={"few": "random:2"}
    )
    assert len({fault.hosts for fault in made.faults if isinstance(fault, Freeze)}) == 1


def test_groups_by_chance_have_nobody_in_common_with_other_groups() -> None:
    for seed in range(20):
        made = schedule(
            Partition(at=10.0, groups=("a", "b", "c")),
            groups={"a": "random:3", "b": "n002-n004", "c": "30%"},
            seed=seed,
        )
        (partition, _) = made.faults
        assert isinstance(partition, Partition)
        assert sum(len(plain_names(group)) for group in partition.groups) == 9


def test_chance_restarts_only_who_is_down_and_crashes_only_who_is_up() -> None:
    for seed in range(30):
        made = schedule(
            Crash(at=10.0, hosts="random:4"),
            Crash(at=20.0, hosts="random:4"),
            Restart(at=30.0, hosts="random:8"),
            seed=seed,
        )
        first, second, third, _ = made.faults
        assert isinstance(first, HostFault)
        assert isinstance(second, HostFault)
        assert isinstance(third, HostFault)
        down = {*plain_names(first.hosts), *plain_names(second.hosts)}
        assert len(down) == 8
        assert set(plain_names(third.hosts)) == down


def test_chance_leaves_hosts_alone_whose_life_others_change_by_name() -> None:
    for seed in range(30):
        made = schedule(
            Crash(at=10.0, hosts="random:8"), Crash(at=20.0, hosts="n003,n004"), seed=seed
        )
        assert lines(made)[1] == "20 crash n003,n004"


def test_the_end_of_a_fault_leaves_out_hosts_to_which_it_cannot_happen_any_more() -> None:
    made = schedule(Freeze(at=10.0, lasts=10.0, hosts="n001-n002"), Crash(at=15.0, hosts="n001"))
    assert lines(made)[:-1] == ["10 freeze n001,n002", "15 crash n001", "20 thaw n002"]


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([Restart(at=10.0, hosts="n001")], r"faults\[0\].hosts: n001 is not down at 10 s"),
        (
            [Crash(at=10.0, hosts="n001"), Crash(at=20.0, hosts="n001")],
            r"faults\[1\].hosts: n001 is not frozen or up at 20 s",
        ),
        ([Crash(at=0.0, hosts="n009")], r"n009 is not frozen or up at 0 s"),
        ([Thaw(at=10.0, hosts="n001")], "n001 is not frozen at 10 s"),
        ([Start(at=10.0, hosts="n001")], "n001 is not waiting to start at 10 s"),
        ([Crash(at=160.0, hosts="n001")], r"faults\[0\].at: 160 s is too late.* end at 150 s"),
        ([Crash(at=140.0, lasts=20.0, hosts="n001")], r"faults\[0\]: .* until 160 s"),
        ([Crash(at=140.0, stagger=6.0, hosts="n001-n003")], r"faults\[0\]: .* until 152 s"),
        ([Crash(at=10.0, times=9, hosts="n001")], r"faults\[0\].every"),
        ([Crash(at=10.0, times=10**6, every=1.0, hosts="n001")], r"faults\[0\].times"),
        ([Partition(at=10.0, groups=("all",))], r"faults\[0\].groups: .* two groups"),
        ([Partition(at=10.0, groups=("all", "rest"))], r"faults\[0\].groups: .* empty"),
        ([LinkLaws(at=10.0, sources="n001", targets="n077")], r"faults\[0\].targets: .* n077"),
    ],
)
def test_what_can_never_happen_is_refused_with_its_key(faults: list[Fault], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        schedule(*faults)


def test_hosts_that_are_late_boot_when_started() -> None:
    made = schedule(Start(at=20.0, hosts="n008-n009", to="n000"), late="n008-n009")
    assert {boot.hosts for boot in made.boots} == {f"n00{index}" for index in range(8)}
    assert lines(made)[0] == "20 start n008,n009"


@pytest.mark.parametrize("kind", ["one seed", AT_ONCE, STAGGERED])
def test_everybody_boots_once_and_joins_somebody_else(kind: str) -> None:
    made = schedule(bootstrap=Bootstrap(kind=kind, over=4.0, seeds=2))
    assert sorted(boot.hosts for boot in made.boots) == list(made.names)
    assert [boot.at for boot in made.boots] == sorted(boot.at for boot in made.boots)
    assert all(0 <= boot.at <= 4 for boot in made.boots)
    for boot in made.boots:
        assert boot.hosts not in boot.to.split(",")
        assert boot.to or boot.hosts == "n000"


def test_churn_becomes_single_faults_that_all_end_before_calm() -> None:
    for seed in range(10):
        made = schedule(churn=(Churn(at=20.0, lasts=100.0, every=2.0, away=10.0),), seed=seed)
        gone = [fault for fault in made.faults if isinstance(fault, Crash | Leave)]
        back = [fault for fault in made.faults if isinstance(fault, Restart)]
        assert len(gone) > 15
        assert sorted(fault.hosts for fault in gone) == sorted(fault.hosts for fault in back)
        assert all(20 <= fault.at <= 120 for fault in (*gone, *back))


def test_churn_that_outlasts_the_time_for_faults_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"churn\[0\]: lasts: .* until 160 s"):
        schedule(churn=(Churn(at=20.0, lasts=140.0, every=2.0),))
    with pytest.raises(ScenarioError, match=r"churn\[0\]: every"):
        schedule(churn=(Churn(at=20.0, lasts=100.0, every=1e-9),))


def test_special_hosts_get_their_profile_and_sections_over_the_common_ones() -> None:
    made = schedule(
        swim={"gossip_nodes": 5},
        special=(Special(hosts="n004", profile="wan", swim={"probe_interval": 7.0}),),
    )
    usual, special = made.configs["n003"].swim, made.configs["n004"].swim
    assert (usual.probe_interval, usual.gossip_nodes) == (1.0, 5)
    assert (special.probe_interval, special.probe_timeout, special.gossip_nodes) == (7.0, 3.0, 5)


def test_a_special_configuration_that_cannot_work_is_refused_with_its_key() -> None:
    with pytest.raises(ScenarioError, match=r"special\[0\]: probe_timeout"):
        schedule(special=(Special(hosts="n004", swim={"probe_timeout": 2.0}),))


def test_links_between_groups_have_laws_of_their_own_both_ways_or_one() -> None:
    made = schedule(
        laws=Laws(duplicate=0.1),
        groups={"eu": "n000-n004"},
        links=(
            LinkRule(sources="eu", targets="rest", laws={"loss": 0.2}),
            LinkRule(sources="n000", targets="n009", both=False, laws={"loss": 0.9}),
        ),
    )
    between = made.law_book.between
    assert (between("n001", "n002").loss, between("n001", "n002").duplicate) == (0.0, 0.1)
    assert (between("n001", "n006").loss, between("n006", "n001").loss) == (0.2, 0.2)
    assert (between("n000", "n009").loss, between("n009", "n000").loss) == (0.9, 0.2)
    assert between("n000", "n009").duplicate == 0.1


def test_equal_seeds_make_equal_schedules_and_others_do_not() -> None:
    def made(seed: int) -> list[str]:
        churn = (Churn(at=20.0, lasts=100.0, every=5.0),)
        return lines(schedule(Slow(at=9.0, seconds=0.5, hosts="20%"), churn=churn, seed=seed))

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_a_plain_fault_is_bound_to_itself() -> None:
    made = schedule(Crash(at=10.0, hosts="n001-n003"), Heal(at=20.0))
    again = schedule(*[fault for fault in made.faults if not isinstance(fault, Calm)])
    assert lines(again) == lines(made)
