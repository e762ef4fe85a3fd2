"""``Table``: one table of a registration, read field by field; what is wrong is named by its path.

The same for TOML, JSON, the local socket's maps and keyword arguments. No
field is used unseen: whoever has read a table says so with ``finish``, and what
nobody read is refused with the nearest name that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipd.duration import read_duration
from gossipd.errors import UsageError

TEXT_MAX = 4096
"""Characters of a text for which nothing narrower is said."""
DURATION_MAX = 366 * 86400.0


def is_printable(text: str) -> bool:
    """Return whether ``text`` is of one line: no control characters, nothing but Unicode."""
    return text.isprintable() and "\ufffe" not in text


class Table:
    """One table of a registration.

    Args:
        fields: what was given; any mapping with text as keys, or something else by mistake.
        path: where it stands, for messages: ``checks[1]``; empty at the top.

    Raises:
        UsageError: it is no mapping, or a key is no text.
    """

    __slots__ = ("_fields", "_path", "_read")

    def __init__(self, fields: object, path: str = "") -> None:
        self._path = path
        if not isinstance(fields, Mapping):
            raise UsageError(f"{path or 'service'}: {shown(fields)} is not a table of fields")
        self._fields: dict[str, object] = {}
        for key, value in fields.items():
            name = _text_of(key)
            if name is None:
                raise UsageError(f"{path or 'service'}: {shown(key)} is not the name of a field")
            self._fields[name] = value
        self._read: list[str] = []

    def path_of(self, field: str) -> str:
        """Return how messages name ``field``."""
        return f"{self._path}.{field}" if self._path else field

    def refuse(self, field: str, why: str) -> UsageError:
        """Return the error for ``field``, to be raised."""
        return UsageError(f"{self.path_of(field) if field else self._path or 'service'}: {why}")

    def has(self, field: str) -> bool:
        """Return whether ``field`` was given and is not nil."""
        self._read.append(field)
        return self._fields.get(field) is not None

    def raw(self, field: str) -> object:
        """Return what was given for ``field``, ``None`` if nothing was."""
        self._read.append(field)
        return self._fields.get(field)

    def text(
        self, field: str, default: str = "", *, most: int = TEXT_MAX, bytes_max: int = 0
    ) -> str:
        """Return a text of one line with at most ``most`` characters, and bytes if that is said."""
        value = self.raw(field)
        if value is None:
            return default
        line = self._line(field, value, most)
        if bytes_max:
            self._check_bytes(field, line, bytes_max)
        return line

    def body(self, field: str, *, most: int) -> str:
        """Return a text that may have lines, of at most ``most`` bytes."""
        value = self.raw(field)
        if value is None:
            return ""
        text = _text_of(value)
        if text is None:
            raise self.refuse(field, f"{shown(value)} is not text")
        self._check_bytes(field, text, most)
        return text

    def flag(self, field: str, default: bool) -> bool:
        """Return true or false."""
        value = self.raw(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.refuse(field, f"{shown(value)} is neither true nor false")
        return value

    def whole(self, field: str, default: int, low: int, high: int) -> int:
        """Return a whole number within [low, high]."""
        value = self.raw(field)
        return default if value is None else self.whole_of(field, value, low, high)

    def whole_of(self, field: str, value: object, low: int, high: int) -> int:
        """Return ``value`` as a whole number within [low, high]; text of digits is one."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.refuse(field, f"{shown(value)} is not a whole number within {low}..{high}")
        return value

    def seconds(self, field: str, default: float, *, low: float = 0.0) -> float:
        """Return a duration in seconds, at least ``low``."""
        value = self.raw(field)
        if value is None:
            return default
        if not isinstance(value, int | float | str):
            raise self.refuse(field, f"{shown(value)} is not a duration such as 30s or 200ms")
        try:
            seconds = read_duration(value)
        except ValueError:
            why = f"{shown(value)} is not a duration such as 30s, 200ms or 1h30m"
            raise self.refuse(field, why) from None
        if not low <= seconds <= DURATION_MAX:
            raise self.refuse(
                field, f"{shown(value)} is not within {low:g}s and {DURATION_MAX / 86400:g} days"
            )
        return seconds

    def lines(self, field: str, *, count_max: int, bytes_max: int) -> tuple[str, ...]:
        """Return a list of texts of one line, each once; a single text is a list of one."""
        value = self.raw(field)
        if value is None:
            return ()
        if isinstance(value, str | bytes):
            value = (value,)
        if not isinstance(value, Sequence):
            raise self.refuse(field, f"{shown(value)} is not a list of texts")
        if len(value) > count_max:
            raise self.refuse(field, f"{len(value)} of them; at most {count_max} are taken")
        found: dict[str, None] = {}
        for index, item in enumerate(value):
            name = f"{field}[{index}]"
            line = self._line(name, item, bytes_max)
            self._check_bytes(name, line, bytes_max)
            if not line:
                raise self.refuse(name, "empty; give text or leave it out")
            found[line] = None
        return tuple(found)

    def text_map(
        self, field: str, *, count_max: int, key_max: int, value_max: int
    ) -> dict[str, str]:
        """Return a table of texts, sizes in bytes."""
        value = self.raw(field)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.refuse(field, f"{shown(value)} is not a table of texts")
        if len(value) > count_max:
            raise self.refuse(field, f"{len(value)} of them; at most {count_max} are taken")
        found = {}
        for key, item in value.items():
            name = _text_of(key)
            if not name or not is_printable(name) or len(name.encode()) > key_max:
                raise self.refuse(
                    field,
                    f"the key {shown(key)}: give a printable text of 1 to {key_max} bytes",
                )
            text = _text_of(item)
            if text is None:
                raise self.refuse(f"{field}.{name}", f"{shown(item)} is not text")
            self._check_bytes(f"{field}.{name}", text, value_max)
            found[name] = text
        return found

    def finish(self, *known: str, remark: str = "") -> None:
        """Refuse what nobody read; ``known`` are further fields that would be taken.

        Args:
            known: read only in other cases.
            remark: ends the message.

        Raises:
            UsageError: there is such a field; names the nearest known one.
        """
        unknown = [field for field in self._fields if field not in (*self._read, *known)]
        if not unknown:
            return
        import difflib  # only on the way to an error

        taken = list(dict.fromkeys((*self._read, *known)))
        near = difflib.get_close_matches(unknown[0][:TEXT_MAX], taken, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"taken are {', '.join(taken)}"
        raise self.refuse(shown(unknown[0]).strip("'"), f"unknown field; {hint}{remark}")

    def _line(self, field: str, value: object, most: int) -> str:
        text = _text_of(value)
        if text is None or not is_printable(text):
            raise self.refuse(field, f"{shown(value)} is not text of one line")
        if len(text) > most:
            raise self.refuse(field, f"{len(text)} characters; at most {most} are taken")
        return text

    def _check_bytes(self, field: str, text: str, most: int) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise self.refuse(field, f"{shown(text)} is not text in UTF-8") from None
        if size > most:
            raise self.refuse(field, f"{size} bytes; at most {most} are taken")


def _text_of(value: object) -> str | None:
    """Return text, from bytes as well, as old clients of the socket write it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else None


def shown(value: object) -> str:
    """Return ``value`` for a message: quoted, ASCII where it would not print, and short."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "a number far too large"
    text = repr(value[:100]) if isinstance(value, str | bytes) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
