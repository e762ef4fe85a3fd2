"""``Link``: the blocking client's socket; a request and its answer, and records in between.

What is asked, and what the answers mean, is ``blocking.py``'s.
"""

from __future__ import annotations

import socket
from collections import deque

from gossipd.client.connection import Connection, Record, gone, refused, unreachable
from gossipd.errors import GossipdError
from gossipd.query import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gossipd.client.endpoint import Endpoint
    from gossipd.query import requests

CONNECT_SECONDS = 5.0
RECEIVE_BYTES = 1 << 18
RECORDS_MAX = 65_536
"""Records kept while the caller reads something else; the oldest are then lost."""


class NoAnswer(GossipdError):
    """The daemon did not answer within the client's timeout."""


class Kept:
    """Records of one stream that wait for the caller, and how many it lost by waiting."""

    __slots__ = ("_lost", "_records")

    def __init__(self) -> None:
        self._records: deque[object] = deque()
        self._lost = 0

    def put(self, body: object) -> None:
        """Append a record; the oldest makes room when there are too many."""
        if len(self._records) >= RECORDS_MAX:
            self._records.popleft()
            self._lost += 1
        self._records.append(body)

    def take(self) -> tuple[object] | None:
        """Return the next record alone, ``None`` without one; a gap stands for lost ones."""
        if self._lost:
            lost, self._lost = self._lost, 0
            return ({"Event": "gap", "Log": "", "Lost": lost},)  # for either kind of reader
        return (self._records.popleft(),) if self._records else None

    def clear(self) -> int:
        """Drop all and return how many there were."""
        dropped = len(self._records) + self._lost
        self._records.clear()
        self._lost = 0
        return dropped


class Link:
    """A connected socket to a daemon.

    Args:
        endpoint: where the daemon is.
        timeout: seconds to wait for an answer; ``None`` waits for ever.

    Raises:
        DaemonUnreachable: nobody answers there.
    """

    def __init__(self, endpoint: Endpoint, timeout: float | None) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._connection = Connection()
        self._records: dict[int, Kept] = {}
        self._socket = _connect(endpoint)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, request: requests.Request) -> Any:
        """Send a request and return its answer's body.

        Raises:
            RequestRefused: the daemon's answer is an error.
            NoAnswer: none came in time.
            DaemonUnreachable: the daemon is gone.
        """
        return self._transact(request)[1]

    def open(self, request: requests.Request) -> int:
        """Send a request that opens records and return their number; errors as ``ask``."""
        return self._transact(request)[0]

    def next_record(self, *seqs: int, timeout: float | None = None) -> tuple[int, object]:
        """Return (number, body) of the next record of one of ``seqs``, waiting for it.

        Raises:
            NoAnswer: nothing came for ``timeout`` seconds.
            DaemonUnreachable: the daemon is gone.
        """
        while True:
            for seq in seqs:
                record = self._records[seq].take()
                if record is not None:
                    return seq, record[0]
            self._socket.settimeout(timeout)
            message = self._next_message()
            if isinstance(message, Record):
                self._keep(message)

    def drop_records(self, seq: int) -> int:
        """Drop the records of ``seq`` that are here, without waiting; return how many."""
        while (message := self._connection.next_message_untrusted()) is not None:
            if isinstance(message, Record):
                self._keep(message)
        return self._records[seq].clear()

    def wait_for_end(self) -> None:
        """Return when the daemon is gone, or ``shut_down`` was called; records are kept."""
        self._socket.settimeout(None)
        try:
            while True:
                message = self._next_message()
                if isinstance(message, Record):
                    self._keep(message)
        except GossipdError:
            return

    def shut_down(self) -> None:
        """Hang up, also while another thread waits; the socket is still to be closed."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself

    def forget(self, seq: int) -> None:
        """Note that the records of ``seq`` are over."""
        self._connection.forget(seq)
        del self._records[seq]

    def _transact(self, request: requests.Request) -> tuple[int, Any]:
        """Send a request and return its number and its answer's body."""
        seq, data = self._connection.request(request)
        opens_records = commands.command_of(request.command).opens_records
        if opens_records:
            self._records[seq] = Kept()
        try:
            self._socket.settimeout(self.timeout)
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
                    raise refused(request.command, message.error, message.body)
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
        kept = self._records.get(record.seq)
        if kept is not None:
            kept.put(record.body)


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
