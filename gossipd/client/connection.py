"""The client's side of the local socket, sans-IO: requests out, replies and records in.

Bytes to send come from ``request``; bytes received go to ``feed``; then
``next_message_untrusted`` gives replies and records until there is none.
Messages are told apart by their ``Seq``, because records of streams come
between the replies (rpc.md, section 5).
"""

from __future__ import annotations

import math

import msgpack

from gossipd.errors import GossipdError, Unavailable, UsageError, WireError
from gossipd.query import commands, requests
from gossipd.query.framing import BAD_OBJECT, STRING_BYTES_MAX, TOO_LARGE, FrameReader, encode
from gossipd.query.replies import read_keys_untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

REPLY_BYTES_MAX = 256 << 20
"""Bytes of replies held while they are incomplete; 10,000 members take about 2 MB."""
REPLY_ENTRIES_MAX = 4 << 20
"""Entries of one list in a reply."""
KEY_COMMANDS = ("install-key", "use-key", "remove-key", "list-keys")


class DaemonUnreachable(Unavailable):
    """No daemon answers at the socket, or it went away; the message names the socket."""


class RequestRefused(GossipdError):
    """The daemon answered with an error; ``error`` is its text, ``body`` what came with it."""

    def __init__(self, error: str, body: object = None) -> None:
        super().__init__(error.strip())
        self.error = error
        self.body = body


class KeysRefused(RequestRefused):
    """Not all members did what a key command asked; ``reply`` says what each of them said."""

    def __init__(self, error: str, body: object) -> None:
        super().__init__(error, body)
        self.reply = read_keys_untrusted(body)


def refused(command: str, error: str, body: object) -> RequestRefused:
    """Return the error for a request that was answered with ``error``.

    Raises:
        WireError: ``bad-reply``, what came with it is not what the command promises.
    """
    if command in KEY_COMMANDS and error not in requests.BODILESS_ERRORS:
        return KeysRefused(error, body)
    return RequestRefused(error, body)


class Reply:
    """The answer to request ``seq``; ``error`` is empty on success."""

    __slots__ = ("body", "error", "seq")

    def __init__(self, seq: int, error: str, body: object) -> None:
        self.seq = seq
        self.error = error
        self.body = body


class Record:
    """One record that request ``seq`` opened."""

    __slots__ = ("body", "seq")

    def __init__(self, seq: int, body: object) -> None:
        self.seq = seq
        self.body = body


if TYPE_CHECKING:
    Message: TypeAlias = Reply | Record


