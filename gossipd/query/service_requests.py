"""Requests of the local socket about services, and their rows of the command table.

gossipd's own commands; a Serf agent knows none of them. Loaded with the first of
them (``commands.py``): neither a daemon without services nor ``gossipd members``
pays for it. A service or check travels as the table of ``services/reading.py``.
"""

from __future__ import annotations

from gossipd.query.commands import Command
from gossipd.query.requests import Plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from gossipd.query.fields import Fields

INDEX_MAX = 2**63 - 1
HERE = "_agent"
"""As ``near``: the daemon's own node."""


class RegisterService:
    """Register a service, or replace the one of its id.

    ``is_held``: it lives as long as this connection does.
    """

    __slots__ = ("is_held", "service")
    command = "service-register"

    def __init__(self, service: Mapping[str, object], is_held: bool = False) -> None:
        self.service = service
        self.is_held = is_held

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Held": self.is_held, "Service": dict(self.service)}


class DeregisterService:
    """Take back the service of that id."""

    __slots__ = ("service",)
    command = "service-deregister"

    def __init__(self, service: str) -> None:
        self.service = service

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"ID": self.service}


class RegisterCheck:
    """Add a check to a service of this node; to the node itself if ``service`` is empty."""

    __slots__ = ("check", "service")
    command = "check-register"

    def __init__(self, check: Mapping[str, object], service: str = "") -> None:
        self.check = check
        self.service = service

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Check": dict(self.check), "Service": self.service}


class DeregisterCheck:
    """Take back the check of that id."""

    __slots__ = ("check",)
    command = "check-deregister"

    def __init__(self, check: str) -> None:
        self.check = check

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"ID": self.check}


class ReportCheck:
    """Say how a ``ttl`` or ``held`` check is, and how busy its service is.

    ``is_holding``: when this connection ends the check is critical.
    """

    __slots__ = ("check", "is_holding", "load", "output", "status")
    command = "check-report"

    def __init__(
        self,
        check: str,
        status: str,
        output: str = "",
        load: float | None = None,
        is_holding: bool = False,
    ) -> None:
        self.check = check
        self.status = status
        self.output = output
        self.load = load
        self.is_holding = is_holding

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {
            "ID": self.check,
            "Load": self.load,
            "Output": self.output,
            "Status": self.status,
        }
        return body | {"Hold": True} if self.is_holding else body


class ReportLoad:
    """Say how busy a service is, 0 idle to 1 full."""

    __slots__ = ("load", "service")
    command = "service-load"

    def __init__(self, service: str, load: float) -> None:
        self.service = service
        self.load = load

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"ID": self.service, "Load": self.load}


class Maintain:
    """Take a service (empty: the whole node) out of ``passing``, or end that."""

    __slots__ = ("is_on", "reason", "service")
    command = "service-maintenance"

    def __init__(self, service: str, is_on: bool, reason: str = "") -> None:
        self.service = service
        self.is_on = is_on
        self.reason = reason

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"ID": self.service, "On": self.is_on, "Reason": self.reason}


class Drain:
    """Give consumers ``seconds`` to turn away from a service (empty: the whole node).

    ``is_unshared``: not if several connections hold it.
    """

    __slots__ = ("is_unshared", "seconds", "service")
    command = "service-drain"

    def __init__(self, service: str, seconds: float, is_unshared: bool = False) -> None:
        self.service = service
        self.seconds = seconds
        self.is_unshared = is_unshared

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        body: dict[str, object] = {"ID": self.service, "Seconds": self.seconds}
        return body | {"Unshared": True} if self.is_unshared else body


