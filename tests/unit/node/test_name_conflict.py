"""Whole nodes of one name: who stays, who ends, and that never both end (section 18.2)."""

from __future__ import annotations

import pytest

from gossipd.config.model import SerfConfig
from gossipd.serf.events import NameVerdict, NameVoted
from support.node_net import Machine, NodeNet


def verdicts(machine: Machine) -> list[NameVerdict]:
    return [event.verdict for event in machine.events if isinstance(event, NameVoted)]


def clash(net: NodeNet, first: Machine, *, started_at: float | None) -> Machine:
    """Start another node of the name of ``first`` and join through it."""
    late = net.add(first.node.view().name, started_at=started_at)
    net.join(late, first)
    return late


@pytest.mark.parametrize("keys", [(), (b"k" * 16,)])
def test_of_two_nodes_and_nobody_else_the_older_one_stays(keys: tuple[bytes, ...]) -> None:
    net = NodeNet()
    old = net.add("a", keys=keys, started_at=1000.0)
    young = net.add("a", keys=keys, started_at=2000.0)
    net.join(young, old)
    net.run(5)
    assert verdicts(young) == [NameVerdict.YOUNGER]
    assert verdicts(old) == [NameVerdict.OLDER]


def test_the_older_one_stays_also_when_it_is_the_one_that_joins() -> None:
    net = NodeNet()
    young, old = net.add("a", started_at=2000.0), net.add("a", started_at=1000.0)
    net.join(old, young)
    net.run(5)
    assert verdicts(young) == [NameVerdict.YOUNGER]
    assert verdicts(old) == [NameVerdict.OLDER]


def test_where_starts_are_equal_the_lower_address_stays() -> None:
    net = NodeNet()
    low, high = net.add("a", started_at=1000.0), net.add("a", started_at=1000.0)
    net.join(low, high)
    net.run(5)
    assert (verdicts(low), verdicts(high)) == ([NameVerdict.OLDER], [NameVerdict.YOUNGER])


def test_where_starts_are_not_known_both_stay_and_say_so() -> None:
    net = NodeNet()
    first, second = net.add("a"), net.add("a")
    net.join(second, first)
    net.run(5)
    assert (verdicts(first), verdicts(second)) == (
        [NameVerdict.UNDECIDED],
        [NameVerdict.UNDECIDED],
    )


def test_in_a_cluster_the_latecomer_is_outvoted_however_old_it_is() -> None:
    net = NodeNet()
    a, *others = net.cluster("abcd", started_at=2000.0)
    late = clash(net, a, started_at=1000.0)
    net.run(8)
    assert verdicts(late) == [NameVerdict.OUTVOTED]
    assert set(verdicts(a)) <= {NameVerdict.MAJORITY}
    assert all(verdicts(machine) == [] for machine in others)
    net.kill(late)
    net.run(60)
    everybody = dict.fromkeys("abcd", "alive")
    assert [machine.statuses() for machine in (a, *others)] == [everybody] * 4
    known = {
        member.address for m in others for member in m.node.view().members if member.name == "a"
    }
    assert known == {a.address}


def test_switched_off_conflicts_are_only_reported() -> None:
    net = NodeNet()
    serf = SerfConfig(resolve_name_conflicts=False)
    old = net.add("a", serf=serf, started_at=1000.0)
    young = net.add("a", serf=serf, started_at=2000.0)
    net.join(young, old)
    net.run(60)
    assert (verdicts(old), verdicts(young)) == ([], [])
