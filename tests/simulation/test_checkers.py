"""Each checker sees its violation planted, and a healthy run gives none cause to complain."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.swim.dissemination import BroadcastQueue
from gossipd.swim.events import (
    MemberFailed,
    MemberForgotten,
    MemberJoined,
)
from gossipd.swim.member import MemberState
from gossipd.swim.refutation import OwnIncarnation
from gossipd.value import replace
from gossipd.wire.codec import encode
from gossipd.wire.messages import Alive, Claim, Dead, Ping, Suspect, Versions
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers.choice import NAMES, Complaints, make_inspector
from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import Freeze
from gossipd_sim.host import Host
from gossipd_sim.script import Scenario
from support.watched import Watched

TO = Address(bytes([10, 0, 0, 2]), 7946)
EAGER = {"awareness_max_multiplier": 1}
"""No local health makes rounds longer: five seconds without a ping are too long."""


def node_of(host: Host) -> Node:
    assert host.node is not None
    return host.node


@pytest.mark.parametrize("seed", [1, 2])
def test_no_checker_complains_of_crash_leave_freeze_and_return(seed: int) -> None:
    watched = Watched(nodes=7, seed=seed, calm_from=150.0)
    _, _, two, three, four, five, _ = watched.hosts
    watched.crash(two)
    watched.run(20)
    three.leave()
    watched.site.tell_fault("freeze n004")
    four.freeze()
    watched.run(40)
    watched.site.tell_fault("thaw n004")
    four.thaw()
    watched.site.tell_fault("restart n002")
    two.restart(remember=True)
    watched.run(20)
    watched.site.tell_fault("crash n005")
    five.crash()
    watched.run(130)
    watched.inspector.at_end(None, watched.now)  # type: ignore[arg-type]  # nobody asks it
    assert watched.texts() == []
    shown = watched.hosts[0].statuses()
    assert shown["n005"] is MemberStatus.FAILED
    assert shown["n003"] is MemberStatus.LEFT
    assert shown["n002"] is MemberStatus.ALIVE


def test_a_table_entry_that_falls_is_found() -> None:
    watched = Watched("incarnations")
    watched.plant(watched.hosts[0], "n002", incarnation=7)
    assert watched.found() == []
    watched.plant(watched.hosts[0], "n002", incarnation=6)
    assert watched.found() == [("incarnations", "n000")]


def test_an_own_incarnation_that_falls_is_found() -> None:
    watched = Watched("incarnations")
    node_of(watched.hosts[1])._swim._claims.own.value = 0
    watched.look(watched.hosts[1])
    assert watched.found() == [("incarnations", "n001")]


def test_a_new_life_may_count_from_one_again() -> None:
    watched = Watched("incarnations")
    node_of(watched.hosts[1])._swim._claims.own.value = 9
    watched.look(watched.hosts[1])
    watched.hosts[1].restart(remember=False)
    watched.run(5)
    assert watched.found() == []


@pytest.mark.parametrize("state", [MemberState.DEAD, MemberState.SUSPECT, MemberState.LEFT])
def test_an_alive_that_overrides_at_an_equal_incarnation_is_found(state: MemberState) -> None:
    watched = Watched("precedence")
    watched.plant(watched.hosts[0], "n002", incarnation=5, state=state)
    assert watched.found() == []
    watched.plant(watched.hosts[0], "n002", incarnation=5, state=MemberState.ALIVE)
    assert watched.found() == [("precedence", "n000")]


def test_an_alive_above_an_accusation_is_no_violation() -> None:
    watched = Watched("precedence")
    watched.plant(watched.hosts[0], "n002", incarnation=5, state=MemberState.DEAD)
    watched.plant(watched.hosts[0], "n002", incarnation=6, state=MemberState.ALIVE)
    assert watched.found() == []


def test_a_dead_one_that_becomes_a_suspect_is_found() -> None:
    watched = Watched("precedence")
    watched.plant(watched.hosts[0], "n002", incarnation=5, state=MemberState.DEAD)
    watched.plant(watched.hosts[0], "n002", incarnation=5, state=MemberState.SUSPECT)
    assert watched.found() == [("precedence", "n000")]


def test_a_refutation_at_the_accused_incarnation_is_found() -> None:
    class Timid(OwnIncarnation):
        def raise_above(self, accused: int) -> int | None:
            return max(self.value, accused)

    watched = Watched("refutations")
    host = watched.hosts[1]
    claims = node_of(host)._swim._claims
    timid = Timid()
    timid.value = claims.own.value
    claims.own = timid
    accusation = encode(Suspect("n001", timid.value, "n000"))
    watched.site.network.inject(watched.hosts[0].address, host.address, accusation)
    watched.run(0.1)
    assert watched.found() == [("refutations", "n001")]


def test_events_that_do_not_alternate_are_found() -> None:
    watched = Watched("alternation")
    host = watched.hosts[0]
    member = node_of(host)._swim.member("n002")
    assert member is not None
    failed = MemberFailed(member, "n001", 0, None)
    events: list[NodeEvent] = [
        MemberJoined(member),
        failed,
        failed,
        MemberForgotten(member),
        failed,
    ]
    for event in events:
        watched.inspector.on_event(host, event, watched.now)
    assert watched.texts() == [
        "n002 joined although it was there",
        "n002 failed although it was not there",
        "n002 failed although it was not there",
    ]


def test_a_change_told_twice_to_users_is_found() -> None:
    watched = Watched("alternation")
    host = watched.hosts[0]
    roster = node_of(host)._serf._roster
    # Serf's layer forgets that n002 is there, and tells of its coming again
    serf = node_of(host)._serf
    member = node_of(host)._swim.member("n002")
    assert member is not None
    assert roster.get("n002") is not None
    serf._members.on_joined(member, host.local_time())
    watched.run(5)
    assert watched.found() == [("alternation", "n000")]


def test_a_host_that_is_not_in_its_own_table_is_found() -> None:
    watched = Watched("own-entry")
    del node_of(watched.hosts[2])._swim._membership.table["n002"]
    watched.look(watched.hosts[2])
    assert watched.found() == [("own-entry", "n002")]


def test_a_host_that_is_not_in_its_own_view_is_found() -> None:
    watched = Watched("own-entry")
    node_of(watched.hosts[2])._serf._roster.erase("n002")
    watched.look(watched.hosts[2])
    assert watched.found() == [("own-entry", "n002")]


def test_a_host_that_suspects_itself_is_found() -> None:
    watched = Watched("own-entry")
    watched.plant(watched.hosts[2], "n002", state=MemberState.SUSPECT)
    assert watched.found() == [("own-entry", "n002")]


@pytest.mark.parametrize(("length", "is_found"), [(1405, False), (1406, True), (0, True)])
def test_a_datagram_of_a_wrong_length_is_found(length: int, is_found: bool) -> None:
    watched = Watched("datagrams")
    watched.inspector.on_packet(watched.hosts[0], TO, bytes(length), watched.now)
    assert watched.found() == ([("datagrams", "n000")] if is_found else [])


def test_a_claim_sent_more_often_than_its_limit_is_found() -> None:
    class Chatty(BroadcastQueue):
        def take(self, limit: int, overhead: int, retransmit_limit: int) -> list[bytes]:
            return super().take(limit, overhead, retransmit_limit + 1)

    watched = Watched("transmits")
    node_of(watched.hosts[1])._swim._claims.queue = Chatty()
    watched.hosts[1].set_tags({"role": "db"})
    watched.run(10)
    assert watched.found() == [("transmits", "n001")]


FORMER_LIVES: tuple[Claim, ...] = (
    Alive("n002", 1, Address(bytes([10, 0, 0, 3]), 7946), b"former life", Versions()),
    Dead("n002", 1, "n002"),
)


@pytest.mark.parametrize("claim", FORMER_LIVES)
def test_what_an_owner_is_shown_of_its_former_life_is_no_gossip(claim: Claim) -> None:
    watched = Watched("transmits")
    host, owner = watched.hosts[0], watched.hosts[2]
    former = encode(claim)
    assert owner.address == Address(bytes([10, 0, 0, 3]), 7946)
    for _ in range(30):
        watched.inspector.on_packet(host, owner.address, former, watched.now)
    assert watched.found() == []
    for _ in range(30):
        watched.inspector.on_packet(host, watched.hosts[1].address, former, watched.now)
    assert watched.found() == [("transmits", "n000")]


def test_the_leave_of_a_former_life_may_be_shown_to_an_owner_that_moved() -> None:
    watched = Watched("transmits")
    moved = Address(bytes([10, 0, 0, 3]), 7947)
    watched.hosts[2].address = moved
    for _ in range(30):
        watched.inspector.on_packet(
            watched.hosts[0], moved, encode(Dead("n002", 1, "n002")), watched.now
        )
    assert watched.found() == []


def test_an_accusation_is_counted_also_when_its_owner_is_told() -> None:
    watched = Watched("transmits")
    host, owner = watched.hosts[0], watched.hosts[2]
    for _ in range(30):
        watched.inspector.on_packet(host, owner.address, encode(Dead("n002", 1, "n001")), 0.0)
    assert watched.found() == [("transmits", "n000")]


def claims_sent(watched: Watched, times: int) -> None:
    for _ in range(times):
        watched.inspector.on_packet(
            watched.hosts[1], TO, encode(Suspect("n003", 1, "n001")), watched.now
        )


def test_what_was_held_back_may_be_one_claim_queued_anew_and_no_more_than_that() -> None:
    watched = Watched("transmits")
    one = watched.hosts[1]
    one.block_sending()
    for state in (MemberState.SUSPECT, MemberState.DEAD, MemberState.ALIVE, MemberState.SUSPECT):
        watched.plant(one, "n003", state=state)
    one.unblock_sending()
    claims_sent(watched, 5 * 4)
    assert watched.found() == []
    claims_sent(watched, 1)
    assert watched.found() == [("transmits", "n001")]
    watched.plant(one, "n003", state=MemberState.DEAD)
    claims_sent(watched, 4)
    assert len(watched.found()) == 1
    claims_sent(watched, 1)
    assert len(watched.found()) == 2


def test_a_member_that_is_never_probed_is_found() -> None:
    class Stubborn:
        def insert(self, name: str) -> None: ...

        def next_target(
            self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
        ) -> str | None:
            return "n002"

        def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
            return []

    watched = Watched("visits")
    host = watched.hosts[0]
    node_of(host)._swim._prober._rotation = Stubborn()
    # somebody may have waited for some rounds before: a change of state begins anew
    for state in (MemberState.SUSPECT, MemberState.ALIVE):
        watched.plant(host, "n003", state=state)
    watched.run(5)
    assert watched.found() == []  # five rounds may pass with three others
    watched.run(1)
    assert watched.found() == [("visits", "n000")]


def test_pings_done_for_others_count_as_no_visits() -> None:
    watched = Watched("visits", "probing")
    host = watched.hosts[0]
    for number in range(20):
        ping = encode(Ping(70_000 + number, "n002", host.address, "n000"))
        watched.inspector.on_packet(host, watched.hosts[2].address, ping, watched.now)
    watched.run(10)
    assert watched.found() == []


def test_a_host_that_stops_probing_is_found() -> None:
    watched = Watched("probing")
    node_of(watched.hosts[0])._swim._prober._ticker = None
    watched.run(10)
    assert watched.found() == []
    watched.run(30)
    assert watched.found() == [("probing", "n000")]


@pytest.mark.parametrize("lasts", [4.0, 4.408, 4.9])
def test_a_host_that_was_frozen_has_as_long_as_any_from_when_it_goes_on(lasts: float) -> None:
    scenario = Scenario(
        name="a freeze",
        nodes=2,
        horizon=30.0,
        settle=20.0,
        swim=EAGER,
        faults=(Freeze(at=1.25, hosts="n001", lasts=lasts),),
    )
    assert Cluster(scenario, 0).run().violations == ()


def test_a_host_that_stops_probing_after_a_freeze_is_found() -> None:
    watched = Watched("probing", nodes=2, swim=replace(SwimConfig(), **EAGER))
    host = watched.hosts[1]
    watched.site.tell_fault("freeze n001")
    host.freeze()
    watched.run(4.0)
    watched.site.tell_fault("thaw n001")
    host.thaw()
    node_of(host)._swim._prober._ticker = None
    watched.run(4.5)
    assert watched.found() == []
    watched.run(3)
    assert watched.found() == [("probing", "n001")]


@pytest.mark.parametrize("count", [6, 7])
def test_a_queue_with_more_claims_than_names_is_found(count: int) -> None:
    watched = Watched("queues")
    queue = node_of(watched.hosts[0])._swim._claims.queue
    for number in range(count):
        queue.enqueue(b"x%d" % number)
    watched.look(watched.hosts[0])
    assert watched.found() == ([("queues", "n000")] if count > 4 + 2 else [])


def test_streams_that_pile_up_are_found() -> None:
    watched = Watched("queues")
    host = watched.hosts[0]
    for number in range(300):
        node_of(host).accept_stream(-1000 - number, TO, host.local_time())
    watched.look(host)
    assert watched.found() == [("queues", "n000")]


@pytest.mark.parametrize(
    ("data", "to"),
    [
        (b"\xff nothing", TO),
        (b"\x07\x02\x00\x01", TO),
        (b"\x03\xc1", TO),
        (b"\x08\x00\xc1", TO),
        (encode(Suspect("n001", 1, "n000")), Address(b"", 0)),
    ],
    ids=["unknown kind", "cut compound", "bad claim", "bad payload", "no address"],
)
def test_a_datagram_that_peers_cannot_read_is_found(data: bytes, to: Address) -> None:
    watched = Watched("decoding")
    watched.inspector.on_packet(watched.hosts[0], to, data, watched.now)
    assert watched.found() == [("decoding", "n000")]


def test_a_scenario_may_choose_its_checkers() -> None:
    watched = Watched(nodes=2, settle=1.0)
    for name in NAMES:
        complaints = Complaints()
        inspector = make_inspector([name], complaints, watched.truth, 0.0)
        inspector.on_packet(watched.hosts[0], TO, bytes(2000), watched.now)
        kinds = {one.checker for one in complaints.violations}
        assert kinds == ({name} & {"datagrams", "decoding"})
