"""What peers with the keys of the cluster can do to the services of others: nothing that lasts."""

from __future__ import annotations

from sys import getsizeof

import pytest

from gossipd.address import Address
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import CheckDefinition, Service, ServiceState
from gossipd.services.instance import DOWN
from gossipd.wire.catalog_codec import encode_catalog
from gossipd.wire.catalog_messages import (
    Delta,
    Digest,
    Known,
    News,
    Notice,
    Portion,
    Record,
    Wish,
)
from gossipd.wire.catalog_parts import encode_service, encode_state
from gossipd.wire.codec import encode
from gossipd.wire.dialect import pack
from gossipd.wire.messages import Alive, Dead, PacketMessage, UserPayload
from gossipd.wire.meta_tail import TAIL_BYTES, meta_tail
from gossipd.wire.serf_codec import (
    NO_SUMMARY,
    decode_serf_state_untrusted,
    encode_serf,
    encode_serf_state,
)
from gossipd.wire.serf_messages import LeaveIntent, SerfPushPull
from support.node_net import Machine, NodeNet
from support.service_net import (
    are_equal,
    bytes_of_syncs,
    heard_ignored,
    keys,
    register,
    send,
    summaries,
)

CHECK = CheckDefinition(id="c", kind="ttl", ttl=6000.0, status="passing")
WEB = Service(id="web-1", name="web", port=8080, checks=(CHECK,))
LIAR = Address(bytes([127, 0, 0, 6]), 7946)
SYNCED = 60.0
"""Seconds after which a push/pull of everybody is over, and what it brought."""


def cluster() -> tuple[NodeNet, list[Machine]]:
    """Return six nodes of which ``a`` has a service whose check passes."""
    net = NodeNet()
    machines = net.cluster("abcdef")
    register(machines[0], WEB)
    net.run(3)
    return net, machines


def floor(machine: Machine, owner: str = "a") -> int:
    records = machine.node._carriage.catalog.replica.records(owner)  # type: ignore[union-attr]
    assert records is not None
    return records.floor


def statuses(machines: list[Machine]) -> set[str]:
    return {machine.node.service("web").instances[0].status for machine in machines}


def refutations(machine: Machine) -> int:
    return machine.node.statistics().dropped.get("catalog-not-our-word", 0)


def tell(net: NodeNet, to: Machine, portion: Portion, teller: Machine) -> None:
    name = teller.node.view().name
    send(net, to, encode_catalog(Delta(name, False, (portion,))), teller)


def state_of(status: str, version: int) -> Record:
    return Record(
        "web-1", state_version=version, state=encode_state(ServiceState(statuses=(status,)))
    )


def test_a_portion_of_what_is_known_changes_nothing() -> None:
    net, machines = cluster()
    for number in range(5):
        register(machines[0], Service(id=f"other-{number}", name="other"))
    net.run(3)
    upto = floor(machines[3])
    critical = state_of("critical", upto - 1)
    tell(net, machines[3], Portion("a", 1, upto, upto, (critical,)), machines[5])
    assert statuses(machines) == {"passing"}
    assert are_equal(machines)


def test_a_state_from_the_future_in_a_portion_does_not_outlast_the_word_of_its_owner() -> None:
    net, machines = cluster()
    upto = floor(machines[3])
    forged = state_of("passing", upto + 1000)
    tell(net, machines[3], Portion("a", 1, upto, upto + 1, (forged,)), machines[5])
    node = machines[0].node
    machines[0].do(lambda now: node.report_check("c", "critical", "down", None, now))
    net.run_until(lambda: statuses(machines) == {"critical"}, 5.0)
    net.run(SYNCED)
    assert statuses(machines) == {"critical"}
    assert are_equal(machines)


@pytest.mark.parametrize("lie", ["nothing", "another definition", "another state"])
def test_who_was_lied_to_before_its_owner_spoke_holds_the_truth_after_a_push_pull(
    lie: str,
) -> None:
    net, machines = cluster()
    upto = floor(machines[0])
    late = machines[3]
    late.node._carriage.catalog.replica.drop("a")  # type: ignore[union-attr]
    definition = encode_service(Service(id="web-1", name="web", port=666))
    truth = machines[1].node._carriage.catalog.replica.owners["a"].items["web-1"].record()  # type: ignore[union-attr]
    records: tuple[Record, ...] = {
        "nothing": (),
        "another definition": (Record("web-1", service_version=1, service=definition),),
        "another state": (
            Record("web-1", service_version=1, service=truth.service),
            state_of("critical", upto),
        ),
    }[lie]
    tell(net, late, Portion("a", 1, 0, upto, records), machines[5])
    assert floor(late) == upto
    net.run_until(lambda: "not-our-word" in heard_ignored(machines[0]), SYNCED)
    net.run(5)
    assert are_equal(machines)
    assert [one.service.port for one in late.node.service("web").instances] == [8080]
    assert refutations(machines[0]) == 1


