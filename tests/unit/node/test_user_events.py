"""User events through whole nodes: everybody once, filters, and joiners."""

from __future__ import annotations

from functools import partial

import pytest

from gossipd.serf.events import UserEventReceived
from support.node_net import Machine, NodeNet

KEY = b"k" * 16


def received(machine: Machine) -> list[tuple[str, str]]:
    """Return name and sender of each event that applications were told, in order."""
    return [
        (event.name, event.sender)
        for event in machine.events
        if isinstance(event, UserEventReceived)
    ]


def send(machine: Machine, name: str, **filters: object) -> None:
    machine.do(lambda now: machine.node.send_event(name, b"p", now, **filters))  # type: ignore[arg-type]


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_every_event_reaches_everybody_once(keys: tuple[bytes, ...]) -> None:
    net = NodeNet()
    machines = net.cluster("abcdefghijkl", keys=keys)
    for number in range(40):
        send(machines[number % 12], f"e{number}")
        net.run(0.05)
    net.run(40)  # a push/pull of each node is past as well
    expected = sorted((f"e{number}", "abcdefghijkl"[number % 12]) for number in range(40))
    assert all(sorted(received(machine)) == expected for machine in machines)


def test_filters_choose_who_is_told_and_everybody_passes_on() -> None:
    net = NodeNet()
    machines = [*net.cluster("abc", tags={"role": "web"}), net.add("d", tags={"role": "db"})]
    net.join(machines[3], machines[0])
    net.run(5)
    send(machines[0], "named", nodes=["b", "d"])
    send(machines[3], "tagged", tags={"role": "^w"})
    net.run(40)
    told = [sorted(name for name, _ in received(machine)) for machine in machines]
    assert told == [["tagged"], ["named", "tagged"], ["tagged"], ["named"]]


def test_a_joiner_is_told_what_was_before_only_if_it_wants_to_know() -> None:
    net = NodeNet()
    machines = net.cluster("ab")
    send(machines[0], "before")
    send(machines[1], "for b", nodes=["b"])
    net.run(5)
    for name, ignores_old, expected in (("c", False, [("before", "a")]), ("d", True, [])):
        joiner = net.add(name)
        join = partial(joiner.node.join, machines[0].address, "", ignore_old=ignores_old)
        joiner.do(join)
        net.run(40)
        assert received(joiner) == expected
    assert received(machines[0]) == [("before", "a")]
