"""Event handlers as the operator writes them, and what a script is given (agent.md, section 4).

Nothing is run here. A handler is ``script``, for all events, or
``filters=script``; the environment and the lines on standard input are those
of Serf's agent, and each variable has a twin that begins with ``GOSSIPD_``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from gossipd.config.event_handler import (
    EVENT,
    QUERY_LTIME,
    QUERY_NAME,
    SELF_NAME,
    SELF_ROLE,
    SENDER,
    TAG,
    USER_EVENT,
    USER_LTIME,
    is_handler_fact,
    split_handler,
)
from gossipd.query.event_filter import EventFilter
from gossipd.serf.events import (
    ApplicationEvent,
    MembersChanged,
    QueryReceived,
    SerfMember,
    UserEventReceived,
)

WITHHELD = ("GOSSIPD_ENCRYPT_KEY",)
"""Variables of the daemon that its handlers do not see."""
_NO_TAG_LETTER = re.compile("[^A-Z0-9_]")


class Handler:
    """One handler: ``script`` runs for every event that ``filters`` let pass."""

    __slots__ = ("_filter", "filters", "script")

    def __init__(self, text: str) -> None:
        """Read ``script`` or ``filters=script``; split at the first ``=``.

        Raises:
            ConfigError: a filter is none, or there is no script.
        """
        self.filters, self.script = split_handler(text)
        self._filter = EventFilter(",".join(self.filters))

    def wants(self, event: ApplicationEvent) -> bool:
        """Return whether the script is to run for ``event``."""
        if isinstance(event, MembersChanged):
            return self._filter.wants_member_event(event.kind.value)
        if isinstance(event, UserEventReceived):
            return self._filter.wants_user_event(event.name)
        return self._filter.wants_query(event.name)


def parse_handlers(texts: Iterable[str]) -> tuple[Handler, ...]:
    """Return the handlers that ``texts`` specify.

    Raises:
        ConfigError: one of them is none; the message names it.
    """
    return tuple(Handler(text) for text in texts)


def listed(handlers: Iterable[Handler]) -> dict[str, str]:
    """Return scripts by ``kind:name`` of each filter, as ``stats`` shows them.

    A further script of the same filter gets a number behind its key.
    """
    scripts: dict[str, str] = {}
    for handler in handlers:
        for part in handler.filters:
            key = first = part if ":" in part else f"{part}:"
            number = 1
            while key in scripts:
                number += 1
                key = f"{first} ({number})"
            scripts[key] = handler.script
    return scripts


def kind_of(event: ApplicationEvent) -> str:
    """Return the value of ``SERF_EVENT``: ``member-join`` and so on, ``user`` or ``query``."""
    if isinstance(event, MembersChanged):
        return event.kind.value
    return "user" if isinstance(event, UserEventReceived) else "query"


def title_of(event: ApplicationEvent) -> str:
    """Return how the log calls ``event``: ``member-join``, ``user-event: x``, ``query: x``."""
    if isinstance(event, MembersChanged):
        return event.kind.value
    kind = "user-event" if isinstance(event, UserEventReceived) else "query"
    return f"{kind}: {event.name}"


def environment_of(
    event: ApplicationEvent,
    name: str,
    tags: Mapping[str, str],
    inherited: Mapping[bytes, bytes],
) -> dict[bytes, bytes]:
    """Return the environment in which a script runs.

    Args:
        event: what happened.
        name: our own node's.
        tags: our own.
        inherited: the daemon's environment. What is in ``WITHHELD`` is left out, and what
            another event would have told, if a handler started the daemon.
    """
    facts = {EVENT: kind_of(event), SELF_NAME: name, SELF_ROLE: tags.get("role", "")}
    for tag, value in tags.items():
        facts[f"{TAG}{_NO_TAG_LETTER.sub('_', tag.upper())}"] = value
    if isinstance(event, UserEventReceived):
        facts |= {USER_EVENT: event.name, USER_LTIME: str(event.ltime)}
    elif isinstance(event, QueryReceived):
        facts |= {QUERY_NAME: event.name, QUERY_LTIME: str(event.ltime)}
    environment = {
        key: value for key, value in inherited.items() if _is_passed_on(key.decode("latin-1"))
    }
    for fact, value in facts.items():
        encoded = _as_bytes(value)
        environment[b"SERF_" + fact.encode()] = encoded
        environment[b"GOSSIPD_" + fact.encode()] = encoded
    if not isinstance(event, MembersChanged):
        environment[b"GOSSIPD_" + SENDER.encode()] = _as_bytes(event.sender)
    return environment


def _is_passed_on(variable: str) -> bool:
    for prefix in ("SERF_", "GOSSIPD_"):
        if variable.startswith(prefix) and is_handler_fact(variable.removeprefix(prefix)):
            return False
    return variable not in WITHHELD


def input_of(event: ApplicationEvent) -> bytes:
    """Return what a script reads: a line for each member, or the payload and a newline."""
    if isinstance(event, MembersChanged):
        return _as_bytes("".join(_member_line(member) for member in event.members))
    payload = event.payload or b""
    return payload if not payload or payload.endswith(b"\n") else payload + b"\n"


def _member_line(member: SerfMember) -> str:
    tags = ",".join(f"{key}={value}" for key, value in sorted(member.tags.items()))
    role = member.tags.get("role", "")
    columns: Sequence[str] = (member.name, member.address.host, role, tags)
    return "\t".join(column.replace("\t", "\\t").replace("\n", "\\n") for column in columns) + "\n"


def _as_bytes(text: str) -> bytes:
    """Return what a process can be handed: names come from peers and may hold anything."""
    try:
        encoded = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        encoded = text.encode("utf-8", "backslashreplace")
    return encoded.replace(b"\0", b"\\0")
