"""What the local socket answers, as clients see it: members, records, replies.

Read by the client side only; the server writes maps (``rpc/answers.py``).
Plain classes with slots for the reason given in ``requests.py``.
"""

from __future__ import annotations

from gossipd.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BAD_REPLY = "bad-reply"
"""``WireError.reason`` for an answer that does not have the promised form."""


class MemberSuspicion:
    """Why a member is suspected now (gossipd's addition); times in seconds.

    ``suspected_for`` is how long it has been so, ``remaining`` how long it has
    to refute, as the daemon saw them when it answered.
    """

    __slots__ = ("accuser", "confirmations", "remaining", "suspected_for")

    def __init__(
        self, accuser: str, confirmations: int, suspected_for: float, remaining: float
    ) -> None:
        self.accuser = accuser
        self.confirmations = confirmations
        self.suspected_for = suspected_for
        self.remaining = remaining


class MemberRecord:
    """One member as the daemon knows it (rpc.md, section 7).

    ``ip`` is 4 or 16 bytes, or empty; ``status`` is ``alive``, ``leaving``,
    ``left``, ``failed`` or ``none``; ``protocol`` and ``delegate`` are
    (current, max, min), the delegate's being Serf's protocol.
    """

    __slots__ = ("delegate", "ip", "name", "port", "protocol", "status", "suspicion", "tags")

    def __init__(
        self,
        name: str,
        ip: bytes,
        port: int,
        status: str,
        tags: Mapping[str, str],
        protocol: tuple[int, int, int],
        delegate: tuple[int, int, int],
        suspicion: MemberSuspicion | None = None,
    ) -> None:
        self.name = name
        self.ip = ip
        self.port = port
        self.status = status
        self.tags = tags
        self.protocol = protocol
        self.delegate = delegate
        self.suspicion = suspicion

    @property
    def host(self) -> str:
        """The IP address as text, without the port."""
        ip = self.ip
        if len(ip) == 4:
            return f"{ip[0]}.{ip[1]}.{ip[2]}.{ip[3]}"
        if len(ip) == 16:
            # Rare, and a third of the command line's time when loaded up front.
            from ipaddress import IPv6Address

            parsed = IPv6Address(ip)
            return str(parsed.ipv4_mapped or parsed)
        return ""

    @property
    def address(self) -> str:
        """``host:port``, with brackets around IPv6."""
        host = self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<MemberRecord {self.name} {self.address} {self.status}>"


def read_member_untrusted(value: object) -> MemberRecord:
    """Return the member that a decoded map describes; unknown keys are ignored.

    Raises:
        WireError: ``bad-reply``, a key is missing or has a wrong type.
    """
    try:
        m: Any = value  # whatever it is, its use below is checked
        ip, tags, name, status, port = m["Addr"], m["Tags"], m["Name"], m["Status"], m["Port"]
        protocol = (m["ProtocolCur"], m["ProtocolMax"], m["ProtocolMin"])
        delegate = (m["DelegateCur"], m["DelegateMax"], m["DelegateMin"])
        if ip is None:
            ip = b""
        elif isinstance(ip, str):
            ip = ip.encode("utf-8", "surrogateescape")
        suspicion = m.get("Suspicion")
        record = MemberRecord(
            name,
            ip,
            port,
            status,
            tags,
            protocol,
            delegate,
        )
        if suspicion is not None:
            record.suspicion = MemberSuspicion(
                suspicion["By"],
                suspicion["Confirmations"],
                suspicion["For"],
                suspicion["Remaining"],
            )
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise WireError(BAD_REPLY, f"a member without {error}") from error
    if (
        type(name) is not str
        or type(ip) is not bytes
        or type(port) is not int
        or type(status) is not str
        or type(tags) is not dict
    ):
        raise WireError(BAD_REPLY, "a member with a field of a wrong type")
    return record


def read_members_untrusted(body: object) -> list[MemberRecord]:
    """Return the members of a ``{"Members": [...]}`` body.

    Raises:
        WireError: ``bad-reply``.
    """
    members = body.get("Members") if isinstance(body, dict) else None
    if not isinstance(members, list):
        raise WireError(BAD_REPLY, "no list of members")
    return [read_member_untrusted(member) for member in members]


