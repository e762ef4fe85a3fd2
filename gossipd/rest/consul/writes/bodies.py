"""JSON bodies of requests, read field by field as Consul's clients write them (consul-http.md, 2).

Keys match whatever their case and underscores, ``null`` means absent, what nobody
asks for is ignored. Maps whose keys are the user's (``Meta``) are handed out as they
came. What cannot be is refused with 400 and the name of the field, in a text that
all clients show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from gossipd.duration import read_duration
from gossipd.rest.values import REFUSAL_BYTES_MAX, Refused, Request
from gossipd.services.table import shown

BODY_BYTES_MAX = 256 * 1024
"""Of one definition; the largest legal one has 32 checks with bodies of 4 KiB."""
DEPTH_MAX = 32
"""Of lists and objects in each other; definitions have six."""
LIST_MAX = 256
"""Items of a list, and keys of an object, beyond which nobody looks."""
_UNIT_ENDS = ("s", "m", "h")
NANOSECONDS = 1e9


class Pairs(list[tuple[str, object]]):
    """An object as it came: keys in their order, also those that come twice."""


class Fields:
    """One JSON object.

    Args:
        pairs: keys and values as they came.
        path: how messages name it; empty at the top.

    Raises:
        Refused: a field is there twice with different values.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, pairs: Pairs, path: str = "") -> None:
        self._path = path
        self._values: dict[str, object] = {}
        if len(pairs) > LIST_MAX:
            raise refused(f"{path or 'body'}: {len(pairs)} fields; at most {LIST_MAX} are taken")
        for key, value in pairs:
            if value is None:
                continue
            name = folded(key)
            if name in self._values and self._values[name] != value:
                raise self.refuse(key, "is there twice")
            self._values[name] = value

    def refuse(self, field: str, why: str) -> Refused:
        """Return the refusal of ``field``, to be raised."""
        return refused(f"{self.path_of(field)}: {why}")

    def path_of(self, field: str) -> str:
        """Return how messages name ``field``."""
        return f"{self._path}.{field}" if self._path else field

    def __len__(self) -> int:
        """Return how many fields were given."""
        return len(self._values)

    def raw(self, field: str) -> object:
        """Return what was given for ``field``, ``None`` if nothing was."""
        return self._values.get(folded(field))

    def text(self, field: str, default: str = "") -> str:
        """Return a text."""
        value = self.raw(field)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.refuse(field, f"{shown_json(value)} is not text")
        return value

    def flag(self, field: str) -> bool:
        """Return true or false, false if nothing was given."""
        value = self.raw(field)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.refuse(field, f"{shown_json(value)} is neither true nor false")
        return value

    def whole(self, field: str, default: int, low: int, high: int) -> int:
        """Return a whole number within [low, high]; text of digits is one as well."""
        value = self.raw(field)
        if value is None:
            return default
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            why = f"{shown_json(value)} is not a whole number within {low}..{high}"
            raise self.refuse(field, why)
        return value

    def seconds(self, field: str) -> float:
        """Return a duration in seconds, 0 if nothing was given; it may be below 0.

        Text is Go's form with a unit (``10s``, ``1m30s``), numbers are nanoseconds.
        """
        value = self.raw(field)
        if value is None or value == "":
            return 0.0
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value / NANOSECONDS if abs(value) < 2**63 else self._no_duration(field, value)
        if not isinstance(value, str):
            return self._no_duration(field, value)
        try:
            return go_seconds(value)
        except ValueError:
            return self._no_duration(field, value)

    def _no_duration(self, field: str, value: object) -> float:
        raise self.refuse(field, f"{shown_json(value)} is not a duration such as 10s or 1m30s")

    def texts(self, field: str) -> list[str]:
        """Return a list of texts; a single text is a list of one."""
        value = self.raw(field)
        if isinstance(value, str):
            value = [value]
        items = self._list(field, value, "texts")
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise self.refuse(f"{field}[{index}]", f"{shown_json(item)} is not text")
        return [str(item) for item in items]

    def pairs(self, field: str) -> Pairs:
        """Return an object whose keys are the user's, as it came."""
        value = self.raw(field)
        if value is None:
            return Pairs()
        if not isinstance(value, Pairs):
            raise self.refuse(field, f"{shown_json(value)} is not an object")
        if len(value) > LIST_MAX:
            raise self.refuse(field, f"{len(value)} keys; at most {LIST_MAX} are taken")
        return value

    def text_map(self, field: str) -> dict[str, str]:
        """Return an object of texts whose keys are the user's; ``null`` is an empty text."""
        found = {}
        for key, value in self.pairs(field):
            if not isinstance(value, str | None):
                raise self.refuse(f"{field}.{key}", f"{shown_json(value)} is not text")
            found[key] = value or ""
        return found

    def one(self, field: str) -> Fields:
        """Return the object of that name; one without fields if there is none."""
        return Fields(self.pairs(field), self.path_of(field))

    def named(self, field: str) -> dict[str, Fields]:
        """Return the objects of an object whose keys are the user's."""
        found = {}
        for key, value in self.pairs(field):
            at = f"{field}.{key}"
            if not isinstance(value, Pairs):
                raise self.refuse(at, f"{shown_json(value)} is not an object")
            found[key] = Fields(value, self.path_of(at))
        return found

    def many(self, field: str) -> Iterator[Fields]:
        """Yield the objects of a list; ``null`` among them is skipped."""
        for index, item in enumerate(self._list(field, self.raw(field), "objects")):
            at = f"{field}[{index}]"
            if item is None:
                continue
            if not isinstance(item, Pairs):
                raise self.refuse(at, f"{shown_json(item)} is not an object")
            yield Fields(item, self.path_of(at))

    def _list(self, field: str, value: object, what: str) -> list[object]:
        if value is None:
            return []
        if not isinstance(value, list) or isinstance(value, Pairs):
            raise self.refuse(field, f"{shown_json(value)} is not a list of {what}")
        if len(value) > LIST_MAX:
            raise self.refuse(field, f"{len(value)} of them; at most {LIST_MAX} are taken")
        return value


