"""The filter language of Consul's API: expressions that choose items (consul-http.md, 7).

    or     := and { "or" and }           and := not { "and" not }
    not    := { "not" } ( "(" or ")" | match )
    match  := selector ("==" | "!=") value        | selector "is" ["not"] "empty"
            | value ["not"] "in" selector         | selector ["not"] "contains" value
            | selector ["not"] "matches" value

An expression becomes one function of an item. Regular expressions are RE2's, so
the time is bounded by the lengths; lengths, depth and patterns are limited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, TypeVar

from gossipd.errors import WireError
from gossipd.rest.consul.filtering.fields import (
    NUMBER,
    SWITCH,
    TEXT,
    TEXT_MAP,
    TEXTS,
    Field,
    Record,
    RecordMap,
    Records,
)
from gossipd.rest.consul.filtering.tokens import (
    BYTES_MAX,
    END,
    QUOTED,
    SIGN,
    BadFilter,
    Token,
    tokens_of,
)
from gossipd.rest.values import REFUSAL_BYTES_MAX, Refused

DEPTH_MAX = 64
"""Brackets and ``not`` within each other."""
PATTERNS_MAX = 16
Test = Callable[[object], bool]
J = TypeVar("J", bound="Mapping[str, object]")
_MISSING = object()
_OPERATORS = {
    "==": (TEXT, NUMBER, SWITCH),
    "contains": (TEXT, TEXTS, TEXT_MAP, RecordMap),
    "empty": (TEXT, TEXTS, TEXT_MAP, Records, RecordMap),
    "matches": (TEXT,),
}


class Filter:
    """An expression, looked at when it is made and compiled again for each use.

    What waits with a question for minutes keeps no regular expressions meanwhile.

    Raises:
        Refused: 400; it is none, or names what the items do not have.
    """

    __slots__ = ("_expression", "_record")

    def __init__(self, expression: str, record: Record) -> None:
        self._expression = expression
        self._record = record
        if expression:
            self.test()

    @property
    def chooses_all(self) -> bool:
        """Whether it is empty."""
        return not self._expression

    def of(self, items: Iterable[J]) -> list[J]:
        """Return the items that it chooses; an empty one chooses all."""
        return list(filter(self.test(), items)) if self._expression else list(items)

    def test(self) -> Test:
        """Return what says whether an item is chosen by an expression that is not empty."""
        try:
            return compile_filter(self._expression, self._record)
        except BadFilter as bad:
            text = f"Invalid filter at {bad.place + 1}: {bad}"
            raw = text.encode("ascii", "backslashreplace")[:REFUSAL_BYTES_MAX]
            raise Refused(400, raw.decode()) from None


def compile_filter(expression: str, record: Record) -> Test:
    """Return what says whether an item is chosen.

    Args:
        expression: not empty.
        record: the fields of the items.

    Raises:
        BadFilter: it is no such expression.
    """
    if len(expression.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        raise BadFilter(f"longer than {BYTES_MAX} bytes", 0)
    return _Reader(tokens_of(expression), record).read()


class _Reader:
    """Recursive descent; ``_next`` is looked at and not yet taken."""

    def __init__(self, tokens: list[Token], record: Record) -> None:
        self._tokens = tokens
        self._place = 0
        self._record = record
        self._depth = 0
        self._patterns = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._tokens[self._place]
        self._place += token.kind != END
        return token

    def _is(self, text: str, ahead: int = 0) -> bool:
        place = min(self._place + ahead, len(self._tokens) - 1)
        token = self._tokens[place]
        return token.kind not in (QUOTED, END) and token.text == text

    def _skip(self, text: str) -> bool:
        if self._is(text):
            self._place += 1
            return True
        return False

    def _fail(self, wanted: str) -> NoReturn:
        token = self._next
        found = "the end" if token.kind == END else repr(token.text[:24])
        raise BadFilter(f"found {found}, not {wanted}", token.place)

    def read(self) -> Test:
        test = self._or()
        if self._next.kind != END:
            self._fail("and, or, or the end")
        return test

    def _or(self) -> Test:
        tests = [self._and()]
        while self._skip("or"):
            tests.append(self._and())
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def _and(self) -> Test:
        tests = [self._not()]
        while self._skip("and"):
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def _not(self) -> Test:
        flips = 0
        while self._is("not"):
            self._place += 1
            flips += 1
        if self._skip("("):
            self._depth += 1
            if self._depth > DEPTH_MAX:
                raise BadFilter(f"more than {DEPTH_MAX} brackets deep", self._next.place)
            test = self._or()
            if not self._skip(")"):
                self._fail("a closing bracket")
            self._depth -= 1
        else:
            test = self._match()
        return (lambda item: not test(item)) if flips % 2 else test

    def _match(self) -> Test:
        first = self._take()
        if first.kind in (SIGN, END):
            self._place -= first.kind == SIGN
            self._fail("a field or a value")
        if self._is("in") or (self._is("not") and self._is("in", 1)):
            is_turned = self._skip("not")
            self._place += 1
            selector = self._take()
            return self._contains(selector, first.text, is_turned, first.place)
        if first.kind == QUOTED:
            self._fail("in")
        if self._is("==") or self._is("!="):
            is_turned = self._take().text == "!="
            return self._equals(first, self._value(), is_turned)
        if self._skip("is"):
            is_turned = self._skip("not")
            if not self._skip("empty"):
                self._fail("empty")
            return self._empty(first, is_turned)
        is_turned = self._skip("not")
        if self._skip("contains"):
            value = self._value()
            return self._contains(first, value.text, is_turned, value.place)
        if self._skip("matches"):
            return self._matches(first, self._value(), is_turned)
        return self._fail("==, !=, is, in, contains or matches")

    def _value(self) -> Token:
        if self._next.kind in (SIGN, END):
            self._fail("a value")
        return self._take()

    # -- what is compared -----------------------------------------------------------

    def _equals(self, selector: Token, value: Token, is_turned: bool) -> Test:
        kind, reach = self._reach(selector, "==")
        wanted = _read_value(kind, value)
        if is_turned:
            return lambda item: any(leaf != wanted for leaf in reach(item))
        return lambda item: any(leaf == wanted for leaf in reach(item))

    def _empty(self, selector: Token, is_turned: bool) -> Test:
        _, reach = self._reach(selector, "empty")

        def is_empty(leaf: object) -> bool:
            return leaf is _MISSING or not leaf

        return lambda item: any(is_empty(leaf) != is_turned for leaf in reach(item))

    def _contains(self, selector: Token, value: str, is_turned: bool, place: int) -> Test:
        _, reach = self._reach(selector, "contains")

        def holds(leaf: object) -> bool:
            return isinstance(leaf, str | list | dict) and value in leaf

        return lambda item: any(holds(leaf) != is_turned for leaf in reach(item))

    def _matches(self, selector: Token, value: Token, is_turned: bool) -> Test:
        from gossipd.pattern import Pattern  # RE2 is large

        _, reach = self._reach(selector, "matches")
        self._patterns += 1
        if self._patterns > PATTERNS_MAX:
            raise BadFilter(f"more than {PATTERNS_MAX} regular expressions", value.place)
        try:
            search = Pattern(value.text).search
        except WireError as error:
            raise BadFilter(error.detail, value.place) from None

        def matches(leaf: object) -> bool:
            return isinstance(leaf, str) and search(leaf)

        return lambda item: any(matches(leaf) != is_turned for leaf in reach(item))

    def _reach(
        self, selector: Token, operator: str
    ) -> tuple[str, Callable[[object], list[object]]]:
        """Return the type of what ``selector`` names, and what finds it in an item."""
        if selector.kind in (QUOTED, SIGN, END):
            raise BadFilter("a field is wanted here", selector.place)
        path = selector.path
        for alias, real in self._record.aliases.items():
            if path[: len(alias)] == alias and len(path) > len(alias):
                path = real + path[len(alias) :]
        kind, steps = _walk(self._record, path, selector)
        kinds = _OPERATORS[operator]
        if kind not in kinds and type(kind) not in kinds:
            named = kind if isinstance(kind, str) else "list or map of objects"
            word = "is empty" if operator == "empty" else operator
            raise BadFilter(f"{word} is not for {named}", selector.place)
        return (kind if isinstance(kind, str) else ""), lambda item: _leaves(item, steps)


_EACH = ""
"""A step through each element of a list."""


def _walk(record: Record, path: tuple[str, ...], selector: Token) -> tuple[Field, list[str]]:
    kind: Field = record
    steps: list[str] = []
    for name in path:
        if isinstance(kind, Records):
            steps.append(_EACH)
            kind = kind.record
        if isinstance(kind, Record) and name in kind.fields:
            kind = kind.fields[name]
        elif isinstance(kind, RecordMap):
            kind = kind.record
        elif kind == TEXT_MAP:
            kind = TEXT
        else:
            raise BadFilter(f"unknown field {selector.text[:40]}", selector.place)
        steps.append(name)
    return kind, steps


def _leaves(item: object, steps: list[str]) -> list[object]:
    found = [item]
    for step in steps:
        if step is _EACH:
            found = [each for one in found if isinstance(one, list) for each in one]
        else:
            found = [
                one.get(step, _MISSING) if isinstance(one, dict) else _MISSING for one in found
            ]
    return found


def _read_value(kind: str, value: Token) -> object:
    text = value.text
    try:
        if kind == NUMBER:
            return int(text) if text.lstrip("-").isdecimal() else float(text)
        if kind == SWITCH:
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise BadFilter(f"{text[:24]!r} is no {kind}", value.place) from None
    return text
