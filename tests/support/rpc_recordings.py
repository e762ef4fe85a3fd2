"""Sessions recorded against Serf's RPC (``tests/interop/vectors/rpc``), taken apart.

``RecordedHandle`` is a fake node that knows and says what the recorded agent
knew and said: the recording is read once, and what was answered to each
request, or shown unasked, is handed out again in that order.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
import trio

from gossipd.address import Address
from gossipd.coordinate import Coordinate
from gossipd.errors import UsageError
from gossipd.node.handle import Answers, JoinResult, LogLine, LogStream
from gossipd.serf.events import (
    ApplicationEvent,
    ChangeKind,
    MembersChanged,
    QueryAcked,
    QueryAnswered,
    QueryReceived,
    SerfMember,
    UserEventReceived,
)
from gossipd.serf.question import KeyCommand, KeyReport, Question
from gossipd.value import replace
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, Feed, make_member, make_view

VECTORS = Path(__file__).parents[1] / "interop" / "vectors" / "rpc"
RESPOND_PREFIX = "failed to respond to key query: "
ANSWER_SECONDS = 1.5
"""Time to answer a streamed query; in the recording one answer within it came in time."""

Message: TypeAlias = tuple[dict[str, Any], Any]
"""A header and its body, ``None`` if it has none."""


def load(name: str) -> list[dict[str, Any]]:
    """Return the steps of one recording."""
    exchange: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())["exchange"]
    return exchange


def objects(data: bytes) -> list[Any]:
    """Return the msgpack objects in ``data``."""
    unpacker = msgpack.Unpacker(strict_map_key=False, unicode_errors="surrogateescape")
    unpacker.feed(data)
    return list(unpacker)


def sent(exchange: Sequence[Mapping[str, Any]], direction: str) -> list[Any]:
    """Return the objects that went in one direction (``c>s`` or ``s>c``)."""
    data = b"".join(bytes.fromhex(s["bytes_hex"]) for s in exchange if s["dir"] == direction)
    return objects(data)


def messages(found: Sequence[Any]) -> list[Message]:
    """Return the server's objects as headers with their bodies."""
    grouped: list[Message] = []
    for one in found:
        if isinstance(one, dict) and set(one) == {"Error", "Seq"}:
            grouped.append((one, None))
        else:
            grouped[-1] = (grouped[-1][0], one)
    return grouped


def requests(found: Sequence[Any]) -> list[tuple[int, str, Any]]:
    """Return the client's objects as (number, command, body)."""
    made: list[tuple[int, str, Any]] = []
    for one in found:
        if isinstance(one, dict) and "Command" in one:
            made.append((one["Seq"], one["Command"], None))
        elif isinstance(one, list) and len(one) == 2 and isinstance(one[1], int):
            made.append((one[1], one[0], None))
        elif made:
            made[-1] = (*made[-1][:2], one)
    return made


def as_member(record: Mapping[str, Any]) -> SerfMember:
    """Return the member that a record of the RPC shows."""
    return SerfMember(
        record["Name"],
        Address(record["Addr"], record["Port"]),
        record["Tags"],
        MemberStatus[record["Status"].upper()],
        Versions(
            record["ProtocolMin"], record["ProtocolMax"], record["ProtocolCur"],
            record["DelegateMin"], record["DelegateMax"], record["DelegateCur"],
        ),
        1,
    )  # fmt: skip


def as_event(body: Mapping[str, Any], number: int, now: float) -> ApplicationEvent:
    """Return what the agent was told before it sent the stream record ``body``."""
    kind = body["Event"]
    if kind == "user":
        return UserEventReceived(body["LTime"], body["Name"], body["Payload"], body["Coalesce"])
    if kind == "query":
        deadline = now + ANSWER_SECONDS
        return QueryReceived(number, body["LTime"], body["Name"], body["Payload"], "b", deadline)
    return MembersChanged(ChangeKind(kind), tuple(as_member(m) for m in body["Members"]))


