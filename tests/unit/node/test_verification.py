"""From a plain cluster to an encrypted one and back, while every member stays alive."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.config.model import WireConfig
from gossipd.errors import Unavailable
from gossipd.serf.events import ChangeKind, KeysAnswered, MemberChange
from gossipd.serf.question import KeyCommand
from gossipd.swim.events import MemberFailed, MemberSuspected
from gossipd.wire.internal_query_codec import encode_key_request
from gossipd.wire.keyring import Keyring
from gossipd.wire.packet import PacketLayers
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import KeyRequest
from support.node_net import Machine, NodeNet
from support.serf_harness import query_of

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


ATTACKER = Address(bytes([127, 0, 0, 99]), 7946)
HALF = WireConfig(verify_incoming=False, verify_outgoing=True, compression=False)


def sent_in_plain_to(machine: Machine, command: KeyCommand, key: bytes | None) -> None:
    """Let somebody who has no key ask ``machine`` for a change of keys."""
    query = query_of(
        query_id=machine.net.random.getrandbits(31),
        name=f"_serf_{command.value}",
        payload=encode_key_request(KeyRequest(key)),
        origin=ATTACKER,
    )
    machine.do(machine.node.receive_packet, b"\x08" + encode_serf(query), ATTACKER)


@pytest.mark.parametrize("lenient", [LENIENT, HALF], ids=["plain out", "sealed out"])
def test_who_has_no_key_can_neither_see_nor_change_those_of_lenient_nodes(
    lenient: WireConfig,
) -> None:
    net = NodeNet()
    machines = net.cluster("abc", keys=(KEY,), wire=lenient)
    strict = machines[-1]
    strict.do(strict.node.set_verification, True, lenient.verify_outgoing)
    evil = b"e" * 32
    net.packets.clear()
    sent_in_plain_to(machines[0], KeyCommand.LIST, None)
    sent_in_plain_to(machines[0], KeyCommand.INSTALL, evil)
    net.run(5.0)
    sent_in_plain_to(machines[0], KeyCommand.USE, evil)
    net.run(5.0)
    assert [machine.node.keyring and machine.node.keyring.keys for machine in machines] == [
        (KEY,)
    ] * 3
    reader = PacketLayers(keyring=Keyring((KEY,)), verify_incoming=False, entropy=bytes)
    told = [
        b"".join(reader.open_packet_untrusted(data).messages)
        for _, _, to, data in net.packets
        if to == ATTACKER
    ]
    assert told
    assert all(b"neither shown nor changed" in answer for answer in told)


def test_keys_are_not_managed_while_others_could_read_them() -> None:
    net = NodeNet()
    machines = net.cluster("ab", keys=(KEY,), wire=LENIENT)
    net.packets.clear()
    new = b"n" * 32
    for command, key in ((KeyCommand.LIST, None), (KeyCommand.INSTALL, new)):
        with pytest.raises(Unavailable, match="verify_incoming"):
            machines[0].do(machines[0].node.manage_keys, command, key)
    net.run(5.0)
    assert not any(new in data for *_, data in net.packets)


def test_a_plain_node_tells_nobody_the_key_that_it_cannot_install() -> None:
    net = NodeNet()
    machines = net.cluster("ab", wire=WireConfig(compression=False))
    net.packets.clear()
    machines[0].do(machines[0].node.manage_keys, KeyCommand.INSTALL, KEY)
    net.run(5.0)
    [report] = [e.report for e in machines[0].events if isinstance(e, KeysAnswered)]
    assert (report.nodes, report.errors) == (2, 2)
    assert set(report.messages.values()) == {"No keyring to modify (encryption not enabled)"}
    assert not any(KEY in data for *_, data in net.packets)
