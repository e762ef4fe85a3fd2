"""Whole nodes together: what a cluster does, from bytes to views."""

from __future__ import annotations

import pytest

from gossipd.config.model import PROFILES, SerfConfig, SwimConfig, WireConfig
from gossipd.errors import UsageError
from gossipd.node.events import InputDropped, OperationFinished
from gossipd.serf.events import ChangeKind, MemberChange, QueryAcked, QueryClosed
from gossipd.serf.question import PING_ALL
from gossipd.swim.events import MemberFailed
from gossipd.wire.serf_messages import MemberStatus
from support.node_net import NodeNet, all_show

ALIVE, FAILED, LEFT = MemberStatus.ALIVE, MemberStatus.FAILED, MemberStatus.LEFT
KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("wire", "keys"),
    [
        (WireConfig(compression=False), ()),
        (WireConfig(), ()),
        (WireConfig(label="blue"), ()),
        (WireConfig(), (KEY[:16],)),
        (WireConfig(label="blue", compression=False), (KEY, KEY[:24])),
    ],
    ids=["plain", "compressed", "labelled", "encrypted", "labelled and encrypted"],
)
def test_five_nodes_find_each_other_and_nothing_is_dropped(
    wire: WireConfig, keys: tuple[bytes, ...]
) -> None:
    net = NodeNet()
    machines = net.cluster("abcde", wire=wire, keys=keys)
    assert all_show(machines, ALIVE, *"abcde")
    net.run(60)
    for machine in machines:
        assert not machine.node.statistics().dropped
        assert all_show(machines, ALIVE, *"abcde")


def test_a_killed_node_is_failed_everywhere_within_the_lan_bounds() -> None:
    net = NodeNet()
    machines = net.cluster("abcde")
    net.kill(machines[2])
    took = net.run_until(lambda: all_show(machines, FAILED, "c"), limit=40)
    assert 4.0 <= took <= 35.0
    told = [event for event in machines[0].events if isinstance(event, MemberFailed)]
    assert [event.member.name for event in told] == ["c"]


def test_a_killed_node_that_returns_is_alive_again_everywhere() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    net.kill(machines[3])
    net.run_until(lambda: all_show(machines, FAILED, "d"), limit=40)
    returned = net.add("d", host=4)
    net.join(returned, machines[0])
    survivors = [*machines[:3], returned]
    net.run_until(lambda: all_show(survivors, ALIVE, *"abcd"), limit=10)


def test_a_node_that_leaves_is_shown_as_left_and_finishes_its_operation() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    operation = machines[1].do(machines[1].node.leave)
    took = net.run_until(
        lambda: OperationFinished(operation) in machines[1].events,  # type: ignore[arg-type]
        limit=12,
    )
    assert took >= 1.0
    net.kill(machines[1])
    assert all_show(machines, LEFT, "b")
    with pytest.raises(UsageError, match="Leave already in progress"):
        machines[1].node.leave(net.now)
    with pytest.raises(UsageError, match="can't Join after Leave"):
        machines[1].node.join(machines[0].address, "", net.now, ignore_old=True)


def test_a_node_alone_leaves_within_its_propagate_delay() -> None:
    net = NodeNet()
    machine = net.add("a")
    operation = machine.do(machine.node.leave)
    took = net.run_until(
        lambda: OperationFinished(operation) in machine.events,  # type: ignore[arg-type]
        limit=5,
    )
    assert took == pytest.approx(1.0, abs=0.06)


def test_case_102_changed_tags_reach_every_view_and_finish() -> None:
    net = NodeNet()
    machines = net.cluster("abc", tags={"role": "web", "dc": "east"})
    before = machines[2].node.view()
    operation = machines[0].do(lambda now: machines[0].node.set_tags({"role": "db"}, ["dc"], now))
    net.run(3)
    assert OperationFinished(operation) in machines[0].events  # type: ignore[arg-type]
    after = machines[2].node.view()
    assert after.version > before.version
    assert [dict(member.tags) for member in after.members] == [
        {"role": "db"},
        {"role": "web", "dc": "east"},
        {"role": "web", "dc": "east"},
    ]
    kinds = [event.kind for event in machines[2].events if isinstance(event, MemberChange)]
    assert kinds.count(ChangeKind.UPDATE) == 1


def test_tags_that_do_not_fit_beside_the_tail_are_refused_and_change_nothing() -> None:
    net = NodeNet()
    (machine,) = net.cluster("a", tags={"role": "web"})
    with pytest.raises(UsageError, match="500"):
        machine.node.set_tags({"big": "x" * 512}, [], net.now)
    assert dict(machine.node.view().members[0].tags) == {"role": "web"}


def test_a_failed_member_that_was_forced_out_is_left_everywhere() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    net.kill(machines[3])
    net.run_until(lambda: all_show(machines, FAILED, "d"), limit=40)
    operation = machines[0].do(lambda now: machines[0].node.force_leave("d", False, now))
    net.run_until(lambda: all_show(machines, LEFT, "d"), limit=5)
    net.run(5)
    assert OperationFinished(operation) in machines[0].events  # type: ignore[arg-type]


