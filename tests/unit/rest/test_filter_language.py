"""The filter language: its grammar, its words for what is wrong, and its limits."""

from __future__ import annotations

from typing import Any

import pytest

from gossipd.rest.consul.filtering.fields import CATALOG_SERVICE, CHECK, ENTRY, NODE
from gossipd.rest.consul.filtering.language import Filter, compile_filter
from gossipd.rest.consul.filtering.tokens import BadFilter, tokens_of
from gossipd.rest.values import Refused

ITEM: dict[str, Any] = {
    "Node": {
        "Node": "alder",
        "Address": "10.0.0.1",
        "Meta": {"rack": "r1", "os name": "linux", "a-b": "c", "empty": ""},
        "TaggedAddresses": {},
    },
    "Service": {
        "ID": "web-a",
        "Service": "web",
        "Tags": ["http", "blue"],
        "Port": 9001,
        "Meta": {},
        "Weights": {"Passing": 10, "Warning": 1},
        "EnableTagOverride": False,
        "TaggedAddresses": {"wan": {"Address": "192.0.2.1", "Port": 80}},
    },
    "Checks": [
        {"CheckID": "serfHealth", "Status": "passing", "Output": "alive", "ServiceTags": []},
        {"CheckID": "c1", "Status": "warning", "Output": "", "ServiceTags": ["http"]},
    ],
}


@pytest.mark.parametrize(
    ("expression", "is_chosen"),
    [
        ('Service.ID == "web-a"', True),
        ("Service.ID == web-a", True),
        ("Service.ID == `web-a`", True),
        ("Service.ID != web-a", False),
        ("Service.Port == 9001", True),
        ("Service.Port != 9001", False),
        ("Service.Weights.Passing == 10", True),
        ("Service.EnableTagOverride == false", True),
        ("Service.EnableTagOverride != false", False),
        ("Node.Address == 10.0.0.1", True),
        ("Service.Tags contains blue", True),
        ("Service.Tags contains red", False),
        ("Service.Tags not contains red", True),
        ('"blue" in Service.Tags', True),
        ("blue in Service.Tags", True),
        ("red not in Service.Tags", True),
        ("blue not in Service.Tags", False),
        ("Node.Meta contains rack", True),
        ("rack in Node.Meta", True),
        ("shelf in Node.Meta", False),
        ("Service.ID contains eb-", True),
        ("Node.Meta.rack == r1", True),
        ('Node.Meta["rack"] == r1', True),
        ('Node.Meta["os name"] == linux', True),
        ("Node.Meta.a-b == c", True),
        ("Node.Meta.shelf == r1", False),
        ("Node.Meta.shelf != r1", True),
        ("Node.Meta.shelf is empty", True),
        ("Node.Meta.shelf is not empty", False),
        ("Node.Meta.empty is empty", True),
        ("Node.Meta.rack is not empty", True),
        ("Node.Meta.shelf contains r", False),
        ("Node.Meta.shelf not contains r", True),
        ("Node.Meta.shelf matches r", False),
        ("Node.Meta.shelf not matches r", True),
        ("Service.Meta is empty", True),
        ("Checks is not empty", True),
        ("Node.TaggedAddresses is empty", True),
        ("Service.TaggedAddresses is empty", False),
        ("wan in Service.TaggedAddresses", True),
        ("Service.TaggedAddresses.wan.Port == 80", True),
        ("Service.TaggedAddresses.lan.Port == 80", False),
        ("Checks.Status == warning", True),
        ("Checks.Status == critical", False),
        ("Checks.Status != passing", True),
        ("not Checks.Status != passing", False),
        ("Checks.ServiceTags contains http", True),
        ("Checks.Output is empty", True),
        ('Service.ID matches "^web-[a-c]$"', True),
        ("Service.ID matches `^eb`", False),
        ("Service.ID not matches `^eb`", True),
        ("Service.ID == x or Service.ID == web-a", True),
        ("Service.ID == web-a and Service.Port == 1", False),
        ("Service.ID == x and Service.ID == y or Service.Port == 9001", True),
        ("Service.ID == x and (Service.ID == y or Service.Port == 9001)", False),
        ("not Service.ID == x", True),
        ("not (Service.ID == x or Service.Port == 9001)", False),
        ("not not Service.ID == web-a", True),
        ('  ( Service.ID\n==\t"web-a" )  ', True),
        ('Service.ID == "web\\"a"', False),
        ('Service.ID=="web-a"', True),
        ("Service.ID!=web-a", False),
        ('"or" in Service.Tags or Service.Port==9001', True),
    ],
)
def test_what_an_expression_chooses(expression: str, is_chosen: bool) -> None:
    assert Filter(expression, ENTRY).of([ITEM]) == ([ITEM] if is_chosen else [])