def read_body(request: Request) -> Fields:
    """Return the JSON object that is the body of ``request``, whatever type it says it has.

    Raises:
        Refused: it is too long, or no JSON object.
    """
    if len(request.body) > BODY_BYTES_MAX:
        raise Refused(413, f"body: at most {BODY_BYTES_MAX} bytes are taken")
    try:
        text = request.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused("Request decode failed: the body is not UTF-8") from None
    if not text.strip():
        raise refused("Request decode failed: the body is empty, a JSON object is taken")
    try:
        value = json.loads(text, object_pairs_hook=Pairs, parse_constant=_no_number)
    except RecursionError:
        raise refused("Request decode failed: nested too deeply") from None
    except ValueError as error:
        raise refused(f"Request decode failed: {error}") from None
    if text.count("[") + text.count("{") > DEPTH_MAX and _is_deep(value):
        raise refused(f"Request decode failed: nested more than {DEPTH_MAX} deep")
    if value is None:
        return Fields(Pairs())
    if not isinstance(value, Pairs):
        raise refused(f"Request decode failed: {shown_json(value)} is not a JSON object")
    return Fields(value)


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEPTH_MAX):
        inner: list[object] = []
        for one in level:
            if isinstance(one, Pairs):
                inner += [item for _, item in one]
            elif isinstance(one, list):
                inner += one
        if not inner:
            return False
        level = inner
    return True


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def folded(key: str) -> str:
    """Return how ``key`` is matched: without regard to case and underscores."""
    return key.replace("_", "").lower()


def is_blank(value: object) -> bool:
    """Return whether ``value`` says nothing: null, empty, zero, or made of such."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Pairs):
            waiting += [item for _, item in one]
        elif isinstance(one, list):
            waiting += one
        elif one:
            return False
    return True


def go_seconds(text: str) -> float:
    """Return seconds of a Go duration: numbers with units, perhaps a sign, or ``0``.

    Raises:
        ValueError: it is none; a number alone is none, other than for our own settings.
    """
    sign, rest = 1.0, text
    if rest[:1] in ("+", "-"):
        sign, rest = -1.0 if rest[0] == "-" else 1.0, rest[1:]
    if rest == "0":
        return 0.0
    if rest[-1:] not in _UNIT_ENDS or not (rest[0].isdigit() or rest[0] == "."):
        raise ValueError(f"{text!r} is not a duration with units")
    return sign * read_duration(rest)


def refused(text: str, status: int = 400) -> Refused:
    """Return a refusal whose text is cut to what all clients show."""
    return Refused(status, short(text))


def short(text: str) -> str:
    """Return ``text`` on one line and cut to ``REFUSAL_BYTES_MAX`` bytes of UTF-8."""
    line = one_line(text)
    data = line.encode("utf-8", "replace")
    if len(data) <= REFUSAL_BYTES_MAX:
        return line
    return data[: REFUSAL_BYTES_MAX - 3].decode("utf-8", "ignore") + "..."


def one_line(text: str) -> str:
    """Return ``text`` without what does not print: line ends, control characters, surrogates."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shown_json(value: object) -> str:
    """Return ``value`` for a message, short."""
    if isinstance(value, Pairs):
        return "an object"
    text = shown(value)
    return text if len(text) <= 24 else f"{text[:21]}..."
