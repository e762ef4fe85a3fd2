"""Answers of the local socket: a view and a request in, msgpack bytes out (pure).

Every message is a header and perhaps a body, returned as one piece, because
nothing may come between the two (rpc.md, section 2.3). Fixed records are
written with their keys in alphabetical order, headers with ``Error`` first.

The encoded list of members is kept with the view it was made from: as long
as nothing changes, the next question costs a header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gossipd.coordinate import Coordinate
from gossipd.errors import WireError
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.pattern import BAD_PATTERN, Pattern
from gossipd.query import requests
from gossipd.query.framing import encode
from gossipd.serf.events import SerfMember
from gossipd.serf.question import KeyCommand, KeyReport

TAG_FILTERS_MAX = 256
"""Tags that one request may match; a node's own take at most 512 bytes together."""


def header(seq: int, error: str = "") -> bytes:
    """Return a response header; an empty ``error`` means success."""
    return encode({"Error": error, "Seq": seq})


def message(seq: int, body: object, error: str = "") -> bytes:
    """Return a header with its body."""
    return encode({"Error": error, "Seq": seq}, body)


def error_message(seq: int, command: str, error: str) -> bytes:
    """Return the refusal of ``command``, with the empty body its clients wait for."""
    body = _EMPTY_BODIES.get(command)
    if body is None or error in requests.BODILESS_ERRORS:
        return header(seq, error)
    return message(seq, body, error)


def _key_body(keys: object) -> dict[str, object]:
    return {"Keys": keys, "Messages": {}, "NumErr": 0, "NumNodes": 0, "NumResp": 0}


_NO_COORDINATE = {
    "Coord": {"Adjustment": 0.0, "Error": 0.0, "Height": 0.0, "Vec": None},
    "Ok": False,
}
_EMPTY_BODIES: dict[str, object] = {
    "join": {"Num": 0},
    "members": {"Members": []},
    "members-filtered": {"Members": []},
    "install-key": _key_body(None),
    "use-key": _key_body(None),
    "remove-key": _key_body(None),
    "list-keys": _key_body({}),
    "stats": {},
    "config": {"Settings": []},
    "reload": {"Applied": [], "Kept": [], "NeedsRestart": []},
    "get-coordinate": _NO_COORDINATE,
    "service-register": {"Warnings": []},
    "services": {"Index": 0, "Services": []},
    "service": {"Guarded": False, "Index": 0, "Instances": []},
    "services-of": {"Instances": []},
    "own-services": {"Node": {}, "Services": []},
}


def join_message(seq: int, asked: Sequence[str], contacted: int, errors: Sequence[str]) -> bytes:
    """Return the answer to a join: an error only if there were addresses and none answered."""
    if contacted or not asked:
        return message(seq, {"Num": contacted})
    count = f"{len(errors)} error{'' if len(errors) == 1 else 's'} occurred:"
    lines = "".join(f"\n\t* {line}" for line in errors)
    return message(seq, {"Num": 0}, f"{count}{lines}\n\n")


def coordinate_message(seq: int, coordinate: Coordinate | None) -> bytes:
    """Return where a node is; zeros and ``Ok`` false if that is not known."""
    if coordinate is None:
        return message(seq, _NO_COORDINATE)
    shown = {
        "Adjustment": coordinate.adjustment,
        "Error": coordinate.error,
        "Height": coordinate.height,
        "Vec": list(coordinate.vec),
    }
    return message(seq, {"Coord": shown, "Ok": True})


def key_message(seq: int, command: KeyCommand, report: KeyReport) -> bytes:
    """Return what the members said to a key command.

    Only a list names keys; beside Serf's it tells of how many nodes each is the
    primary one.
    """
    is_list = command is KeyCommand.LIST
    body: dict[str, object] = {
        "Keys": dict(report.keys) if is_list else None,
        "Messages": dict(report.messages),
        "NumErr": report.errors,
        "NumNodes": report.nodes,
        "NumResp": report.responses,
    }
    if is_list:
        body["PrimaryKeys"] = dict(report.primary_keys)
    return message(seq, body, report.error)


def member_map(member: SerfMember) -> dict[str, object]:
    """Return Serf's eleven fields of a member, in their order (rpc.md, section 7)."""
    versions = member.versions
    return {
        "Addr": member.address.ip or None,
        "DelegateCur": versions.delegate,
        "DelegateMax": versions.delegate_max,
        "DelegateMin": versions.delegate_min,
        "Name": member.name,
        "Port": member.address.port,
        "ProtocolCur": versions.protocol,
        "ProtocolMax": versions.protocol_max,
        "ProtocolMin": versions.protocol_min,
        "Status": member.status.name.lower(),
        "Tags": dict(member.tags),
    }