@pytest.mark.parametrize(
    ("expression", "place", "words"),
    [
        ("Colour == red", 0, "unknown field Colour"),
        ("Service.Colour == red", 0, "unknown field Service.Colour"),
        ("Service.ID.x == red", 0, "unknown field Service.ID.x"),
        ("Service.ID", 10, "found the end, not =="),
        ("Service.ID ==", 13, "found the end, not a value"),
        ("Service.ID == a b", 16, "found 'b', not and, or, or the end"),
        ("Service.ID == a and", 19, "not a field or a value"),
        ("(Service.ID == a", 16, "not a closing bracket"),
        ("Service.ID == a)", 15, "found ')'"),
        ("Service.Port == x", 16, "is no number"),
        ("Service.EnableTagOverride == 1", 29, "is no switch"),
        ("Service.Tags == x", 0, "== is not for list of texts"),
        ("Service.Port contains 9", 0, "contains is not for number"),
        ("Service.Port is empty", 0, "is empty is not for number"),
        ("Checks contains x", 0, "contains is not for list or map"),
        ("Service.Tags matches x", 0, "matches is not for list of texts"),
        ('Service.ID matches "("', 19, "error parsing regexp"),
        ('"a" == "b"', 4, "not in"),
        ('a in "b"', 5, "a field is wanted here"),
        ("Service.ID is full", 14, "not empty"),
        ('Service.ID == "a', 14, "a text that does not end"),
        ('Service.ID == "\\q"', 14, "unknown escape"),
        ("Service.ID = a", 11, "means nothing here"),
        ('Node.Meta["a" == b', 13, "a closing ] is missing"),
        ("Node.Meta[", 10, "a text is missing"),
        ("Service.ID == [", 14, "means nothing here"),
        ("a" * 4097, 0, "longer than 4096 bytes"),
        ("(" * 65 + "ID == a" + ")" * 65, 65, "more than 64 brackets deep"),
        (" and ".join(["Service.ID matches a"] * 17), 419, "more than 16 regular"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(expression: str, place: int, words: str) -> None:
    with pytest.raises(BadFilter) as caught:
        compile_filter(expression, ENTRY)
    assert words in str(caught.value)
    assert caught.value.place == place
    with pytest.raises(Refused) as refused:
        Filter(expression, ENTRY)
    assert refused.value.status == 400
    assert f"at {place + 1}: " in refused.value.text
    assert len(refused.value.text.encode()) < 80


def test_an_empty_expression_chooses_all() -> None:
    assert Filter("", NODE).of([ITEM, ITEM]) == [ITEM, ITEM]


def test_services_are_chosen_by_the_meta_of_their_node_under_both_names() -> None:
    item = {"Node": "alder", "NodeMeta": {"rack": "r1"}}
    for expression in ("NodeMeta.rack == r1", "Node.Meta.rack == r1", "Node == alder"):
        assert Filter(expression, CATALOG_SERVICE).of([item]) == [item]


def test_no_regular_expression_takes_long() -> None:
    item = {"Output": "a" * 4000}
    assert Filter("Output matches `^(a+)+$`", CHECK).of([item]) == [item]
    assert Filter("Output matches `^(a|a)*b$`", CHECK).of([item]) == []


def test_a_chain_of_any_length_needs_no_depth() -> None:
    expression = " or ".join(["ID==x"] * 400)
    assert Filter(expression, NODE).of([{"ID": "x"}]) == [{"ID": "x"}]
    assert Filter("not " * 1000 + "ID==x", NODE).of([{"ID": "x"}]) == [{"ID": "x"}]


def test_texts_of_a_bracket_may_hold_anything() -> None:
    (word, end) = tokens_of('A["x.\\"]y"].B[`z`]')
    assert word.path == ("A", 'x."]y', "B", "z")
    assert end.kind == "end"
