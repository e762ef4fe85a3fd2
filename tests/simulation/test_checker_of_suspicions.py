"""The checker of suspicions sees those that last too short, too long or follow nobody."""

from __future__ import annotations

import pytest

from gossipd.node.node import Node
from gossipd.swim.events import MemberFailed, MemberSuspected, SuspicionConfirmed
from gossipd.swim.member import MemberState
from gossipd.swim.suspicion import Suspicion
from gossipd.swim.timers import SuspicionOver
from gossipd.value import replace
from gossipd.wire.codec import encode
from gossipd.wire.messages import Dead, Suspect
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host
from support.watched import Watched


def node_of(host: Host) -> Node:
    assert host.node is not None
    return host.node


def test_a_suspicion_of_somebody_alive_is_found() -> None:
    watched = Watched("suspicions")
    host = watched.hosts[0]
    running = node_of(host)._swim._claims.suspicions
    running["n002"] = Suspicion("n002", "n001", wanted=2, low=4.0, high=24.0, now=watched.now)
    watched.look(host)
    assert watched.texts() == ["n002 is alive and still suspected"]


def test_a_suspect_without_a_suspicion_is_found() -> None:
    watched = Watched("suspicions")
    watched.plant(watched.hosts[0], "n002", state=MemberState.SUSPECT)
    assert watched.texts() == ["n002 is suspect and no suspicion of it runs"]


@pytest.mark.parametrize(("low", "high", "is_found"), [(4, 24, False), (3, 3, True), (4, 30, True)])
def test_a_suspicion_out_of_its_bounds_is_found(low: float, high: float, is_found: bool) -> None:
    watched = Watched("suspicions")
    host, now = watched.hosts[0], watched.now
    claims = node_of(host)._swim._claims
    member = watched.plant(host, "n002", incarnation=1)
    running = Suspicion("n002", "n001", wanted=2, low=low, high=high, now=now)
    claims.suspicions["n002"] = running
    told = MemberSuspected(member, "n001", running.deadline)
    watched.inspector.on_event(host, told, now)
    assert watched.found() == ([("suspicions", "n000")] if is_found else [])


def test_a_suspicion_keeps_the_bounds_it_began_with_though_the_table_grows() -> None:
    watched = Watched("suspicions")
    host, now = watched.hosts[0], watched.now
    node = node_of(host)
    member = watched.plant(host, "n002", incarnation=1)
    running = Suspicion("n002", "n001", wanted=2, low=4.0, high=24.0, now=now)
    node._swim._claims.suspicions["n002"] = running
    watched.inspector.on_event(host, MemberSuspected(member, "n001", now + 24), now)
    for number in range(30):
        name = f"x{number:03d}"
        node._swim._membership.table[name] = replace(member, name=name)
    running.confirm("n003")
    confirmed = SuspicionConfirmed(member, "n003", 1, running.deadline)
    watched.inspector.on_event(host, confirmed, now)
    assert watched.found() == []


def test_a_death_before_the_shortest_time_is_found() -> None:
    watched = Watched("suspicions")
    host = watched.hosts[0]
    member = node_of(host)._swim.member("n002")
    assert member is not None
    watched.inspector.on_event(host, MemberFailed(member, "n000", 2, 3.9), watched.now)
    watched.inspector.on_event(host, MemberFailed(member, "n001", 2, 3.9), watched.now)
    watched.inspector.on_event(host, MemberFailed(member, "n000", 2, 4.0), watched.now)
    assert watched.found() == [("suspicions", "n000")]


def suspecting(watched: Watched) -> Host:
    """Let n000 suspect n002, whom it may declare dead in four seconds at the earliest."""
    host = watched.hosts[0]
    host.packet_arrived(encode(Suspect("n002", 1, "n000")), watched.hosts[1].address, 0)
    assert "n002" in insight.suspicions(node_of(host))
    return host


def hear_own_verdict(watched: Watched, host: Host) -> None:
    """Let ``host`` hear from n001 that it declared n002 dead itself."""
    verdict = encode(Dead("n002", 1, host.name))
    host.packet_arrived(verdict, watched.hosts[1].address, 0)
    known = insight.entry(node_of(host), "n002")
    assert known is not None
    assert known.state is MemberState.DEAD


def test_a_death_in_our_name_is_no_verdict_of_ours_if_a_bit_may_have_turned_in_it() -> None:
    watched = Watched("suspicions")
    host = suspecting(watched)
    watched.site.network.corrupted = 1
    hear_own_verdict(watched, host)
    assert watched.found() == []


@pytest.mark.parametrize(("corrupted", "keys"), [(0, ()), (1, (bytes(16),))])
def test_a_death_in_our_name_is_a_verdict_of_ours_if_no_bit_can_have_turned_in_it(
    corrupted: int, keys: tuple[bytes, ...]
) -> None:
    watched = Watched("suspicions")
    host = suspecting(watched)
    watched.site.network.corrupted = corrupted
    host.config = replace(host.config, keys=keys)  # of the checker alone: the node has none
    hear_own_verdict(watched, host)
    assert watched.found() == [("suspicions", "n000")]


def test_a_verdict_of_a_host_itself_is_too_early_also_where_bits_turn() -> None:
    watched = Watched("suspicions")
    host = suspecting(watched)
    watched.site.network.corrupted = 1
    running = insight.suspicions(node_of(host))["n002"]
    swim = node_of(host)._swim
    swim.timers.set(host.local_time(), SuspicionOver("n002", running.since))
    host._take(node_of(host).handle_deadline)
    assert watched.texts() == [
        "n002 declared dead after 0.000 s of suspicion, the least is 4.000 s"
    ]


def test_a_suspicion_that_never_ends_is_found() -> None:
    watched = Watched("suspicions")
    victim = watched.hosts[3]
    watched.crash(victim)
    for _ in range(200):
        watched.run(0.05)
        for host in watched.hosts[:3]:
            claims = node_of(host)._swim._claims
            if "n003" in claims.suspicions:
                claims._timers_of["n003"].cancel()
    assert watched.found() == []
    watched.run(60)
    assert "n003" in node_of(watched.hosts[0])._swim._claims.suspicions
    assert ("suspicions", "n000") in watched.found()
