"""Queries through whole nodes: asked, answered, declined, over packets and streams."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gossipd.config.model import SerfConfig
from gossipd.errors import UsageError
from gossipd.node.events import InputDropped, PayloadLost
from gossipd.serf.events import QueryAcked, QueryAnswered, QueryClosed, QueryReceived
from gossipd.serf.question import Question
from support.node_net import Machine, NodeNet

KEY = b"k" * 16


def ask(machine: Machine, question: Question) -> int:
    query = machine.do(machine.node.ask, question)
    assert isinstance(query, int)
    return query


def answering(
    net: NodeNet, machines: list[Machine], answer: Callable[[str], bytes | None]
) -> Callable[[], None]:
    """Return what lets every application answer, or decline with ``None``."""
    done: set[tuple[int, int]] = set()

    def step() -> None:
        for machine in machines:
            for event in list(machine.events):
                if not isinstance(event, QueryReceived) or not machine.is_up:
                    continue
                if (id(machine), event.number) in done:
                    continue
                done.add((id(machine), event.number))
                payload = answer(machine.node.view().name)
                if payload is None:
                    machine.do(machine.node.decline, event.number)
                else:
                    machine.do(machine.node.respond, event.number, payload)

    return step


def run_until_closed(
    net: NodeNet, machine: Machine, query: int, step: Callable[[], None], limit: float = 20.0
) -> float:
    """Run until the query is closed; returns the seconds it took."""

    def is_closed() -> bool:
        step()
        return QueryClosed(query) in machine.events

    return net.run_until(is_closed, limit)


def answers(machine: Machine, query: int) -> dict[str, bytes | None]:
    found = [e for e in machine.events if isinstance(e, QueryAnswered) and e.query == query]
    assert len({event.node for event in found}) == len(found)
    return {event.node: event.payload for event in found}


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_a_query_ends_when_all_have_answered_or_declined(keys: tuple[bytes, ...]) -> None:
    net = NodeNet()
    machines = net.cluster("abcdef", keys=keys)
    step = answering(net, machines, lambda name: name.encode() if name in "abc" else None)
    query = ask(machines[1], Question(name="load", wants_acks=True))
    took = run_until_closed(net, machines[1], query, step)
    assert answers(machines[1], query) == {"a": b"a", "b": b"b", "c": b"c"}
    acked = [e.node for e in machines[1].events if isinstance(e, QueryAcked) and e.query == query]
    assert sorted(acked) == list("abcdef")
    assert took < 2.0


def test_48_nodes_that_all_answer_take_less_than_a_second() -> None:
    net = NodeNet()
    machines = [net.add(f"n{number}") for number in range(48)]
    for machine in machines[1:]:
        net.join(machine, machines[0])
    net.run(10)
    step = answering(net, machines, str.encode)
    query = ask(machines[7], Question(name="load"))
    took = run_until_closed(net, machines[7], query, step)
    assert len(answers(machines[7], query)) == 48
    assert took < 1.0


def test_a_node_that_dies_during_a_query_is_not_waited_for() -> None:
    net = NodeNet()
    machines = net.cluster("abcd")
    net.kill(machines[3])
    step = answering(net, machines, str.encode)
    query = ask(machines[0], Question(name="load", timeout=300.0))
    took = run_until_closed(net, machines[0], query, step, limit=100.0)
    assert sorted(answers(machines[0], query)) == ["a", "b", "c"]
    assert took < 60.0


def test_answers_too_large_for_a_packet_arrive_over_streams() -> None:
    net = NodeNet()
    machines = net.cluster("abcd", keys=(KEY,))
    step = answering(net, machines, lambda name: name.encode() * 100_000)
    query = ask(machines[2], Question(name="dump", nodes=("a", "b", "c")))
    took = run_until_closed(net, machines[2], query, step)
    assert answers(machines[2], query) == {
        name: name.encode() * 100_000 for name in ("a", "b", "c")
    }
    assert took < 2.0
    assert not [event for m in machines for event in m.events if isinstance(event, InputDropped)]


def test_an_answer_of_more_than_the_limit_is_refused_and_a_smaller_one_may_follow() -> None:
    net = NodeNet()
    machines = net.cluster("ab", serf=SerfConfig(query_stream_response_limit=10_000))
    query = ask(machines[0], Question(name="dump", nodes=("b",)))
    net.run(1)
    [received] = [e for e in machines[1].events if isinstance(e, QueryReceived)]
    with pytest.raises(UsageError, match=r"^response exceeds limit of 10000 bytes$"):
        machines[1].do(machines[1].node.respond, received.number, bytes(10_000))
    machines[1].do(machines[1].node.respond, received.number, bytes(9_000))
    net.run(1)
    assert answers(machines[0], query) == {"b": bytes(9_000)}


def test_a_large_answer_that_cannot_be_sent_is_told() -> None:
    net = NodeNet()
    machines = net.cluster("ab")
    ask(machines[0], Question(name="dump", nodes=("b",), timeout=30.0))
    net.run(1)
    net.separate(machines[:1], machines[1:])
    machines[1].do(machines[1].node.respond, 1, bytes(9_000))
    net.run(1)
    lost = [event for event in machines[1].events if isinstance(event, PayloadLost)]
    assert lost == [PayloadLost(machines[0].address, "connection refused")]
    assert machines[1].node.statistics().dropped["payload-not-sent"] == 1


def test_streams_of_large_answers_are_bounded() -> None:
    net = NodeNet()
    machines = net.cluster("ab")
    queries = [
        ask(machines[0], Question(name="dump", nodes=("b",), timeout=30.0)) for _ in range(80)
    ]
    net.run(5)
    numbers = [e.number for e in machines[1].events if isinstance(e, QueryReceived)]
    assert len(numbers) == 80
    for number in numbers:
        machines[1].do(machines[1].node.respond, number, bytes(9_000))
    net.run(2)
    lost = [event for event in machines[1].events if isinstance(event, PayloadLost)]
    assert [event.error for event in lost] == ["64 others are being sent"] * 16
    assert sum(bool(answers(machines[0], query)) for query in queries) == 64