def test_a_record_that_cannot_be_read_hides_the_true_one_until_the_next_push_pull() -> None:
    net, machines = cluster()
    upto = floor(machines[0])
    register(machines[0], Service(id="new", name="new"))
    forged = Record("web-1", state_version=upto + 1, state=b"\xc1")
    tell(net, machines[3], Portion("a", 1, upto, upto + 1, (forged,)), machines[5])
    net.run_until(lambda: "not-our-word" in heard_ignored(machines[0]), SYNCED)
    net.run(5)
    assert are_equal(machines)
    assert keys(machines[3], "new") == [("a", "new")]


def test_news_that_cannot_be_read_does_not_take_the_place_of_the_true_one() -> None:
    net, machines = cluster()
    version = floor(machines[0]) + 1
    forged = Record("web-1", state_version=version, state=b"\xc1")
    send(net, machines[3], encode_catalog(News("a", 1, version, (), forged)), machines[5])
    register(machines[0], Service(id="new", name="new"))
    net.run(1)
    assert keys(machines[3], "new") == [("a", "new")]
    assert are_equal(machines)


def test_a_node_that_keeps_less_than_others_register_accuses_nobody() -> None:
    net = NodeNet()
    small = net.add("small", catalog=CatalogConfig(node_bytes_max=2000))
    machines = [net.add(name) for name in "abc"]
    for machine in machines:
        net.join(machine, small)
    checks = tuple(CheckDefinition(id=f"c{n}", kind="ttl", ttl=6e3) for n in range(10))
    for number, check in enumerate(checks):
        service = Service(id=f"s{number}", name="web", checks=(check,), meta={"m": "x" * 400})
        register(machines[0], service)
        net.run(2)
    for status in ("passing", "critical", "passing"):
        for check in checks:
            node = machines[0].node
            machines[0].do(
                lambda now, c=check.id, s=status, n=node: n.report_check(c, s, "", None, now)
            )
            net.run(1.5)
        net.run(SYNCED)
    assert 0 < len(keys(small)) < 10
    assert all(len(keys(machine)) == 10 for machine in machines)
    assert "owner-full" in heard_ignored(small)
    assert [refutations(machine) for machine in machines] == [0] * 3
    assert len(summaries([small, *machines])) == 1


def test_a_late_portion_does_not_bring_back_what_is_gone_and_forgotten() -> None:
    net, machines = cluster()
    before = floor(machines[0])
    late = machines[3]
    told = late.node._carriage.catalog.replica.owners["a"].items["web-1"].record()  # type: ignore[union-attr]
    machines[0].do(lambda now: machines[0].node.deregister_service("web-1", now))
    net.run(3)
    for machine in machines:
        machine.node._carriage.catalog.replica.expire(net.now + 1)  # type: ignore[union-attr]
    tell(net, late, Portion("a", 1, 0, before, (told,)), machines[5])
    assert not keys(late)


def test_honest_nodes_never_dispute() -> None:
    net, machines = cluster()
    net.loss = 0.2
    for number in range(30):
        machine = machines[number % 6]
        register(machine, Service(id=f"s{number % 12}", name="web", port=1 + number))
        if number % 5 == 0:
            gone = f"s{(number + 7) % 12}"
            if any(one.service.id == gone for one in machine.node.own_services().services):
                machine.do(lambda now, m=machine, s=gone: m.node.deregister_service(s, now))
        net.run(0.7)
    net.run(SYNCED)
    net.loss = 0.0
    net.run(SYNCED)
    assert are_equal(machines)
    assert [refutations(machine) for machine in machines] == [0] * 6


def test_a_wish_that_disputes_makes_only_its_subject_refute() -> None:
    net, machines = cluster()
    disputed = encode_catalog(Wish("f", (Known("a", 1, floor(machines[0]), 4711),)))
    send(net, machines[1], disputed, machines[5])
    assert refutations(machines[1]) == 0
    send(net, machines[0], disputed, machines[5])
    assert refutations(machines[0]) == 1


# -- claims about membership ---------------------------------------------------------------


def claim(net: NodeNet, machines: list[Machine], *messages: PacketMessage) -> None:
    """Let everybody but the first hear ``messages`` from the last."""
    for machine in machines[1:]:
        for message in messages:
            data = encode(message)
            machine.do(lambda now, m=machine, d=data: m.node.receive_packet(d, LIAR, now))