class Connection:
    """Numbers requests, and knows which bodies follow which headers."""

    __slots__ = ("_awaited", "_header", "_open", "_seq", "_stopped", "_unpacker")

    def __init__(self) -> None:
        self._seq = 0
        self._awaited: dict[int, requests.Request] = {}
        self._open: set[int] = set()  # streams, monitors and queries that send records
        self._stopped: set[int] = set()  # their records may still be under way
        self._header: tuple[int, str] | None = None  # read, and its body is not there yet
        self._unpacker = msgpack.Unpacker(
            raw=False,
            unicode_errors="surrogateescape",
            strict_map_key=True,
            max_buffer_size=REPLY_BYTES_MAX,
            max_array_len=REPLY_ENTRIES_MAX,
            max_map_len=REPLY_ENTRIES_MAX,
        )

    def request(self, request: requests.Request) -> tuple[int, bytes]:
        """Return the request's number and the bytes to send for it.

        Raises:
            UsageError: it is so large that the daemon would hang up, and end what the
                connection holds.
        """
        seq = self._seq + 1
        header: dict[str, object] = {"Command": request.command, "Seq": seq}
        if isinstance(request, requests.Leave) and request.drain:
            header["Drain"] = request.drain
        body = request.body()
        data = encode(header) if body is None else encode(header, body)
        if len(data) > STRING_BYTES_MAX:
            _refuse_oversize(request, data)
        self._seq = seq
        self._awaited[seq] = request
        return seq, data

    def feed(self, data: bytes | bytearray) -> None:
        """Hand in bytes that were received.

        Raises:
            WireError: more than ``REPLY_BYTES_MAX`` without a complete message.
        """
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise WireError(TOO_LARGE, f"a reply above {REPLY_BYTES_MAX} bytes") from None

    def next_message_untrusted(self) -> Message | None:
        """Return the next reply or record, or ``None`` until more bytes are fed.

        Messages of unknown or stopped numbers are skipped.

        Raises:
            WireError: the bytes are not what a daemon sends; hang up.
        """
        while True:
            if self._header is None:
                one = self._next_object_untrusted()
                if one is None:
                    return None
                self._header = _read_header_untrusted(one[0])
            seq, error = self._header
            body: Any = None
            if self._has_body(seq, error):
                one = self._next_object_untrusted()
                if one is None:
                    return None
                body = one[0]
            self._header = None
            message = self._message(seq, error, body)
            if message is not None:
                return message

    def _has_body(self, seq: int, error: str) -> bool:
        request = self._awaited.get(seq)
        if request is None:
            return not error and (seq in self._open or seq in self._stopped)
        command = commands.command_of(request.command)
        return command.has_reply_body and error not in requests.BODILESS_ERRORS

    def _message(self, seq: int, error: str, body: object) -> Message | None:
        request = self._awaited.pop(seq, None)
        if request is None:
            return Record(seq, body) if seq in self._open and not error else None
        if not error:
            if commands.command_of(request.command).opens_records:
                self._open.add(seq)
            elif isinstance(request, requests.Stop) and request.target in self._open:
                self._open.discard(request.target)
                self._stopped.add(request.target)
        return Reply(seq, error, body)

    def expects(self, seq: int) -> bool:
        """Say whether an answer, or records, may still come under that number."""
        return seq in self._awaited or seq in self._open

    def forget(self, seq: int) -> None:
        """Note that the records of ``seq`` are over (a query's ``done`` has come)."""
        self._open.discard(seq)

    def _next_object_untrusted(self) -> tuple[Any] | None:
        try:
            return (self._unpacker.unpack(),)
        except msgpack.OutOfData:
            return None
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
            raise WireError(BAD_OBJECT, str(error)) from error


def _refuse_oversize(request: requests.Request, data: bytes) -> None:
    frames = FrameReader()
    frames.feed(data)
    try:
        while frames.next_frame_untrusted() is not None:
            pass
    except WireError as error:
        service = getattr(request, "service", None)
        if isinstance(service, dict):
            from gossipd.services.reading import read_service  # only on the way to an error

            read_service(service)  # names the field
        raise UsageError(f"{request.command}: too large to be sent: {error.detail}") from None


def _read_header_untrusted(value: object) -> tuple[int, str]:
    if isinstance(value, dict):
        seq, error = value.get("Seq", 0), value.get("Error", "")
        if isinstance(seq, int) and isinstance(error, str):
            return seq, error
    raise WireError(BAD_OBJECT, "a message without header")


def unreachable(endpoint: object, reason: str) -> DaemonUnreachable:
    """Return the error for a socket at which nobody answers."""
    return DaemonUnreachable(
        f"no daemon answers at {endpoint} ({reason}): start one with 'gossipd agent',"
        " or name its socket with --socket or GOSSIPD_SOCKET"
    )


def gone(endpoint: object) -> DaemonUnreachable:
    """Return the error for a daemon that closed the connection."""
    return DaemonUnreachable(f"the daemon at {endpoint} closed the connection")


def as_payload(payload: bytes | str | None) -> bytes | None:
    """Return a payload as bytes, text as UTF-8; empty is ``None``."""
    if isinstance(payload, str):
        payload = payload.encode("utf-8", "surrogateescape")
    return payload or None


def as_timeout_ns(timeout: float | None) -> int:
    """Return seconds in nanoseconds, 0 (the daemon's default) for ``None`` only.

    Raises:
        UsageError: it is not finite.
    """
    if timeout is None:
        return 0
    if not math.isfinite(timeout):
        raise UsageError(f"a timeout of {timeout} seconds: give a number, or None for the default")
    return int(timeout * 1e9) or (-1 if timeout < 0 else 1)
