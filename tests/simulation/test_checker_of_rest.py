"""The checker of the end sees each way in which hosts may disagree at rest."""

from __future__ import annotations

from collections.abc import Callable

from gossipd.address import Address
from gossipd.node.node import Node
from gossipd.swim.suspicion import Suspicion
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.cluster import Cluster
from gossipd_sim.host import Host
from support.bug_hunt import hard_times
from support.watched import Watched


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

    texts = at_rest(spoil)
    assert texts == ["shows n003 as alive, who is down or out of reach"] * 3


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
