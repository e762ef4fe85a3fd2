"""A minimal client of Serf's agent RPC, for tests and measurements only.

It shares no code with the product's client, so a mistake made twice there
would still be seen here. It speaks to ``serf`` and to ``gossipd`` alike
(protocol: headers and bodies are msgpack maps; whether a body follows
depends on the command alone).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

import msgpack

Record: TypeAlias = dict[str, Any]
Connect: TypeAlias = Callable[[], socket.socket]

BODY_FOLLOWS = {
    "join", "members", "members-filtered", "stats", "get-coordinate",
    "install-key", "use-key", "remove-key", "list-keys",
    "service-register", "service", "services", "services-of", "own-services",
}  # fmt: skip
READ_BYTES = 65536


class RpcProblem(OSError):
    """The agent answered with an error, or closed the connection."""


class RpcProbe:
    """One connection to an agent's RPC; also a context manager.

    Args:
        where: ``host:port``, or the path of a unix socket.
        timeout: seconds that one read may take.
        connect: makes the connected socket instead (other network namespaces).
    """

    def __init__(self, where: str, *, timeout: float = 10.0, connect: Connect | None = None):
        self._socket = connect() if connect is not None else _connect(where, timeout)
        self._socket.settimeout(timeout)
        self._timeout = timeout
        self._unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self._seq = 0
        try:
            self.call("handshake", {"Version": 1})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RpcProbe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; streams and a monitor end with it."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, for selectors."""
        return self._socket.fileno()

    def send(self, command: str, body: Mapping[str, Any] | None = None) -> int:
        """Send a request without waiting for the answer; returns its number."""
        self._seq += 1
        data = msgpack.packb({"Command": command, "Seq": self._seq})
        if body is not None:
            data += msgpack.packb(dict(body))
        self._socket.sendall(data)
        return self._seq

    def call(self, command: str, body: Mapping[str, Any] | None = None) -> Record:
        """Send a request and return the body of its answer, empty if it has none.

        Raises:
            RpcProblem: the answer is an error.
        """
        seq = self.send(command, body)
        while True:
            header = self.read_object()
            if header["Seq"] == seq:
                break
            self.read_object()  # a record of a stream on the same connection
        answer = self.read_object() if command in BODY_FOLLOWS else {}
        if header["Error"]:
            raise RpcProblem(f"{command}: {header['Error']}")
        return answer

    def call_unread(self, command: str, body: Mapping[str, Any]) -> None:
        """Send a request whose answer has a body, and only look where that ends.

        For measurements of the agent; nothing else may be under way on the connection.

        Raises:
            RpcProblem: the answer is an error.
        """
        self.send(command, body)
        error = self.read_object()["Error"]
        while True:
            try:
                self._unpacker.skip()
                break
            except msgpack.OutOfData:
                self._unpacker.feed(self.take_bytes())
        if error:
            raise RpcProblem(f"{command}: {error}")

    def take_bytes(self) -> bytes:
        """Return what came, undecoded; waits for something."""
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise RpcProblem("the agent closed the connection")
        return data

    def read_object(self) -> Record:
        """Return the next object from the wire."""
        while True:
            try:
                found: Record = self._unpacker.unpack()
                return found
            except msgpack.OutOfData:
                self._unpacker.feed(self.take_bytes())

    def members(self) -> dict[str, Record]:
        """Return the member list by name."""
        return {member["Name"]: member for member in self.call("members")["Members"]}

    def statuses(self) -> dict[str, str]:
        """Return each member's status by name."""
        return {name: member["Status"] for name, member in self.members().items()}

    def stats(self) -> dict[str, dict[str, str]]:
        """Return the agent's statistics by section."""
        return self.call("stats")

    def join(self, *addresses: str) -> int:
        """Join through ``addresses``; returns how many were contacted."""
        answer = self.call("join", {"Existing": list(addresses), "Replay": False})
        return int(answer["Num"])

    def leave(self) -> None:
        """Leave; returns when the agent says it has left."""
        self.call("leave")

    def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Announce that ``node`` left."""
        self.call("force-leave", {"Node": node, "Prune": prune})

    def set_tags(self, tags: Mapping[str, str], delete: tuple[str, ...] = ()) -> None:
        """Set and delete tags of the agent."""
        self.call("tags", {"Tags": dict(tags), "DeleteTags": list(delete)})

    def event(self, name: str, payload: bytes) -> None:
        """Send a user event that is not coalesced."""
        self.call("event", {"Name": name, "Payload": payload, "Coalesce": False})

    def follow(self, filters: str) -> int:
        """Start a stream on this connection; read it with ``next_record``."""
        self.call("stream", {"Type": filters})
        return self._seq

    def follow_log(self, level: str) -> int:
        """Start the monitor on this connection; read it with ``next_record``."""
        self.call("monitor", {"LogLevel": level})
        return self._seq

    def next_record(self, timeout: float) -> Record:
        """Return the next record of whatever is followed on this connection.

        Raises:
            TimeoutError: none came within ``timeout`` seconds.
            RpcProblem: the connection ended.
        """
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self.read_object()
            return self.read_object()
        finally:
            self._socket.settimeout(self._timeout)

    def ready_records(self) -> list[Record]:
        """Return the records that have arrived, without waiting (after a selector said so)."""
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise RpcProblem("the agent closed the connection")
        self._unpacker.feed(data)
        return [record for record in self._unpacker if "Error" not in record]


def _connect(where: str, timeout: float) -> socket.socket:
    if "/" in where:
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.settimeout(timeout)
        try:
            unix.connect(where)
        except BaseException:
            unix.close()
            raise
        return unix
    host, _, port = where.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout)
