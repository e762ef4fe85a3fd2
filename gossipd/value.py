"""``Value``: the base of our frozen values (messages, effects, events, timers, views).

A subclass lists its fields as annotations, with defaults if any, and gets
slots, ``__init__``, equality by type and fields, a hash and a ``repr``. Type
checkers know such a class as a frozen dataclass; at run time nothing guards
the fields, and nothing costs.

It exists because memory and start-up of the daemon are measured promises:
ninety classes of four fields take 1.0 MB and 4 ms here; as ``msgspec.Struct``
2.0 MB and 10 ms (library included), as frozen dataclasses 1.9 MB and 49 ms.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    V = TypeVar("V", bound="Value")
else:

    def dataclass_transform(**_: object):
        """Stand in for ``typing``'s, which the command line starts without."""
        return lambda cls: cls


def _no_values(value: object) -> tuple[()]:
    return ()


@dataclass_transform(eq_default=True, frozen_default=True)
class _ValueMeta(type):
    """Turns annotations into slots before the class exists."""

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        kw_only: bool = False,
    ) -> _ValueMeta:
        own = tuple(namespace.pop("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in own if field in namespace}
        namespace["__slots__"] = own
        fields = own
        for base in bases:
            if isinstance(base, _ValueMeta):
                fields = (*base.__match_args__, *fields)
                defaults = {**base._defaults, **defaults}
        if "__init__" not in namespace:
            namespace["__init__"] = _first_init_by_name if kw_only else _first_init
        namespace["__match_args__"] = fields
        namespace["_defaults"] = defaults
        # of one field, attrgetter gives the bare value: it compares and hashes as well
        namespace["_values"] = attrgetter(*fields) if fields else _no_values
        return super().__new__(mcls, name, bases, namespace)

    __match_args__: tuple[str, ...]
    _defaults: dict[str, Any]


def _first_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Write the ``__init__`` of a class when its first value is made, and run it.

    Most classes of a daemon at rest never have a value: they are spared the memory.
    """
    _write_init(type(self), kw_only=False)(self, *args, **kwargs)


def _first_init_by_name(self: Any, *args: Any, **kwargs: Any) -> None:
    _write_init(type(self), kw_only=True)(self, *args, **kwargs)


def _write_init(cls: Any, *, kw_only: bool) -> Any:
    made = _make_init(cls.__match_args__, cls._defaults, kw_only=kw_only)
    cls.__init__ = made
    return made


def _make_init(fields: tuple[str, ...], defaults: dict[str, Any], *, kw_only: bool) -> Any:
    """Return an ``__init__`` that sets ``fields``; written out, because it is the hot part."""
    arguments = [f"{field}=_{field}" if field in defaults else field for field in fields]
    head = ", ".join(["self", "*", *arguments] if kw_only and fields else ["self", *arguments])
    body = "".join(f"\n self.{field} = {field}" for field in fields) or "\n pass"
    scope: dict[str, Any] = {f"_{field}": default for field, default in defaults.items()}
    made: dict[str, Any] = {}
    exec(f"def __init__({head}):{body}", scope, made)
    return made["__init__"]


def prepare(names: Mapping[str, object]) -> None:
    """Write the ``__init__`` of every kind of value among ``names``, a module's, right now.

    For those whose first value somebody waits for: each takes some tenths of a millisecond.
    """
    for kind in names.values():
        if isinstance(kind, _ValueMeta):
            made: Any = vars(kind).get("__init__")
            if made is _first_init or made is _first_init_by_name:
                _write_init(kind, kw_only=made is _first_init_by_name)


class Value(metaclass=_ValueMeta):
    """Base of a frozen value; fields are the annotations of the subclass."""

    if TYPE_CHECKING:
        _values: ClassVar[Any]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values = type(self)._values
        return bool(values(self) == values(other))

    def __hash__(self) -> int:
        return hash(type(self)._values(self))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in fields_of(self))
        return f"{type(self).__name__}({fields})"

    def take_over(self, other: Value) -> None:
        """Become equal to ``other``, of the same type; only for a copy that one owner holds."""
        for field in fields_of(self):
            object.__setattr__(self, field, getattr(other, field))


def fields_of(value: Value | type[Value]) -> tuple[str, ...]:
    """Return the names of the fields, in their order."""
    return value.__match_args__


def is_required(kind: type[Value], field: str) -> bool:
    """Return whether a value of ``kind`` cannot be made without ``field``."""
    return field not in kind._defaults


def replace(value: V, **changes: Any) -> V:
    """Return a copy of ``value`` with some fields changed.

    Raises:
        TypeError: a change names no field.
    """
    kept = {field: getattr(value, field) for field in fields_of(value)}
    return type(value)(**(kept | changes))