class MembersReply:
    """Bodies of ``members`` and ``members-filtered``, the full one kept per view."""

    __slots__ = ("_body", "_view")

    def __init__(self) -> None:
        self._view: View | None = None
        self._body = b""

    def body(self, view: View, now: float) -> bytes:
        """Return the encoded body with all members.

        While somebody is suspected the answer holds how long, so it is made
        afresh; otherwise the same view gives the same bytes object.
        """
        if view is self._view:
            return self._body
        body = encode({"Members": [_with_suspicion(m, view, now) for m in view.members]})
        if not view.suspicions:
            self._view, self._body = view, body
        return body

    @staticmethod
    def selected_body(view: View, members: Iterable[SerfMember], now: float) -> bytes:
        """Return the encoded body with ``members`` only."""
        return encode({"Members": [_with_suspicion(m, view, now) for m in members]})


def _with_suspicion(member: SerfMember, view: View, now: float) -> dict[str, object]:
    fields = member_map(member)
    suspicion = view.suspicions.get(member.name) if view.suspicions else None
    if suspicion is not None:
        fields["Suspicion"] = {
            "By": suspicion.accuser,
            "Confirmations": suspicion.confirmations,
            "For": max(0.0, now - suspicion.since),
            "Remaining": max(0.0, suspicion.deadline - now),
        }
    return fields


class MemberFilter:
    """The patterns of one ``members-filtered`` request, compiled."""

    __slots__ = ("_name", "_status", "_tags")

    def __init__(self, request: requests.MembersFiltered) -> None:
        """Compile the patterns.

        Raises:
            WireError: ``bad-pattern``; the detail is fit for the client.
        """
        check_tag_filters(request.tags)
        self._status = _compiled(request.status)
        self._name = _compiled(request.name)
        self._tags = [
            (key, found) for key in request.tags if (found := _compiled(request.tags[key]))
        ]

    @property
    def wants_all(self) -> bool:
        """Whether there is no pattern at all."""
        return not self._tags and self._status is None and self._name is None

    def wants(self, member: SerfMember) -> bool:
        """Return whether all patterns match; a missing tag counts as empty text."""
        return (
            (self._status is None or self._status.matches_whole(member.status.name.lower()))
            and (self._name is None or self._name.matches_whole(member.name))
            and all(p.matches_whole(member.tags.get(key, "")) for key, p in self._tags)
        )


def _compiled(text: str) -> Pattern | None:
    """Return the pattern of ``text``, ``None`` for an empty one."""
    return Pattern(text) if text else None


def check_tag_filters(tags: Mapping[str, str]) -> None:
    """Refuse more expressions than a node can have tags: each takes memory and time.

    Raises:
        WireError: ``bad-pattern``.
    """
    if len(tags) > TAG_FILTERS_MAX:
        raise WireError(BAD_PATTERN, f"more than {TAG_FILTERS_MAX} tags to match")


def filter_refusal(error: WireError) -> str:
    """Return the error text for a pattern that does not compile."""
    return f"Failed to compile regex: {error.detail}"


def stats_message(
    seq: int,
    view: View,
    statistics: Statistics,
    runtime: Mapping[str, str],
    version: str,
    degraded: Mapping[str, str],
) -> bytes:
    """Return the answer to ``stats``: Serf's sections, then gossipd's own; all values text."""
    s = statistics
    serf = {name: str(getattr(s, name)) for name in _SERF_STATISTICS}
    serf["encrypted"] = "true" if s.encrypted else "false"
    snapshot = {"snapshot": s.snapshot} if s.snapshot else {}
    catalog = {key: f"{level:.0f}" for key, level in sorted(s.levels.items())}
    sections: dict[str, dict[str, str]] = {
        "agent": {"name": view.name},
        "event_handlers": dict(s.event_handlers),
        "gossipd": {
            "address": str(view.address),
            "bytes_received": str(s.bytes_received),
            "bytes_sent": str(s.bytes_sent),
            "claim_queue": str(s.claim_queue),
            "incarnation": str(s.incarnation),
            **snapshot,
            "stream_bytes_received": str(s.stream_bytes_received),
            "stream_bytes_sent": str(s.stream_bytes_sent),
            "suspected": str(len(view.suspicions)),
            "version": version,
        },
        **({"gossipd_catalog": catalog} if catalog else {}),
        **({"gossipd_degraded": dict(degraded)} if degraded else {}),
        "gossipd_dropped": dict(_as_text(s.dropped)),
        "gossipd_lost": dict(_as_text(s.lost)),
        "gossipd_packets_received": dict(_as_text(s.packets_received)),
        "gossipd_packets_sent": dict(_as_text(s.packets_sent)),
        "runtime": dict(runtime),
        "serf": serf,
        "tags": dict(view.own_tags()),
    }
    return message(seq, sections)


_SERF_STATISTICS = (
    "coordinate_resets",
    "event_queue",
    "event_time",
    "failed",
    "health_score",
    "intent_queue",
    "left",
    "member_time",
    "members",
    "query_queue",
    "query_time",
)


def _as_text(counters: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    return ((key, str(count)) for key, count in sorted(counters.items()))
