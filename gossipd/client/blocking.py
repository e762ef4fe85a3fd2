"""``Client``: asks a running daemon over a plain socket, no event loop.

What scripts and the command line use; importing it costs a few milliseconds.
Not for several threads at a time. ``AsyncClient`` in ``aio.py`` is the same
for trio and asyncio.
"""

from __future__ import annotations

import os
import socket
from collections import deque

from gossipd.client.connection import (
    Connection,
    Record,
    RequestRefused,
    gone,
    unreachable,
)
from gossipd.client.endpoint import Endpoint, find_auth, find_endpoint
from gossipd.errors import GossipdError, WireError
from gossipd.query import commands, requests
from gossipd.query.records import (
    BAD_REPLY,
    EventRecord,
    LogRecord,
    MemberRecord,
    read_event_untrusted,
    read_log_untrusted,
    read_members_untrusted,
    read_query_record_untrusted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 60.0
"""How long a command may take; a join tries dead addresses for up to 10 s each."""
RECEIVE_BYTES = 1 << 18
RECORDS_MAX = 65_536
"""Records kept while the caller reads something else; older ones are then lost."""


class Client:
    """A connection to a daemon; use it as a context manager.

    Args:
        socket: a unix socket's path or ``host:port``; by default what
            ``GOSSIPD_SOCKET`` or ``SERF_RPC_ADDR`` says, else the usual path.
        auth: the daemon's RPC token; by default ``GOSSIPD_RPC_AUTH`` or ``SERF_RPC_AUTH``.
        timeout: seconds to wait for an answer; ``None`` waits for ever.

    Raises:
        DaemonUnreachable: nobody answers there.
        RequestRefused: the token is wrong.
        UsageError: ``socket`` is neither a path nor ``host:port``.
    """

    def __init__(
        self,
        socket: str | None = None,
        *,
        auth: str | None = None,
        timeout: float | None = REPLY_SECONDS,
    ) -> None:
        self.endpoint = find_endpoint(socket, os.environ, os.geteuid())
        self._timeout = timeout
        self._connection = Connection()
        self._records: dict[int, deque[object]] = {}
        self._socket = _connect(self.endpoint)
        try:
            self._ask(requests.Handshake())
            token = find_auth(auth, os.environ)
            if token:
                self._ask(requests.Auth(token))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; its streams end with it."""
        self._socket.close()

    def members(self) -> list[MemberRecord]:
        """Return all members of every status, sorted by name."""
        return self._read_members(requests.Plain("members"))

    def members_filtered(
        self, *, name: str = "", status: str = "", tags: Mapping[str, str] | None = None
    ) -> list[MemberRecord]:
        """Return the members whose name, status and tags match the RE2 patterns given.

        Each pattern must match the whole value; an empty one matches all.

        Raises:
            RequestRefused: a pattern does not compile.
        """
        return self._read_members(requests.MembersFiltered(tags, status, name))

    def join(self, addresses: Sequence[str], *, replay: bool = False) -> int:
        """Join the cluster through ``addresses``; return how many were contacted.

        Raises:
            RequestRefused: none could be contacted.
        """
        body = self._ask(requests.Join(addresses, replay))
        contacted = body.get("Num") if isinstance(body, dict) else None
        if not isinstance(contacted, int):
            raise WireError(BAD_REPLY, "a join without its number")
        return contacted

    def leave(self) -> None:
        """Make the daemon leave the cluster gracefully and end."""
        self._ask(requests.Plain("leave"))

    def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Declare that ``node`` left; with ``prune`` it is forgotten at once."""
        self._ask(requests.ForceLeave(node, prune))

    def set_tags(
        self, tags: Mapping[str, str] | None = None, *, delete: Sequence[str] = ()
    ) -> None:
        """Delete tags of the daemon's own node, then set others.

        Raises:
            RequestRefused: the tags are too long together; nothing was changed.
        """
        self._ask(requests.SetTags(tags, delete))

    def tags(self) -> dict[str, str]:
        """Return the tags of the daemon's own node."""
        return self.stats().get("tags", {})

    def stats(self) -> dict[str, dict[str, str]]:
        """Return the daemon's numbers by section; all values are text."""
        body = self._ask(requests.Plain("stats"))
        if not isinstance(body, dict) or not all(isinstance(v, dict) for v in body.values()):
            raise WireError(BAD_REPLY, "stats that are no map of maps")
        return body

    def stream(self, filters: str = "*") -> Iterator[EventRecord]:
        """Yield events that match ``filters``, from now on, until the daemon ends.

        Filters are comma separated: ``member-join``, ``user:deploy`` and so on.
        A record of kind ``gap`` says how many were lost because they were
        read too slowly.
        """
        seq = self._open(requests.Stream(filters, wants_gaps=True))
        return self._follow(seq, read_event_untrusted)

    def monitor(self, level: str = "INFO") -> Iterator[LogRecord]:
        """Yield the daemon's kept log lines at ``level``, then live ones, until it ends."""
        seq = self._open(requests.Monitor(level, wants_gaps=True))
        return self._follow(seq, read_log_untrusted)

    def follow(self, filters: str = "*", level: str = "INFO") -> Iterator[EventRecord | LogRecord]:
        """Yield events and log lines as they come, over this one connection."""
        events = self._open(requests.Stream(filters, wants_gaps=True))
        lines = self._open(requests.Monitor(level, wants_gaps=True))
        return self._follow_both(events, lines)

    def reachability(self, timeout: float | None = None) -> Iterator[str]:
        """Ask all members for a sign of life; yield the name of each that answers.

        Ends when every alive member has answered, or after ``timeout`` seconds
        (by default the cluster's query timeout).
        """
        seq = self._open(
            requests.Query(
                requests.PING_QUERY, wants_acks=True, timeout_ns=int((timeout or 0) * 1e9)
            )
        )
        # The daemon promises an end; a frozen one must not keep the caller for ever.
        return self._acks(seq, None if self._timeout is None else self._timeout + (timeout or 0))

    # --- below: one request, its records ----------------------------------------

    def _read_members(self, request: requests.Request) -> list[MemberRecord]:
        found = read_members_untrusted(self._ask(request))
        found.sort(key=_by_name)
        return found

    def _ask(self, request: requests.Request) -> Any:
        return self._transact(request)[1]

    def _open(self, request: requests.Request) -> int:
        return self._transact(request)[0]

    def _transact(self, request: requests.Request) -> tuple[int, Any]:
        """Send a request and return its number and its answer's body."""
        seq, data = self._connection.request(request)
        opens_records = commands.COMMANDS[request.command].opens_records
        if opens_records:
            self._records[seq] = deque(maxlen=RECORDS_MAX)
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(data)
        except OSError as error:
            raise gone(self.endpoint) from error
        while True:
            message = self._next_message()
            if isinstance(message, Record):
                self._keep(message)
            elif message.seq == seq:
                if message.error:
                    self._records.pop(seq, None)
                    raise RequestRefused(message.error, message.body)
                return seq, message.body

    def _next_message(self) -> Any:
        """Return the next reply or record, waiting for it."""
        while True:
            message = self._connection.next_message_untrusted()
            if message is not None:
                return message
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except TimeoutError as error:
                raise NoAnswer(f"no answer from {self.endpoint} in time") from error
            except OSError as error:
                raise gone(self.endpoint) from error
            if not data:
                raise gone(self.endpoint)
            self._connection.feed(data)

    def _keep(self, record: Record) -> None:
        queue = self._records.get(record.seq)
        if queue is not None:
            queue.append(record.body)

    def _next_record(self, *seqs: int, timeout: float | None = None) -> tuple[int, object]:
        """Return (number, body) of the next record of one of ``seqs``, waiting for it."""
        while True:
            for seq in seqs:
                queue = self._records[seq]
                if queue:
                    return seq, queue.popleft()
            self._socket.settimeout(timeout)
            message = self._next_message()
            if isinstance(message, Record):
                self._keep(message)

    def _follow(self, seq: int, read: Any) -> Iterator[Any]:
        while True:
            yield read(self._next_record(seq)[1])

    def _follow_both(self, events: int, lines: int) -> Iterator[EventRecord | LogRecord]:
        while True:
            seq, body = self._next_record(events, lines)
            yield read_event_untrusted(body) if seq == events else read_log_untrusted(body)

    def _acks(self, seq: int, timeout: float | None) -> Iterator[str]:
        while True:
            body = self._next_record(seq, timeout=timeout)[1]
            kind, sender, _ = read_query_record_untrusted(body)
            if kind == "ack":
                yield sender
            elif kind == "done":
                self._connection.forget(seq)
                del self._records[seq]
                return


class NoAnswer(GossipdError):
    """The daemon did not answer within the client's timeout."""


def _by_name(member: MemberRecord) -> str:
    return member.name


def _connect(endpoint: Endpoint) -> socket.socket:
    try:
        if not endpoint.path:
            return socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(CONNECT_SECONDS)
            connected.connect(endpoint.path)
        except BaseException:
            connected.close()
            raise
    except OSError as error:
        raise unreachable(endpoint, error.strerror or str(error)) from error
    except ValueError as error:  # no resolver is asked for a name like a..b
        raise unreachable(endpoint, "not a host name or path") from error
    return connected
