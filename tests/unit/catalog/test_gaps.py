"""What a catalog does about what it misses, and about what nobody can explain."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.catalog.catalog import Catalog
from gossipd.catalog.effects import CatalogEffect, TellPeer
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.gaps import GAP
from gossipd.catalog.own_records import OwnRecords
from gossipd.catalog.owners import Standing
from gossipd.catalog.reconcile import deltas, wanted
from gossipd.catalog.replica import Replica
from gossipd.catalog.timers import GapDue
from gossipd.config.model import CatalogConfig, SwimConfig
from gossipd.outbox import Outbox
from gossipd.services.definition import Service, ServiceState
from gossipd.wire.catalog_codec import decode_catalog_untrusted, encode_catalog
from gossipd.wire.catalog_messages import Known, News, Notice, Record, Wish
from gossipd.wire.catalog_parts import encode_service

CONFIG = CatalogConfig()
HERE, OWNER, TELLER = (Address(bytes([10, 0, 0, n]), 7946) for n in (1, 2, 3))


class Listener:
    """The catalog of "me", which hears of the owner "o"."""

    def __init__(self) -> None:
        self.outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
        self.catalog = Catalog(CONFIG, SwimConfig(), "me", Random(1), self.outbox, epoch=1, index=0)
        for name, address in (("me", HERE), ("o", OWNER), ("t", TELLER)):
            self.catalog.put_member(Standing(name, address, "alive", None, 1), 0.0)
        self.owner = OwnRecords(CONFIG, "o", 1, Replica(CONFIG), lambda id, now: None)

    def says(self, *ids: str) -> list[bytes]:
        for id in ids:
            self.owner.put_service(Service(id=id, name="web"), 0.0)
        return [encode_catalog(news) for news in self.owner.take_fresh()]

    def hear(self, payload: bytes, at: float) -> None:
        self.catalog.receive(payload, TELLER, at)

    def wishes(self, until: float) -> list[tuple[float, Address, Wish]]:
        found = []
        while (due := self.catalog.next_deadline()) is not None and due <= until:
            self.catalog.handle_deadline(due)
            for effect in self.outbox.take_effects():
                for payload in effect.payloads if isinstance(effect, TellPeer) else ():
                    message = decode_catalog_untrusted(payload)
                    if isinstance(message, Wish):
                        found.append((due, effect.to, message))  # type: ignore[union-attr]
        return found

    def shown(self) -> list[str]:
        return [instance.service.id for instance in self.catalog.shelves.service("web").instances]


def test_what_was_overtaken_on_its_way_is_not_asked_for() -> None:
    listener = Listener()
    first, second = listener.says("a", "b")
    listener.hear(second, 1.0)
    listener.hear(first, 1.2)
    assert listener.shown() == ["a", "b"]
    assert listener.wishes(100.0) == []


def test_it_is_measured_how_long_something_was_known_to_be_missing() -> None:
    listener = Listener()
    payloads = listener.says(*"abcd")
    records = listener.catalog.replica.owners
    listener.hear(payloads[0], 1.0)
    listener.hear(payloads[3], 1.0)
    assert records["o"].missing == 2
    listener.hear(payloads[2], 1.1)
    assert records["o"].missing == 1
    listener.hear(payloads[1], 1.25)
    assert records["o"].missing == 0
    gap = listener.outbox.ledger.read()[GAP]
    assert gap.count == 1
    assert gap.total == pytest.approx(0.25)


def test_a_service_and_its_state_are_one_change_and_leave_no_gap() -> None:
    listener = Listener()
    listener.owner.put_service(Service(id="a", name="web"), 0.0)
    listener.owner.put_state("a", ServiceState(weight=7), 0.0)
    (payload,) = listener.says()
    listener.hear(payload, 1.0)
    (change,) = listener.catalog.shelves.changes("web", 0) or ()
    assert (change.kind, change.instance.weight, change.instance.version) == ("up", 7, 2)
    assert listener.wishes(100.0) == []


def test_a_definition_counts_where_a_newer_state_was_heard_before() -> None:
    listener = Listener()
    listener.owner.put_service(Service(id="a", name="web"), 0.0)
    listener.owner.put_state("a", ServiceState(weight=7), 0.0)
    (both,) = listener.says()
    listener.owner.put_state("a", ServiceState(weight=8), 0.0)
    (newer,) = listener.says()
    listener.hear(newer, 1.0)
    listener.hear(both, 1.1)
    assert [one.weight for one in listener.catalog.shelves.service("web").instances] == [8]
    assert listener.wishes(100.0) == []


def test_a_gap_is_asked_about_first_whoever_told_and_then_the_owner() -> None:
    listener = Listener()
    _, second = listener.says("a", "b")
    listener.hear(second, 1.0)
    wishes = listener.wishes(2.5)
    assert [to for _, to, _ in wishes[:2]] == [TELLER, OWNER]
    assert 1.3 < wishes[0][0] < 1.8
    assert wishes[0][2] == Wish("me", (Known("o", 1, 0),))
    (delta,) = deltas("o", wanted(listener.owner._replica, wishes[0][2].known))
    listener.hear(delta, 2.6)
    assert listener.shown() == ["a", "b"]
    assert listener.wishes(100.0) == []


def test_of_an_owner_that_nobody_can_explain_everything_is_fetched_anew() -> None:
    listener = Listener()
    for payload in listener.says("a", "b"):
        listener.hear(payload, 1.0)
    evil = encode_service(Service(id="a", name="evil"))
    forged = News("o", 1, 1000, (), Record("a", service_version=1000, service=evil))
    listener.hear(encode_catalog(forged), 2.0)
    assert listener.shown() == ["b"]
    wishes = listener.wishes(200.0)
    last = wishes[-1][2]
    assert last.known == (Known("o", 1, 0),)  # those before ask for what is above 2
    assert {wish.known[0].floor for _, _, wish in wishes[:-1]} == {2}
    assert listener.shown() == ["b"]
    for delta in deltas("o", wanted(listener.owner._replica, last.known)):
        listener.hear(delta, 201.0)
    assert listener.shown() == ["a", "b"]
    assert not listener.catalog.shelves.service("evil").instances
    assert listener.catalog.summary == listener.owner._replica.summary


def test_the_owner_is_told_how_far_it_is_said_to_have_come() -> None:
    listener = Listener()
    listener.hear(encode_catalog(Notice("o", 1, 700)), 0.0)
    told: list[tuple[Address, Notice]] = []
    while (due := listener.catalog.next_deadline()) is not None and due <= 2.0:
        listener.catalog.handle_deadline(due)
        for effect in listener.outbox.take_effects():
            for payload in effect.payloads if isinstance(effect, TellPeer) else ():
                message = decode_catalog_untrusted(payload)
                if isinstance(message, Notice):
                    told.append((effect.to, message))  # type: ignore[union-attr]
    assert told == [(OWNER, Notice("o", 1, 700))]


def test_gaps_that_open_and_close_in_turn_leave_no_timers_and_no_questions() -> None:
    listener = Listener()
    news = listener.says(*(f"s{number}" for number in range(600)))
    for earlier, later in zip(news[::2], news[1::2], strict=True):
        listener.hear(later, 0.0)
        listener.hear(earlier, 0.0)
    assert sum(isinstance(entry[2].timer, GapDue) for entry in listener.catalog.timers.heap) < 100
    listener.hear(encode_catalog(Notice("o", 1, 601)), 0.0)
    assert len(listener.wishes(until=0.4)) == 1
