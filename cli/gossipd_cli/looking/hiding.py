"""What must not leave a machine in a bug report, and what is written instead (pure).

Rather too much is hidden than too little: values behind names that sound like secrets,
whatever a check sends (headers, bodies, arguments, the query of a URL), and commands.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

HIDDEN = "(hidden)"
_TELLING = re.compile(
    r"passw(or)?d|passphrase|pass($|[._-])|pwd|secret|token|auth|credential|private"
    r"|(^|[._-])key($|[._-])|api.?key|cookie|signature|dsn",
    re.IGNORECASE,
)
_SENT = frozenset({"headers", "header", "body", "args", "script", "command"})
"""Fields of a check that are sent, or run, as they are."""
_HANDLERS = frozenset({"event_handlers", "event_handler", "handlers"})
_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]{0,30}://)([^\s/?#\"']*@)?([^\s?#\"']*)(\?[^\s\"']*)?", re.IGNORECASE
)
_NAME = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|credential"
    r"|(?:api|access|private)[_-]?key)[\w.-]*"
)
_QUOTED = r"\\\"(?P<a>[^\"\\]+)\\\"|\"(?P<b>(?:[^\"\\\n]|\\.)+)\"|'(?P<c>[^'\n]+)'"
_ASSIGNED = re.compile(
    rf"(?P<before>(?<![\w.-]){_NAME}(?P<quote>\\?[\"'])?\s*(?:=>|[=:])\s*)"
    # a name in quotes is JSON's, whose numbers and lists tell nothing and must stay what they are
    rf"(?:{_QUOTED}|(?(quote)(?!))(?:bearer\s+|basic\s+)?[^\s,;\"'>\\]+)",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"((?<![\w.-])--?{_NAME}\s+)[^\s\"'-][^\s\"']*", re.IGNORECASE)
_HEADER = re.compile(
    r"((?:authorization|cookie)\s*[=:]\s*)[^\r\n\"'\\]+|(\bbearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE
)
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END|\Z)", re.DOTALL)


def without_secrets(value: Any, name: str = "") -> Any:
    """Return ``value`` as JSON has it, with what may be a secret replaced.

    Args:
        value: of tables, lists and texts.
        name: under which it stands.
    """
    if isinstance(value, dict):
        return {key: _field(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(each, name) for each in value]
    return scrubbed(value) if isinstance(value, str) else value


def _field(key: str, value: Any) -> Any:
    if key in _SENT or (_TELLING.search(key) and isinstance(value, str | list | tuple | dict)):
        return HIDDEN if value else value
    if key in _HANDLERS and isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN)
    return without_secrets(value, key)


def scrubbed(text: str, known: Sequence[str] = ()) -> str:
    """Return ``text`` without ``known`` secrets, credentials in URLs and assigned tokens."""
    for secret in known:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _URL.sub(_bare_url, text)
    text = _PEM.sub(rf"\1{HIDDEN}\2", text)
    text = _HEADER.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", text)
    text = _OPTION.sub(lambda found: f"{found[1]}{HIDDEN}", text)
    return _ASSIGNED.sub(_bare_value, text)


def _bare_value(found: re.Match[str]) -> str:
    """Return the assignment with its value replaced and its quotes kept: JSON stays JSON."""
    if found["a"]:
        return f'{found["before"]}\\"{HIDDEN}\\"'
    mark = '"' if found["b"] else "'" if found["c"] else ""
    return f"{found['before']}{mark}{HIDDEN}{mark}"


def _bare_url(found: re.Match[str]) -> str:
    scheme, user, place, query = found.groups()
    return f"{scheme}{HIDDEN + '@' if user else ''}{place}{'?' + HIDDEN if query else ''}"


def setting_value(key: str, value: Any) -> Any:
    """Return the value of a setting as a bug report may show it."""
    if key.startswith("event_handler") or (isinstance(value, str) and _TELLING.search(key)):
        return HIDDEN if value else value
    return without_secrets(value, key)
