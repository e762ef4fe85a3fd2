"""Readings become intervals, intervals become lines: names, kinds, differences, limits."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.ledger import KEPT, Ledger, Tallied
from gossipd.metrics import dump, statsd
from gossipd.metrics.interval import Count, Interval, Sample, interval_between
from gossipd.metrics.names import plain
from gossipd.metrics.reading import Reading
from gossipd.node.statistics import Statistics
from gossipd.value import replace
from support.fake_handle import FakeHandle

BEGIN = 1_795_360_890
STATISTICS = FakeHandle().statistics()
LINE = re.compile(rb"serf-agent(\.[^\s:]+):\d+\.\d{6}\|(c|g|ms(\|@0\.\d{6})?)\n")


def reading(
    at: float = BEGIN,
    statistics: Statistics = STATISTICS,
    ledger: Ledger | None = None,
    runtime: dict[str, float] | None = None,
) -> Reading:
    ledger = ledger or Ledger()
    return Reading(at, statistics, dict(ledger.counts), ledger.read(), runtime or {})


def lines(interval: Interval, host: str = "h") -> set[str]:
    return {line.decode().rstrip("\n") for line in statsd.lines_of(interval, host)}


def test_nothing_happened_is_gauges_and_depths_only() -> None:
    interval = interval_between(reading(), reading(BEGIN + 10))
    assert interval.counters == {}
    assert set(interval.samples) == {
        "serf.queue.Intent", "serf.queue.Event", "serf.queue.Query", "memberlist.queue.broadcasts",
    }  # fmt: skip
    assert interval.samples["memberlist.queue.broadcasts"] == Sample(1, 4.0, (4.0,))
    assert interval.gauges["memberlist.health.score"] == 0.0
    assert interval.gauges["gossipd.members.alive"] == 1.0


def test_levels_of_services_are_gauges() -> None:
    statistics = replace(STATISTICS, levels={"services": 2, "instances_passing": 3})
    gauges = interval_between(reading(), reading(BEGIN + 10, statistics)).gauges
    assert (gauges["gossipd.services"], gauges["gossipd.instances.passing"]) == (2.0, 3.0)


def test_counters_are_what_was_added_between() -> None:
    before = replace(STATISTICS, happened={"member-join": 2, "flap": 1}, lost={})
    after = replace(
        before,
        happened={"member-join": 5, "flap": 1, "member-leave": 1, "stream-opened": 2},
        dropped={"bad-checksum": 2, "coordinate-absurd": 1, "coordinate-bad-rtt": 2},
        lost={"datagrams-unsent": 4},
        packets_sent={"ping": 7, "ack": 1},
        bytes_sent=1500,
        stream_bytes_sent=110,
    )
    counters = interval_between(reading(statistics=before), reading(statistics=after)).counters
    assert counters == {
        "serf.member.join": Count(3, 3),
        "serf.member.left": Count(1, 1),
        "memberlist.tcp.connect": Count(2, 2),
        "gossipd.dropped.coordinate-absurd": Count(1, 1),
        "gossipd.dropped.coordinate-bad-rtt": Count(2, 2),
        "serf.coordinate.rejected": Count(3, 3),
        "gossipd.lost.datagrams-unsent": Count(4, 4),
        "memberlist.udp.sent": Count(3, 500),
        "memberlist.tcp.sent": Count(2, 100),
    }


def test_bytes_are_told_by_kind_and_cause() -> None:
    before = replace(STATISTICS, packet_bytes_sent={"Ping": 10, "Ack": 7})
    after = replace(
        before,
        packet_bytes_sent={"Ping": 15, "Ack": 7, "Riders": 3},
        packet_bytes_received={"Alive": 50},
        stream_bytes_sent_by={"push-pull": 900},
        happened={"suspicion-refuted": 2},
    )
    counters = interval_between(reading(statistics=before), reading(statistics=after)).counters
    assert counters == {
        "gossipd.udp.sent.ping": Count(5, 5),
        "gossipd.udp.sent.riders": Count(3, 3),
        "gossipd.udp.received.alive": Count(50, 50),
        "gossipd.tcp.sent.push-pull": Count(900, 900),
        "gossipd.suspicion.refuted": Count(2, 2),
    }


def test_the_agents_own_counts_and_times_keep_their_names() -> None:
    ledger = Ledger()
    ledger.count("agent.ipc.accept")
    before = reading(ledger=ledger)
    ledger.count("agent.ipc.accept", 2)
    ledger.measure("agent.invoke.cat", 1.5)
    interval = interval_between(before, reading(ledger=ledger))
    assert interval.counters == {"agent.ipc.accept": Count(2, 2)}
    assert interval.samples["agent.invoke.cat"] == Sample(1, 1.5, (1.5,))


def test_seconds_become_milliseconds_and_bytes_stay_bytes() -> None:
    before = replace(STATISTICS, measured={"probe-round": Tallied(1, 1.0, (1.0,))})
    after = replace(
        before,
        measured={
            "probe-round": Tallied(3, 1.75, (1.0, 0.25, 0.5)),
            "message-sent": Tallied(1, 37.0, (37.0,)),
        },
    )
    samples = interval_between(reading(statistics=before), reading(statistics=after)).samples
    assert samples["memberlist.probeNode"] == Sample(2, 750.0, (250.0, 500.0))
    assert samples["serf.msgs.sent"] == Sample(1, 37.0, (37.0,))


@given(st.lists(st.integers(0, 1000), max_size=100), st.lists(st.integers(0, 1000), max_size=100))
def test_a_samples_values_are_of_its_interval_alone(old: list[int], new: list[int]) -> None:
    ledger = Ledger()
    for value in old:
        ledger.measure("x", value)
    before = reading(ledger=ledger)
    for value in new:
        ledger.measure("x", value)
    found = interval_between(before, reading(ledger=ledger)).samples.get("x")
    if not new:
        assert found is None
    else:
        assert found == Sample(len(new), sum(new), tuple(new[-KEPT:]))


@pytest.mark.parametrize(
    ("at", "begin"),
    [(BEGIN, BEGIN), (BEGIN + 0.2, BEGIN), (BEGIN - 0.2, BEGIN), (BEGIN + 7.5, BEGIN)],
)
def test_an_interval_begins_at_its_full_ten_seconds(at: float, begin: int) -> None:
    assert interval_between(reading(at), reading(at + 10)).begin == begin


INTERVAL = Interval(
    BEGIN,
    {"runtime.heap_objects": 7.0},
    {"serf.member.join": Count(1, 1), "memberlist.udp.sent": Count(2, 300)},
    {"memberlist.probeNode": Sample(2, 3.0, (1.0, 2.0))},
)


def test_lines_have_serfs_prefix_and_gauges_the_host_behind_it() -> None:
    assert lines(INTERVAL, "web-1.example.org") == {
        "serf-agent.web-1.example.org.runtime.heap_objects:7.000000|g",
        "serf-agent.serf.member.join:1.000000|c",
        "serf-agent.memberlist.udp.sent:300.000000|c",
        "serf-agent.memberlist.probeNode:1.000000|ms",
        "serf-agent.memberlist.probeNode:2.000000|ms",
    }


def test_where_not_all_values_were_kept_lines_tell_the_rate() -> None:
    interval = replace(INTERVAL, gauges={}, counters={}, samples={"x": Sample(8, 9.0, (1.0, 2.0))})
    assert lines(interval) == {
        "serf-agent.x:1.000000|ms|@0.250000",
        "serf-agent.x:2.000000|ms|@0.250000",
    }


def test_spaces_and_colons_become_underscores_and_no_name_forges_a_line() -> None:
    assert plain("serf.events.de:p loy") == "serf.events.de_p_loy"
    assert plain("agent.invoke.cat >/dev/null") == "agent.invoke.cat_>/dev/null"
    assert plain("a\nserf-agent.x:1|c") == "a_serf-agent.x_1|c"


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 2**50)), st.text(min_size=1))
def test_any_name_makes_one_line(names: dict[str, int], host: str) -> None:
    counters = {name: Count(1, total) for name, total in names.items()}
    interval = Interval(BEGIN, {"g": 1.0}, counters, {})
    found = list(statsd.lines_of(interval, host))
    assert len(found) == len(names) + 1
    assert all(LINE.fullmatch(line) for line in found)


@given(st.lists(st.integers(1, 2000)))
def test_datagrams_are_whole_lines_within_the_limit(sizes: list[int]) -> None:
    given_lines = [b"x" * (size - 1) + b"\n" for size in sizes]
    datagrams = list(statsd.datagrams_of(given_lines))
    assert all(0 < len(datagram) <= 1400 for datagram in datagrams)
    assert all(datagram.endswith(b"\n") for datagram in datagrams)
    fitting = [line for line in given_lines if len(line) <= 1400]
    assert b"".join(datagrams) == b"".join(fitting)
    for one, after in pairwise(datagrams):
        assert len(one) + len(after.partition(b"\n")[0]) + 1 > 1400


def test_the_dump_has_serfs_form() -> None:
    stamp = "[2026-11-22 15:21:30 +0000 UTC]"
    assert list(dump.lines_of(INTERVAL)) == [
        f"{stamp}[G] 'serf-agent.runtime.heap_objects': 7.000",
        f"{stamp}[C] 'serf-agent.memberlist.udp.sent': Count: 2 Sum: 300.000",
        f"{stamp}[C] 'serf-agent.serf.member.join': Count: 1 Sum: 1.000",
        f"{stamp}[S] 'serf-agent.memberlist.probeNode':"
        " Count: 2 Min: 1.000 Mean: 1.500 Max: 2.000 Stddev: 0.707 Sum: 3.000",
    ]


def test_in_the_dump_the_host_stands_only_where_sinks_are() -> None:
    assert "'serf-agent.my_host.runtime.heap_objects'" in next(dump.lines_of(INTERVAL, "my host"))
    single = replace(INTERVAL, gauges={}, counters={}, samples={"x": Sample(1, 2.5, (2.5,))})
    assert next(dump.lines_of(single, "h")).endswith("'serf-agent.x': Count: 1 Sum: 2.500")
    flood = replace(single, samples={"x": Sample(900, 1800.0, (1.0, 3.0))})
    assert next(dump.lines_of(flood)).endswith(
        "Count: 900 Min: 1.000 Mean: 2.000 Max: 3.000 Stddev: 1.414 Sum: 1800.000"
    )
