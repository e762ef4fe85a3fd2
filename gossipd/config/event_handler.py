"""How event handlers and the filters of events are written (agent.md, section 4)."""

from __future__ import annotations

from gossipd.errors import ConfigError

MEMBER_EVENTS = frozenset(
    {"member-join", "member-leave", "member-failed", "member-update", "member-reap"}
)


EVENT, SELF_NAME, SELF_ROLE, TAG = "EVENT", "SELF_NAME", "SELF_ROLE", "TAG_"
USER_EVENT, USER_LTIME = "USER_EVENT", "USER_LTIME"
QUERY_NAME, QUERY_LTIME, SENDER = "QUERY_NAME", "QUERY_LTIME", "SENDER"
"""What a handler is told, as variables behind ``SERF_`` and ``GOSSIPD_``; ``TAG`` goes before
the name of each tag, ``SENDER`` is only told behind ``GOSSIPD_``."""
_FACTS = frozenset(
    {EVENT, SELF_NAME, SELF_ROLE, USER_EVENT, USER_LTIME, QUERY_NAME, QUERY_LTIME, SENDER}
)


def is_handler_fact(name: str) -> bool:
    """Return whether a handler is told a fact of that name: what stands behind ``GOSSIPD_``."""
    return name in _FACTS or name.startswith(TAG)


def is_event_filter(text: str) -> bool:
    """Return whether ``text`` is one filter: ``*``, a member event, ``user`` or ``query:name``."""
    return text == "*" or text in MEMBER_EVENTS or text.partition(":")[0] in ("user", "query")


def split_handler(text: str) -> tuple[tuple[str, ...], str]:
    """Return filters and script of ``script`` or ``filters=script``; split at the first ``=``.

    Raises:
        ConfigError: a filter is none, or there is no script; the message names it.
    """
    listed, equals, script = text.partition("=")
    if not equals:
        listed, script = "", text
    filters = tuple(listed.split(",")) if listed else ("*",)
    for part in filters:
        if not is_event_filter(part):
            raise ConfigError(f"Invalid event script: Event '{part}' invoking '{script}'")
    if not script.strip() or "\0" in script:
        raise ConfigError(f"Invalid event script: '{text}' names no script to run")
    return filters, script
