"""What applications of simulated hosts do, and the checker of what they are told."""

from __future__ import annotations

import pytest

from gossipd.node.events import NodeEvent
from gossipd.serf.events import (
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    QueryReceived,
    UserEventReceived,
)
from gossipd.serf.question import Question
from gossipd.value import replace
from gossipd_sim.application import ask, send_event
from gossipd_sim.checkers.applications import Applications
from gossipd_sim.cluster import Cluster
from gossipd_sim.errors import ScenarioError
from gossipd_sim.host import Host
from gossipd_sim.observer import Watcher
from gossipd_sim.scenario import library, read_scenario
from support.watched import Watched

NAME = "events-and-queries"


class Told(Watcher):
    """An observer that keeps what applications are told, and tells it on to ``checker``.

    Args:
        checker: the one that it is told on to.
        but: the name of a host whose events are kept from it.
    """

    def __init__(self, checker: Applications | None = None, but: str = "") -> None:
        self.events: list[tuple[str, NodeEvent]] = []
        self._checker = checker
        self._but = but

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        self.events.append((host.name, event))
        if self._checker is not None and host.name != self._but:
            self._checker.on_event(host, event, now)

    def names(self) -> list[tuple[str, str]]:
        return sorted(
            (host, event.name)
            for host, event in self.events
            if isinstance(event, UserEventReceived)
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_library_scenario_is_clean_and_the_same_by_wire(seed: int) -> None:
    scenario = read_scenario(library()[NAME].read_text(encoding="utf-8"), f"{NAME}.toml")
    runs = [Cluster(replace(scenario, by_wire=by_wire), seed).run() for by_wire in (False, True)]
    assert [run.violations for run in runs] == [(), ()]
    assert runs[0].trace == runs[1].trace


def test_an_event_is_told_by_all_and_a_query_answered_by_all() -> None:
    cluster, told = Watched("applications"), Told()
    cluster.site.observers.append(told)
    cluster.hosts[1].command(send_event("deploy", {}))
    cluster.hosts[1].command(send_event("for-some", {"role": "db"}))
    cluster.hosts[2].command(ask(Question(name="load", wants_acks=True)))
    cluster.run(2)
    names = [host.name for host in cluster.hosts]
    assert told.names() == [(name, "deploy") for name in names]
    heard = [event for host, event in told.events if host == "n002"]
    answers = {event.node: event.payload for event in heard if isinstance(event, QueryAnswered)}
    assert answers == {name: name.encode() for name in names}
    assert QueryClosed(1) in heard
    assert cluster.found() == []


def event(name: str = "e", *, is_own: bool = False) -> UserEventReceived:
    return UserEventReceived(900, name, None, False, "n000", is_own)


@pytest.mark.parametrize(
    ("events", "complaints"),
    [
        ([event(), event("f")], 0),
        ([event(), event()], 1),
        ([QueryAcked(9, "b"), QueryAnswered(9, "b", None), QueryClosed(9)], 0),
        ([QueryAcked(9, "b"), QueryAcked(9, "b")], 1),
        ([QueryAnswered(9, "b", None), QueryAnswered(9, "b", b"x")], 1),
        ([QueryClosed(9), QueryClosed(9)], 1),
        ([QueryClosed(9), QueryAnswered(9, "b", None)], 1),
        ([QueryReceived(1, 1, "load", None, "b", 5.0)], 0),
    ],
)
def test_what_is_told_twice_or_too_late_is_complained_of(
    events: list[NodeEvent], complaints: int
) -> None:
    cluster = Watched("applications", settle=1.0)
    for each in events:
        cluster.inspector.on_event(cluster.hosts[0], each, cluster.now)
    assert len(cluster.found()) == complaints


@pytest.mark.parametrize("but", ["", "n002"])
def test_an_event_that_somebody_was_never_told_is_complained_of_at_the_end(but: str) -> None:
    cluster = Watched(nodes=4)
    complaints: list[str] = []
    checker = Applications(lambda host, now, text: complaints.append(host), cluster.truth)
    cluster.site.observers.append(Told(checker, but))
    cluster.hosts[0].command(send_event("deploy", {}))
    cluster.run(10)
    checker.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert complaints == []  # a push/pull may still bring it
    cluster.run(100)
    checker.at_end(None, cluster.now)  # type: ignore[arg-type]
    assert complaints == ([but] if but else [])


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("name = ''", "name"),
        ("name = '_serf_ping'", "name"),
        (f"name = '{'x' * 65}'", "name"),
        ("name = 'x'\ntags = { role = '(' }", "tags"),
    ],
)
def test_what_cannot_be_sent_is_refused_when_the_file_is_read(line: str, key: str) -> None:
    text = f"nodes = 2\nhorizon = 40\n[[faults]]\ndo = 'event'\nat = 1\nhosts = 'all'\n{line}\n"
    with pytest.raises(ScenarioError, match=key):
        read_scenario(text, "f.toml")
