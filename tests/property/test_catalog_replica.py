"""Replicas: whatever is heard, in whichever order and however often, gives the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.catalog.item import OwnerRecords
from gossipd.catalog.own_records import OwnRecords
from gossipd.catalog.owners import Owners, Standing
from gossipd.catalog.reconcile import deltas, missing, portions
from gossipd.catalog.replica import Replica
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import NodeState, Service, ServiceState
from gossipd.wire.catalog_codec import decode_catalog_untrusted
from gossipd.wire.catalog_messages import Delta, Known, News, Portion

CONFIG = CatalogConfig()
ids = st.sampled_from(["a", "b", "c", "d"])
steps = st.lists(
    st.tuples(
        st.sampled_from(["service", "state", "both", "outputs", "remove", "node"]),
        ids,
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=25,
)


class Owner:
    """One that changes its records, and all that it told of it."""

    def __init__(self) -> None:
        self.replica = Replica(CONFIG)
        self.own = OwnRecords(CONFIG, "o", 1, self.replica, lambda id, now: None)
        self.news: list[News] = []

    def do(self, step: tuple[str, str, int]) -> None:
        kind, id, number = step
        match kind:
            case "service":
                self.own.put_service(Service(id=id, name="web", port=number), 0.0)
            case "both":
                self.own.put_service(Service(id=id, name="web", port=number), 0.0)
                self.own.put_state(id, ServiceState(weight=number), 0.0)
            case "state":
                self.own.put_state(id, ServiceState(weight=number), 0.0)
            case "outputs":
                self.own.put_outputs(id, (str(number),), 0.0)
            case "remove":
                self.own.remove(id, 0.0)
            case _:
                self.own.put_node(NodeState(zone=str(number)), 0.0)
        self.news += self.own.take_fresh()


def told(steps: list[tuple[str, str, int]]) -> Owner:
    owner = Owner()
    for step in steps:
        owner.do(step)
    return owner


def picture(records: OwnerRecords | None) -> object:
    assert records is not None
    return (
        records.floor,
        records.encoded_node,
        {
            id: (item.removed, item.service, item.state, item.outputs, item.version)
            for id, item in records.items.items()
        },
    )


def hear(replica: Replica, news: News) -> None:
    records = replica.open(news.owner, news.epoch)
    replica.apply(records, news.record, 0.0)
    covered = [(one - 1, one) for one in (*news.covered, *news.record.versions) if one]
    replica.learn(records, [*covered, (news.version - 1, news.version)])


def take(replica: Replica, portion: Portion) -> None:
    records = replica.open(portion.owner, portion.epoch)
    for record in portion.records:
        replica.apply(records, record, 0.0)
    if portion.ids is not None:
        replica.keep_only(records, portion.ids, portion.upto)
    replica.learn(records, ((portion.base, portion.upto),))


@given(steps, st.randoms(use_true_random=False), st.integers(0, 3))
def test_news_in_any_order_and_repeated_give_what_the_owner_has(steps, random, repeats) -> None:  # type: ignore[no-untyped-def]
    owner = told(steps)
    heard = owner.news * (1 + repeats)
    random.shuffle(heard)
    replica = Replica(CONFIG)
    for news in heard:
        hear(replica, news)
    assert picture(replica.records("o")) == picture(owner.own.records)
    assert replica.summary == owner.replica.summary != 0
    assert not replica.owners["o"].ranges


@given(steps, st.data())
def test_what_was_missed_is_told_by_portions_in_any_order(steps, data) -> None:  # type: ignore[no-untyped-def]
    owner = told(steps)
    replica = Replica(CONFIG)
    for news in owner.news:
        if data.draw(st.booleans()):
            hear(replica, news)
    records = replica.open("o", 1)
    parts = list(portions(owner.own.records, records.floor))
    for portion in data.draw(st.permutations(parts)):
        take(replica, portion)
    assert picture(records) == picture(owner.own.records)


@given(steps, steps, st.data())
def test_forgotten_tombstones_leave_no_ghost(before, after, data) -> None:  # type: ignore[no-untyped-def]
    owner = told(before)
    late = Replica(CONFIG)
    for portion in portions(owner.own.records, 0):
        take(late, portion)
    for step in after:
        owner.do(step)
    owner.replica.expire(1.0)
    records = late.open("o", 1)
    for portion in portions(owner.own.records, records.floor):
        take(late, portion)
    live = {id for id, item in records.items.items() if item.service is not None}
    assert live == {id for id, item in owner.own.records.items.items() if item.service is not None}
    assert late.summary == owner.replica.summary


def test_who_registers_ever_new_ids_never_runs_out_of_them() -> None:
    config = CatalogConfig(records_max=8)
    replica, near, late = Replica(config), Replica(config), Replica(config)
    own = OwnRecords(config, "o", 1, replica, lambda id, now: None)
    own.put_service(Service(id="stays", name="web"), 0.0)
    for number in range(200):
        own.put_service(Service(id=f"job-{number}", name="web"), 0.0)
        own.remove(f"job-{number}", 0.0)
        for news in own.take_fresh():
            hear(near, news)
            if number in (0, 100):
                hear(late, news)
        assert len(own.records.items) <= 32
    assert near.summary == replica.summary
    assert len(near.owners["o"].items) <= 32
    for portion in portions(own.records, late.owners["o"].floor):
        take(late, portion)
    assert late.summary == replica.summary
    assert [item.id for item in late.owners["o"].items.values() if item.service] == ["stays"]


@given(st.dictionaries(st.sampled_from("xyz"), steps, max_size=3), st.data())
def test_two_replicas_are_equal_after_one_digest(said, data) -> None:  # type: ignore[no-untyped-def]
    left, right = Replica(CONFIG), Replica(CONFIG)
    owners = Owners("me")
    for name in "xyz":
        owners.put(Standing(name, Address(b"\x0a\x00\x00\x01", 1), "alive", None, 1))
    for name, steps in said.items():
        replica = Replica(CONFIG)
        own = OwnRecords(CONFIG, name, 1, replica, lambda id, now: None)
        for kind, id, number in steps:
            if kind == "remove":
                own.remove(id, 0.0)
            else:
                own.put_service(Service(id=id, name="web", port=number), 0.0)
        for news in own.take_fresh():
            for one in (left, right):
                if data.draw(st.booleans()):
                    hear(one, news)
        for portion in portions(replica.owners[name], 0):
            take(data.draw(st.sampled_from([left, right])), portion)
    lacks, wishes = missing(right, owners, tuple(left.known()))
    _deliver(left, deltas("right", lacks))
    asked = [(left.owners[wish.owner], wish.floor) for wish in wishes]
    _deliver(right, deltas("left", asked))
    assert left.summary == right.summary
    assert tuple(sorted(left.known(), key=_name)) == tuple(sorted(right.known(), key=_name))
    for name, records in left.owners.items():
        if records.floor and not records.ranges and not right.owners[name].ranges:
            assert picture(records) == picture(right.owners[name])


def _deliver(to: Replica, messages: list[bytes]) -> None:
    for message in messages:
        delta = decode_catalog_untrusted(message)
        assert isinstance(delta, Delta)
        for portion in delta.portions:
            take(to, portion)


def _name(known: Known) -> str:
    return known.owner
