"""Whatever a client writes through HTTP: refused in a few words, or there to be read back."""

from __future__ import annotations

import json

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gossipd.config.faces import HttpConfig
from gossipd.rest.consul.writes.bodies import Pairs, go_seconds, is_blank, short
from gossipd.services.reading import read_service
from gossipd.services.writing import write_service
from support.rest_writes import Writer

SCRIPTS = HttpConfig(script_checks=True)
TARGETS = (
    "/v1/agent/service/register",
    "/v1/agent/service/register?replace-existing-checks",
    "/v1/agent/check/register",
    "/v1/agent/check/update/c",
    "/v1/catalog/register",
    "/v1/catalog/deregister",
)
FIELDS = (
    "Name", "ID", "id", "Tags", "Address", "Port", "Meta", "TaggedAddresses", "Weights",
    "Check", "Checks", "Kind", "Proxy", "Namespace", "Service", "Node", "NodeMeta", "CheckID",
    "ServiceID", "TTL", "Interval", "Timeout", "HTTP", "TCP", "Args", "Header", "Status",
    "Output", "Notes", "AliasService", "SuccessBeforePassing", "FailuresBeforeCritical",
    "DeregisterCriticalServiceAfter", "Passing", "Warning", "Datacenter", "Definition",
)  # fmt: skip
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["web", "c", "10s", "1m30s", "0s", "-5s", "passing", "http://x/", "x:1", "\ud800", ""]
    ),
)
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=25,
)
objects = st.dictionaries(st.sampled_from(FIELDS), anything, max_size=8)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(body: bytes) -> None:
    writer = Writer(SCRIPTS)
    for target in TARGETS:
        reply = writer.put_now(target, body)
        assert reply.status in (200, 400)
        assert len(reply.body) < 80


names = st.text("abcXYZ019-/:.", min_size=1, max_size=20)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=40)
keys = st.text("abcABC012_-", min_size=1, max_size=20)
tags = texts.filter(bool)
definitions = st.fixed_dictionaries(
    {"Name": names},
    optional={
        "ID": names,
        "Tags": st.lists(tags, max_size=5, unique=True),
        "Address": st.sampled_from(["10.0.0.1", "::1", "host.example"]),
        "Port": st.integers(0, 65535),
        "Meta": st.dictionaries(keys, texts, max_size=5),
        "TaggedAddresses": st.dictionaries(
            keys,
            st.fixed_dictionaries({"Address": st.just("::1"), "Port": st.integers(0, 65535)}),
            max_size=3,
        ),
        "Weights": st.fixed_dictionaries(
            {"Passing": st.integers(1, 65535), "Warning": st.integers(0, 65535)}
        ),
    },
)


checks = st.fixed_dictionaries(
    {},
    optional={
        "TTL": st.sampled_from(["1s", "5m", 10**9, "0s"]),
        "TCP": st.just("x:1"),
        "Interval": st.sampled_from(["10s", "1ms"]),
        "CheckID": names,
        "Status": st.sampled_from(["passing", "critical", "fine"]),
        "Notes": st.text(max_size=20),
        "Output": st.text(max_size=20),
    },
)
nearly_right = st.builds(
    lambda service, check, junk: {**service, "Node": "ext", "Address": "::1", "Service": {
        "Service": "db", "Port": service.get("Port")}, "Check": check, **junk},
    definitions, checks, st.dictionaries(st.sampled_from(FIELDS), anything, max_size=1),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_json_is_answered(data: st.DataObject) -> None:
    writer = Writer(SCRIPTS)
    for _ in range(data.draw(st.integers(1, 4))):
        target = data.draw(st.sampled_from(TARGETS))
        body = data.draw(objects | anything | nearly_right)
        reply = writer.put_now(target, json.dumps(body).encode())
        assert reply.status in (200, 400, 403, 404, 429, 500)
        event(f"{target} {reply.status}")
        text = reply.body.decode()
        if reply.status != 200:
            assert text
            assert text.isprintable()
            assert len(reply.body) < 80 or text.startswith("Unknown check ID")
    for one in writer.handle.own_services().services:
        assert read_service(write_service(one.service)) == one.service  # it survives a restart


@st.composite
def spelled(draw: st.DrawFn, body: dict[str, object]) -> dict[str, object]:
    """Return ``body`` with the keys of fields in some other spelling."""
    ways = (str.lower, str.upper, lambda key: f"_{key}_", str)
    return {draw(st.sampled_from(ways))(key): value for key, value in body.items()}


@settings(deadline=None)
@given(definitions, st.data())
def test_what_is_registered_can_be_read_back(body: dict[str, object], data: st.DataObject) -> None:
    writer = Writer()
    assert writer.put_now(TARGETS[0], data.draw(spelled(body))).status == 200
    (one,) = writer.handle.own_services().services
    service = one.service
    assert {
        "Name": service.name,
        "ID": service.id,
        "Tags": list(service.tags),
        "Address": service.address,
        "Port": service.port,
        "Meta": dict(service.meta),
        "TaggedAddresses": {
            label: {"Address": host, "Port": port}
            for label, (host, port) in service.tagged_addresses.items()
        },
        "Weights": {"Passing": service.weight, "Warning": service.warning_weight},
    } == {
        "ID": body["Name"],
        "Tags": [],
        "Address": "",
        "Port": 0,
        "Meta": {},
        "TaggedAddresses": {},
        "Weights": {"Passing": 1, "Warning": 1},
    } | body
    again = writer.handle.own_services()
    assert writer.put_now(TARGETS[0], body).status == 200
    assert writer.handle.own_services() == again


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["ms", "s", "m", "h"])), min_size=1))
def test_durations_of_go(parts: list[tuple[int, str]]) -> None:
    seconds = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    expected = sum(number * seconds[unit] for number, unit in parts)
    assert abs(go_seconds(text) - expected) < 1e-6
    assert go_seconds(f"-{text}") == -go_seconds(text)


@settings(deadline=None)
@given(st.text())
def test_short_texts_are_short_and_of_one_line(text: str) -> None:
    made = short(text)
    assert len(made.encode()) < 80
    assert made.isprintable()


@settings(deadline=None)
@given(anything)
def test_blank_is_what_go_makes_of_nothing(value: object) -> None:
    pairs = json.loads(json.dumps(value), object_pairs_hook=Pairs)

    def reference(one: object) -> bool:
        if isinstance(one, dict):
            return all(map(reference, one.values()))
        return all(map(reference, one)) if isinstance(one, list) else not one

    assert is_blank(pairs) == reference(value)
