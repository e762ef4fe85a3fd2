"""The checker of the end sees each way in which hosts may disagree at rest."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from gossipd.address import Address
from gossipd.node.node import Node
from gossipd.swim.member import MemberState
from gossipd.swim.suspicion import Suspicion
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import Crash
from gossipd_sim.host import Host
from gossipd_sim.script import Bootstrap, Scenario
from support.bug_hunt import hard_times
from support.watched import Watched

GONE = "shows n003 as alive, who is down or out of reach"


def node_of(host: Host) -> Node:
    assert host.node is not None
    return host.node


def at_rest(spoil: Callable[[Watched], None]) -> list[str]:
    """Return what the checker of the end says after ``spoil``."""
    watched = Watched("rest")
    spoil(watched)
    watched.truth.at_end(None, watched.now)  # type: ignore[arg-type]  # nobody asks it
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]
    return watched.texts()


def test_at_rest_nothing_is_wrong_with_a_quiet_cluster() -> None:
    assert at_rest(lambda watched: None) == []


def test_at_rest_a_missing_member_is_found() -> None:
    texts = at_rest(lambda watched: _erase(watched, "n002"))
    assert texts == ["does not know n002, who is up and can be reached"]


def _erase(watched: Watched, name: str) -> None:
    node_of(watched.hosts[0])._serf._roster.erase(name)


def test_at_rest_a_live_member_shown_as_failed_is_found() -> None:
    def spoil(watched: Watched) -> None:
        node_of(watched.hosts[0])._serf._roster.gone("n002", watched.now)

    assert at_rest(spoil) == ["shows n002 as failed, who is up and can be reached"]


def test_at_rest_a_dead_member_shown_as_alive_is_found() -> None:
    def spoil(watched: Watched) -> None:
        watched.crash(watched.hosts[3])
        watched.run(60)
        for host in watched.hosts[:3]:
            roster = node_of(host)._serf._roster
            member = roster.get("n003")
            assert member is not None
            roster._store(replace(member, status=MemberStatus.ALIVE))

    assert at_rest(spoil) == [GONE] * 3


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0])
def test_at_rest_who_has_just_gone_can_be_known_to_nobody(seconds: float) -> None:
    def spoil(watched: Watched) -> None:
        watched.crash(watched.hosts[3])
        watched.run(seconds)
        suspected = insight.suspicions(node_of(watched.hosts[0]))
        assert list(suspected) == (["n003"] if seconds == 3.0 else [])

    assert at_rest(spoil) == []


def test_at_rest_a_death_that_was_declared_just_now_may_wait_to_be_gossiped() -> None:
    def spoil(watched: Watched, seconds: float) -> None:
        watched.crash(watched.hosts[3])
        watched.run(seconds)
        for host in watched.hosts[:3]:
            node_of(host)._swim._claims.queue.enqueue(b"news")

    assert at_rest(lambda watched: spoil(watched, 6.5)) == []
    late = at_rest(lambda watched: spoil(watched, 10.0))
    assert late == ["1 messages still wait to be gossiped"] * 3


def test_at_rest_who_went_is_known_to_all_when_one_has_found_out() -> None:
    def spoil(watched: Watched) -> None:
        watched.crash(watched.hosts[3])
        node_of(watched.hosts[0])._serf._roster.gone("n003", watched.now)
        watched.plant(watched.hosts[0], "n003", state=MemberState.DEAD)

    assert at_rest(spoil) == [GONE] * 2


def test_at_rest_who_went_and_was_never_probed_since_is_found() -> None:
    class Biased:
        def insert(self, name: str) -> None: ...

        def next_target(
            self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
        ) -> str | None:
            return next(name for name in ("n000", "n001") if may_probe(name))

        def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
            return []

    def spoil(watched: Watched, seconds: float) -> None:
        watched.crash(watched.hosts[3])
        for host in watched.hosts[:3]:
            node_of(host)._swim._prober._rotation = Biased()
        watched.run(seconds)

    assert at_rest(lambda watched: spoil(watched, 1.5)) == []  # five rounds may pass
    assert at_rest(lambda watched: spoil(watched, 6.0)) == [GONE] * 3


def test_at_rest_who_went_and_was_probed_but_not_accused_is_found() -> None:
    def spoil(watched: Watched) -> None:
        hosts = watched.hosts[:3]
        entries = [insight.entry(node_of(host), "n003") for host in hosts]
        watched.crash(watched.hosts[3])
        watched.run(3)
        for host, entry in zip(hosts, entries, strict=True):
            node = node_of(host)
            node._swim._claims.suspicions.clear()
            node._swim._claims.queue.take(10_000, 2, 0)
            node._swim._prober._round = None
            assert entry is not None
            node._swim._membership.table["n003"] = entry

    assert GONE in at_rest(spoil)


def test_at_rest_a_suspicion_that_is_overdue_is_found() -> None:
    def spoil(watched: Watched) -> None:
        watched.crash(watched.hosts[3])
        watched.run(3)
        suspicions = node_of(watched.hosts[0])._swim._claims.suspicions
        suspicions["n003"] = Suspicion("n003", "n001", wanted=0, low=2, high=2, now=1.0)

    assert at_rest(spoil) == [*[GONE] * 3, *["still suspects n003"] * 3]


@pytest.mark.parametrize("left", [1, 2, 3])
def test_at_rest_the_few_that_are_left_have_found_out_what_they_could(left: int) -> None:
    scenario = Scenario(
        name="one after another",
        nodes=16,
        horizon=500.0,
        settle=330.0,
        profile="wan",
        bootstrap=Bootstrap(kind="formed"),
        faults=tuple(Crash(at=100.0 + 4 * n, hosts=f"n{n:03d}") for n in range(left, 16)),
    )
    cluster = Cluster(scenario, 1)
    assert cluster.run().violations == ()
    shown = cluster.hosts["n000"].statuses()
    wrong = [name for name in shown if shown[name] is MemberStatus.ALIVE][left:]
    assert wrong if left < 3 else not wrong


@pytest.mark.parametrize(("left", "seconds"), [(2, 0.0), (2, 629.0), (2, 631.0), (5, 0.0)])
def test_at_rest_two_may_have_to_find_each_other_among_those_that_failed(
    left: int, seconds: float
) -> None:
    watched = Watched("rest", nodes=8)
    for host in watched.hosts[left:]:
        watched.crash(host)
    watched.run(700)
    roster = node_of(watched.hosts[0])._serf._roster
    member = roster.get("n001")
    assert member is not None
    gone_at = watched.now - seconds
    roster._store(replace(member, status=MemberStatus.FAILED, left_at=gone_at))
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]  # nobody asks it
    is_found = left == 5 or seconds > 3 * 7 * 30.0  # seven failed, this one included
    texts = ["shows n001 as failed, who is up and can be reached"]
    assert watched.texts() == (texts if is_found else [])


def test_at_rest_halves_that_are_still_split_are_no_violation() -> None:
    def spoil(watched: Watched) -> None:
        names = [host.name for host in watched.hosts]
        watched.site.tell_fault("split")
        watched.site.network.cut(names[:2], names[2:])
        watched.site.network.cut(names[2:], names[:2])
        watched.run(60)

    assert at_rest(spoil) == []


def test_at_rest_halves_that_healed_and_did_not_merge_are_found() -> None:
    def spoil(watched: Watched) -> None:
        names = [host.name for host in watched.hosts]
        watched.site.tell_fault("split")
        watched.site.network.cut(names[:2], names[2:])
        watched.site.network.cut(names[2:], names[:2])
        watched.run(60)
        watched.site.tell_fault("heal")
        watched.site.network.heal()

    texts = at_rest(spoil)
    assert "shows n002 as failed, who is up and can be reached" in texts
    assert len(texts) == 8


def test_at_rest_who_came_back_elsewhere_is_given_time_until_the_old_place_is_forgotten() -> None:
    watched = Watched("rest")
    moved = watched.hosts[3]
    watched.crash(moved)
    watched.run(1)
    moved.address = Address(moved.address.ip, 7999)
    moved.boot()
    moved.join(watched.hosts[:1])
    watched.run(20)
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]
    assert watched.texts() == []
    watched.run(300)
    _erase(watched, "n003")
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]
    assert watched.texts() == ["does not know n003, who is up and can be reached"]


def test_at_rest_an_outdated_leave_of_who_came_back_is_found_and_measured() -> None:
    watched = Watched("rest")
    host = watched.hosts[3]
    host.leave()
    watched.run(20)
    watched.site.tell_fault("restart n003")
    host.restart(remember=False)
    host.join(watched.hosts[:1])
    watched.run(20)
    roster = node_of(watched.hosts[0])._serf._roster
    member = roster.get("n003")
    assert member is not None
    roster._store(replace(member, status=MemberStatus.LEAVING))
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]  # nobody asks it
    assert watched.texts() == ["shows n003 as leaving, who is up and can be reached"]
    assert watched.measures.values()["stuck_leaving"] == 1


def test_a_leave_that_a_push_pull_made_newer_than_the_return_of_its_owner_is_outdone() -> None:
    assert Cluster(hard_times(101), 101).run().violations == ()


def test_at_rest_other_tags_than_those_it_has_are_found() -> None:
    def spoil(watched: Watched) -> None:
        watched.hosts[2].set_tags({"role": "db"})

    texts = at_rest(spoil)
    assert texts.count("shows tags of n002 that are not those it has") == 3


def test_at_rest_a_suspicion_and_waiting_gossip_are_found() -> None:
    def spoil(watched: Watched) -> None:
        claims = node_of(watched.hosts[1])._swim._claims
        claims.suspicions["n002"] = Suspicion("n002", "n001", wanted=2, low=4, high=24, now=0.0)
        claims.queue.enqueue(b"news")

    assert at_rest(spoil) == ["still suspects n002", "1 messages still wait to be gossiped"]


def test_with_loss_a_mistake_that_does_not_last_is_forgiven() -> None:
    watched = Watched("rest", calm_from=12.0)
    names = [host.name for host in watched.hosts]
    laws = watched.site.network.laws_of("n000", "n001")
    watched.site.network.set_laws(names, names, type(laws)(loss=0.1))
    watched.site.tell_fault("loss")
    watched.run(5)
    _erase(watched, "n002")
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]
    assert watched.texts() == []


def test_with_loss_a_mistake_that_lasts_is_found() -> None:
    watched = Watched("rest", calm_from=12.0)
    names = [host.name for host in watched.hosts]
    laws = watched.site.network.laws_of("n000", "n001")
    watched.site.network.set_laws(names, names, type(laws)(loss=0.1))
    watched.site.tell_fault("loss")
    _erase(watched, "n002")
    watched.run(5)
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]
    assert watched.texts() == ["does not know n002, who is up and can be reached"]
