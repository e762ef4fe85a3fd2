"""``/metrics``: which samples there are, and that both formats are read by their parsers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from gossipd.catalog.events import ServiceChanged
from gossipd.ledger import Ledger, Tallied
from gossipd.metrics import names, process, sources
from gossipd.metrics.exposition import TEXT, exposed
from gossipd.metrics.families import BY_NAME, COUNTER, FAMILIES, HISTOGRAM, Family
from gossipd.metrics.histogram import BUCKETED
from gossipd.metrics.samples import LABELS_MAX, Amount, Sample, State, samples_of
from gossipd.metrics.witness import begin_to_witness
from gossipd.swim.events import AckObserved
from gossipd.swim.member import Member, MemberState
from gossipd.value import replace
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view

FAILED = MemberStatus.FAILED
SHOWN = (*FAMILIES, *process.FAMILIES)
RUNTIME = {"num_goroutines": 7.0, "heap_objects": 90_000.0, "total_gc_runs": 12.0}
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def state(
    handle: FakeHandle | None = None, ledger: Ledger | None = None, **changes: object
) -> State:
    handle, ledger = handle or FakeHandle(), ledger or Ledger()
    statistics = handle.statistics()
    return State(
        view=handle.view(),
        statistics=replace(statistics, **changes) if changes else statistics,
        counts=ledger.counts,
        tallies=ledger.tallies,
        degraded=handle.degraded(),
        runtime=RUNTIME,
        version="1.2.3",
    )


def process_samples() -> dict[str, list[Sample]]:
    return {name: [((), value)] for name, value in process.process_values().items()}


def amount(state: State, name: str, *labels: str) -> Amount:
    return dict(samples_of(state)[name])[labels]


def full_state() -> State:
    """Return one in which every family has a sample."""
    handle, ledger = FakeHandle(), Ledger()
    begin_to_witness(handle, ledger)
    for prefix in sources.COUNTS_BY_LABEL:
        ledger.count(prefix + "2xx.GET./v1/x")
    kinds = {"Ping": 3, "Riders": 1}
    return state(
        handle,
        ledger,
        snapshot="ok",
        packet_bytes_sent=kinds,
        packet_bytes_received=kinds,
        stream_bytes_sent_by={"push-pull": 1},
        stream_bytes_received_by={"accepted": 1},
    )


def test_every_family_has_a_source_and_every_sample_a_family() -> None:
    found = samples_of(full_state())
    assert found.keys() == BY_NAME.keys()
    for name, samples in found.items():
        labels = [labels for labels, _ in samples]
        assert len(set(labels)) == len(labels), name
        assert {len(one) for one in labels} == {len(BY_NAME[name].labels)}, name


def test_names_follow_prometheus() -> None:
    assert len({family.name.removesuffix("_total") for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("gossipd_")
        assert family.name.endswith("_total") == (family.kind == COUNTER)
        assert family.text.endswith(".")


def test_what_the_node_counts_is_all_shown() -> None:
    assert sources.HAPPENED.keys() == names.HAPPENED.keys()
    assert sources.MEASURED.keys() == names.MEASURED.keys()
    histograms = {family.name for family in FAMILIES if family.kind == HISTOGRAM}
    assert {name for name, _, _ in BUCKETED.values()} == histograms


@pytest.mark.parametrize(
    ("accept", "read", "content_type"),
    [
        ("", read_text, TEXT),
        ("*/*", read_text, TEXT),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", read_text, TEXT),
        ("application/openmetrics-textual", read_text, TEXT),
        (OPENMETRICS, read_openmetrics, "application/openmetrics-text"),
        ("Application/OpenMetrics-Text ; version=x", read_openmetrics, "application/openmetrics-"),
    ],
)
def test_both_formats_are_read_by_their_parser(
    accept: str, read: object, content_type: str
) -> None:
    body, given = exposed(SHOWN, samples_of(full_state()) | process_samples(), accept)
    assert given.startswith(content_type)
    families = {family.name: family for family in read(body.decode())}  # type: ignore[operator]
    shown = {family.name.removesuffix("_total") for family in FAMILIES}
    assert shown <= families.keys()
    assert "process_resident_memory_bytes" in families
    assert families["gossipd_members"].type == "gauge"
    assert families["gossipd_probe_rtt_seconds"].type == "histogram"
    assert families["gossipd_probe_round_seconds"].type == "summary"
    assert families["gossipd_probes_missed"].type == "counter"


def test_what_stands_in_labels_is_escaped() -> None:
    family = Family("gossipd_x", "gauge", "X.", ("a", "b"))
    hostile = 'q"\\\n\udc80}'
    samples: dict[str, list[Sample]] = {"gossipd_x": [((hostile, "ü"), 1.5)]}
    for accept, read in (("", read_text), (OPENMETRICS, read_openmetrics)):
        body, _ = exposed([family], samples, accept)
        # Prometheus refuses a whole page for any other escape; the parsers here let it pass
        assert set(re.findall(rb"\\(.)", body)) <= {b"\\", b'"', b"n"}
        (found,) = read(body.decode())
        (sample,) = found.samples
        assert sample.labels == {"a": 'q"\\\n\\udc80}', "b": "ü"}
        assert sample.value == 1.5


def test_the_process_is_told_of_as_others_tell_it() -> None:
    values = process.process_values()
    assert values.keys() == {family.name for family in process.FAMILIES}
    assert 1e6 < values["process_resident_memory_bytes"] < 1e11
    assert values["process_resident_memory_bytes"] < values["process_virtual_memory_bytes"]
    assert 1.7e9 < values["process_start_time_seconds"] < 4e9
    assert 3 <= values["process_open_fds"] <= values["process_max_fds"]
    assert values["process_cpu_seconds_total"] > 0


def test_members_are_counted_by_status() -> None:
    handle = FakeHandle(
        make_view(make_member("a"), make_member("b"), make_member("c", status=FAILED))
    )
    handle.degraded_members = {"b": "rtt"}
    assert amount(state(handle), "gossipd_members", "alive") == 2
    assert amount(state(handle), "gossipd_members", "failed") == 1
    assert amount(state(handle), "gossipd_members", "leaving") == 0
    assert amount(state(handle), "gossipd_members_degraded") == 1


def test_what_has_not_happened_is_zero() -> None:
    for name in ("gossipd_probes_missed_total", "gossipd_suspicions_refuted_total"):
        assert amount(state(), name) == 0
    assert amount(state(), "gossipd_probe_round_seconds") == Tallied(0, 0.0, ())


def test_bytes_have_kind_and_cause() -> None:
    now = state(packet_bytes_sent={"Ping": 3, "Riders": 9, "Strange": 1})
    assert amount(now, "gossipd_packet_bytes_sent_total", "ping", "probe") == 3
    assert amount(now, "gossipd_packet_bytes_sent_total", "riders", "gossip") == 9
    assert amount(now, "gossipd_packet_bytes_sent_total", "strange", "other") == 1


def test_milliseconds_of_the_ledger_are_shown_as_seconds() -> None:
    ledger = Ledger()
    ledger.measure("memberlist.gossip", 250.0)
    assert amount(state(ledger=ledger), "gossipd_gossip_tick_seconds") == Tallied(1, 0.25, ())


def test_requests_have_status_method_and_route() -> None:
    ledger = Ledger()
    ledger.count("gossipd.http.requests.2xx.GET./v1/health/service/{name}", 7)
    ledger.count("gossipd.http.connections.accepted", 5)
    ledger.count("gossipd.http.connections.closed", 3)
    now = state(ledger=ledger)
    labels = "2xx", "GET", "/v1/health/service/{name}"
    assert amount(now, "gossipd_http_requests_total", *labels) == 7
    assert amount(now, "gossipd_http_open_connections") == 2


def test_names_that_others_choose_are_no_labels() -> None:
    ledger = Ledger()
    for name in ("serf.events.theirs", "serf.queries.theirs", "agent.invoke.theirs.sh"):
        ledger.count(name)
        ledger.measure(name, 1.0)
    body, _ = exposed(SHOWN, samples_of(state(ledger=ledger)), "")
    assert b"theirs" not in body


def test_of_too_many_reasons_the_rest_is_other() -> None:
    dropped = {f"reason-{number:03}": 2 for number in range(LABELS_MAX + 5)}
    samples = samples_of(state(dropped=dropped))["gossipd_input_dropped_total"]
    assert len(samples) == LABELS_MAX + 1
    assert samples[-1] == (("other",), 10)


def test_round_trips_and_service_changes_are_counted_of_events() -> None:
    handle, ledger = FakeHandle(), Ledger()
    end = begin_to_witness(handle, ledger)
    b = make_member("b")
    member = Member("b", b.address, b"", Versions(), MemberState.ALIVE, 1, 0.0)
    handle.happen(AckObserved(member, 0.0031, None))
    handle.happen(ServiceChanged("web", 7))
    end()
    handle.happen(ServiceChanged("web", 8))
    spread = amount(state(handle, ledger), "gossipd_probe_rtt_seconds")
    assert dict(spread.buckets)[0.005] == 1  # type: ignore[union-attr]
    assert dict(spread.buckets)[0.0025] == 0  # type: ignore[union-attr]
    assert amount(state(handle, ledger), "gossipd_service_changes_total") == 1


def test_all_that_dns_counts_is_shown() -> None:
    text = (Path(__file__).parents[3] / "docs" / "dns.md").read_text()
    counted = text.partition("## What is counted")[2].partition("`gossipd.dns.dropped")[0]
    names = re.findall(r"`(gossipd\.dns\.[a-z.]+)`", counted)
    assert len(names) >= 6
    assert [name for name in names if name not in {*sources.COUNTS, *BUCKETED}] == []


def test_the_documentation_lists_every_metric_as_it_is() -> None:
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `gossipd_")]
    assert rows == [_row(family) for family in FAMILIES]


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    serf = ", ".join(f"`{name}`" for name in family.serf.split(", ")) if family.serf else ""
    return f"| `{family.name}` | {family.kind} | {labels} | {family.text} | {serf} |"