class AskService:
    """Ask for the instances of one service.

    Args:
        name: of the service; need not exist.
        tags: all of them must be there.
        meta: all of these must be so.
        zone: only instances there.
        is_passing: only those that take part and pass.
        near: nearest to that node first, by round trip; ``HERE`` is the daemon's own.
    """

    __slots__ = ("is_passing", "meta", "name", "near", "tags", "zone")
    command = "service"

    def __init__(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        meta: Mapping[str, str] | None = None,
        zone: str = "",
        is_passing: bool = False,
        near: str = "",
    ) -> None:
        self.name = name
        self.tags = tuple(tags)
        self.meta: Mapping[str, str] = meta or {}
        self.zone = zone
        self.is_passing = is_passing
        self.near = near

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire; what says nothing is left out."""
        body: dict[str, object] = {"Name": self.name}
        if self.tags:
            body["Tags"] = list(self.tags)
        if self.meta:
            body["Meta"] = dict(self.meta)
        if self.zone:
            body["Zone"] = self.zone
        if self.is_passing:
            body["Passing"] = True
        if self.near:
            body["Near"] = self.near
        return body


class AskServicesOf:
    """Ask for the instances that ``node`` registered; empty is the daemon's own."""

    __slots__ = ("node",)
    command = "services-of"

    def __init__(self, node: str = "") -> None:
        self.node = node

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Node": self.node}


class WatchService:
    """Follow one service: from the change after ``index``, or from the set as it is (0)."""

    __slots__ = ("index", "name")
    command = "service-watch"

    def __init__(self, name: str, index: int = 0) -> None:
        self.name = name
        self.index = index

    def body(self) -> dict[str, object] | None:
        """Return the request's body as it goes on the wire."""
        return {"Index": self.index, "Name": self.name}


def _read_report(f: Fields) -> ReportCheck:
    return ReportCheck(
        f.text("ID"), f.text("Status"), f.text("Output"), f.number("Load"), f.flag("Hold")
    )


def _read_question(f: Fields) -> AskService:
    return AskService(
        f.text("Name"),
        tags=f.texts("Tags"),
        meta=f.text_map("Meta"),
        zone=f.text("Zone"),
        is_passing=f.flag("Passing"),
        near=f.text("Near"),
    )


SERVICE_COMMANDS: dict[str, Command] = {
    "service-register": Command(
        ("Service", "Held"),
        lambda f: RegisterService(f.table("Service"), f.flag("Held")),
        has_reply_body=True,
    ),
    "service-deregister": Command(("ID",), lambda f: DeregisterService(f.text("ID"))),
    "check-register": Command(
        ("Check", "Service"), lambda f: RegisterCheck(f.table("Check"), f.text("Service"))
    ),
    "check-deregister": Command(("ID",), lambda f: DeregisterCheck(f.text("ID"))),
    "check-report": Command(("ID", "Status", "Output", "Load"), _read_report),
    "service-load": Command(
        ("ID", "Load"), lambda f: ReportLoad(f.text("ID"), f.number("Load") or 0.0)
    ),
    "service-maintenance": Command(
        ("ID", "Reason", "On"), lambda f: Maintain(f.text("ID"), f.flag("On"), f.text("Reason"))
    ),
    "service-drain": Command(
        ("ID", "Seconds"),
        lambda f: Drain(f.text("ID"), f.number("Seconds") or 0.0, f.flag("Unshared")),
    ),
    "services": Command(None, lambda _: Plain("services"), has_reply_body=True),
    "own-services": Command(None, lambda _: Plain("own-services"), has_reply_body=True),
    "service": Command(
        ("Name", "Tags", "Meta", "Zone", "Passing", "Near"), _read_question, has_reply_body=True
    ),
    "services-of": Command(("Node",), lambda f: AskServicesOf(f.text("Node")), has_reply_body=True),
    "service-watch": Command(
        ("Name", "Index"),
        lambda f: WatchService(f.text("Name"), f.whole("Index", 0, INDEX_MAX)),
        opens_records=True,
    ),
}

if TYPE_CHECKING:
    ServiceRequest: TypeAlias = (
        RegisterService
        | DeregisterService
        | RegisterCheck
        | DeregisterCheck
        | ReportCheck
        | ReportLoad
        | Maintain
        | Drain
        | AskService
        | AskServicesOf
        | WatchService
    )
