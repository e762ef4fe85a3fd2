"""What the recipes stand on: colonies of bare cores, and the laws they are held against."""

from __future__ import annotations

from collections.abc import Collection
from math import e

import pytest

from gossipd.address import Address
from gossipd.config.model import DEFAULT_PORT
from gossipd.errors import UsageError
from gossipd.swim.events import MemberFailed, SwimEvent
from gossipd.swim.member import Member, MemberState
from gossipd.value import replace
from gossipd.wire.messages import PacketMessage, Ping, Versions
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import Crash
from gossipd_sim.papers import colony as colonies
from gossipd_sim.papers.attrition import INF_SUSP, Group
from gossipd_sim.papers.colony import Cell, Colony
from gossipd_sim.papers.detection import s1_expected, wait_mean, wait_quantile
from gossipd_sim.papers.firm_table import FirmTable
from gossipd_sim.papers.infection import Outbreaks, infected, periodic_growth
from gossipd_sim.papers.load import false_verdicts, few_acks
from gossipd_sim.papers.rumours import Epidemic
from gossipd_sim.papers.swim_mode import INFECTION, SUSPICION, SYNCHRONOUS
from gossipd_sim.script import FORMED, Bootstrap, Scenario
from gossipd_sim.world import World


def member(name: str, state: MemberState = MemberState.ALIVE) -> Member:
    address = Address(bytes([10, 0, 0, ord(name)]), DEFAULT_PORT)
    return Member(name, address, b"", Versions(), state, 1, 0.0)


def nobody() -> Collection[str]:
    return ()


def test_a_firm_table_takes_news_and_no_deaths() -> None:
    table = FirmTable({"a": member("a")})
    table["a"] = replace(member("a"), state=MemberState.DEAD, incarnation=2)
    table["a"] = replace(member("a"), state=MemberState.SUSPECT, incarnation=2)
    assert table.get("a") == member("a")
    table["a"] = replace(member("a"), incarnation=3)
    kept = table.get("a")
    assert kept is not None
    assert kept.incarnation == 3


# -- colonies -------------------------------------------------------------------------


def test_members_in_step_ping_at_whole_periods_and_others_at_moments_of_their_own() -> None:
    for config, wanted in ((SYNCHRONOUS, True), (INFECTION, False)):
        colony = Colony(World(1), config, 6)
        moments: list[float] = []

        def note(
            cell: Cell, to: Cell, lead: PacketMessage | None, colony: Colony = colony,
            moments: list[float] = moments,
        ) -> None:  # fmt: skip
            if isinstance(lead, Ping):
                moments.append(colony.world.now)

        colony.on_send = note
        colony.acquaint()
        colony.world.run_until(8.0)
        assert len(moments) >= 36
        assert all(moment == int(moment) for moment in moments) is wanted


def test_a_stopped_member_is_declared_dead_one_period_after_a_ping_and_may_come_back() -> None:
    colony = Colony(World(2), INFECTION, 4, rides=False, is_firm=True)
    told: list[tuple[str, str]] = []

    def note(cell: Cell, event: SwimEvent) -> None:
        if isinstance(event, MemberFailed):
            told.append((cell.name, event.member.name))

    colony.on_event = note
    colony.acquaint()
    colony.stop(colony.cells[3])
    colony.world.run_until(9.0)
    assert {victim for _, victim in told} == {"m3"}
    assert len({accuser for accuser, _ in told}) == 3
    assert len(told) > 3, "nobody believes it, so it is noticed again and again"
    colony.revive(colony.cells[3])
    colony.world.run_until(11.0)
    told.clear()
    colony.world.run_until(30.0)
    assert told == []


def test_large_colonies_share_tables_and_do_what_small_ones_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads = []
    for limit in (2, 1000):
        monkeypatch.setattr(colonies, "TOGETHER_FROM", limit)
        colony = Colony(World(3), INFECTION, 20)
        colony.acquaint()
        colony.world.run_until(2.0)
        before = sum(cell.sent for cell in colony.cells)
        colony.world.run_until(22.0)
        loads.append(sum(cell.sent for cell in colony.cells) - before)
        news = Outbreaks(colony).spread(10.0)
        assert len(news) == 19
    assert loads == [800, 800]


def test_deaths_that_nobody_believes_must_not_be_passed_on_for_ever() -> None:
    with pytest.raises(UsageError, match="rides=False"):
        Colony(World(1), INFECTION, 4, is_firm=True)


def test_news_does_not_spread_where_nothing_rides() -> None:
    colony = Colony(World(3), INFECTION, 8, rides=False)
    colony.acquaint()
    assert Outbreaks(colony).spread(10.0) == []


def test_two_colonies_of_one_seed_do_the_same() -> None:
    def spread(seed: int) -> list[float]:
        colony = Colony(World(seed), SUSPICION, 12, loss=0.2)
        colony.acquaint()
        return Outbreaks(colony).spread(20.0)

    assert spread(5) == spread(5) != spread(6)


def test_joins_that_are_never_lost_make_a_group_of_all() -> None:
    assert Group(1, INF_SUSP, joins_are_lossy=False).run()[-1] == 17.0


@pytest.mark.parametrize("suspicion", [True, False])
def test_the_checkers_follow_the_parts_that_were_taken_away(suspicion: bool) -> None:
    swim: dict[str, object] = {
        "round_robin": False, "probe_stagger": False, "natural_log": True, "lha_suspicion": False,
        "buddy_system": False, "suspicion": suspicion, "suspicion_mult": 3,
        "awareness_max_multiplier": 1,
    }  # fmt: skip
    scenario = Scenario(
        name="plain swim", nodes=30, horizon=60.0, settle=30.0, swim=swim,
        bootstrap=Bootstrap(kind=FORMED), faults=(Crash(at=10.0, hosts="n003"),),
    )  # fmt: skip
    outcome = Cluster(scenario, 1).run()
    assert outcome.violations == ()
    detection = outcome.measures["detection"]
    assert isinstance(detection, dict)
    # 3 * ceil(ln 31) = 12 periods of suspicion, or none, and two or three until the verdict
    assert 12.0 * suspicion < detection["first"]["median"] < 12.0 * suspicion + 4.0


# -- laws ------------------------------------------------------------------------------


def test_the_laws_give_the_values_of_the_papers() -> None:
    assert s1_expected(8) == pytest.approx(1.515, abs=0.001)
    assert s1_expected(10000) == pytest.approx(e / (e - 1), abs=0.001)
    assert [round(wait_mean(n), 2) for n in (8, 1000)] == [0.89, 1.00]
    assert [round(wait_quantile(n, 0.5), 2) for n in (8, 1000)] == [0.66, 0.69]
    assert wait_quantile(1000, 0.99) == pytest.approx(4.6, abs=0.02)
    assert false_verdicts(0.10, 1) == pytest.approx(0.0653, abs=0.0001)
    assert false_verdicts(0.10, 3) == pytest.approx(0.0077, abs=0.0001)
    assert [infected(1000, 0.0), round(infected(1000, 100.0))] == [1.0, 1000]
    assert few_acks(28, 4) == pytest.approx(0.983, abs=0.001)
    assert periodic_growth() == pytest.approx(1.63, abs=0.005)


def test_pushes_of_one_cycle_to_one_site_are_both_useful_and_the_next_is_in_vain() -> None:
    counts: list[int] = []

    def loses(in_vain: int) -> bool:
        counts.append(in_vain)
        return in_vain >= 2

    epidemic = Epidemic(World(1), 2, loses)
    epidemic.run()
    assert epidemic.times == [1.0]
    assert counts == [0, 1, 1, 2, 2]
    assert epidemic.pushes == 5