class RecordedHandle(FakeHandle):
    """A fake node that knows what the recorded one knew."""

    def __init__(self, exchange: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.own_name = "a"
        self._members: dict[str, SerfMember] = {}
        self._joins: list[JoinResult] = []
        self._questions: list[list[QueryAcked | QueryAnswered] | UsageError] = []
        self._key_reports: list[KeyReport] = []
        self._monitors: list[list[str]] = []
        self._results: dict[str, list[str]] = {"event": [], "respond": [], "tags": []}
        replies = messages(sent(exchange, "s>c"))
        for seq, command, body in requests(sent(exchange, "c>s")):
            self._learn(command, body, [m for m in replies if m[0]["Seq"] == seq])
        if self._members:
            self.current = make_view(*self._members.values(), name=self.own_name)

    def _learn(self, command: str, request: Any, replies: list[Message]) -> None:
        for _, body in replies:
            for record in (body or {}).get("Members", ()):
                self._members[record["Name"]] = as_member(record)
        if not replies:
            return
        (header, body), records = replies[0], replies[1:]
        error = header["Error"]
        match command:
            case "join" if body is not None:
                lines = error.split("\n\t* ")[1:]
                errors = tuple(line.rstrip("\n") for line in lines)
                self._joins.append(JoinResult(body["Num"], errors))
            case "event" | "tags" | "respond":
                self._results[command].append(error.removeprefix(RESPOND_PREFIX))
            case "query":
                self._learn_query(request, error, records)
            case "monitor" if not error:
                self._monitors.append([record["Log"] for _, record in records])
            case "install-key" | "use-key" | "remove-key" | "list-keys" if "illegal" not in error:
                self._key_reports.append(_as_report(body, error))
            case "get-coordinate" if body["Ok"]:
                self.coordinates[request["Node"]] = _as_coordinate(body["Coord"])
            case "stats" if body is not None:
                own = make_member(body["agent"]["name"], tags=body["tags"])
                self._members.setdefault(own.name, own)
                self.own_name = own.name
                self.event_handlers = body["event_handlers"]

    def _learn_query(self, request: Any, error: str, records: list[Message]) -> None:
        if "prefix" in error:
            return
        if error:
            self._questions.append(UsageError(error))
        else:
            self._questions.append(
                [
                    QueryAcked(1, body["From"])
                    if body["Type"] == "ack"
                    else QueryAnswered(1, body["From"], body["Payload"])
                    for _, body in records
                    if body["Type"] != "done"
                ]
            )

    async def _command(self, *call: object) -> None:
        await super()._command(*call)
        error = self._results[str(call[0])].pop(0) if str(call[0]) in self._results else ""
        if error:
            raise UsageError(error)

    async def set_tags(self, tags: Mapping[str, str], delete: Sequence[str]) -> None:
        await super().set_tags(tags, delete)
        (own,) = [m for m in self.current.members if m.name == self.own_name]
        kept = {key: value for key, value in own.tags.items() if key not in delete}
        others = [m for m in self.current.members if m is not own]
        self.current = make_view(*others, replace(own, tags=kept | dict(tags)), name=self.own_name)

    async def join(self, addresses: Sequence[str], *, replay: bool = False) -> JoinResult:
        await trio.lowlevel.checkpoint()
        return self._joins.pop(0)

    @contextlib.asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[Answers]:
        recorded = self._questions.pop(0)
        if isinstance(recorded, UsageError):
            raise recorded
        self.replies = [*recorded]
        self.acks = [reply.node for reply in recorded]
        async with super().ask(question) as answers:
            yield answers

    async def manage_keys(self, command: KeyCommand, key: bytes | None = None) -> KeyReport:
        await trio.lowlevel.checkpoint()
        return self._key_reports.pop(0)

    @contextlib.asynccontextmanager
    async def follow_log(self, level: str, capacity: int = 512) -> AsyncIterator[LogStream]:
        feed = Feed(capacity)
        for line in self._monitors.pop(0):
            feed.put(LogLine(level, line))
        yield feed  # type: ignore[misc]  # one queue serves both kinds of items


def _as_report(body: Mapping[str, Any], error: str) -> KeyReport:
    counts = body["NumNodes"], body["NumResp"], body["NumErr"]
    return KeyReport(*counts, body["Messages"], body["Keys"] or {}, {}, error)


def _as_coordinate(body: Mapping[str, Any]) -> Coordinate:
    return Coordinate(
        vec=tuple(body["Vec"]),
        error=body["Error"],
        adjustment=body["Adjustment"],
        height=body["Height"],
    )