def seconds_without(net: NodeNet, machines: list[Machine]) -> float:
    """Return how long somebody does not show the service, within a minute."""
    gone = 0.0
    for _ in range(600):
        net.run(0.1)
        gone += 0.1 * any(not keys(machine) for machine in machines)
    assert all(keys(machine) for machine in machines)
    return gone


def test_services_are_back_in_seconds_after_an_epoch_that_was_made_up() -> None:
    net, machines = cluster()
    net.run(20)
    entry = machines[3].node._swim.table.get("a")
    assert entry is not None
    meta = entry.meta[:-TAIL_BYTES] + meta_tail(2**40)
    incarnation = entry.incarnation + 1
    forged = Alive(
        node="a",
        incarnation=incarnation,
        address=entry.address,
        meta=meta,
        versions=entry.versions,
    )
    claim(net, machines, forged)
    assert not keys(machines[3])
    assert seconds_without(net, machines) < 3.0
    assert are_equal(machines)


def test_services_are_back_in_seconds_after_a_leave_that_was_made_up() -> None:
    net, machines = cluster()
    net.run(20)
    entry = machines[3].node._swim.table.get("a")
    assert entry is not None
    leave = encode_serf(LeaveIntent(machines[3].node._serf.members["a"].status_ltime + 50, "a"))
    dead = Dead(node="a", incarnation=entry.incarnation, accuser="a")
    claim(net, machines, UserPayload(leave), dead)
    assert not keys(machines[3])
    assert seconds_without(net, machines) < 3.0
    assert are_equal(machines)


def test_no_watcher_sees_a_service_go_because_its_owner_refutes() -> None:
    net, machines = cluster()
    before = [machine.node.service("web").index for machine in machines]
    ghost = encode_service(Service(id="ghost", name="web", port=1))
    version = floor(machines[0]) + 1
    record = Record("ghost", service_version=version, service=ghost)
    send(net, machines[3], encode_catalog(News("a", 1, version, (), record)), machines[5])
    assert len(keys(machines[3])) == 2
    net.run(10)
    assert refutations(machines[0])
    assert are_equal(machines)
    for machine, index in zip(machines, before, strict=True):
        assert keys(machine) == [("a", "web-1")]
        changes = machine.node.service_changes("web", index)
        assert changes is not None
        assert {one.instance.service.id for one in changes if one.kind == DOWN} <= {"ghost"}
        assert machine.node.service("web").instances[0].epoch == 2


def test_what_is_fetched_anew_is_not_shown_as_passing_when_its_owner_fails_or_leaves() -> None:
    net, machines = cluster()
    for machine in machines[1:]:
        machine.node._carriage.catalog.replica.drop("a")  # type: ignore[union-attr]
    net.kill(machines[0])
    net.run(20)
    assert not any(
        one.is_usable for each in machines[1:] for one in each.node.service("web").instances
    )
    machines[1].do(lambda now: machines[1].node.force_leave("a", False, now))
    net.run(5)
    assert not any(keys(each) for each in machines[1:])


# -- push/pulls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"\xc1",
        b"\x93\x01\xa1b",
        pack(5),
        pack([]),
        pack(["1", "b", 3]),
        pack([1, "b"]),
        pack([1, 2, 3]),
        pack([1, "b", "3"]),
        pack([1, "b", -1.5]),
        b"\x81" * 2000,
    ],
)
def test_a_summary_that_is_none_is_counted_and_all_else_is_merged(said: bytes) -> None:
    net = NodeNet()
    node, peer = (net.add(name) for name in "ab")
    register(node, WEB)
    register(peer, Service(id="theirs", name="theirs"))
    peer.node._serf._state._catalog = lambda: said
    net.join(node, peer)
    net.run(1)
    assert node.statuses() == {"a": "alive", "b": "alive"}
    assert node.node.statistics().dropped == {"catalog-malformed": 1}


def test_a_summary_of_another_type_is_counted_too() -> None:
    said = SerfPushPull(
        ltime=1,
        status_ltimes={},
        left_members=(),
        event_ltime=1,
        events=(),
        query_ltime=1,
        catalog=b"1",
    )
    state = encode_serf_state(said)
    assert state.count(b"Zgossipd\xa11") == 1
    other = decode_serf_state_untrusted(state.replace(b"Zgossipd\xa11", b"Zgossipd\x07"))
    assert other.catalog == NO_SUMMARY


