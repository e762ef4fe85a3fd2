"""Requests of the local socket: one value per command, and the command table.

Whether a body follows a header is known only from the command, so both ends
need the table (rpc.md, section 2.1). Names on the wire (``Existing``) end
here. Fields are read leniently, as the reference does: a missing field, nil
and an empty body mean the default, keys may be bin, a body may be an array
in declaration order (section 2.4).
"""

from __future__ import annotations

from gossipd.query.fields import Fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
RESERVED_PREFIX = "Queries cannot contain the '_serf_' prefix"
REQUEST_TOO_LARGE = "request too large"
BODILESS_ERRORS = frozenset({AUTH_REQUIRED, HANDSHAKE_REQUIRED, UNSUPPORTED_COMMAND})
"""Errors after which no body follows, whatever the command (section 2.1)."""

PING_QUERY = "_serf_ping"
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERR")


class Header:
    """A request header: which command, and the number its answer will carry."""

    __slots__ = ("command", "seq")

    def __init__(self, command: str, seq: int) -> None:
        self.command = command
        self.seq = seq


def read_header_untrusted(value: object) -> Header:
    """Return the request header that ``value`` is; spaces around the command are cut.

    Raises:
        WireError: ``bad-field``, it is no map or array, or a field has a wrong type.
    """
    fields = Fields(value, ("Command", "Seq"))
    return Header(fields.text("Command").strip(" "), fields.whole("Seq", 0, SEQ_MAX))


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
    """Follow events that match ``filters``; ``wants_gaps`` asks to be told of losses."""

    __slots__ = ("filters", "wants_gaps")
    command = "stream"

    def __init__(self, filters: str = "*", wants_gaps: bool = False) -> None:
        self.filters = filters
        self.wants_gaps = wants_gaps

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {"Type": self.filters}
        return body | {"Gaps": True} if self.wants_gaps else body


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
    """Ask the cluster; ``timeout_ns`` is nanoseconds, 0 means the default."""

    __slots__ = (
        "filter_nodes",
        "filter_tags",
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
    ) -> None:
        self.name = name
        self.payload = payload
        self.filter_nodes = tuple(filter_nodes)
        self.filter_tags: Mapping[str, str] = filter_tags or {}
        self.wants_acks = wants_acks
        self.relay_factor = relay_factor
        self.timeout_ns = timeout_ns

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {
            "FilterNodes": list(self.filter_nodes) or None,
            "FilterTags": dict(self.filter_tags) or None,
            "Name": self.name,
            "Payload": self.payload,
            "RelayFactor": self.relay_factor,
            "RequestAck": self.wants_acks,
            "Timeout": self.timeout_ns,
        }


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
    """Send a user event to the cluster."""

    __slots__ = ("may_coalesce", "name", "payload")
    command = "event"

    def __init__(self, name: str, payload: bytes | None = None, may_coalesce: bool = False) -> None:
        self.name = name
        self.payload = payload
        self.may_coalesce = may_coalesce

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Coalesce": self.may_coalesce, "Name": self.name, "Payload": self.payload}


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
    )


class Command:
    """One row of the command table.

    Args:
        names: body fields in the reference's declaration order; ``None`` if the
            request has no body.
        read: makes the request from its fields.
        has_reply_body: whether a body follows the response header.
        opens_records: whether records follow a success until it is stopped or done.
    """

    __slots__ = ("has_reply_body", "names", "opens_records", "read")

    def __init__(
        self,
        names: tuple[str, ...] | None,
        read: Callable[[Fields], Request],
        *,
        has_reply_body: bool = False,
        opens_records: bool = False,
    ) -> None:
        self.names = names
        self.read = read
        self.has_reply_body = has_reply_body
        self.opens_records = opens_records


def _plain(command: str, has_reply_body: bool) -> Command:
    return Command(None, lambda _: Plain(command), has_reply_body=has_reply_body)


def _key(command: str) -> Command:
    return Command(("Key",), lambda f: ChangeKey(command, f.text("Key")), has_reply_body=True)


def _read_query(f: Fields) -> Query:
    return Query(
        f.text("Name"),
        f.payload("Payload"),
        filter_nodes=f.texts("FilterNodes"),
        filter_tags=f.text_map("FilterTags"),
        wants_acks=f.flag("RequestAck"),
        relay_factor=f.whole("RelayFactor", 0, 255),
        timeout_ns=f.whole("Timeout", -(2**63), 2**63 - 1),
    )


COMMANDS: dict[str, Command] = {
    "handshake": Command(
        ("Version",), lambda f: Handshake(f.whole("Version", -(2**31), 2**31 - 1))
    ),
    "auth": Command(("AuthKey",), lambda f: Auth(f.text("AuthKey"))),
    "event": Command(
        ("Name", "Payload", "Coalesce"),
        lambda f: UserEvent(f.text("Name"), f.payload("Payload"), f.flag("Coalesce")),
    ),
    "force-leave": Command(
        ("Node", "Prune"), lambda f: ForceLeave(f.text("Node"), f.flag("Prune"))
    ),
    "join": Command(
        ("Existing", "Replay"),
        lambda f: Join(f.texts("Existing"), f.flag("Replay")),
        has_reply_body=True,
    ),
    "members": _plain("members", True),
    "members-filtered": Command(
        ("Tags", "Status", "Name"),
        lambda f: MembersFiltered(f.text_map("Tags"), f.text("Status"), f.text("Name")),
        has_reply_body=True,
    ),
    "tags": Command(
        ("Tags", "DeleteTags"), lambda f: SetTags(f.text_map("Tags"), f.texts("DeleteTags"))
    ),
    "stream": Command(
        ("Type",), lambda f: Stream(f.text("Type"), f.flag("Gaps")), opens_records=True
    ),
    "monitor": Command(
        ("LogLevel",), lambda f: Monitor(f.text("LogLevel"), f.flag("Gaps")), opens_records=True
    ),
    "stop": Command(("Stop",), lambda f: Stop(f.whole("Stop", 0, SEQ_MAX))),
    "leave": _plain("leave", False),
    "query": Command(
        (
            "FilterNodes",
            "FilterTags",
            "RequestAck",
            "RelayFactor",
            "Timeout",
            "Name",
            "Payload",
        ),
        _read_query,
        opens_records=True,
    ),
    "respond": Command(
        ("ID", "Payload"), lambda f: Respond(f.whole("ID", 0, SEQ_MAX), f.payload("Payload"))
    ),
    "install-key": _key("install-key"),
    "use-key": _key("use-key"),
    "remove-key": _key("remove-key"),
    "list-keys": _plain("list-keys", True),
    "stats": _plain("stats", True),
    "get-coordinate": Command(
        ("Node",), lambda f: GetCoordinate(f.text("Node")), has_reply_body=True
    ),
}
"""All commands of the protocol by name (rpc.md, section 2.1)."""


def read_request_untrusted(command: str, body: object) -> Request:
    """Return the typed request of a known ``command``.

    Raises:
        WireError: ``bad-field``, the body or one of its fields has a wrong type.
    """
    row = COMMANDS[command]
    return row.read(Fields(body, row.names or ()))
