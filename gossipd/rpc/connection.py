"""One client of the local socket: requests in order, records in between.

Rules of rpc.md, sections 2-5: the first request is the handshake, then the
token if one is set; requests are answered one after another; records of
streams, monitors and pings carry the number of the request that opened them
and may come between any two answers. A client that does not read blocks its
own connection only: its records queue in the node's bounded fanout, and what
does not fit there is lost to it alone.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio

from gossipd.errors import GossipdError, WireError
from gossipd.query import commands, requests
from gossipd.query.framing import TOO_LARGE, FrameReader
from gossipd.rpc import answers
from gossipd.rpc.sending import Sender
from gossipd.serf.question import KeyCommand

if TYPE_CHECKING:
    from gossipd.rpc.service import Service
    from gossipd.rpc.services import Services
    from gossipd.rpc.subscriptions import Subscriptions

RECEIVE_BYTES = 65_536
ANSWERED = "gossipd.rpc.request"
"""Measured in milliseconds: from a request to its answer's being sent; of those without
records of their own."""


class _Ended(Exception):
    """The client is gone, or was refused for good: close the connection."""


class Connection:
    """State of one connection.

    Args:
        stream: the accepted socket.
        service: what all connections share.
        peer: how the client is named in the log.
    """

    __slots__ = (
        "_frames", "_handle", "_is_greeted", "_is_trusted", "_nursery", "_peer", "_sender",
        "_service", "_services", "_stream", "_subscriptions",
    )  # fmt: skip

    def __init__(self, stream: trio.abc.Stream, service: Service, peer: str) -> None:
        self._stream = stream
        self._service = service
        self._handle = service.handle
        self._peer = peer
        self._frames = FrameReader(service.limits.object_bytes_max)
        self._sender = Sender(stream, service)
        self._subscriptions: Subscriptions | None = None
        self._services: Services | None = None
        self._is_greeted = False
        self._is_trusted = service.auth is None
        self._nursery: trio.Nursery | None = None

    async def serve(self) -> None:
        """Answer requests until the client goes or breaks a rule; closes the socket."""
        try:
            first = None
            while first is None:
                first = await self._serve_request()
            # Few connections have records that need tasks; the others are spared a nursery.
            async with trio.open_nursery() as self._nursery:
                try:
                    await self._subscribe(*first)
                    while True:
                        await self._serve_request()
                finally:
                    # Closing first frees a record task that is stuck in a shielded send.
                    await self._close()
                    self._nursery.cancel_scope.cancel()
        except* (_Ended, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await self._close()

    async def _close(self) -> None:
        if self._services is not None:
            self._services.close()
            self._services = None
        await trio.aclose_forcefully(self._stream)

    # --- reading ---------------------------------------------------------------

    async def _serve_request(self) -> tuple[int, Any] | None:
        """Answer one request; return it with its number if it needs the nursery first."""
        if self._frames.is_inside_object:  # many in one piece: others get a turn in between
            await trio.lowlevel.checkpoint()
        header = await self._read_header()
        if header is None:
            return None
        seq, name = header.seq, header.command
        service, began = self._service, trio.current_time()
        service.count("agent.ipc.command")
        if not self._is_greeted and name != "handshake":
            raise await self._refuse(seq, requests.HANDSHAKE_REQUIRED)
        command = commands.find_command(name)
        is_open = self._is_trusted or name in ("handshake", "auth")
        if command is None:
            if is_open:
                raise await self._refuse(seq, requests.UNSUPPORTED_COMMAND)
            await self._refuse_untrusted(seq)
            return None
        body = None if command.names is None else await self._read_object(seq, is_begun=True)
        if not is_open:
            await self._refuse_untrusted(seq)
            return None
        try:
            request = commands.read_request_untrusted(name, body)
        except WireError as error:
            if not isinstance(body, (dict, list)) or name == "handshake":
                raise await self._refuse(seq, f"bad request: {error.detail}", name) from None
            await self._sender.send(
                answers.error_message(seq, name, f"bad request: {error.detail}")
            )
            return None
        if isinstance(request, requests.Leave):
            request.drain = max(0.0, header.drain)
        if name in _RECORDS:
            if self._nursery is None:
                return seq, request
            await self._subscribe(seq, request)
            return None
        answer = _COMMANDS.get(name)
        if answer is not None:
            await answer(self, seq, request)
        else:
            await self._ask_services(seq, request)
        service.measure(ANSWERED, 1000 * (trio.current_time() - began))
        return None

    async def _read_header(self) -> requests.Header | None:
        """Return the next header; ``None`` for the stray empty map some clients send."""
        value = await self._read_object(0, is_begun=self._frames.is_inside_object)
        if value == {} and isinstance(value, dict) and self._is_greeted:
            await trio.lowlevel.checkpoint()
            return None
        try:
            return requests.read_header_untrusted(value)
        except WireError as error:
            raise await self._refuse(0, f"bad request: {error.detail}") from None

    async def _read_object(self, seq: int, *, is_begun: bool) -> Any:
        """Return the next object; a breach of a limit is answered under ``seq``."""
        seconds = self._service.limits.object_seconds_max
        deadline = trio.current_time() + seconds if is_begun else math.inf
        while True:
            try:
                found = self._frames.next_object_untrusted()
            except WireError as error:
                if error.reason == TOO_LARGE:
                    raise await self._refuse(seq, requests.REQUEST_TOO_LARGE) from None
                raise _Ended from None
            if found is not None:
                return found[0]
            if deadline == math.inf and self._frames.is_inside_object:
                deadline = trio.current_time() + seconds
            await self._receive(deadline, seq)

    async def _receive(self, deadline: float, seq: int) -> None:
        if deadline == math.inf:
            self._take_in(await self._stream.receive_some(RECEIVE_BYTES))
            return
        data: bytes | bytearray = b""
        with trio.move_on_at(deadline) as scope:
            data = await self._stream.receive_some(RECEIVE_BYTES)
        if scope.cancelled_caught:
            raise await self._refuse(seq, "request was not completed in time")
        self._take_in(data)

    def _take_in(self, data: bytes | bytearray) -> None:
        if not data:
            raise _Ended
        self._frames.feed(data)

    async def _refuse(self, seq: int, error: str, command: str = "") -> _Ended:
        """Answer with ``error``, as far as the client takes it at once; raise the result."""
        with trio.move_on_after(self._service.limits.last_words_seconds):
            await self._sender.send_cancellable(answers.error_message(seq, command, error))
        return _Ended()

    async def _refuse_untrusted(self, seq: int) -> None:
        self._service.untrusted.warn("agent.ipc: Client sending commands before auth")
        await self._sender.send(answers.header(seq, requests.AUTH_REQUIRED))

    # --- commands --------------------------------------------------------------

    async def _handshake(self, seq: int, request: requests.Handshake) -> None:
        error = ""
        if request.version != requests.IPC_VERSION:
            error = requests.UNSUPPORTED_VERSION
        elif self._is_greeted:
            error = requests.HANDSHAKE_PERFORMED
        else:
            self._is_greeted = True
        await self._sender.send(answers.header(seq, error))

    async def _auth(self, seq: int, request: requests.Auth) -> None:
        shown = request.token.encode("utf-8", "surrogateescape")
        wanted = (self._service.auth or "").encode("utf-8", "surrogateescape")
        if hmac.compare_digest(shown, wanted):
            self._is_trusted = True
            await self._sender.send(answers.header(seq))
        else:
            await self._sender.send(answers.header(seq, requests.INVALID_TOKEN))

    async def _members(self, seq: int, request: requests.Plain) -> None:
        body = self._service.members.body(self._handle.view(), self._handle.now())
        await self._sender.send(answers.header(seq) + body)

    async def _members_filtered(self, seq: int, request: requests.MembersFiltered) -> None:
        try:
            wanted = answers.MemberFilter(request)
        except WireError as error:
            refusal = answers.filter_refusal(error)
            await self._sender.send(answers.error_message(seq, request.command, refusal))
            return
        view, now = self._handle.view(), self._handle.now()
        if wanted.wants_all:
            body = self._service.members.body(view, now)
        else:
            members = []
            for count, member in enumerate(view.members):
                if wanted.wants(member):
                    members.append(member)
                if count % 256 == 255:
                    await trio.lowlevel.checkpoint()
            body = self._service.members.selected_body(view, members, now)
        await self._sender.send(answers.header(seq) + body)

    async def _join(self, seq: int, request: requests.Join) -> None:
        addresses = request.addresses
        try:
            result = await self._handle.join(addresses, replay=request.replay)
        except GossipdError as error:
            await self._sender.send(answers.error_message(seq, "join", str(error)))
            return
        await self._sender.send(
            answers.join_message(seq, addresses, result.contacted, result.errors)
        )

    async def _leave(self, seq: int, request: requests.Leave) -> None:
        self._service.log("INFO", "agent.ipc: Graceful leave triggered")
        try:
            await (
                self._handle.leave(drain=request.drain) if request.drain else self._handle.leave()
            )
        except GossipdError as error:
            await self._sender.send(answers.header(seq, str(error)))
            return
        # The daemon ends now that it has left; the answer must be out before that.
        with trio.move_on_after(self._service.limits.last_words_seconds, shield=True):
            await self._sender.send_cancellable(answers.header(seq))
            # Serf's command takes an end that follows at once for a failure.
            with trio.move_on_after(self._service.limits.farewell_seconds):
                while await self._stream.receive_some(RECEIVE_BYTES):
                    pass
        raise _Ended

    async def _force_leave(self, seq: int, request: requests.ForceLeave) -> None:
        await self._answer_when_done(
            seq, self._handle.force_leave(request.node, prune=request.prune)
        )

    async def _tags(self, seq: int, request: requests.SetTags) -> None:
        await self._answer_when_done(seq, self._handle.set_tags(request.tags, request.delete))

    async def _answer_when_done(self, seq: int, work: Awaitable[None]) -> None:
        error = ""
        try:
            await work
        except GossipdError as failure:
            error = str(failure)
        await self._sender.send(answers.header(seq, error))

    async def _stats(self, seq: int, request: requests.Plain) -> None:
        await self._sender.send(self._service.stats_message(seq))

    async def _config(self, seq: int, request: requests.Plain) -> None:
        from gossipd.query.config_records import settings_body  # seldom asked for
        from gossipd.rpc.tasks import told_tasks

        body = settings_body(self._handle.settings()) | {"Tasks": told_tasks()}
        await self._sender.send(answers.message(seq, body))

    async def _reload(self, seq: int, request: requests.Plain) -> None:
        from gossipd.query.config_records import reload_body

        try:
            done = await self._handle.reload()
        except GossipdError as error:
            await self._sender.send(answers.error_message(seq, "reload", str(error)))
            return
        body = reload_body(done.applied, done.needs_restart, done.kept)
        await self._sender.send(answers.message(seq, body))

    async def _get_coordinate(self, seq: int, request: requests.GetCoordinate) -> None:
        coordinate = self._handle.coordinate(request.node)
        await self._sender.send(answers.coordinate_message(seq, coordinate))

    async def _event(self, seq: int, request: requests.UserEvent) -> None:
        work = self._handle.send_event(
            request.name,
            request.payload,
            may_coalesce=request.may_coalesce,
            nodes=request.nodes,
            tags=request.tags,
        )
        await self._answer_when_done(seq, work)

    async def _manage_keys(self, seq: int, request: requests.ChangeKey | requests.Plain) -> None:
        from gossipd.query.key_text import decode_key_untrusted  # seldom asked for

        command, key = KeyCommand(request.command), None
        try:
            if isinstance(request, requests.ChangeKey):
                key = decode_key_untrusted(request.key)
            report = await self._handle.manage_keys(command, key)
        except GossipdError as error:
            refusal = error.detail if isinstance(error, WireError) else str(error)
            await self._sender.send(answers.error_message(seq, request.command, refusal))
            return
        await self._sender.send(answers.key_message(seq, command, report))

    async def _stop(self, seq: int, request: requests.Stop) -> None:
        if self._services is not None:
            self._services.stop(request.target)
        if self._subscriptions is None:
            await self._sender.send(answers.header(seq))
        else:
            await self._subscriptions.stop(seq, request)

    async def _subscribe(self, seq: int, request: Any) -> None:
        """Hand what has to do with records to the room for them."""
        if self._subscriptions is None:
            from gossipd.rpc.subscriptions import Subscriptions  # a daemon at rest has none

            assert self._nursery is not None, "serve() opens it before the first of them"
            self._subscriptions = Subscriptions(
                self._service, self._nursery, self._sender.send, self._peer
            )
        await self._subscriptions.commands[request.command](seq, request)

    async def _ask_services(self, seq: int, request: Any) -> None:
        """Hand what has to do with services to the room for them."""
        if self._services is None:
            from gossipd.rpc.services import Services  # most connections have none

            may_run = self._service.may_run_commands(self._stream)
            self._services = Services(self._sender, self._service, self._peer, may_run=may_run)
        await self._services.answer(seq, request)


_RECORDS = frozenset({"stream", "monitor", "query", "respond"})
"""Commands that open records of tasks, or answer them."""
_COMMANDS: dict[str, Callable[[Connection, int, Any], Awaitable[None]]] = {
    "handshake": Connection._handshake,
    "auth": Connection._auth,
    "members": Connection._members,
    "members-filtered": Connection._members_filtered,
    "join": Connection._join,
    "leave": Connection._leave,
    "force-leave": Connection._force_leave,
    "tags": Connection._tags,
    "stop": Connection._stop,
    "stats": Connection._stats,
    "config": Connection._config,
    "reload": Connection._reload,
    "get-coordinate": Connection._get_coordinate,
    "event": Connection._event,
    "install-key": Connection._manage_keys,
    "use-key": Connection._manage_keys,
    "remove-key": Connection._manage_keys,
    "list-keys": Connection._manage_keys,
}
"""What answers each command but those about records and services."""
