"""Whom news is told, when, and how often."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.catalog.catalog import Catalog
from gossipd.catalog.effects import CatalogEffect, TellPeer
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.owners import Owners, Standing
from gossipd.config.model import CatalogConfig, SwimConfig
from gossipd.outbox import Outbox
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CONFIG
from gossipd.wire.catalog_codec import decode_catalog_untrusted
from gossipd.wire.catalog_messages import CatalogMessage, News, Notice


def address_of(number: int) -> Address:
    return Address(bytes([10, 0, 0, number]), 7946)


def standing(number: int, status: str = "alive", epoch: int | None = 1) -> Standing:
    return Standing(f"n{number}", address_of(number), status, None, epoch)


class Speaker:
    """The catalog of "n0" among ``peers`` others."""

    def __init__(self, peers: int, swim: SwimConfig | None = None) -> None:
        self.outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
        self.catalog = Catalog(
            CatalogConfig(), swim or SwimConfig(), "n0", Random(1), self.outbox, epoch=1, index=0
        )
        for number in range(peers + 1):
            self.catalog.put_member(standing(number), 0.0)

    def register(self, *ids: str, at: float) -> None:
        for id in ids:
            self.catalog.provider.register(Service(id=id, name="web"), FROM_CONFIG, at)
        self.catalog.flush(at)

    def told(self) -> list[tuple[Address, list[CatalogMessage]]]:
        return [
            (effect.to, [decode_catalog_untrusted(payload) for payload in effect.payloads])
            for effect in self.outbox.take_effects()
            if isinstance(effect, TellPeer)
        ]

    def run(self, until: float) -> list[float]:
        """Handle every deadline; returns when something was sent."""
        sent = []
        while (due := self.catalog.next_deadline()) is not None and due <= until:
            self.catalog.handle_deadline(due)
            if self.outbox.effects:
                sent.append(due)
        return sent


def test_news_goes_out_at_once_to_as_many_as_gossip_does() -> None:
    speaker = Speaker(10)
    speaker.register("a", at=1.0)
    told = speaker.told()
    assert len({to for to, _ in told}) == 3
    assert address_of(0) not in {to for to, _ in told}
    for _, messages in told:
        assert all(isinstance(message, News) for message in messages)


def test_without_eager_gossip_news_waits_for_the_tick() -> None:
    speaker = Speaker(10, SwimConfig(eager_gossip=False))
    speaker.register("a", at=1.0)
    assert speaker.told() == []
    (first, *_) = speaker.run(1.21)
    assert 1.0 < first <= 1.2


def test_news_is_sent_a_limited_number_of_times_and_then_nothing_is_armed() -> None:
    speaker = Speaker(10)
    speaker.register("a", at=1.0)
    speaker.run(60.0)
    sent = sum(len(messages) for _, messages in speaker.told())
    assert 8 <= sent <= 12
    assert speaker.catalog.queue_depth == 0
    assert speaker.catalog.next_deadline() is None


def test_many_changes_at_once_become_one_notice() -> None:
    speaker = Speaker(10)
    speaker.register(*(f"service-{number}" for number in range(200)), at=1.0)
    messages = [message for _, messages in speaker.told() for message in messages]
    assert {type(message) for message in messages} == {Notice}
    assert len(set(messages)) == 1


def test_what_is_said_alone_is_told_when_somebody_comes() -> None:
    speaker = Speaker(0)
    speaker.register("a", at=1.0)
    assert speaker.told() == []
    assert speaker.catalog.next_deadline() is None
    speaker.catalog.put_member(standing(1), 5.0)
    assert [to for to, _ in speaker.told()] == [address_of(1)]


def test_nothing_is_gossiped_while_sending_is_blocked() -> None:
    speaker = Speaker(10)
    speaker.catalog.sending_blocked()
    speaker.register("a", at=1.0)
    speaker.run(30.0)
    assert speaker.told() == []
    speaker.catalog.sending_unblocked(30.0)
    speaker.run(31.0)
    assert len(speaker.told()) >= 3


@pytest.mark.parametrize(
    "other", [standing(1, epoch=None), standing(1, "failed"), standing(1, "leaving")]
)
def test_serfs_and_those_who_are_gone_are_told_nothing(other: Standing) -> None:
    owners = Owners("n0")
    owners.put(standing(0))
    owners.put(other)
    assert owners.choose(3, Random(1)) == []
    owners.put(standing(1))
    assert owners.choose(3, Random(1)) == [standing(1)]
    owners.put(other)
    assert owners.peers == 0
    owners.put(standing(1))
    owners.remove("n1")
    assert owners.peers == 0


def test_peers_are_chosen_evenly_and_each_once() -> None:
    owners, random = Owners("n0"), Random(1)
    for number in range(40):
        owners.put(standing(number))
    counts: dict[str, int] = {}
    for _ in range(4000):
        chosen = [each.name for each in owners.choose(3, random)]
        assert len(set(chosen)) == 3
        for name in chosen:
            counts[name] = counts.get(name, 0) + 1
    assert len(counts) == 39
    assert max(counts.values()) < 1.4 * min(counts.values())
