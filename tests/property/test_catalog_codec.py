"""Catalog messages and parts of records survive the wire; garbage is only ever refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.errors import WireError
from gossipd.services.definition import (
    CHECK_KINDS,
    STATUSES,
    CheckDefinition,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.value import replace
from gossipd.wire.catalog_codec import decode_catalog_untrusted, encode_catalog
from gossipd.wire.catalog_messages import (
    CatalogMessage,
    Delta,
    Digest,
    Known,
    News,
    Notice,
    Portion,
    Record,
    Wish,
)
from gossipd.wire.catalog_parts import (
    decode_node_state_untrusted,
    decode_outputs_untrusted,
    decode_service_untrusted,
    decode_state_untrusted,
    encode_node_state,
    encode_outputs,
    encode_service,
    encode_state,
)
from gossipd.wire.dialect import pack
from gossipd.wire.meta_tail import EPOCH_MAX

numbers = st.integers(0, EPOCH_MAX)
versions = st.integers(1, EPOCH_MAX)
names = st.text(min_size=1, max_size=40)
texts = st.text(max_size=60)
ports = st.integers(0, 65535)
weights = st.integers(0, 65535)
statuses = st.sampled_from(STATUSES)
kinds = st.sampled_from(CHECK_KINDS)


@st.composite
def records(draw: st.DrawFn) -> Record:
    parts = [(draw(versions), draw(st.binary(min_size=1, max_size=30))) for _ in range(3)]
    told = [part if draw(st.booleans()) else (0, b"") for part in parts]
    (a, b), (c, d), (e, f) = told
    return Record(draw(texts), draw(numbers), a, b, c, d, e, f)


known = st.tuples(names, numbers, numbers, st.integers(0, 2**64 - 1)).map(lambda each: Known(*each))
portions = st.builds(
    Portion,
    owner=names,
    epoch=numbers,
    base=numbers,
    upto=numbers,
    records=st.lists(records(), max_size=4).map(tuple),
    ids=st.none() | st.lists(texts, max_size=4).map(tuple),
)
messages: st.SearchStrategy[CatalogMessage] = st.one_of(
    st.builds(
        News,
        owner=names,
        epoch=numbers,
        version=numbers,
        covered=st.lists(numbers, max_size=16).map(tuple),
        record=records(),
    ),
    st.builds(Notice, owner=names, epoch=numbers, version=numbers),
    st.builds(
        Delta,
        sender=names,
        has_more=st.booleans(),
        # only one of an owner has all ids
        portions=st.lists(
            portions, max_size=4, unique_by=lambda one: (one.owner, one.ids is None)
        ).map(tuple),
    ),
    st.builds(Digest, sender=names, known=st.lists(known, max_size=5).map(tuple)),
    st.builds(Wish, sender=names, known=st.lists(known, max_size=5).map(tuple)),
)
checks = st.builds(CheckDefinition, id=names, name=texts, kind=kinds)
services = st.builds(
    Service,
    id=names,
    name=names,
    address=texts,
    port=ports,
    tags=st.lists(texts, max_size=4).map(tuple),
    meta=st.dictionaries(texts, texts, max_size=4),
    tagged_addresses=st.dictionaries(texts, st.tuples(texts, ports), max_size=3),
    weight=weights,
    warning_weight=weights,
    zone=texts,
    needs=st.lists(texts, max_size=3).map(tuple),
    checks=st.lists(checks, max_size=3).map(tuple),
)
states = st.builds(
    ServiceState,
    statuses=st.lists(statuses, max_size=4).map(tuple),
    weight=weights,
    load=st.none() | st.floats(0, 1),
    maintenance=texts,
    is_draining=st.booleans(),
)
check_states = st.builds(
    CheckState, id=names, name=texts, kind=kinds, status=statuses, output=texts
)
node_states = st.builds(
    NodeState,
    zone=texts,
    maintenance=texts,
    is_draining=st.booleans(),
    checks=st.lists(check_states, max_size=3).map(tuple),
)


@given(messages)
def test_messages_come_back(message: CatalogMessage) -> None:
    assert decode_catalog_untrusted(encode_catalog(message)) == message


@given(services)
def test_definitions_come_back(service: Service) -> None:
    told = decode_service_untrusted(encode_service(service))
    checks = tuple(CheckState(c.id, c.name, c.kind, "passing") for c in service.checks)
    assert told == replace(service, checks=checks)
    assert encode_service(told) == encode_service(service)


@given(states)
def test_states_come_back(state: ServiceState) -> None:
    assert decode_state_untrusted(encode_state(state)) == state


@given(st.lists(texts, max_size=4).map(tuple))
def test_outputs_come_back(outputs: tuple[str, ...]) -> None:
    assert decode_outputs_untrusted(encode_outputs(outputs)) == outputs


@given(node_states)
def test_node_states_come_back(state: NodeState) -> None:
    assert decode_node_state_untrusted(encode_node_state(state)) == state


def test_a_check_travels_without_what_only_its_owner_needs() -> None:
    check = CheckDefinition(id="c", name="n", kind="http", target="http://secret", interval=3.0)
    there = decode_service_untrusted(encode_service(Service(id="a", name="a", checks=(check,))))
    told: object = CheckState("c", "n", "http", "passing")
    assert list(there.checks) == [told]


@given(st.integers(0xC0, 0xC7), st.binary(max_size=200))
def test_garbage_is_only_ever_refused(kind: int, body: bytes) -> None:
    with suppress(WireError):
        decode_catalog_untrusted(bytes([kind]) + body)


@given(messages, st.data())
def test_a_damaged_message_is_only_ever_refused(
    message: CatalogMessage, data: st.DataObject
) -> None:
    encoded = bytearray(encode_catalog(message))
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(encoded[: data.draw(st.integers(0, len(encoded)))])
    with suppress(WireError):
        decode_catalog_untrusted(cut)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.binary(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "decode",
    [
        decode_service_untrusted,
        decode_state_untrusted,
        decode_outputs_untrusted,
        decode_node_state_untrusted,
    ],
)
@given(body=st.binary(max_size=120), value=values)
def test_garbage_for_parts_is_only_ever_refused(
    decode: Callable[[bytes], object], body: bytes, value: object
) -> None:
    for data in (body, pack(value), pack([b"id", value]), pack([b"id", None, 1, b"", value])):
        with suppress(WireError):
            decode(data)
