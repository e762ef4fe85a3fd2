"""Filters agree with a slow reading of what they were written from, and never crash."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gossipd.rest.consul.filtering.fields import ENTRY
from gossipd.rest.consul.filtering.language import compile_filter
from gossipd.rest.consul.filtering.tokens import BadFilter

Tree = tuple[Any, ...]
WORDS = st.sampled_from(["a", "b", "ab", "", "or", "not", 'x"y', "é", "a.b", "9"])
TEXT_FIELDS = ("Node.Node", "Service.ID", "Checks.Status", "Node.Meta.a", 'Node.Meta["a.b"]')
MEMBERS = ("Service.Tags", "Node.Meta", "Service.ID", "Checks.ServiceTags", "Node.Meta.b")
EMPTIABLE = ("Service.Tags", "Node.Meta", "Service.ID", "Checks", "Node.Meta.zz", "Checks.Output")
LEAVES = st.one_of(
    st.tuples(st.just("=="), st.sampled_from(TEXT_FIELDS), WORDS, st.booleans()),
    st.tuples(st.just("port"), st.just("Service.Port"), st.integers(-3, 3), st.booleans()),
    st.tuples(st.just("in"), st.sampled_from(MEMBERS), WORDS, st.booleans()),
    st.tuples(st.just("contains"), st.sampled_from(MEMBERS), WORDS, st.booleans()),
    st.tuples(st.just("empty"), st.sampled_from(EMPTIABLE), st.just(""), st.booleans()),
    st.tuples(
        st.just("matches"), st.sampled_from(TEXT_FIELDS), st.sampled_from(["^a", "b$", "."]),
        st.booleans(),
    ),
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=8,
)
CHECKS = st.fixed_dictionaries(
    {"Status": WORDS, "Output": WORDS, "ServiceTags": st.lists(WORDS, max_size=2)}
)
ITEMS = st.fixed_dictionaries(
    {
        "Node": st.fixed_dictionaries(
            {"Node": WORDS, "Meta": st.dictionaries(WORDS, WORDS, max_size=3)}
        ),
        "Service": st.fixed_dictionaries(
            {"ID": WORDS, "Tags": st.lists(WORDS, max_size=3), "Port": st.integers(-3, 3)}
        ),
        "Checks": st.lists(CHECKS, max_size=3),
    }
)


def written(tree: Tree) -> str:
    """Return the expression of ``tree``, with all brackets."""
    kind = tree[0]
    if kind == "not":
        return f"not ({written(tree[1])})"
    if kind in ("and", "or"):
        return f"({written(tree[1])}) {kind} ({written(tree[2])})"
    _, field, value, is_turned = tree
    text = json.dumps(value, ensure_ascii=False)
    if kind in ("==", "port"):
        return f"{field} {'!=' if is_turned else '=='} {text}"
    if kind == "empty":
        return f"{field} is {'not ' * is_turned}empty"
    if kind == "in":
        return f"{text} {'not ' * is_turned}in {field}"
    return f"{field} {'not ' * is_turned}{kind} {text}"


def found(item: Any, path: list[str]) -> list[Any]:
    """Return what a selector reaches; ``None`` where a key is missing."""
    if isinstance(item, list) and path:
        return [leaf for each in item for leaf in found(each, path)]
    if not path:
        return [item]
    return found(None if item is None else item.get(path[0]), path[1:])


def is_chosen(tree: Tree, item: Any) -> bool:
    """Say what the language says, read slowly."""
    kind = tree[0]
    if kind == "not":
        return not is_chosen(tree[1], item)
    if kind == "and":
        return is_chosen(tree[1], item) and is_chosen(tree[2], item)
    if kind == "or":
        return is_chosen(tree[1], item) or is_chosen(tree[2], item)
    _, field, value, is_turned = tree
    path = ["Node", "Meta", "a.b"] if "[" in field else field.split(".")
    says = []
    for leaf in found(item, path):
        if kind in ("==", "port"):
            holds = leaf == value
        elif kind == "empty":
            holds = leaf is None or len(leaf) == 0
        elif kind == "matches":
            holds = leaf is not None and re.search(value, leaf) is not None
        else:
            holds = leaf is not None and value in leaf
        says.append(holds != is_turned)
    return any(says)


@given(TREES, ITEMS)
def test_a_filter_says_what_its_tree_says(tree: Tree, item: dict[str, Any]) -> None:
    assert compile_filter(written(tree), ENTRY)(item) is is_chosen(tree, item)


PIECES = st.sampled_from(
    ["Service.ID", "Service.Tags", "Node.Meta", '["k"]', "==", "!=", "(", ")", "and", "or", "not",
     "is", "empty", "in", "contains", "matches", '"a"', "`b`", "9", ".", "[", '"', "\\", " ", "x"]
)  # fmt: skip


@given(st.one_of(st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES).map("".join),
                 st.text(max_size=40)), ITEMS)  # fmt: skip
def test_any_text_is_a_filter_or_is_refused_with_a_place_in_it(
    text: str, item: dict[str, Any]
) -> None:
    try:
        test = compile_filter(text, ENTRY)
    except BadFilter as bad:
        place = bad.place
    else:
        place = 0
        assert test(item) in (True, False)
    assert 0 <= place <= len(text)
