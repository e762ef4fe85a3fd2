"""Whole catalogs over a network that loses, repeats and reorders, with a liar in it.

Three nodes, of which one owns services. Whatever happens on the way, and whatever is
forged in the owner's name, all hold what the owner holds once messages arrive again
and everybody has compared with everybody a few times; and without a liar nobody ever
shows what the owner did not say.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.catalog.catalog import Catalog
from gossipd.catalog.effects import AnnounceEpoch, CatalogEffect, TellByStream, TellPeer
from gossipd.catalog.events import CatalogEvent, RecordIgnored
from gossipd.catalog.owners import Standing
from gossipd.config.model import CatalogConfig, SwimConfig
from gossipd.errors import UsageError
from gossipd.outbox import Outbox
from gossipd.services.definition import CheckDefinition, Service, ServiceState
from gossipd.services.own import FROM_CLIENT
from gossipd.wire.catalog_codec import encode_catalog
from gossipd.wire.catalog_messages import (
    CatalogMessage,
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

NAMES = ("o", "x", "y")
ADDRESSES = {name: Address(bytes([10, 0, 0, place]), 7946) for place, name in enumerate(NAMES)}
BY_ADDRESS = {address: name for name, address in ADDRESSES.items()}
IDS = ("a", "b", "c")
CONFIG = CatalogConfig(tombstone_timeout=60.0, changes_per_second=1000.0)
ROUNDS = 8
"""Comparisons of all with all; a refutation may take two and a pause."""


class World:
    """The catalogs, what is on its way, and the time."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 100.0
        self.air: list[tuple[str, str, bytes]] = []
        self.said: set[tuple[object, ...]] = set()
        self.refutations = 0
        self.outboxes: dict[str, Outbox[CatalogEffect, CatalogEvent]] = {}
        self.catalogs: dict[str, Catalog] = {}
        self.epochs = dict.fromkeys(NAMES, 1)
        for name in NAMES:
            outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
            catalog = Catalog(
                CONFIG, SwimConfig(), name, Random(random.random()), outbox, epoch=1, index=0
            )
            self.outboxes[name], self.catalogs[name] = outbox, catalog
        for name in NAMES:
            self.announce(name, 1)

    def announce(self, name: str, epoch: int) -> None:
        self.epochs[name] = epoch
        for catalog in self.catalogs.values():
            catalog.put_member(Standing(name, ADDRESSES[name], "alive", None, epoch), self.now)

    def settle(self) -> None:
        """Put what the catalogs want sent into the air, until none of them wants anything."""
        busy = True
        while busy:
            busy = False
            for name, outbox in self.outboxes.items():
                self.catalogs[name].flush(self.now)
                for event in outbox.take_events():
                    if isinstance(event, RecordIgnored) and event.reason == "not-our-word":
                        self.refutations += 1
                for effect in outbox.take_effects():
                    busy = True
                    match effect:
                        case TellPeer():
                            to = BY_ADDRESS[effect.to]
                            self.air += [(name, to, payload) for payload in effect.payloads]
                        case TellByStream():
                            self.air.append((name, BY_ADDRESS[effect.to], effect.payload))
                        case AnnounceEpoch():
                            self.announce(name, effect.epoch)
        for instance in self.catalogs["o"].shelves.of_owner("o"):
            self.said.add((instance.service.id, instance.service.port))

    def deliver(self, place: int, *, keep: bool) -> None:
        if self.air:
            place %= len(self.air)
            source, to, payload = self.air[place] if keep else self.air.pop(place)
            self.catalogs[to].receive(payload, ADDRESSES[source], self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = [(c.next_deadline(), name) for name, c in self.catalogs.items()]
            first = min(((at, name) for at, name in due if at is not None), default=(end + 1, ""))
            if first[0] > end:
                break
            self.now = max(self.now, first[0])
            self.catalogs[first[1]].handle_deadline(self.now)
            self.settle()
            if len(self.air) > 500:
                del self.air[:400]
        self.now = end

    def calm(self) -> None:
        """Let everything arrive, and everybody compare with everybody."""
        for _ in range(ROUNDS):
            for one in NAMES:
                for other in NAMES:
                    if one != other:
                        summary = self.catalogs[other].summary
                        self.catalogs[one].compare(other, summary, self.now)
                        self.settle()
                        while self.air:
                            self.deliver(0, keep=False)
                            self.settle()
            for _ in range(30):
                self.wait(0.2)
                while self.air:
                    self.deliver(0, keep=False)
                    self.settle()

    def picture(self, name: str) -> object:
        shown = self.catalogs[name].shelves.of_owner("o")
        return [(one.service, one.status, one.weight, one.load, one.epoch) for one in shown]


def do(world: World, step: tuple[str, int, int]) -> None:
    """Let the owner do something."""
    kind, place, number = step
    provider, id = world.catalogs["o"].provider, IDS[place % len(IDS)]
    check = CheckDefinition(id=f"{id}-c", kind="ttl", ttl=1e6, status="passing")
    try:
        if kind == "register":
            service = Service(id=id, name="web", port=number, checks=(check,))
            provider.register(service, FROM_CLIENT, world.now)
        elif kind == "report":
            status = ("passing", "warning", "critical")[number % 3]
            provider.report_check(f"{id}-c", status, "", None, world.now)
        else:
            provider.deregister(id, world.now)
    except UsageError:
        pass


versions = st.integers(0, 30) | st.integers(0, 2**21)
epochs = st.sampled_from((1, 1, 1, 2, 3, 4))
forged_records = st.builds(
    Record,
    id=st.sampled_from((*IDS, "ghost", "")),
    removed=st.just(0) | versions,
    service_version=st.just(0) | versions,
    service=st.sampled_from(
        (b"", b"\xc1", *(encode_service(Service(id=id, name="web", port=666)) for id in IDS))
    ),
    state_version=st.just(0) | versions,
    state=st.sampled_from((b"", b"\xc1", encode_state(ServiceState(statuses=("critical",))))),
)
portions = st.builds(
    Portion,
    owner=st.sampled_from(NAMES),
    epoch=epochs,
    base=st.just(0) | versions,
    upto=versions,
    records=st.lists(forged_records, max_size=3).map(tuple),
    ids=st.none() | st.lists(st.sampled_from(IDS), max_size=2).map(tuple),
)
known = st.builds(
    Known,
    owner=st.sampled_from(NAMES),
    epoch=epochs,
    floor=versions,
    content=st.sampled_from((0, 1, 7)),
)
lies: st.SearchStrategy[CatalogMessage] = st.one_of(
    st.builds(
        News,
        owner=st.just("o"),
        epoch=epochs,
        version=versions,
        covered=st.lists(versions, max_size=3).map(tuple),
        record=forged_records,
    ),
    st.builds(Notice, owner=st.just("o"), epoch=epochs, version=versions),
    st.builds(
        Delta,
        sender=st.sampled_from(NAMES),
        has_more=st.booleans(),
        portions=st.lists(portions, min_size=1, max_size=2, unique_by=lambda p: p.owner).map(tuple),
    ),
    st.builds(Digest, sender=st.sampled_from(NAMES), known=st.lists(known).map(tuple)),
    st.builds(Wish, sender=st.sampled_from(NAMES), known=st.lists(known).map(tuple)),
)
acts = st.tuples(
    st.sampled_from(("register", "report", "deregister")), st.integers(0, 2), st.integers(1, 9)
)
ways = st.tuples(
    st.sampled_from(("deliver", "deliver", "deliver", "repeat", "lose", "wait")),
    st.integers(0, 10_000),
    st.integers(1, 30),
)


def go(world: World, way: tuple[str, int, int]) -> None:
    """Let something happen on the way."""
    kind, place, number = way
    if kind == "wait":
        world.wait(number / 10)
    elif kind == "lose" and world.air:
        world.air.pop(place % len(world.air))
    elif kind != "lose":
        world.deliver(place, keep=kind == "repeat")
    world.settle()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(acts, ways), max_size=60), st.integers(0, 2**32))
