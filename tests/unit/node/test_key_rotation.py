"""Keys of a whole cluster changed by one of its members, while nobody is suspected."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise

import pytest

from gossipd.errors import UsageError
from gossipd.serf.effects import SaveKeyring
from gossipd.serf.events import KeyringChanged, KeysAnswered, UserEventReceived
from gossipd.serf.question import KeyCommand, KeyReport
from gossipd.swim.events import MemberFailed, MemberSuspected
from support.node_net import Machine, NodeNet

OLD, NEW, OTHER = b"o" * 32, b"n" * 16, b"x" * 24
INSTALL, USE, REMOVE, LIST = (
    KeyCommand.INSTALL,
    KeyCommand.USE,
    KeyCommand.REMOVE,
    KeyCommand.LIST,
)


def text(key: bytes) -> str:
    return b64encode(key).decode()


def begin(machine: Machine, command: KeyCommand, key: bytes | None = None) -> int:
    operation = machine.do(machine.node.manage_keys, command, key)
    assert isinstance(operation, int)
    return operation


def reports(machine: Machine, operation: int) -> list[KeyReport]:
    return [
        event.report
        for event in machine.events
        if isinstance(event, KeysAnswered) and event.operation == operation
    ]


def manage(
    net: NodeNet, machine: Machine, command: KeyCommand, key: bytes | None = None
) -> tuple[KeyReport, float]:
    """Return what the members said, and the seconds that took."""
    operation = begin(machine, command, key)
    took = net.run_until(lambda: bool(reports(machine, operation)), 60.0)
    [report] = reports(machine, operation)
    return report, took


def rings(machines: list[Machine]) -> set[tuple[bytes, ...]]:
    return {machine.node.keyring.keys for machine in machines if machine.node.keyring is not None}


def test_twelve_nodes_go_from_one_key_to_another_and_nobody_is_suspected() -> None:
    net = NodeNet()
    machines = net.cluster("abcdefghijkl", keys=(OLD,))
    for command, key, after in (
        (INSTALL, NEW, (OLD, NEW)),
        (USE, NEW, (NEW, OLD)),
        (REMOVE, OLD, (NEW,)),
    ):
        report, took = manage(net, machines[3], command, key)
        assert report == KeyReport(12, 12, 0, {}, {}, {})
        assert took < 3.0, "it ends with the last answer, not at the timeout of 6.4 s"
        assert rings(machines) == {after}
        net.run(10)
    net.run(60)
    told = [event for machine in machines for event in machine.events]
    assert not [event for event in told if isinstance(event, MemberSuspected | MemberFailed)]
    assert sum(isinstance(event, KeyringChanged) for event in told) == 36
    everybody = dict.fromkeys("abcdefghijkl", "alive")
    assert all(machine.statuses() == everybody for machine in machines)
    dropped = [machine.node.statistics().dropped for machine in machines]
    assert not any("no-key-fits" in reasons for reasons in dropped)


def test_a_list_counts_keys_and_primary_keys_by_node() -> None:
    net = NodeNet()
    a, b, _ = net.cluster("abc", keys=(OLD, NEW))
    assert b.node.keyring is not None
    b.node.keyring.use(NEW)
    b.node.keyring.add(OTHER)
    report, _ = manage(net, a, LIST)
    assert report.keys == {text(OLD): 3, text(NEW): 3, text(OTHER): 1}
    assert report.primary_keys == {text(OLD): 2, text(NEW): 1}
    assert (report.nodes, report.responses, report.error) == (3, 3, "")


def test_who_is_unable_is_named_and_nothing_is_changed_there() -> None:
    net = NodeNet()
    a, b, _ = net.cluster("abc", keys=(OLD,))
    bad, _ = manage(net, a, INSTALL, b"short")
    assert set(bad.messages.values()) == {"key size must be 16, 24 or 32 bytes"}
    assert bad.error == "3/3 nodes reported failure"
    assert b.node.keyring is not None
    b.node.keyring.add(NEW)
    report, _ = manage(net, a, USE, NEW)
    assert report.error == "2/3 nodes reported failure"
    assert report.messages == dict.fromkeys("ac", "Requested key is not in the keyring")


def test_a_member_that_does_not_answer_is_missed_at_the_timeout() -> None:
    net = NodeNet()
    a, _, c = net.cluster("abc", keys=(OLD,))
    net.kill(c)
    report, took = manage(net, a, INSTALL, NEW)
    assert (report.nodes, report.responses, report.error) == (3, 2, "2/3 nodes reported success")
    assert took == pytest.approx(3.2, abs=0.2)


def test_without_encryption_there_are_no_keys_to_manage() -> None:
    net = NodeNet()
    a, _ = net.cluster("ab")
    report, _ = manage(net, a, INSTALL, NEW)
    assert report.error == "2/2 nodes reported failure"
    assert set(report.messages.values()) == {"No keyring to modify (encryption not enabled)"}
    assert (a.node.keyring, a.node.statistics().encrypted) == (None, False)


def test_alone_it_is_answered_at_once() -> None:
    net = NodeNet()
    a = net.add("a", keys=(OLD,))
    operation = begin(a, INSTALL, NEW)
    assert reports(a, operation) == [KeyReport(1, 1, 0, {}, {}, {})]


def test_a_node_that_leaves_manages_no_keys() -> None:
    net = NodeNet()
    a, _ = net.cluster("ab", keys=(OLD,))
    a.do(a.node.leave)
    with pytest.raises(UsageError, match="after a leave"):
        begin(a, INSTALL, NEW)


def test_a_node_whose_keys_are_kept_answers_when_they_are() -> None:
    net = NodeNet()
    a, b = net.cluster("ab", keys=(OLD,), saves_keys=True)
    operation = begin(a, INSTALL, NEW)
    net.run(1.0)
    assert reports(a, operation) == []
    assert [len(machine.saves) for machine in (a, b)] == [1, 1]
    for machine, error in ((a, ""), (b, "keyring_file k.json: no space left on device")):
        [save] = machine.saves
        assert isinstance(save, SaveKeyring)
        assert save.keys == (OLD, NEW)
        machine.do(machine.node.keyring_saved, save.ticket, error)
    net.run(0.1)
    [report] = reports(a, operation)
    assert report.error == "1/2 nodes reported failure"
    assert report.messages == {
        "b": "changed, not saved, lost at a restart: keyring_file k.json: no space left on device"
    }
    assert rings([a, b]) == {(OLD, NEW)}


@pytest.mark.parametrize("seed", [1, 2])
def test_under_event_traffic_no_event_is_lost_and_nobody_is_suspected(seed: int) -> None:
    """The bar: twelve nodes, five events a second, three rotations one after another."""
    net = NodeNet(seed)
    machines = net.cluster("abcdefghijkl", keys=(OLD,))
    sent: list[bytes] = []
    ends_at = net.now + 60.0

    def send() -> None:
        machine = machines[len(sent) % len(machines)]
        sent.append(b"%d" % len(sent))
        machine.do(lambda now: machine.node.send_event("tick", sent[-1], now))
        if net.now < ends_at:
            net.at(net.now + 0.2, send)

    net.at(net.now, send)
    keys = [OLD, NEW, OTHER, OLD]
    for turn, (old, new) in enumerate(pairwise(keys)):
        for command, key in ((INSTALL, new), (USE, new), (REMOVE, old)):
            report, _ = manage(net, machines[turn], command, key)
            assert report == KeyReport(12, 12, 0, {}, {}, {})
            net.run(1.0)
    net.run(ends_at - net.now + 20.0)
    assert len(sent) > 250
    for machine in machines:
        heard = [event for event in machine.events if isinstance(event, UserEventReceived)]
        assert sorted(event.payload or b"" for event in heard) == sorted(sent)
    told = [event for machine in machines for event in machine.events]
    assert not [event for event in told if isinstance(event, MemberSuspected | MemberFailed)]
    assert rings(machines) == {(OLD,)}