def test_a_failed_member_that_was_pruned_is_gone_everywhere() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    net.kill(machines[3])
    net.run_until(lambda: all_show(machines, FAILED, "d"), limit=40)
    machines[0].do(lambda now: machines[0].node.force_leave("d", True, now))
    net.run_until(lambda: all("d" not in machine.statuses() for machine in machines[:3]), limit=5)


def test_two_halves_that_were_cut_apart_merge_again() -> None:
    net = NodeNet()
    swim, wire = PROFILES["local"]
    machines = net.cluster("abcdef", swim=swim, wire=wire, serf=SerfConfig(reconnect_interval=5.0))
    left, right = machines[:3], machines[3:]
    net.separate(left, right)
    net.run_until(
        lambda: all_show(left, FAILED, *"def") and all_show(right, FAILED, *"abc"), limit=60
    )
    net.cut.clear()
    net.run_until(lambda: all_show(machines, ALIVE, *"abcdef"), limit=120)


def test_a_node_whose_udp_is_cut_but_whose_streams_work_stays_alive() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    deliver = net._deliver
    silent = machines[2].address

    def without_udp(sender: object, to: object, data: bytes) -> None:
        if silent not in (to, sender.address):  # type: ignore[attr-defined]
            deliver(sender, to, data)  # type: ignore[arg-type]

    net._deliver = without_udp  # type: ignore[method-assign]
    net.run(60)
    assert machines[0].statuses()["c"] == "alive"


@pytest.mark.parametrize(
    ("theirs", "keys", "reason"),
    [
        (WireConfig(label="red"), (), "wrong-label"),
        (WireConfig(), (KEY,), None),
    ],
    ids=["another label", "a key"],
)
def test_a_stranger_is_kept_out_and_counted(
    theirs: WireConfig, keys: tuple[bytes, ...], reason: str | None
) -> None:
    net = NodeNet()
    member = net.add("a")
    stranger = net.add("x", wire=theirs, keys=keys)
    operation = stranger.do(
        lambda now: stranger.node.join(member.address, "", now, ignore_old=True)
    )
    net.run(30)
    finished = [e for e in stranger.events if isinstance(e, OperationFinished)]
    assert [event.operation for event in finished] == [operation]
    assert finished[0].error
    assert member.statuses() == {"a": "alive"}
    dropped = member.node.statistics().dropped
    assert dropped
    if reason is not None:
        assert reason in dropped
    assert any(isinstance(event, InputDropped) for event in member.events)


def test_joining_where_nobody_listens_finishes_with_the_reason() -> None:
    net = NodeNet()
    machine = net.add("a")
    nobody = NodeNet().add("b", host=9)
    operation = machine.do(lambda now: machine.node.join(nobody.address, "b", now, ignore_old=True))
    net.run(1)
    assert OperationFinished(operation, "connection refused") in machine.events  # type: ignore[arg-type]


def test_no_datagram_is_larger_than_the_budget_and_the_checksum() -> None:
    net = NodeNet()
    net.cluster("abcdefghijklmnop", keys=(KEY,), tags={"pad": "x" * 200})
    assert max(len(data) for _, _, _, data in net.packets) <= 1405


def test_the_view_is_the_same_object_until_something_visible_changes() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    view = machines[0].node.view()
    net.run(30)
    assert machines[0].node.view() is view
    net.kill(machines[1])
    net.run_until(lambda: "b" in machines[0].node.view().suspicions, limit=10)
    suspected = machines[0].node.view()
    assert suspected.version > view.version
    assert suspected.suspicions["b"].deadline > net.now


def test_equal_seeds_give_equal_runs() -> None:
    def run() -> list[tuple[float, bytes, bytes, bytes]]:
        net = NodeNet(seed=7)
        machines = net.cluster("abcdef", keys=(KEY,))
        net.kill(machines[4])
        net.run(20)
        return [(at, source.ip, to.ip, data) for at, source, to, data in net.packets]

    assert run() == run()


def test_all_members_answer_the_reachability_query() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    query = machines[1].do(machines[1].node.ask, PING_ALL)
    took = net.run_until(
        lambda: QueryClosed(query) in machines[1].events,  # type: ignore[arg-type]
        limit=5,
    )
    acked = sorted(e.node for e in machines[1].events if isinstance(e, QueryAcked))
    assert acked == list("abcd")
    assert took < 3.2


@pytest.mark.parametrize("eager", [True, False])
def test_a_query_costs_hops_and_not_gossip_ticks(eager: bool) -> None:
    net = NodeNet()
    machines = net.cluster("abcde", swim=SwimConfig(eager_gossip=eager))
    net.run(60.0)
    query = machines[1].do(machines[1].node.ask, PING_ALL)
    took = net.run_until(
        lambda: QueryClosed(query) in machines[1].events,  # type: ignore[arg-type]
        limit=5,
    )
    assert (took <= SwimConfig().gossip_interval / 2) is eager  # it looks every 50 ms
