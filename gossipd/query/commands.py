"""``COMMANDS``: what each command of the local socket is made of.

Whether a body follows a header is known only from the command, so both ends
need the table (rpc.md, section 2.1). Fields are read leniently, as the
reference does: a missing field, nil and an empty body mean the default, keys
may be bin, a body may be an array in declaration order (section 2.4).
"""

from __future__ import annotations

from gossipd.query.fields import Fields
from gossipd.query.requests import (
    SEQ_MAX,
    Auth,
    ChangeKey,
    ForceLeave,
    GetCoordinate,
    Handshake,
    Join,
    Leave,
    MembersFiltered,
    Monitor,
    Plain,
    Query,
    Respond,
    SetTags,
    Stop,
    Stream,
    UserEvent,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gossipd.query.requests import Request


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
        full_time=f.flag("FullTime"),
        is_prompt=f.flag("Prompt"),
    )


def _read_event(f: Fields) -> UserEvent:
    return UserEvent(
        f.text("Name"),
        f.payload("Payload"),
        f.flag("Coalesce"),
        nodes=f.texts("Nodes"),
        tags=f.text_map("Tags"),
    )


def _read_stream(f: Fields) -> Stream:
    return Stream(
        f.text("Type"),
        f.flag("Gaps"),
        wants_senders=f.flag("Senders"),
        is_immediate=f.flag("Immediate"),
        never_answers=f.flag("NeverAnswers"),
    )


COMMANDS: dict[str, Command] = {
    "handshake": Command(
        ("Version",), lambda f: Handshake(f.whole("Version", -(2**31), 2**31 - 1))
    ),
    "auth": Command(("AuthKey",), lambda f: Auth(f.text("AuthKey"))),
    "event": Command(("Name", "Payload", "Coalesce"), _read_event),
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
    "stream": Command(("Type",), _read_stream, opens_records=True),
    "monitor": Command(
        ("LogLevel",), lambda f: Monitor(f.text("LogLevel"), f.flag("Gaps")), opens_records=True
    ),
    "stop": Command(("Stop",), lambda f: Stop(f.whole("Stop", 0, SEQ_MAX))),
    "leave": Command(None, lambda _: Leave()),
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
    "config": _plain("config", True),
    "reload": _plain("reload", True),
    "get-coordinate": Command(
        ("Node",), lambda f: GetCoordinate(f.text("Node")), has_reply_body=True
    ),
}
"""All commands of the protocol by name (rpc.md, section 2.1)."""

OF_SERVICES = ("service", "check-", "own-services")
"""How the names of further commands begin; ``service_requests.py`` has them."""


def find_command(name: str) -> Command | None:
    """Return the row of command ``name``, ``None`` if there is no such command."""
    row = COMMANDS.get(name)
    if row is None and name.startswith(OF_SERVICES):
        from gossipd.query.service_requests import SERVICE_COMMANDS  # few daemons need them

        row = SERVICE_COMMANDS.get(name)
    return row


def command_of(name: str) -> Command:
    """Return the row of a known command."""
    row = find_command(name)
    assert row is not None, name
    return row


def read_request_untrusted(command: str, body: object) -> Request:
    """Return the typed request of a known ``command``.

    Raises:
        WireError: ``bad-field``, the body or one of its fields has a wrong type.
    """
    row = command_of(command)
    return row.read(Fields(body, row.names or ()))
