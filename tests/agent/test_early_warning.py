"""Who is watched, when it is told, and whom half of all members blame."""

from __future__ import annotations

import pytest
import trio

from gossipd.agent.early_warning import LEAST, MEMBERS_MAX, EarlyWarning
from gossipd.config.agent_model import AgentConfig
from gossipd.config.faces import HttpConfig
from gossipd.config.model import NodeConfig
from gossipd.ledger import Ledger
from gossipd.node.events import MemberDegraded, MemberRecovered, NodeEvent
from gossipd.swim.events import (
    AckMissed,
    AckObserved,
    MemberFailed,
    MemberJoined,
    MemberRefuted,
    MemberSuspected,
)
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import Versions
from support.memory_agents import Running
from support.memory_network import MemoryNetwork
from support.swim_harness import address_of


def member(name: str) -> Member:
    return Member(name, address_of(name), b"", Versions(), MemberState.ALIVE, 1, 0.0)


class Watch:
    """An early warning that was shown ``names`` for a while."""

    def __init__(self, names: str) -> None:
        self.told: list[NodeEvent] = []
        self.ledger = Ledger()
        self.warning = EarlyWarning("us", lambda event, now: self.told.append(event), self.ledger)
        self.now = 0.0
        self.ack(names, 0.001, 40)

    def ack(self, names: str, rtt: float, rounds: int) -> None:
        for _ in range(rounds):
            for name in names:
                self.now += 1.0
                self.warning.take(AckObserved(member(name), rtt, None), self.now)

    def miss(self, name: str, rounds: int) -> None:
        for _ in range(rounds):
            self.now += 1.0
            self.warning.take(AckMissed(member(name)), self.now)

    def taken(self) -> list[NodeEvent]:
        told, self.told = self.told, []
        return told


def test_a_member_that_gets_slow_is_told_once_shown_and_counted() -> None:
    watch = Watch("bcdef")
    assert watch.warning.degraded() == {}
    watch.ack("b", 0.09, 10)
    (event,) = watch.taken()
    assert isinstance(event, MemberDegraded)
    assert event.name == "b"
    assert event.reason == "round trip 90ms, usually 1ms"
    assert watch.warning.degraded() == {"b": "round trip 90ms, usually 1ms"}
    assert watch.ledger.counts == {"gossipd.degraded.rtt": 1}


def test_what_is_shown_is_the_same_object_until_it_changes() -> None:
    watch = Watch("bcdef")
    watch.ack("b", 0.09, 10)
    shown = watch.warning.degraded()
    watch.ack("cdef", 0.001, 3)
    assert watch.warning.degraded() is shown


def test_it_recovers_when_it_was_well_for_a_while() -> None:
    watch = Watch("bcdef")
    watch.ack("b", 0.09, 5)
    began = watch.now
    watch.taken()
    watch.ack("b", 0.001, 10)
    assert watch.taken() == []
    assert watch.warning.degraded() != {}
    watch.ack("b", 0.001, int(LEAST))
    (event,) = watch.taken()
    assert isinstance(event, MemberRecovered)
    assert LEAST <= event.degraded_for <= watch.now - began + 5
    assert watch.warning.degraded() == {}


def test_who_fails_is_no_longer_degraded_and_begins_anew_when_it_returns() -> None:
    watch = Watch("bcdef")
    watch.ack("b", 0.09, 5)
    watch.taken()
    watch.warning.take(MemberFailed(member("b"), "c", 1, 3.0), watch.now)
    assert [type(event) for event in watch.taken()] == [MemberRecovered]
    assert watch.warning.degraded() == {}
    watch.warning.take(MemberJoined(member("b")), watch.now)
    watch.ack("b", 0.09, 5)
    assert watch.taken() == []


def test_a_crash_is_no_early_warning() -> None:
    watch = Watch("bcdef")
    watch.miss("b", 1)
    watch.warning.take(MemberSuspected(member("b"), "us", watch.now + 5), watch.now)
    watch.miss("b", 5)
    watch.warning.take(MemberFailed(member("b"), "us", 2, 5.0), watch.now)
    assert watch.taken() == []


