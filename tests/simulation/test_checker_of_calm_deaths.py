"""Who is well and is declared dead in a calm cluster is found; a former address is not well."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.swim.events import MemberFailed, MemberSuspected
from gossipd.swim.member import Member, MemberState
from gossipd.value import replace
from gossipd.wire.codec import encode
from gossipd.wire.messages import Suspect
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host
from support.watched import Watched

CALM = 70.0
"""Longer than any suspicion of four, and the aftermath."""
FORGOTTEN = 130.0
"""After so long nobody of four may hold a member for its former address."""


def entry(host: Host, name: str) -> Member:
    assert host.node is not None
    member = insight.entry(host.node, name)
    assert member is not None
    return member


def moved(watched: Watched, host: Host) -> Address:
    """Crash ``host`` and start it elsewhere; return where it was when all know where it is."""
    former = host.address
    watched.crash(host)
    watched.run(1)
    watched.site.tell_fault(f"move {host.name}")
    host.address = Address(former.ip, former.port + 1)
    host.restart(remember=False)
    host.join(watched.hosts[:1])
    watched.run(CALM)
    assert {entry(each, host.name).address for each in watched.hosts} == {host.address}
    assert watched.found() == []
    return former


def accuse(watched: Watched, member: Member) -> None:
    """Have the first host tell of the death of ``member`` as it holds it."""
    failed = MemberFailed(member, "n001", 0, None)
    watched.inspector.on_event(watched.hosts[0], failed, watched.now)


def test_a_death_in_a_calm_cluster_is_found_and_one_after_a_fault_is_not() -> None:
    watched = Watched("calm-deaths", nodes=3)
    member = entry(watched.hosts[0], "n002")
    accuse(watched, member)
    assert watched.found() == []
    watched.run(CALM)
    accuse(watched, member)
    assert watched.found() == [("calm-deaths", "n000")]
    watched.site.tell_fault("something")
    accuse(watched, member)
    assert len(watched.found()) == 1


@pytest.mark.parametrize("has_moved", [False, True])
def test_a_false_accusation_where_it_is_now_is_found_also_of_who_moved(has_moved: bool) -> None:
    watched = Watched("calm-deaths")
    one, well = watched.hosts[0], watched.hosts[3]
    if has_moved:
        moved(watched, well)
    watched.run(CALM)
    claim = Suspect("n003", entry(one, "n003").incarnation, "n001")
    data = encode(claim)
    one.packet_arrived(data, watched.hosts[1].address, len(data))
    watched.run(1)
    assert "n003 is well and was suspected by word of n001" in watched.texts()
    assert ("calm-deaths", "n000") in watched.found()


def test_a_death_at_the_former_address_is_the_truth_while_it_may_still_be_held() -> None:
    watched = Watched("calm-deaths")
    host = watched.hosts[3]
    former = moved(watched, host)
    held = replace(entry(watched.hosts[0], "n003"), address=former)
    accuse(watched, held)
    watched.inspector.on_event(watched.hosts[0], MemberSuspected(held, "n001", 0.0), watched.now)
    assert watched.found() == []
    accuse(watched, replace(held, address=host.address))
    assert len(watched.found()) == 1
    accuse(watched, replace(held, address=Address(former.ip, 9)))
    assert len(watched.found()) == 2  # it has never been there
    watched.run(FORGOTTEN - CALM)
    accuse(watched, held)
    assert len(watched.found()) == 3


def test_who_finds_late_that_a_member_moved_may_declare_it_dead() -> None:
    """As hosts did among 61 where nobody held them for where they were, and told them news."""
    watched = Watched("calm-deaths")
    late, host = watched.hosts[1], watched.hosts[3]
    former = moved(watched, host)
    incarnation = entry(late, "n003").incarnation
    watched.plant(late, "n003", address=former, incarnation=incarnation - 1)
    watched.run(35)
    held = entry(late, "n003")
    assert (held.state, held.address) == (MemberState.DEAD, former)
    assert watched.found() == []
