"""What a node takes over from its former life, and what it would hand to the next."""

from __future__ import annotations

from random import Random

from gossipd.address import address_from_host
from gossipd.config.model import NodeConfig
from gossipd.node.node import Node
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd.serf.queries import QueryBuffer, QueryVerdict
from gossipd.serf.question import PING_ALL
from gossipd.serf.user_events import EventBuffer, EventVerdict
from gossipd.wire.serf_messages import BufferedEvent


def new_node(memory: Memory) -> Node:
    address = address_from_host("10.0.0.1", 7946)
    return Node(NodeConfig(name="a"), address, Random(1), lambda n: bytes(n), memory=memory)


def test_events_of_a_former_life_are_old_and_newer_ones_are_not() -> None:
    buffer = EventBuffer(512)
    buffer.recall(7)
    assert buffer.clock.time == 8
    assert buffer.apply(7, BufferedEvent("x", None)) is EventVerdict.BEFORE_MINIMUM
    assert buffer.newest == 7
    assert buffer.apply(9, BufferedEvent("x", None)) is EventVerdict.NEW
    assert buffer.apply(8, BufferedEvent("x", None)) is EventVerdict.NEW
    assert buffer.newest == 9


def test_queries_of_a_former_life_are_old_and_newer_ones_are_not() -> None:
    buffer = QueryBuffer(512)
    buffer.recall(7)
    assert buffer.clock.time == 8
    assert buffer.apply(7, 1) is QueryVerdict.BEFORE_MINIMUM
    assert buffer.newest == 7
    assert buffer.apply(9, 1) is QueryVerdict.NEW
    assert buffer.newest == 9


def test_a_time_that_was_only_witnessed_is_not_one_that_was_seen() -> None:
    """A push/pull tells of events that have not come yet: they must not be taken for old."""
    buffer = EventBuffer(512)
    buffer.clock.witness(40)
    assert buffer.newest == 0


def test_without_memory_the_clocks_begin_as_ever() -> None:
    buffer = EventBuffer(512)
    buffer.recall(0)
    assert (buffer.clock.time, buffer.minimum) == (1, 0)
    assert new_node(NO_MEMORY).memory() == NO_MEMORY


def test_a_node_goes_on_where_its_former_life_ended() -> None:
    memory = Memory(clock=3, event_clock=4, query_clock=5)
    node = new_node(memory)
    node.start(0.0)
    assert node.memory() == memory
    statistics = node.statistics()
    times = statistics.member_time, statistics.event_time, statistics.query_time
    assert times == (4, 5, 6)


def test_a_query_handled_moves_what_the_next_life_is_told() -> None:
    node = new_node(Memory(query_clock=5))
    node.start(0.0)
    node.ask(PING_ALL, 1.0)
    assert node.memory().query_clock == 6
