"""``Fields``: a request's body or header, read leniently by field name.

As the reference does: a missing field and nil mean the default, keys may be
bin, a body may be an array in declaration order (rpc.md, section 2.4).
"""

from __future__ import annotations

from gossipd.errors import WireError

BAD_FIELD = "bad-field"
"""``WireError.reason`` for a field of the wrong type or range."""

NUMBER_MAX = 1e15
"""More than any number of seconds or load; keeps infinities out."""


class Fields:
    """A request body, read by field name; wrong types raise ``WireError('bad-field')``.

    Args:
        body: what was decoded: a map, nil, or an array in the order of ``names``.
        names: the fields in declaration order.
    """

    __slots__ = ("_values",)

    def __init__(self, body: object, names: tuple[str, ...]) -> None:
        if body is None:
            self._values: dict[str, object] = {}
        elif isinstance(body, dict):
            self._values = {_text_untrusted("key", key): value for key, value in body.items()}
        elif isinstance(body, list):
            self._values = dict(zip(names, body, strict=False))
        else:
            raise WireError(BAD_FIELD, "the body is neither a map nor an array")

    def text(self, name: str) -> str:
        """Return a text field; nil and missing are empty."""
        value = self._values.get(name)
        return "" if value is None else _text_untrusted(name, value)

    def flag(self, name: str) -> bool:
        """Return a boolean field; integers count as true unless 0."""
        value = self._values.get(name)
        if value is None or isinstance(value, int):
            return bool(value)
        raise WireError(BAD_FIELD, f"{name} is not a boolean")

    def whole(self, name: str, low: int, high: int) -> int:
        """Return an integer field within [low, high]; whole floats are taken."""
        value = self._values.get(name)
        if value is None:
            return 0
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise WireError(BAD_FIELD, f"{name} is not an integer within {low}..{high}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; nil is empty."""
        value = self._values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise WireError(BAD_FIELD, f"{name} is not a list")
        return tuple([_text_untrusted(name, item) for item in value])

    def text_map(self, name: str) -> dict[str, str]:
        """Return a map of texts; nil is empty, also as a value."""
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise WireError(BAD_FIELD, f"{name} is not a map")
        return {
            _text_untrusted(name, key): "" if item is None else _text_untrusted(name, item)
            for key, item in value.items()
        }

    def number(self, name: str) -> float | None:
        """Return a finite number; nil and missing are ``None``."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise WireError(BAD_FIELD, f"{name} is not a number")
        if not -NUMBER_MAX <= value <= NUMBER_MAX:
            raise WireError(BAD_FIELD, f"{name} is not a finite number")
        return float(value)

    def table(self, name: str) -> dict[str, object]:
        """Return a map whose keys are text; what is in it is judged by its reader."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise WireError(BAD_FIELD, f"{name} is not a map")
        return {_text_untrusted(name, key): item for key, item in value.items()}

    def payload(self, name: str) -> bytes | None:
        """Return bytes sent as bin, str or small integers; empty is ``None``."""
        value = self._values.get(name)
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        elif isinstance(value, list):
            try:
                value = bytes(value)
            except (TypeError, ValueError):
                raise WireError(BAD_FIELD, f"{name} holds more than bytes") from None
        if value is None or isinstance(value, bytes):
            return value or None
        raise WireError(BAD_FIELD, f"{name} is not text or bytes")


def _text_untrusted(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    raise WireError(BAD_FIELD, f"{name} is not text")
