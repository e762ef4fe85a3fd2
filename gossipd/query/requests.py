"""Requests of the local socket: one value per command, and the error texts both ends know.

Names on the wire (``Existing``) end here and in the table of ``commands.py``,
which reads them (rpc.md, section 6). Keys that Serf does not have are left out
where they say nothing, so a request to a Serf agent is one of its own.
"""

from __future__ import annotations

from gossipd.query.fields import Fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gossipd.query.service_requests import ServiceRequest

SEQ_MAX = 2**64 - 1
IPC_VERSION = 1
"""The only version of the protocol; additions are further commands and keys."""

UNSUPPORTED_COMMAND = "Unsupported command"
UNSUPPORTED_VERSION = "Unsupported IPC version"
HANDSHAKE_REQUIRED = "Handshake required"
HANDSHAKE_PERFORMED = "Handshake already performed"
AUTH_REQUIRED = "Authentication required"
INVALID_TOKEN = "Invalid authentication token"
INVALID_FILTER = "Invalid event filter"
STREAM_EXISTS = "Stream with given sequence exists"
MONITOR_EXISTS = "Monitor already exists"
NO_PENDING_QUERY = "No pending queries matching ID"
RESPOND_FAILED = "failed to respond to key query: "
"""Stands before every refusal of an answer, as Serf has it (section 6, respond)."""
RESERVED_NAMES = "_serf_"
RESERVED_PREFIX = "Queries cannot contain the '_serf_' prefix"
REQUEST_TOO_LARGE = "request too large"
BODILESS_ERRORS = frozenset({AUTH_REQUIRED, HANDSHAKE_REQUIRED, UNSUPPORTED_COMMAND})
"""Errors after which no body follows, whatever the command (section 2.1)."""

PING_QUERY = "_serf_ping"
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERR")


class Header:
    """A request header: which command, and the number its answer will carry.

    ``drain`` is gossipd's own: before a leave, seconds for consumers to turn away.
    """

    __slots__ = ("command", "drain", "seq")

    def __init__(self, command: str, seq: int, drain: float = 0.0) -> None:
        self.command = command
        self.seq = seq
        self.drain = drain


def read_header_untrusted(value: object) -> Header:
    """Return the request header that ``value`` is; spaces around the command are cut.

    Raises:
        WireError: ``bad-field``, it is no map or array, or a field has a wrong type.
    """
    fields = Fields(value, ("Command", "Seq"))
    command = fields.text("Command").strip(" ")
    return Header(command, fields.whole("Seq", 0, SEQ_MAX), fields.number("Drain") or 0.0)


class Handshake:
    """First request of a connection; ``version`` must be ``IPC_VERSION``."""

    __slots__ = ("version",)
    command = "handshake"

    def __init__(self, version: int = IPC_VERSION) -> None:
        self.version = version

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Version": self.version}


class Auth:
    """Show the token of the daemon's ``rpc_auth``."""

    __slots__ = ("token",)
    command = "auth"

    def __init__(self, token: str) -> None:
        self.token = token

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"AuthKey": self.token}


class Plain:
    """A request without fields: members, leave, stats or list-keys."""

    __slots__ = ("command",)

    def __init__(self, command: str) -> None:
        self.command = command

    def body(self) -> dict[str, object] | None:
        """Return ``None``: there is no body."""
        return None


class Leave:
    """Leave and end, after giving consumers ``drain`` seconds to turn away from our services.

    The command has no body, and whoever knows it reads none: the key stands in the header.
    """

    __slots__ = ("drain",)
    command = "leave"

    def __init__(self, drain: float = 0.0) -> None:
        self.drain = drain

    def body(self) -> dict[str, object] | None:
        """Return ``None``: there is no body."""
        return None


class MembersFiltered:
    """Members whose tags, status and name match RE2 patterns as a whole; empty matches all."""

    __slots__ = ("name", "status", "tags")
    command = "members-filtered"

    def __init__(
        self, tags: Mapping[str, str] | None = None, status: str = "", name: str = ""
    ) -> None:
        self.tags: Mapping[str, str] = tags or {}
        self.status = status
        self.name = name

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Name": self.name, "Status": self.status, "Tags": dict(self.tags)}


class Join:
    """Join through ``addresses``; ``replay`` asks for old user events."""

    __slots__ = ("addresses", "replay")
    command = "join"

    def __init__(self, addresses: Sequence[str], replay: bool = False) -> None:
        self.addresses = tuple(addresses)
        self.replay = replay

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Existing": list(self.addresses), "Replay": self.replay}


class ForceLeave:
    """Declare that ``node`` left; ``prune`` forgets it at once."""

    __slots__ = ("node", "prune")
    command = "force-leave"

    def __init__(self, node: str, prune: bool = False) -> None:
        self.node = node
        self.prune = prune

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Node": self.node, "Prune": self.prune}


class SetTags:
    """Delete some of the daemon's own tags, then set others."""

    __slots__ = ("delete", "tags")
    command = "tags"

    def __init__(self, tags: Mapping[str, str] | None = None, delete: Sequence[str] = ()) -> None:
        self.tags: Mapping[str, str] = tags or {}
        self.delete = tuple(delete)

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"DeleteTags": list(self.delete), "Tags": dict(self.tags)}


