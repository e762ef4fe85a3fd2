"""A definition that a replica holds: as it came to whoever asks, though not kept so."""

from __future__ import annotations

import pytest

from gossipd.catalog.item import Item, OwnerRecords
from gossipd.catalog.replica import Replica
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import CheckDefinition, Service, ServiceState
from gossipd.wire.catalog_messages import Record
from gossipd.wire.catalog_parts import definitions, encode_service, encode_state
from gossipd.wire.dialect import pack

SERVICE = Service(
    id="web-1",
    name="web",
    port=80,
    tags=("v1", "blue"),
    meta={"version": "1.2.3"},
    tagged_addresses={"lan": ("10.0.0.1", 80)},
    checks=(CheckDefinition(id="c", name="alive", kind="ttl", ttl=5.0),),
)
FROM_A_LATER_VERSION = pack(["web-1", "web", 80, "", [], {}, [], 1, 1, "", [], {}, "new"])
IN_OTHER_WORDS = pack(["web-1", "web-1", 80])
"""The name is the id, which we tell by leaving it out."""


@pytest.fixture(autouse=True)
def _alone_in_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "limit", 0)  # the simulator, once imported, raises it


def held(data: bytes) -> tuple[Replica, OwnerRecords, Item]:
    replica = Replica(CatalogConfig())
    records = replica.open("o", 1)
    assert replica.apply(records, Record("web-1", service_version=1, service=data), 0.0)
    return replica, records, records.items["web-1"]


def test_a_definition_that_can_be_made_again_is_not_kept_as_it_came() -> None:
    data = encode_service(SERVICE)
    _, _, item = held(data)
    assert item._told_service == len(data)
    assert item.encoded_service == data
    assert item.record().service == data


@pytest.mark.parametrize("data", [FROM_A_LATER_VERSION, IN_OTHER_WORDS])
def test_a_definition_that_we_would_tell_otherwise_is_kept_as_it_came(data: bytes) -> None:
    _, records, item = held(data)
    assert item._told_service == data
    assert item.encoded_service == data
    assert records.bytes == len("web-1") + len(data) == item.encoded_bytes


def test_where_definitions_are_shared_their_bytes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "limit", 8)
    data = encode_service(SERVICE)
    _, _, item = held(data)
    assert item._told_service == data


def test_size_and_content_are_those_of_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_service(SERVICE)
    state = Record("web-1", state_version=2, state=encode_state(ServiceState(weight=7)))
    slim = held(data)
    monkeypatch.setattr(definitions, "limit", 8)
    whole = held(data)
    for replica, records, _ in (slim, whole):
        assert replica.apply(records, state, 1.0)
    assert slim[1].content == whole[1].content
    assert slim[0].bytes == whole[0].bytes == slim[2].encoded_bytes
    assert slim[2].mark == whole[2].mark != 0


def test_a_definition_taken_back_leaves_nothing() -> None:
    replica, records, item = held(encode_service(SERVICE))
    assert replica.apply(records, Record("web-1", removed=2), 1.0)
    assert item.encoded_service == b""
    assert records.bytes == len("web-1")
    assert item.service is None
