"""Flags in the query of a request, by Go's rules for booleans (consul-http.md, section 2)."""

from __future__ import annotations

from gossipd.rest.bodies import refused, shown_json
from gossipd.rest.values import Request

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def read_flag(request: Request, name: str) -> bool:
    """Return whether the flag ``name`` is set: present without a value is true, absent false.

    Raises:
        Refused: its value is none of Go's words.
    """
    return name in request.query and _flag(name, request.first(name) or "true")


def read_needed_flag(request: Request, name: str) -> bool:
    """Return what ``name`` says, which must say something.

    Raises:
        Refused: it is missing, or its value is none of Go's words.
    """
    if not request.first(name):
        raise refused(f"Missing value for {name}")
    return _flag(name, request.first(name))


def _flag(name: str, text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise refused(f"Invalid value for ?{name}: {shown_json(text)}, give true or false")
