"""Services of whole clusters, on nodes wired together without any I/O."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.config.model import CatalogConfig
from gossipd.errors import UsageError
from gossipd.services.definition import CheckDefinition, Service, ServiceState
from gossipd.services.own import FROM_CLIENT
from gossipd.wire.catalog_codec import encode_catalog
from gossipd.wire.catalog_messages import Known, News, Notice, Record, Wish
from gossipd.wire.catalog_parts import encode_service, encode_state
from gossipd.wire.meta_tail import epoch_of_untrusted
from support.node_net import NodeNet
from support.service_net import (
    are_equal,
    bytes_of_syncs,
    deregister,
    heard_ignored,
    keys,
    register,
    send,
    summaries,
)

WEB = Service(id="web-1", name="web", port=8080, tags=("a", "b"), meta={"x": "y"})


# -- spreading ----------------------------------------------------------------------


def test_a_service_registered_at_one_is_seen_by_all_within_half_a_second() -> None:
    net = NodeNet()
    machines = net.cluster("abcdefgh")
    register(machines[3], WEB)
    net.run_until(lambda: all(keys(each) == [("d", "web-1")] for each in machines), 0.5)
    seen = machines[0].node.service("web").instances[0]
    assert seen.service == WEB
    assert seen.owner_address == machines[3].address.host
    net.run(5)
    assert len(summaries(machines)) == 1


def test_a_deregistered_service_is_gone_everywhere() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    register(machines[0], WEB)
    net.run(2)
    deregister(machines[0], "web-1")
    net.run_until(lambda: not any(keys(each) for each in machines), 0.5)


def test_a_status_is_told_at_once() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    check = CheckDefinition(id="c", kind="ttl", ttl=60.0, status="passing")
    register(machines[0], Service(id="web", name="web", checks=(check,)))
    net.run(3)
    assert all(each.node.service("web").instances[0].is_usable for each in machines)
    node = machines[0].node
    machines[0].do(lambda now: node.report_check("c", "critical", "full", None, now))
    net.run_until(
        lambda: all(not each.node.service("web").instances[0].is_usable for each in machines), 0.5
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_third_of_all_packets_lost_delays_and_loses_nothing(seed: int) -> None:
    net = NodeNet(seed)
    machines = net.cluster("abcdefgh")
    net.loss = 0.3
    random = Random(seed)
    for number in range(60):
        machine = random.choice(machines)
        register(machine, Service(id=f"s{number}", name="web", port=1 + number))
        net.run(random.random() / 4)
    net.run(20)
    net.loss = 0.0
    net.run_until(lambda: are_equal(machines), 60)
    assert len(keys(machines[0])) == 60


def test_more_than_fits_packets_is_announced_and_fetched() -> None:
    net = NodeNet()
    machines = net.cluster("abcdef")
    meta = {f"k{number}": "v" * 400 for number in range(16)}
    register(machines[2], Service(id="large", name="web", meta=meta))
    net.run_until(lambda: all(keys(each) for each in machines), 1.0)
    assert are_equal(machines)


def test_many_registrations_at_once_reach_all() -> None:
    net = NodeNet()
    machines = net.cluster("abcdef")
    node = machines[1].node
    for number in range(400):
        service = Service(id=f"web-{number}", name="web", port=8000 + number)
        node.register_service(service, FROM_CLIENT, net.now)
    machines[1].flush()
    net.run_until(lambda: all(len(keys(each)) == 400 for each in machines), 3.0)
    net.run(5)
    assert are_equal(machines)


def test_what_is_held_and_what_was_said_is_counted() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    assert machines[0].node.service_levels() == {}
    register(machines[0], WEB)
    net.run(5)
    levels = machines[1].node.service_levels()
    assert (levels["catalog-owners"], levels["catalog-records"]) == (1, 1)
    assert levels["catalog-missing"] == 0
    assert (levels["catalog-queue"], levels["catalog-peers"]) == (0, 2)
    assert machines[0].node.statistics().happened["catalog-bytes-news"] > 0


# -- who is told ----------------------------------------------------------------------


def test_a_node_without_services_never_makes_a_catalog() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    net.run(60)
    assert all(machine.node._carriage.catalog is None for machine in machines)


def test_a_member_without_a_catalog_is_never_told_anything() -> None:
    net = NodeNet()
    plain = net.add("plain", catalog=CatalogConfig(enabled=False))
    machines = net.cluster("abcd")
    net.join(plain, machines[0])
    net.run(5)
    assert [member.name for member in plain.node.view().members] == ["a", "b", "c", "d", "plain"]
    register(machines[1], WEB)
    net.run(40)
    assert all(keys(each) for each in machines)
    types = {
        bytes(data)[1:2]
        for at, _, to, data in net.packets
        if to == plain.address and bytes(data)[:1] == b"\x08" and at > 100
    }
    assert not {kind for kind in types if b"\xc0" <= kind < b"\xc8"}
    assert not plain.node.statistics().dropped
    with pytest.raises(UsageError, match=r"catalog\.enabled"):
        register(plain, WEB)


def test_without_a_catalog_the_meta_has_no_tail_and_tags_have_all_the_room() -> None:
    net = NodeNet()
    plain = net.add("plain", catalog=CatalogConfig(enabled=False), tags={"t": "x" * 504})
    assert epoch_of_untrusted(plain.node._swim.table.get("plain").meta) is None  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="500 bytes"):
        net.add("ours", tags={"t": "x" * 504})


def test_a_joiner_learns_of_all_services_at_once() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    for number in range(2000):
        machine = machines[number % 4]
        service = Service(id=f"web-{number}", name="web", port=8000 + number)
        machine.do(lambda now, m=machine, s=service: m.node.register_service(s, FROM_CLIENT, now))
        if number % 100 == 0:
            net.run(2)
    net.run(20)
    assert all(len(keys(each)) == 2000 for each in machines)
    late = net.add("late")
    net.join(late, machines[1])
    net.run_until(lambda: len(keys(late)) == 2000, 2.0)


def test_what_a_joiner_registered_before_is_learnt_by_all() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    late = net.add("late")
    register(late, WEB)
    net.run(5)
    net.join(late, machines[1])
    net.run_until(lambda: all(keys(each) == [("late", "web-1")] for each in machines), 2.0)


# -- lives --------------------------------------------------------------------------


def test_who_left_has_no_services_and_who_failed_keeps_them() -> None:
    net = NodeNet()
    machines = net.cluster("abcde")
    register(machines[0], WEB)
    register(machines[1], WEB)
    net.run(3)
    machines[0].do(machines[0].node.leave)
    net.kill(machines[1])
    net.run(40)
    for each in machines[2:]:
        (instance,) = each.node.service("web").instances
        assert (instance.owner, instance.status) == ("b", "critical")


def test_the_next_life_of_an_owner_says_everything_anew() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    register(machines[1], WEB)
    register(machines[1], Service(id="old", name="web"))
    net.run(3)
    net.kill(machines[1])
    net.run(2)
    again = net.add("b", host=2, epoch=7)
    register(again, WEB)
    net.join(again, machines[0])
    machines[1] = again
    net.run_until(lambda: all(keys(each) == [("b", "web-1")] for each in machines), 5.0)
    net.run(5)
    assert are_equal(machines)
    assert machines[0].node.service("web").instances[0].epoch == 7


def test_a_life_that_forgot_its_epoch_is_not_shadowed_by_its_last_one() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    for number in range(5):
        register(machines[1], Service(id=f"old-{number}", name="web"))
    net.run(3)
    net.kill(machines[1])
    net.run(2)
    again = net.add("b", host=2)  # the same epoch again: only its own word can outdo that
    register(again, WEB)
    net.join(again, machines[0])
    machines[1] = again
    net.run_until(lambda: all(keys(each) == [("b", "web-1")] for each in machines), 20.0)
    net.run(5)
    assert are_equal(machines)


def test_who_was_taken_for_gone_and_is_not_is_asked_again() -> None:
    net = NodeNet()
    machines = net.cluster("abcdef")
    register(machines[1], WEB)
    net.run(20)
    away = machines[1]
    net.separate([away], [machines[0], *machines[2:]])
    net.run(30)
    machines[0].do(lambda now: machines[0].node.force_leave("b", False, now))
    net.run(5)
    assert not any(keys(each) for each in machines if each is not away)
    net.heal()
    net.run_until(lambda: all(keys(each) == [("b", "web-1")] for each in machines), 40.0)


# -- splits ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_after_a_split_all_are_equal_within_fifteen_seconds(seed: int) -> None:
    net = NodeNet(seed)
    machines = net.cluster("abcdefghi")
    for number, machine in enumerate(machines):
        register(machine, Service(id="web", name="web", port=1 + number))
    net.run(5)
    few, many = machines[:2], machines[2:]
    net.separate(few, many)
    net.run(120)
    register(few[0], Service(id="new", name="few"))
    register(many[0], Service(id="new", name="many"))
    deregister(many[1], "web")
    net.run(300)
    net.heal()

    def is_whole() -> bool:
        return (
            all(keys(each, "few") == [("a", "new")] for each in machines)
            and all(keys(each, "many") == [("c", "new")] for each in machines)
            and all(len(keys(each)) == 8 for each in machines)
            and are_equal(machines)
            and all(
                instance.owner_status == "alive"
                for each in machines
                for instance in each.node.service("web").instances
            )
        )

    net.run_until(is_whole, 15.0)


# -- hostile peers ----------------------------------------------------------------------


def forged(owner: str, version: int, epoch: int = 1, name: str = "evil") -> bytes:
    service = encode_service(Service(id="web-1", name=name))
    record = Record("web-1", service_version=version, service=service)
    return encode_catalog(News(owner, epoch, version, (), record))


def test_a_forged_record_ends_with_the_next_epoch_of_its_owner() -> None:
    net = NodeNet()
    machines = net.cluster("abcdef")
    register(machines[0], WEB)
    net.run(3)
    send(net, machines[3], forged("a", version=100), machines[5])
    net.run_until(lambda: "not-our-word" in heard_ignored(machines[0]), 5.0)
    net.run_until(
        lambda: all(keys(each) == [("a", "web-1")] and not keys(each, "evil") for each in machines),
        5.0,
    )
    net.run(5)
    assert are_equal(machines)
    assert machines[3].node.service("web").instances[0].epoch == 2


def test_news_that_hides_what_still_holds_is_refuted() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    register(machines[0], WEB)
    register(machines[0], Service(id="other", name="web"))
    net.run(3)
    service = encode_service(WEB)
    said = next(
        item.service_version
        for item in machines[0].node._carriage.catalog.replica.owners["a"].items.values()  # type: ignore[union-attr]
        if item.id == "web-1"
    )
    record = Record("web-1", service_version=said, service=service)
    lie = News("a", 1, said, tuple(range(1, 9)), record)
    send(net, machines[0], encode_catalog(lie), machines[2])
    assert "not-our-word" in heard_ignored(machines[0])
    net.run(5)
    assert are_equal(machines)
    assert machines[1].node.service("web").instances[0].epoch == 2


def test_records_of_another_life_than_the_one_announced_are_never_shown() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    register(machines[0], WEB)
    net.run(3)
    for epoch in (0, 2, 2**53 - 1):
        send(net, machines[1], forged("a", version=100, epoch=epoch), machines[2])
    send(net, machines[1], forged("nobody", version=1), machines[2])
    net.run(3)
    assert all(keys(each) == [("a", "web-1")] for each in machines)
    assert not any(keys(each, "evil") for each in machines)
    assert machines[0].node.service("web").instances[0].epoch == 1


def test_absurd_versions_are_refused_and_counted() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    register(machines[0], WEB)
    net.run(3)
    send(net, machines[1], forged("a", version=2**53 - 1), machines[2])
    send(net, machines[1], encode_catalog(Notice("a", 1, 2**52)), machines[2])
    too_large = b"\xc0\x95\xa1a\x01\xcf" + b"\xff" * 8 + b"\x90\x92\xa1x\x01"
    send(net, machines[1], too_large, machines[2])
    assert {"version-jump", "malformed"} <= heard_ignored(machines[1])
    assert machines[1].node.statistics().dropped["catalog-version-jump"] == 2
    assert keys(machines[1]) == [("a", "web-1")]


def test_garbage_changes_nothing() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    register(machines[0], WEB)
    net.run(3)
    random = Random(3)
    for _ in range(2000):
        payload = bytes([random.randrange(0xC0, 0xC8)]) + random.randbytes(random.randrange(60))
        send(net, machines[1], payload, machines[2])
    net.run(3)
    assert keys(machines[1]) == [("a", "web-1")]
    assert are_equal(machines)


def test_a_stranger_gets_no_answer() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    register(machines[0], WEB)
    net.run(3)
    sent = len(net.packets)
    wish = encode_catalog(Wish("nobody", (Known("a", 1, 0),)))
    send(net, machines[0], wish, machines[2])
    assert len(net.packets) == sent
    assert "stranger" in heard_ignored(machines[0])


def test_a_flood_of_news_is_bounded() -> None:
    net = NodeNet()
    small = CatalogConfig(records_max=8, node_bytes_max=4096)
    victim = net.add("victim", catalog=small)
    other = net.add("other")
    net.join(victim, other)
    net.run(3)
    for number in range(1, 2000):
        state = encode_state(ServiceState(maintenance="m" * 100))
        record = Record(f"s{number}", state_version=number, state=state)
        send(net, victim, encode_catalog(News("other", 1, number, (), record)), other)
    records = victim.node._carriage.catalog.replica.records("other")  # type: ignore[union-attr]
    assert records is not None
    assert len(records.items) <= 32
    assert records.bytes <= 4096
    assert "owner-full" in heard_ignored(victim)


# -- time -----------------------------------------------------------------------------


def test_a_tombstone_is_forgotten_and_who_missed_it_is_told_all() -> None:
    net = NodeNet()
    config = CatalogConfig(tombstone_timeout=30.0)
    machines = net.cluster("abcdef", catalog=config)
    register(machines[0], WEB)
    register(machines[0], Service(id="stays", name="web"))
    net.run(3)
    away = machines[5]
    net.separate([away], machines[:5])
    net.run(20)
    deregister(machines[0], "web-1")
    net.run(90)
    records = machines[1].node._carriage.catalog.replica.records("a")  # type: ignore[union-attr]
    assert records is not None
    assert list(records.items) == ["stays"]
    assert len(keys(away)) == 2
    net.heal()
    net.run_until(lambda: keys(away) == [("a", "stays")], 40.0)


def test_at_rest_nothing_is_said_but_in_push_pulls() -> None:
    net = NodeNet()
    machines = net.cluster("abcdef")
    for number, machine in enumerate(machines):
        for copy in range(20):
            register(machine, Service(id=f"web-{copy}", name="web", port=1 + number))
    net.run(40)
    assert are_equal(machines)
    sent = [machine.node.statistics().packets_sent.get("Catalog", 0) for machine in machines]
    net.run(300)
    assert sent == [m.node.statistics().packets_sent.get("Catalog", 0) for m in machines]


def test_what_a_dead_node_registered_costs_nothing_when_others_came_later() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    for number in range(50):
        register(machines[0], Service(id=f"s{number}", name="web", meta={"m": "x" * 100}))
    register(machines[1], WEB)
    net.run(10)
    net.kill(machines[0])
    net.run(120)  # longer than the failure detector remembers the dead
    late = net.add("late")
    net.join(late, machines[1])
    net.run(60)
    rest = [*machines[1:], late]
    assert [len(keys(each)) for each in rest] == [51, 51, 51, 1]
    assert len(summaries(rest)) == 1
    before = [bytes_of_syncs(each) for each in rest]
    net.run(300)
    assert [bytes_of_syncs(each) for each in rest] == before
