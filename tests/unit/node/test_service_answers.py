"""What whole nodes answer while owners are suspected, fail, drain, leave and return."""

from __future__ import annotations

from gossipd.catalog.events import GuardChanged
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT
from support.node_net import Machine, NodeNet

WEB = Service(id="web", name="web", port=80, weight=10)


def shown(machine: Machine) -> dict[str, str]:
    view = machine.node.service("web")
    return {one.owner: one.status + ("?" * one.is_doubtful) for one in view.instances}


def cluster(names: str) -> tuple[NodeNet, list[Machine]]:
    net = NodeNet()
    machines = net.cluster(names)
    for machine in machines:
        machine.do(lambda now, node=machine.node: node.register_service(WEB, FROM_CLIENT, now))
    net.run(2.0)
    assert all(len(shown(machine)) == len(names) for machine in machines)
    return net, machines


def follow(machine: Machine, seen: list[str], owner: str) -> None:
    """Note how ``owner`` is shown whenever that is another way than before."""
    now = shown(machine).get(owner, "gone")
    if not seen or seen[-1] != now:
        seen.append(now)


def test_a_killed_owner_is_doubtful_then_critical() -> None:
    net, machines = cluster("abcde")
    net.kill(machines[4])
    seen: list[str] = []
    for _ in range(3000):
        net.run(0.01)
        follow(machines[0], seen, "e")
    assert seen == ["passing", "passing?", "critical"]


def test_a_minority_keeps_answering_and_says_that_it_doubts() -> None:
    net, machines = cluster("abcdefghi")
    net.separate(machines[:2], machines[2:])
    net.run(60.0)
    few, many = machines[0], machines[8]
    assert few.node.service("web").is_guarded
    answer = shown(few)
    assert (answer["a"], answer["b"]) == ("passing", "passing")
    assert [answer[owner] for owner in "cdefghi"] == ["passing?"] * 7
    assert not many.node.service("web").is_guarded
    assert [shown(many)[owner] for owner in "ab"] == ["critical"] * 2
    held = [event for event in few.events if isinstance(event, GuardChanged)]
    assert [event.holds for event in held] == [True]

    net.cut.clear()
    net.run(60.0)
    for machine in machines:
        assert shown(machine) == dict.fromkeys("abcdefghi", "passing")
        assert not machine.node.service("web").is_guarded


def test_a_drained_node_is_out_everywhere_before_it_leaves() -> None:
    net, machines = cluster("abc")
    machines[2].do(lambda now: machines[2].node.drain("", 4.0, now))
    net.run(1.0)
    (one,) = machines[0].node.services_of("c")
    assert (one.weight, one.status, one.is_draining) == (0, "passing", True)
    net.run(1.5)
    assert shown(machines[0])["c"] == "critical"
    machines[2].do(machines[2].node.leave)
    net.run(5.0)
    assert "c" not in shown(machines[0])


def test_a_status_is_known_to_all_at_once_and_an_output_alone_is_not() -> None:
    net, machines = cluster("abc")
    node = machines[0].node
    check = CheckDefinition(id="t", ttl=30.0)
    machines[0].do(lambda now: node.register_check(check, "web", now))
    machines[0].do(lambda now: node.report_check("t", "passing", "1 ms", None, now))
    net.run(0.1)
    (one,) = machines[1].node.services_of("a")
    assert (one.status, one.checks[0].output) == ("passing", "1 ms")
    machines[0].do(lambda now: node.report_check("t", "passing", "2 ms", None, now))
    net.run(1.0)
    assert machines[1].node.services_of("a") == (one,)
    net.run(31.0)
    assert shown(machines[1])["a"] == "critical"