@pytest.mark.parametrize("said", [pack([2, "b", 3]), pack([1, "nobody", 3]), pack([1, "a", 3])])
def test_a_summary_of_a_later_protocol_or_in_another_name_starts_nothing(said: bytes) -> None:
    net = NodeNet()
    node, peer = (net.add(name) for name in "ab")
    register(node, WEB)
    peer.node._serf._state._catalog = lambda: said
    net.join(node, peer)
    net.run(0.5)
    assert node.node.statistics().dropped == {}


# -- sizes and floods -------------------------------------------------------------------


def by_stream(machine: Machine, payload: bytes, source: Machine) -> None:
    """Let a user message come that no packet could carry."""

    def take(now: float) -> None:
        machine.node._carriage.receive(payload, source.address, now)
        machine.node._settle(now)

    machine.do(take)


def test_news_that_no_packet_carries_is_neither_kept_nor_stuck_in_the_queue() -> None:
    net, machines = cluster()
    catalog = machines[3].node._carriage.catalog
    assert catalog is not None
    first = floor(machines[3])
    for number in range(1, 9):
        version = first + number
        service = encode_service(Service(id="s", name="s", meta={"m": "x" * 16_000}))
        record = Record("s", service_version=version, service=service + b"\0" * 200_000)
        by_stream(machines[3], encode_catalog(News("a", 1, version, (), record)), machines[5])
    notice = encode_catalog(Notice("a", 1, first + 9)) + b"\0" * 3_000_000
    by_stream(machines[3], notice, machines[5])
    assert getsizeof(catalog._heard._hashes) < 1_000  # and not the bytes themselves
    net.run(20)
    assert catalog.queue_depth == 0
    assert are_equal(machines)
    assert floor(machines[0]) < first + 9


def portion_of(count: int, ids: bytes | None = None) -> bytes:
    records = b"\xdc" + count.to_bytes(2, "big") + pack(["s", 0]) * count
    return b"\x96" + b"".join(map(pack, ("a", 1, 0, 1))) + records + pack(ids)


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("too-large", portion_of(512) * 90),
        ("too-large", portion_of(0) * 20_000),
        ("too-large", pack(["a" * 60_000, 1, 1]) * 80),
        ("malformed", portion_of(0, b"\xa1x") * 2),
    ],
)
def test_a_message_that_would_take_long_to_read_is_refused(reason: str, body: bytes) -> None:
    _, machines = cluster()
    by_stream(machines[3], b"\xc2" + pack(["f", False]) + body, machines[5])
    assert reason in heard_ignored(machines[3])
    assert statuses(machines) == {"passing"}


def test_a_flood_of_digests_is_answered_with_a_bounded_number_of_bytes() -> None:
    net, machines = cluster()
    machine = machines[1]
    for number in range(100):
        service = Service(id=f"s{number}", name="big", meta={"m": "x" * 8000})
        register(machine, service)
        net.run(0.1)
    digest = encode_catalog(Digest("c", ()))
    net.run(60)
    before = bytes_of_syncs(machine)
    for second in range(20):
        for number in range(50):
            payload = digest + pack([f"q{second}", 1, number])
            send(net, machine, payload, machines[2])
        machine.node.take_effects()
        net.now += 1.0
    assert bytes_of_syncs(machine) - before < 2**25 + 20 * 2**22 + 2**23
    assert "too-many-syncs" in heard_ignored(machine)


def test_what_is_shown_to_an_owner_is_bounded() -> None:
    net, machines = cluster()
    disputed = tuple(Known("a", 1, floor(machines[1]), number) for number in range(1, 2000))
    sent = len(net.packets)
    send(net, machines[1], encode_catalog(Digest("f", disputed)), machines[5])
    assert len(net.packets) - sent <= 16


def test_a_flood_of_large_messages_is_not_even_read() -> None:
    net, machines = cluster()
    for number in range(100):
        large = encode_catalog(Notice("a", 1, number + 1)) + bytes(2**20)
        by_stream(machines[3], large, machines[5])
        net.now += 0.1
    refused = machines[3].node.statistics().dropped["catalog-too-much-told"]
    assert 100 - 32 - 2 * 10 - 1 <= refused <= 100 - 32 - 2 * 10 + 1
    net.run(5)
    assert are_equal(machines)


@pytest.mark.parametrize("kind", [Digest, Wish])
def test_an_owner_that_is_asked_for_many_times_at_once_is_answered_once(
    kind: type[Digest] | type[Wish],
) -> None:
    _, machines = cluster()
    floors = floor(machines[1])
    known = tuple(Known("a", 1, number % floors) for number in range(5000))
    before = bytes_of_syncs(machines[1])
    by_stream(machines[1], encode_catalog(kind("f", known)), machines[5])
    assert 0 < bytes_of_syncs(machines[1]) - before < 300