class Stream:
    """Follow events that match ``filters``.

    The rest is gossipd's own. ``wants_gaps`` asks to be told of losses, ``wants_senders``
    who sent user events and queries, ``is_immediate`` for each event at once and alone
    instead of gathered for a moment; ``never_answers`` promises that this reader does
    not ``respond`` to queries, so that nobody waits for it.
    """

    __slots__ = ("filters", "is_immediate", "never_answers", "wants_gaps", "wants_senders")
    command = "stream"

    def __init__(
        self,
        filters: str = "*",
        wants_gaps: bool = False,
        *,
        wants_senders: bool = False,
        is_immediate: bool = False,
        never_answers: bool = False,
    ) -> None:
        self.filters = filters
        self.wants_gaps = wants_gaps
        self.wants_senders = wants_senders
        self.is_immediate = is_immediate
        self.never_answers = never_answers

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {"Type": self.filters}
        for key, is_wanted in (
            ("Gaps", self.wants_gaps),
            ("Senders", self.wants_senders),
            ("Immediate", self.is_immediate),
            ("NeverAnswers", self.never_answers),
        ):
            if is_wanted:
                body[key] = True
        return body


class Monitor:
    """Follow the daemon's log at ``level``; ``wants_gaps`` asks to be told of losses."""

    __slots__ = ("level", "wants_gaps")
    command = "monitor"

    def __init__(self, level: str = "INFO", wants_gaps: bool = False) -> None:
        self.level = level
        self.wants_gaps = wants_gaps

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {"LogLevel": self.level}
        return body | {"Gaps": True} if self.wants_gaps else body


class Stop:
    """Stop the stream and the monitor that were opened under ``target``."""

    __slots__ = ("target",)
    command = "stop"

    def __init__(self, target: int) -> None:
        self.target = target

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Stop": self.target}


class Query:
    """Ask the cluster; ``timeout_ns`` is nanoseconds, 0 means the default.

    Two keys are gossipd's own. ``full_time`` keeps it open until then, even when all have
    answered. ``is_prompt`` takes the end at once: whoever reads record by record loses
    nothing by it, unlike Serf's command (``gossipd/rpc/questions.py``).
    """

    __slots__ = (
        "filter_nodes",
        "filter_tags",
        "full_time",
        "is_prompt",
        "name",
        "payload",
        "relay_factor",
        "timeout_ns",
        "wants_acks",
    )
    command = "query"

    def __init__(
        self,
        name: str,
        payload: bytes | None = None,
        *,
        filter_nodes: Sequence[str] = (),
        filter_tags: Mapping[str, str] | None = None,
        wants_acks: bool = False,
        relay_factor: int = 0,
        timeout_ns: int = 0,
        full_time: bool = False,
        is_prompt: bool = False,
    ) -> None:
        self.name = name
        self.payload = payload
        self.filter_nodes = tuple(filter_nodes)
        self.filter_tags: Mapping[str, str] = filter_tags or {}
        self.wants_acks = wants_acks
        self.relay_factor = relay_factor
        self.timeout_ns = timeout_ns
        self.full_time = full_time
        self.is_prompt = is_prompt

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {
            "FilterNodes": list(self.filter_nodes) or None,
            "FilterTags": dict(self.filter_tags) or None,
            "Name": self.name,
            "Payload": self.payload,
            "RelayFactor": self.relay_factor,
            "RequestAck": self.wants_acks,
            "Timeout": self.timeout_ns,
        }
        if self.full_time:
            body["FullTime"] = True
        if self.is_prompt:
            body["Prompt"] = True
        return body


class GetCoordinate:
    """Ask for the network coordinate of ``node``."""

    __slots__ = ("node",)
    command = "get-coordinate"

    def __init__(self, node: str) -> None:
        self.node = node

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Node": self.node}


class UserEvent:
    """Send a user event to the cluster; ``nodes`` and ``tags`` (gossipd's own) say to whom."""

    __slots__ = ("may_coalesce", "name", "nodes", "payload", "tags")
    command = "event"

    def __init__(
        self,
        name: str,
        payload: bytes | None = None,
        may_coalesce: bool = False,
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.payload = payload
        self.may_coalesce = may_coalesce
        self.nodes = tuple(nodes)
        self.tags: Mapping[str, str] = tags or {}

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {
            "Coalesce": self.may_coalesce,
            "Name": self.name,
            "Payload": self.payload,
        }
        if self.nodes:
            body["Nodes"] = list(self.nodes)
        if self.tags:
            body["Tags"] = dict(self.tags)
        return body


class Respond:
    """Answer the query that a stream showed as ``query``."""

    __slots__ = ("payload", "query")
    command = "respond"

    def __init__(self, query: int, payload: bytes | None = None) -> None:
        self.query = query
        self.payload = payload

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"ID": self.query, "Payload": self.payload}


class ChangeKey:
    """Install, use or remove ``key`` (base64) on all members."""

    __slots__ = ("command", "key")

    def __init__(self, command: str, key: str) -> None:
        self.command = command
        self.key = key

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Key": self.key}


if TYPE_CHECKING:
    from typing import TypeAlias

    Request: TypeAlias = (
        Handshake
        | Auth
        | Plain
        | Leave
        | MembersFiltered
        | Join
        | ForceLeave
        | SetTags
        | Stream
        | Monitor
        | Stop
        | Query
        | GetCoordinate
        | UserEvent
        | Respond
        | ChangeKey
        | ServiceRequest
    )
