"""Records of streams, monitors and queries as msgpack bytes (pure; rpc.md, section 9).

Keys stand in alphabetical order, as Serf writes them. What Serf's records do
not have goes only to clients that asked for it: ``serf monitor`` prints every
key it meets.
"""

from __future__ import annotations

from collections.abc import Iterable

from gossipd.rpc.answers import member_map, message
from gossipd.serf.events import QueryReceived, SerfMember, UserEventReceived


def members_message(seq: int, kind: str, members: Iterable[SerfMember]) -> bytes:
    """Return a stream record of a membership event."""
    return message(seq, {"Event": kind, "Members": [member_map(member) for member in members]})


def user_event_message(seq: int, event: UserEventReceived, *, with_sender: bool) -> bytes:
    """Return a stream record of a user event; an empty payload is nil."""
    body: dict[str, object] = {
        "Coalesce": event.may_coalesce,
        "Event": "user",
        "LTime": event.ltime,
        "Name": event.name,
        "Payload": event.payload or None,
    }
    if with_sender:
        body["Sender"] = event.sender
    return message(seq, body)


def query_event_message(seq: int, number: int, query: QueryReceived, *, with_sender: bool) -> bytes:
    """Return a stream record of a query, to be answered under ``number``."""
    body: dict[str, object] = {
        "Event": "query",
        "ID": number,
        "LTime": query.ltime,
        "Name": query.name,
        "Payload": query.payload or None,
    }
    if with_sender:
        body["Sender"] = query.sender
    return message(seq, body)


def event_gap_message(seq: int, lost: int) -> bytes:
    """Return the record that tells a stream how many events it lost (gossipd's own)."""
    return message(seq, {"Event": "gap", "Lost": lost})


def log_message(seq: int, line: str) -> bytes:
    """Return a monitor record."""
    return message(seq, {"Log": line})


def log_gap_message(seq: int, lost: int) -> bytes:
    """Return the record that tells a monitor how many lines it lost (gossipd's own)."""
    return message(seq, {"Log": "", "Lost": lost})


def query_message(seq: int, kind: str, sender: str = "", payload: bytes | None = None) -> bytes:
    """Return a query record: ``ack`` or ``response`` of ``sender``, or ``done``."""
    return message(seq, {"From": sender, "Payload": payload or None, "Type": kind})