def test_half_of_all_members_at_once_blame_this_node() -> None:
    watch = Watch("bcdef")
    watch.ack("bcd", 0.09, 5)
    shown = watch.warning.degraded()
    assert list(shown) == ["us"]
    assert shown["us"].startswith("3 of 5 members seem degraded from here at once")
    told = [(type(event), event.name) for event in watch.taken()]  # type: ignore[union-attr]
    assert told == [
        (MemberDegraded, "b"),
        (MemberDegraded, "c"),
        (MemberRecovered, "b"),
        (MemberRecovered, "c"),
        (MemberDegraded, "us"),
    ]
    assert watch.ledger.counts["gossipd.degraded.self"] == 1
    watch.ack("bcdef", 0.001, 60)
    assert watch.warning.degraded() == {}


def test_a_degraded_accuser_degrades_nobody() -> None:
    watch = Watch("bcdefg")
    watch.ack("b", 0.09, 5)
    watch.taken()

    for accuser in "bbbbb":
        watch.warning.take(MemberSuspected(member("c"), accuser, watch.now + 5), watch.now)
        watch.warning.take(MemberRefuted(member("c"), 1.0), watch.now)
    assert watch.taken() == []


def accused(watch: Watch, accuser: str) -> None:
    watch.now += 1.0
    watch.warning.take(MemberSuspected(member("c"), accuser, watch.now + 5.0), watch.now)
    watch.now += 1.0
    watch.warning.take(MemberRefuted(member("c"), 1.0), watch.now)


@pytest.mark.parametrize("end", ["degraded", "failed", "none"])
def test_accusations_of_who_turns_out_to_be_at_fault_count_no_more(end: str) -> None:
    watch = Watch("bcdefgh")
    accused(watch, "b")
    accused(watch, "b")
    if end == "degraded":
        watch.ack("b", 0.09, 10)
    elif end == "failed":
        watch.warning.take(MemberFailed(member("b"), "d", 0, None), watch.now)
    accused(watch, "d")
    accused(watch, "e")
    shown = watch.warning.degraded()
    assert set(shown) == {"degraded": {"b"}, "failed": set(), "none": {"c"}}[end]


def test_the_number_of_members_that_are_watched_is_bounded() -> None:
    watch = Watch("b")
    for number in range(MEMBERS_MAX + 10):
        watch.warning.take(AckObserved(member(f"n{number}"), 0.001, None), watch.now)
    assert len(watch.warning._watched) == MEMBERS_MAX


@pytest.mark.parametrize(
    ("setting", "http", "is_on"),
    [
        ("auto", "", False),
        ("auto", "127.0.0.1:8500", True),
        ("on", "", True),
        ("off", "x:1", False),
    ],
)
def test_it_is_on_where_it_is_wanted(setting: str, http: str, is_on: bool) -> None:
    node = NodeConfig(name="a")
    config = AgentConfig(node=node, early_warning=setting, http=HttpConfig(addr=http))
    assert config.warns_early is is_on


async def test_an_agent_shows_and_logs_who_is_degraded(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    first = Running(network, "a", "10.0.0.1", early_warning="on", log_level="INFO")
    handle = await first.start(nursery)
    seen: list[NodeEvent] = []
    handle.observe(lambda event, now: seen.append(event))
    assert handle.degraded() == {}
    observe = handle._parts._observe
    for rtt in (*(0.001 for _ in range(40)), *(0.2 for _ in range(5))):
        observe(AckObserved(member("b"), rtt, None), handle.now())
    assert handle.degraded() == {"b": "round trip 200ms, usually 1ms"}
    assert first.lines.has("agent: Member degraded: b: round trip 200ms, usually 1ms")
    assert MemberDegraded("b", "round trip 200ms, usually 1ms") in seen


async def test_an_agent_without_it_shows_nobody(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    handle = await agent.start(nursery)
    for rtt in (*(0.001 for _ in range(40)), *(0.2 for _ in range(5))):
        handle._parts._observe(AckObserved(member("b"), rtt, None), handle.now())
    assert handle.degraded() == {}
