"""``Snapshot``: what a node remembers over a restart, and its form as lines (section 20).

Each record is a line, in Serf's form, so that Serf reads our file and we read
Serf's; the last word about a member or a clock counts. What Serf has no record
for, members that failed, stands in comments, which Serf skips:

    alive: web 10.0.0.4:7946
    not-alive: db 1
    # gossipd failed: db 1 10.0.0.5:7946
    clock: 12

Text only: the file, and when a line is safely in it, is the agent's part
(``agent/state/journal.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gossipd.address import Address, address_from_host, split_host_port
from gossipd.errors import UsageError
from gossipd.serf.events import ChangeKind, MemberChange, SerfMember
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd.serf.roster import MEMBERS_MAX
from gossipd.value import Value
from gossipd.wire.serf_messages import LAMPORT_TIME_MAX, MemberStatus

LINE_BYTES_MAX = 4096
"""Bytes of a line; longer than any name that is taken in, and its address."""
COMPLAINTS_MAX = 10
"""Lines that are complained about one by one; the rest is counted."""
SIZE_MIN = 128 * 1024
MEMBER_BYTES = 256
"""Above ``SIZE_MIN`` and this for each member a file is worth rewriting."""

_HEADER = b"# gossipd: members and clocks for the next start; do not edit while it runs\n"
_ALIVE = b"alive: "
_NOT_ALIVE = b"not-alive: "
_FAILED = b"# gossipd failed: "
_CLOCK = b"clock: "
_EVENT_CLOCK = b"event-clock: "
_QUERY_CLOCK = b"query-clock: "
_LEAVE = b"leave"
_SKIPPED = (b"#", b"coordinate: ")
_RUNNING = (MemberStatus.ALIVE, MemberStatus.LEAVING)


class Snapshot:
    """Members and clocks as of the last record.

    ``alive`` and ``failed`` are where to find members, by name, ourselves included.
    A name that cannot stand in a line, or has no address, is not remembered; nor
    are members beyond ``members_max``, of which failed ones are given up first.
    """

    __slots__ = ("_members_max", "alive", "failed", "has_left", "memory")

    def __init__(self, members_max: int = MEMBERS_MAX) -> None:
        self._members_max = members_max
        self.alive: dict[str, Address] = {}
        self.failed: dict[str, Address] = {}
        self.memory = NO_MEMORY
        self.has_left = False
        """Whether a graceful leave was recorded; nothing is recorded after it."""

    @property
    def size_limit(self) -> int:
        """Bytes above which a file that holds this is to be rewritten."""
        return max(SIZE_MIN, MEMBER_BYTES * (len(self.alive) + len(self.failed)))

    def copy(self) -> Snapshot:
        """Return one that later records do not change."""
        copy = Snapshot(self._members_max)
        copy.alive, copy.failed = self.alive.copy(), self.failed.copy()
        copy.memory, copy.has_left = self.memory, self.has_left
        return copy

    # Records: each returns the lines to append, or nothing if it is no news.

    def record(self, change: MemberChange) -> bytes:
        """Take in a change of a member."""
        if self.has_left:
            return b""
        match change.kind:
            case ChangeKind.JOIN | ChangeKind.UPDATE:
                return self._running(change.member)
            case ChangeKind.FAILED:
                return self._failed(change.member)
            case ChangeKind.LEAVE | ChangeKind.REAP:
                return self.forget(change.member.name)

    def forget(self, name: str) -> bytes:
        """Take in that the member ``name`` is no more."""
        known = name in self.alive or name in self.failed
        self.alive.pop(name, None)
        self.failed.pop(name, None)
        return _line(_NOT_ALIVE, name) if known else b""

    def witness(self, memory: Memory) -> bytes:
        """Take in newer times; the clocks never fall."""
        if self.has_left or memory == self.memory:
            return b""
        before, now = self.memory, _newest(self.memory, memory)
        self.memory = now
        return b"".join(_clock_lines(now, before))

    def leave(self) -> bytes:
        """Take in that we leave for good."""
        if self.has_left:
            return b""
        self.has_left = True
        return _LEAVE + b"\n"

    def text(self) -> Iterator[bytes]:
        """Yield the lines of a whole new file; failed members stand in front as the oldest news."""
        yield _HEADER
        for name, address in self.failed.items():
            yield _member_line(_FAILED, name, address)
        for name, address in self.alive.items():
            yield _member_line(_ALIVE, name, address)
        yield from _clock_lines(self.memory, NO_MEMORY)
        if self.has_left:
            yield _LEAVE + b"\n"

    def _running(self, member: SerfMember) -> bytes:
        name, address = member.name, member.address
        if member.status not in _RUNNING or not self._has_room_for(name, address):
            return b""
        if self.alive.get(name) == address:
            return b""
        self.failed.pop(name, None)
        self.alive[name] = address
        return _member_line(_ALIVE, name, address)

    def _failed(self, member: SerfMember) -> bytes:
        name, address = member.name, member.address
        gone = self.forget(name)
        if not self._has_room_for(name, address):
            return gone
        self.failed[name] = address
        return gone + _member_line(_FAILED, name, address)

    def _has_room_for(self, name: str, address: Address) -> bool:
        if not address.is_reachable or not _fits(name):
            return False
        if name in self.alive or name in self.failed:
            return True
        if len(self.alive) + len(self.failed) < self._members_max:
            return True
        if not self.failed:
            return False
        del self.failed[next(iter(self.failed))]
        return True

    # Reading.

    def read_untrusted(self, line: bytes, *, rejoin_after_leave: bool) -> bool:
        """Take in one line of a file, without its newline; return whether it was understood."""
        if line.startswith(_ALIVE):
            return self._read_member(line[len(_ALIVE) :], self.alive)
        if line.startswith(_FAILED):
            return self._read_member(line[len(_FAILED) :], self.failed)
        if line.startswith(_SKIPPED):
            return True
        if line.startswith(_NOT_ALIVE):
            self.forget(_text(line[len(_NOT_ALIVE) :]))
            return True
        if line == _LEAVE:
            if not rejoin_after_leave:
                self.alive.clear()
                self.failed.clear()
                self.memory = NO_MEMORY
            return True
        return self._read_clock(line)

    def _read_member(self, rest: bytes, into: dict[str, Address]) -> bool:
        encoded, space, place = rest.rpartition(b" ")
        name = _text(encoded)
        try:
            address = address_from_host(*split_host_port(place.decode("ascii"), 0))
        except (UsageError, UnicodeDecodeError):
            return False
        if not space or not name or not address.is_reachable:
            return False
        if self._has_room_for(name, address):
            self.alive.pop(name, None)
            self.failed.pop(name, None)
            into[name] = address
        return True

    def _read_clock(self, line: bytes) -> bool:
        key, _, number = line.rpartition(b" ")
        if not number.isdigit() or len(number) > 20 or int(number) > LAMPORT_TIME_MAX:
            return False
        time, before = int(number), self.memory
        match key + b" ":
            case b"clock: ":
                self.memory = _newest(before, Memory(clock=time))
            case b"event-clock: ":
                self.memory = _newest(before, Memory(event_clock=time))
            case b"query-clock: ":
                self.memory = _newest(before, Memory(query_clock=time))
            case _:
                return False
        return True


class Replay(Value):
    """What was read: ``complaints`` are one line each, for the log; ``left`` that it said so."""

    snapshot: Snapshot
    complaints: tuple[str, ...]
    left: bool


def replay_untrusted(
    chunks: Iterable[bytes], *, rejoin_after_leave: bool, members_max: int = MEMBERS_MAX
) -> Replay:
    """Read a snapshot, in any portions; whatever it holds, no error is raised.

    A last line without a newline was torn by a crash and is dropped; what is not
    understood is skipped and complained about.

    Args:
        chunks: the bytes of the file.
        rejoin_after_leave: a leave is ignored; otherwise it clears all that is before it.
        members_max: members remembered.
    """
    snapshot = Snapshot(members_max)
    complaints: list[str] = []
    unread = 0
    left = False
    for line in _lines(chunks):
        if line is not None:
            if snapshot.read_untrusted(line, rejoin_after_leave=rejoin_after_leave):
                left = line == _LEAVE or (left and line.startswith(_SKIPPED))
                continue
            if len(complaints) < COMPLAINTS_MAX:
                complaints.append(f"Unrecognized snapshot line: {_text(line)[:80]!r}")
                continue
        unread += 1
    if unread:
        complaints.append(f"{unread} more snapshot lines not recognized, or too long")
    return Replay(snapshot, tuple(complaints), left)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Yield whole lines without newlines, ``None`` for each that is too long."""
    rest, is_too_long = b"", False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield None if is_too_long or len(line) > LINE_BYTES_MAX else line
            is_too_long = False
        if len(rest) > LINE_BYTES_MAX:
            rest, is_too_long = b"", True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _fits(name: str) -> bool:
    """Say whether a line with ``name`` is read as it was meant."""
    return bool(name) and "\n" not in name and len(name) <= LINE_BYTES_MAX // 8


def _line(kind: bytes, text: str) -> bytes:
    return kind + text.encode("utf-8", "surrogateescape") + b"\n"


def _member_line(kind: bytes, name: str, address: Address) -> bytes:
    return _line(kind, f"{name} {address}")


def _newest(one: Memory, other: Memory) -> Memory:
    return Memory(
        max(one.clock, other.clock),
        max(one.event_clock, other.event_clock),
        max(one.query_clock, other.query_clock),
    )


def _clock_lines(now: Memory, before: Memory) -> Iterator[bytes]:
    """Yield a line for each clock of ``now`` that ``before`` does not have."""
    for kind, time, known in (
        (_CLOCK, now.clock, before.clock),
        (_EVENT_CLOCK, now.event_clock, before.event_clock),
        (_QUERY_CLOCK, now.query_clock, before.query_clock),
    ):
        if time != known:
            yield kind + str(time).encode() + b"\n"