def test_what_is_lost_repeated_and_overtaken_shows_nothing_that_was_not_said(
    story: list[tuple[str, int, int]], seed: int
) -> None:
    world = World(Random(seed))
    for step in story:
        (do if step[0] in ("register", "report", "deregister") else go)(world, step)
        world.settle()
        for name in ("x", "y"):
            for instance in world.catalogs[name].shelves.of_owner("o"):
                assert (instance.service.id, instance.service.port) in world.said
    world.calm()
    assert world.picture("x") == world.picture("y") == world.picture("o")
    assert len({catalog.summary for catalog in world.catalogs.values()}) == 1
    assert world.refutations == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(acts, ways, st.tuples(st.sampled_from(NAMES), lies)), max_size=40),
    st.integers(0, 2**32),
)
def test_whatever_a_liar_says_in_the_end_all_hold_what_the_owner_holds(
    story: list[tuple[object, ...]], seed: int
) -> None:
    world = World(Random(seed))
    do(world, ("register", 0, 1))
    do(world, ("register", 1, 1))
    for step in story:
        match step:
            case (str(to), lie) if to in NAMES:
                payload = encode_catalog(lie)  # type: ignore[arg-type]
                world.catalogs[to].receive(payload, ADDRESSES["y"], world.now)
            case (("register" | "report" | "deregister"), _, _):
                do(world, step)  # type: ignore[arg-type]
            case _:
                go(world, step)  # type: ignore[arg-type]
        world.settle()
    world.calm()
    assert world.picture("x") == world.picture("y") == world.picture("o")
    assert len({catalog.summary for catalog in world.catalogs.values()}) == 1
