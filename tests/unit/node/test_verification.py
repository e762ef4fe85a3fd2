"""From a plain cluster to an encrypted one and back, while every member stays alive."""

from __future__ import annotations

from gossipd.config.model import WireConfig
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.swim.events import MemberFailed, MemberSuspected
from support.node_net import Machine, NodeNet

KEY = b"k" * 32
LENIENT = WireConfig(verify_incoming=False, verify_outgoing=False, compression=False)
SEEN = 100.0
"""Seconds in which everybody has probed everybody and exchanged states several times."""
NAMES = "abc"


class Cluster:
    """Three nodes; whatever befell any of them is kept."""

    def __init__(self, keys: tuple[bytes, ...] = ()) -> None:
        self.net = NodeNet()
        self.machines = self.net.cluster(NAMES, keys=keys, wire=WireConfig(compression=False))
        self.former: list[Machine] = []

    def restart_with(self, keys: tuple[bytes, ...], wire: WireConfig) -> None:
        """Restart one after another: gone and back within one probe interval."""
        for index, old in enumerate(self.machines):
            self.net.kill(old)
            self.former.append(old)
            new = self.net.add(NAMES[index], host=index + 1, keys=keys, wire=wire)
            self.machines[index] = new
            self.net.join(new, self.machines[index - 1])
            self.net.run(SEEN / 10)

    def verify_one_after_another(self, *, incoming: bool, outgoing: bool) -> None:
        for machine in self.machines:
            machine.do(machine.node.set_verification, incoming, outgoing)
            self.net.run(SEEN / 10)

    def check(self) -> None:
        everybody = dict.fromkeys(NAMES, "alive")
        assert [machine.statuses() for machine in self.machines] == [everybody] * 3
        for machine in (*self.machines, *self.former):
            told = [
                event
                for event in machine.events
                if isinstance(event, MemberSuspected | MemberFailed)
                or (isinstance(event, MemberChange) and event.kind is not ChangeKind.JOIN)
            ]
            assert told == []


def plain_packets(cluster: Cluster) -> tuple[int, int]:
    """Let time pass; return how many packets went in plain, and sealed."""
    cluster.net.packets.clear()
    cluster.net.run(SEEN)
    plain = sum(b"SeqNo" in data for _, _, _, data in cluster.net.packets)
    return plain, len(cluster.net.packets) - plain


def test_a_plain_cluster_becomes_encrypted_and_plain_again_without_a_member_suspected() -> None:
    cluster = Cluster()
    cluster.restart_with((KEY,), LENIENT)
    plain, _ = plain_packets(cluster)
    assert plain > 0
    cluster.check()

    cluster.verify_one_after_another(incoming=False, outgoing=True)
    plain, sealed = plain_packets(cluster)
    assert (plain, sealed > 0) == (0, True)
    cluster.verify_one_after_another(incoming=True, outgoing=True)
    plain, sealed = plain_packets(cluster)
    assert (plain, sealed > 0) == (0, True)
    cluster.check()

    cluster.verify_one_after_another(incoming=False, outgoing=True)
    cluster.verify_one_after_another(incoming=False, outgoing=False)
    plain, _ = plain_packets(cluster)
    assert plain > 0
    cluster.restart_with((), WireConfig(compression=False))
    plain, sealed = plain_packets(cluster)
    assert plain > 0
    cluster.check()


def test_once_plaintext_is_refused_it_is_dropped_and_counted() -> None:
    net = NodeNet()
    strict, _ = net.cluster("ab", keys=(KEY,), wire=LENIENT)
    before = strict.node.statistics().dropped
    assert before == {}
    strict.do(strict.node.set_verification, True, True)
    net.run(5.0)
    assert strict.node.statistics().dropped["bad-encryption"] > 0


def test_the_largest_message_leaves_room_for_sealing_from_the_start() -> None:
    """What was queued while all went in plain still fits once it is sealed."""
    net = NodeNet()
    plain = net.add("a", keys=(KEY,), wire=LENIENT)
    sealed = net.add("b", keys=(KEY,))
    limits = [machine.node._serf._broadcasts._payload_bytes_max for machine in (plain, sealed)]
    assert limits[0] == limits[1]
