"""``Services``: what one connection asks and says about services.

Loaded with the first such request. What the connection holds is taken back the
moment it ends, unless another one holds it too: a provider that came back may be
heard before its old socket is found dead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from gossipd import external_node
from gossipd.catalog.lookup import Distance, nearest_first
from gossipd.coordinates.space import distance
from gossipd.errors import GossipdError, UsageError
from gossipd.query import requests, service_requests
from gossipd.rpc import answers
from gossipd.rpc.service_answers import own_body, selected
from gossipd.rpc.service_desk import ServiceDesk, Watch
from gossipd.services import definition
from gossipd.services.definition import SCRIPT, CheckDefinition
from gossipd.services.own import FROM_CLIENT, FROM_CONNECTION
from gossipd.services.reading import read_check, read_service
from gossipd.services.reading_checks import default_check_id
from gossipd.value import fields_of

if TYPE_CHECKING:
    from gossipd.rpc.sending import Sender
    from gossipd.rpc.service import Service

_SERVICE, _CHECK = "service", "check"
HELD_BY_OTHERS = "is held by other connections too: it goes on with them"
"""Why a service is not drained for one of those that hold it."""
NOT_FROM_AFAR = (
    "a script check is taken from the local socket alone: without rpc_auth everybody who reaches"
    " rpc_addr could run commands here"
)
CONNECTION_ENDED = "the connection that held it ended"


class Services:
    """Requests about services of one connection.

    Args:
        sender: takes answers and records.
        service: what all connections share.
        peer: how the client is named in the log.
        may_run: whether the client is trusted to have commands run on this host.
    """

    __slots__ = (
        "_desk", "_handle", "_held", "_may_run", "_peer", "_sender", "_service", "_watches",
    )  # fmt: skip

    def __init__(self, sender: Sender, service: Service, peer: str, *, may_run: bool) -> None:
        self._sender = sender
        self._service = service
        self._handle = service.handle
        self._desk: ServiceDesk = service.desk
        self._peer = peer
        self._may_run = may_run
        self._held: dict[tuple[str, str], None] = {}
        self._watches: dict[int, Watch] = {}

    async def answer(self, seq: int, request: Any) -> None:
        """Answer one request, whatever comes of it."""
        try:
            message = _COMMANDS[request.command](self, seq, request)
        except GossipdError as error:
            message = answers.error_message(seq, request.command, str(error))
        await self._sender.send(message)

    def stop(self, seq: int) -> None:
        """End the watch that was opened under ``seq``, if there is one."""
        watch = self._watches.pop(seq, None)
        if watch is not None:
            self._desk.remove(watch)

    def close(self) -> None:
        """The connection is over: end its watches, take back what it holds."""
        for seq in tuple(self._watches):
            self.stop(seq)
        held, self._held = self._held, {}
        if not held:
            return
        theirs = self._held_services()
        for kind, name in held:
            is_last = self._desk.let_go((kind, name), self)
            if is_last and (kind != _SERVICE or name in theirs):
                # a check may be gone already, with its service
                with suppress(GossipdError):
                    self._take_back(kind, name)

    def _held_services(self) -> set[str]:
        """Return the ids that connections hold: what they held may be another's by now."""
        own = self._handle.own_services().services
        return {one.service.id for one in own if one.source == FROM_CONNECTION}

    def _take_back(self, kind: str, name: str) -> None:
        if kind == _SERVICE:
            self._handle.deregister_service(name)
            self._service.log("INFO", f"agent.ipc: Deregistered {name}: {self._peer} is gone")
        else:
            self._handle.report_check(name, definition.CRITICAL, CONNECTION_ENDED)

    # -- consumers --------------------------------------------------------------

    def _services(self, seq: int, request: requests.Plain) -> bytes:
        return answers.header(seq) + self._desk.encoded.summaries_body(self._handle.services())

    def _instances(self, seq: int, request: service_requests.AskService) -> bytes:
        handle = self._handle
        view, now = handle.service(request.name), handle.now()
        if not request.near:
            return answers.header(seq) + self._desk.encoded.answer(view, request, now)
        shown = nearest_first(selected(view, request), self._distances_from(request.near))
        return answers.header(seq) + self._desk.encoded.view_body(view, shown, now)

    def _distances_from(self, near: str) -> Distance:
        """Return what says how far a node is from the one named ``near``.

        Raises:
            UsageError: nothing is known of where that is.
        """
        handle = self._handle
        here = handle.coordinate(handle.view().name if near == service_requests.HERE else near)
        if here is None:
            raise UsageError(f"near: no network coordinate of {near!r} is known")

        def distance_to(node: str) -> float | None:
            there = handle.coordinate(node)
            return None if there is None else distance(here, there)

        return distance_to

    def _instances_of(self, seq: int, request: service_requests.AskServicesOf) -> bytes:
        node = request.node or self._handle.view().name
        instances = self._handle.services_of(node)
        return answers.header(seq) + self._desk.encoded.node_body(instances, self._handle.now())

    def _watch(self, seq: int, request: service_requests.WatchService) -> bytes:
        limits = self._service.limits
        if seq in self._watches:
            raise UsageError(requests.STREAM_EXISTS)
        if len(self._watches) >= limits.watches_max:
            raise UsageError("too many watches on this connection")
        if self._desk.watches >= limits.watches_in_all_max:
            raise UsageError("too many watches on all connections together")
        watch = Watch(self._sender, seq, request.name, request.index, self._peer)
        self._watches[seq] = watch
        self._desk.add(watch)
        return answers.header(seq) + self._desk.first_news_for(watch)

    # -- providers --------------------------------------------------------------

    def _own(self, seq: int, request: requests.Plain) -> bytes:
        return answers.message(seq, own_body(self._handle.own_services()))

    def _register(self, seq: int, request: service_requests.RegisterService) -> bytes:
        service = read_service(request.service)
        if refusal := external_node.refusal_of(service.meta):
            raise UsageError(refusal)
        for number, check in enumerate(service.checks):
            self._refuse_commands(check, f"checks[{number}].script")
        key = _SERVICE, service.id
        if not request.is_held:
            warnings = self._handle.register_service(service, FROM_CLIENT)
            self._log(f"Registered {service.id}")
            self._desk.holdings.pop(key, None)
            return answers.message(seq, {"Warnings": list(warnings)})
        self._make_room(key)
        self._refuse_other(key, service)
        warnings = self._handle.register_service(service, FROM_CONNECTION)
        self._log(f"Registered {service.id} for as long as it is connected")
        self._held[key] = None
        self._desk.hold(key, self, service)
        return answers.message(seq, {"Warnings": list(warnings)})

    def _refuse_commands(self, check: CheckDefinition, field: str) -> None:
        if check.kind == SCRIPT and not self._may_run:
            raise UsageError(f"{field}: {NOT_FROM_AFAR}")

    def _refuse_other(self, key: tuple[str, str], service: definition.Service) -> None:
        """Refuse to take an id from a connection that holds another service under it.

        The same service may be held by several, such as the processes that share a port; it
        lives as long as one of them does.
        """
        holding = self._desk.holdings.get(key)
        if holding is None or holding.service is None or not holding.has_other_than(self):
            return
        before = holding.service
        other = [f for f in fields_of(service) if getattr(service, f) != getattr(before, f)]
        if other and service.id in self._held_services():
            raise UsageError(
                f"service id {service.id!r} is held by another connection that is still open, "
                f"and its {other[0]} is another one: take another id"
            )

    def _deregister(self, seq: int, request: service_requests.DeregisterService) -> bytes:
        self._handle.deregister_service(request.service)
        self._log(f"Deregistered {request.service}")
        self._let_go((_SERVICE, request.service))
        return answers.header(seq)

    def _register_check(self, seq: int, request: service_requests.RegisterCheck) -> bytes:
        own = self._handle.own_services().services if request.service else ()
        service = next((one.service for one in own if one.service.id == request.service), None)
        check = read_check(
            request.check,
            0 if service is None else self._free_number(service),
            request.service,
            path="check",
            address="" if service is None else service.address,
            port=0 if service is None else service.port,
        )
        self._refuse_commands(check, "check.script")
        self._handle.register_check(check, request.service)
        return answers.header(seq)

    def _free_number(self, service: definition.Service) -> int:
        """Return the how-manieth check a new one is by its default id: no other is replaced."""
        taken = {check.id for check in service.checks}
        return next(n for n in count() if default_check_id(service.id, n) not in taken)

    def _deregister_check(self, seq: int, request: service_requests.DeregisterCheck) -> bytes:
        self._handle.deregister_check(request.check)
        self._let_go((_CHECK, request.check))
        return answers.header(seq)

    def _report(self, seq: int, request: service_requests.ReportCheck) -> bytes:
        key = _CHECK, request.check
        if request.is_holding:
            self._make_room(key)
        self._handle.report_check(request.check, request.status, request.output, request.load)
        if request.is_holding:
            self._held[key] = None
            self._desk.hold(key, self)
        return answers.header(seq)

    def _load(self, seq: int, request: service_requests.ReportLoad) -> bytes:
        self._handle.report_load(request.service, request.load)
        return answers.header(seq)

    def _maintain(self, seq: int, request: service_requests.Maintain) -> bytes:
        reason = request.reason or "maintenance" if request.is_on else None
        self._handle.set_maintenance(request.service, reason)
        what = "ended" if reason is None else f"began ({reason})"
        self._log(f"Maintenance of {request.service or 'this node'} {what}")
        return answers.header(seq)

    def _drain(self, seq: int, request: service_requests.Drain) -> bytes:
        holding = self._desk.holdings.get((_SERVICE, request.service))
        if request.is_unshared and holding is not None and holding.is_shared:
            raise UsageError(f"service id {request.service!r} {HELD_BY_OTHERS}")
        self._handle.drain(request.service, request.seconds)
        what = f"began ({request.seconds:g} s)" if request.seconds > 0 else "ended"
        self._log(f"Drain of {request.service or 'this node'} {what}")
        return answers.header(seq)

    def _log(self, text: str) -> None:
        """Log what a client changed of what this node says, and which client it was."""
        self._service.log("INFO", f"agent.ipc: {text}: {self._peer}")

    def _make_room(self, key: tuple[str, str]) -> None:
        held = self._held
        if key in held or len(held) < self._service.limits.held_max:
            return
        # what was drained, or given up after its time, went without a word of ours
        theirs = self._held_services()
        for kind, name in tuple(held):
            if kind == _SERVICE and name not in theirs:
                self._let_go((kind, name))
        if len(held) >= self._service.limits.held_max:
            raise UsageError("too many registrations held by this connection")

    def _let_go(self, key: tuple[str, str]) -> None:
        self._held.pop(key, None)
        self._desk.holdings.pop(key, None)


_COMMANDS: dict[str, Callable[[Services, int, Any], bytes]] = {
    "services": Services._services,
    "service": Services._instances,
    "services-of": Services._instances_of,
    "service-watch": Services._watch,
    "own-services": Services._own,
    "service-register": Services._register,
    "service-deregister": Services._deregister,
    "check-register": Services._register_check,
    "check-deregister": Services._deregister_check,
    "check-report": Services._report,
    "service-load": Services._load,
    "service-maintenance": Services._maintain,
    "service-drain": Services._drain,
}
