"""Which instances a consumer asks for, and in which order."""

from __future__ import annotations

import math

from gossipd.catalog.lookup import EVERYTHING, Selection, nearest_first, select
from gossipd.services.definition import Service
from gossipd.services.instance import Instance


def instance(owner: str, *tags: str, status: str = "passing", zone: str = "") -> Instance:
    service = Service(id="web", name="web", tags=tags, meta={"tier": owner})
    return Instance(
        owner=owner, owner_address="10.0.0.1", service=service, status=status, zone=zone
    )


ALL = (
    instance("a", "v1", zone="eu"),
    instance("b", "v1", "canary", status="warning"),
    instance("c", "v2", status="critical", zone="us"),
)


def owners(*found: Instance) -> str:
    return "".join(one.owner for one in found)


def test_everything_is_the_same_tuple() -> None:
    assert select(ALL, EVERYTHING) is ALL


def test_what_is_asked_for_is_all_there() -> None:
    assert owners(*select(ALL, Selection(tags=("v1",)))) == "ab"
    assert owners(*select(ALL, Selection(tags=("v1", "canary")))) == "b"
    assert owners(*select(ALL, Selection(meta={"tier": "c"}))) == "c"
    assert owners(*select(ALL, Selection(zone="us"))) == "c"
    assert owners(*select(ALL, Selection(is_passing=True))) == "a"
    assert owners(*select(ALL, Selection(tags=("v1",), zone="us"))) == ""


def test_the_nearest_are_first_and_the_unknown_last() -> None:
    far = {"a": 0.2, "b": 0.1, "c": None, "d": math.nan, "e": -9e9}
    unknown = instance("d"), instance("e")
    assert owners(*nearest_first((*ALL, *unknown), far.get)) == "bacde"


def test_those_equally_far_stay_in_their_order() -> None:
    assert nearest_first(ALL, lambda _: 0.1) == ALL