class EventRecord:
    """One record of an event stream.

    ``kind`` is ``member-join`` and so on, ``user``, ``query``, or ``gap`` when
    ``lost`` events are missing here; ``body`` is the whole record. ``members`` is
    filled for membership; the rest for user events and queries: ``name``,
    ``payload``, Lamport time ``ltime`` and ``sender`` (empty if the daemon does not
    know, as Serf never does), and ``number``, under which a query is answered.
    """

    __slots__ = (
        "body", "kind", "lost", "ltime", "may_coalesce", "members", "name", "number",
        "payload", "sender",
    )  # fmt: skip

    def __init__(
        self, kind: str, members: list[MemberRecord], lost: int, body: Mapping[str, object]
    ) -> None:
        self.kind = kind
        self.members = members
        self.lost = lost
        self.body = body
        self.name = ""
        self.payload: bytes | None = None
        self.ltime = 0
        self.sender = ""
        self.number = 0
        self.may_coalesce = False


def read_event_untrusted(body: object) -> EventRecord:
    """Return the stream record that ``body`` is.

    Raises:
        WireError: ``bad-reply``.
    """
    kind = body.get("Event") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(kind, str):
        raise WireError(BAD_REPLY, "an event without its kind")
    members = read_members_untrusted(body) if "Members" in body else []
    lost = body.get("Lost", 0)
    if not isinstance(lost, int):
        raise WireError(BAD_REPLY, "a gap of no number")
    record = EventRecord(kind, members, lost, body)
    if kind in ("user", "query"):
        _read_message_untrusted(record, body)
    return record


def _read_message_untrusted(record: EventRecord, body: Mapping[str, object]) -> None:
    """Read what user events and queries have beside their kind."""
    name, ltime, sender = body.get("Name"), body.get("LTime"), body.get("Sender", "")
    number, may_coalesce = body.get("ID", 0), body.get("Coalesce", False)
    payload = _payload_of(body)
    if (
        isinstance(name, str)
        and isinstance(sender, str)
        and isinstance(ltime, int)
        and isinstance(number, int)
        and isinstance(may_coalesce, bool)
        and (payload is None or isinstance(payload, bytes))
    ):
        record.name, record.sender, record.payload = name, sender, payload
        record.ltime, record.number, record.may_coalesce = ltime, number, may_coalesce
        return
    raise WireError(BAD_REPLY, f"a {record.kind} record with a field of a wrong type")


def _payload_of(body: Mapping[str, object]) -> object:
    """Return the payload, as bytes also where an old agent sends it as text."""
    payload = body.get("Payload")
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogateescape")
    return payload


class LogRecord:
    """One log line, or a gap of ``lost`` lines when ``lost`` is above 0."""

    __slots__ = ("lost", "text")

    def __init__(self, text: str, lost: int = 0) -> None:
        self.text = text
        self.lost = lost

    @property
    def level(self) -> str:
        """The level in the line's first brackets, or an empty text."""
        return self.text.partition("[")[2].partition("]")[0] if "[" in self.text[:40] else ""


def read_log_untrusted(body: object) -> LogRecord:
    """Return the monitor record that ``body`` is.

    Raises:
        WireError: ``bad-reply``.
    """
    if isinstance(body, dict):
        text, lost = body.get("Log"), body.get("Lost", 0)
        if isinstance(text, str) and isinstance(lost, int):
            return LogRecord(text, lost)
    raise WireError(BAD_REPLY, "a log record without its line")


def read_query_record_untrusted(body: object) -> tuple[str, str, bytes | None]:
    """Return (type, sender, payload) of a query record; type is ack, response or done.

    Raises:
        WireError: ``bad-reply``.
    """
    if isinstance(body, dict):
        kind, sender, payload = body.get("Type"), body.get("From"), _payload_of(body)
        if (
            isinstance(kind, str)
            and isinstance(sender, str)
            and (payload is None or isinstance(payload, bytes))
        ):
            return kind, sender, payload
    raise WireError(BAD_REPLY, "a query record without type or sender")
