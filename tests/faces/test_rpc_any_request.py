"""Whatever is sent as a request, the server answers or hangs up, and never trips over it."""

from __future__ import annotations

import msgpack
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.coordinate import Coordinate
from gossipd.query.commands import COMMANDS as SERFS
from gossipd.query.framing import encode
from gossipd.query.service_requests import SERVICE_COMMANDS
from gossipd.rpc.server import Limits
from gossipd.rpc.service import Service
from gossipd.serf.events import QueryAcked, QueryAnswered, QueryReceived, UserEventReceived
from support.fake_handle import FakeHandle

COMMANDS = SERFS | SERVICE_COMMANDS
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
    | st.text(max_size=5) | st.binary(max_size=5)
    | st.sampled_from(["*", "user", "query:x", "_serf_ping", "INFO", "@", "AAAA", "("])
)  # fmt: skip
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=3)
    | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3)
)
TABLES = st.dictionaries(
    st.sampled_from(["name", "id", "port", "check", "tags", "http", "ttl", "needs", "meta"]),
    VALUES | st.sampled_from(["web", "5s", "/x", 80]),
    max_size=4,
)
FIELDS = sorted(
    {name for row in COMMANDS.values() for name in row.names or ()}
    | {"FullTime", "Gaps", "Immediate", "NeverAnswers", "Nodes", "Prompt", "Senders", "Hold"}
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), VALUES | TABLES, max_size=6) | SCALARS
REQUESTS = st.lists(
    st.tuples(st.sampled_from(sorted(set(COMMANDS) - {"leave"})), BODIES), min_size=1, max_size=6
)


@settings(deadline=None)
@given(REQUESTS)
def test_every_request_is_answered_or_ends_the_connection(
    asked: list[tuple[str, object]],
) -> None:
    log: list[tuple[str, str]] = []
    trio.run(converse, asked, log, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [line for level, line in log if level == "ERR"] == []


async def converse(asked: list[tuple[str, object]], log: list[tuple[str, str]]) -> None:
    """Send the requests one after another, each when the one before was answered."""
    handle = FakeHandle()
    handle.replies = [QueryAcked(1, "a"), QueryAnswered(1, "a", b"x")]
    handle.acks = ["a"]
    handle.coordinates = {"a": Coordinate()}
    unpacker = msgpack.Unpacker(strict_map_key=False, unicode_errors="surrogateescape")
    async with trio.open_nursery() as nursery:
        service = Service(handle, None, Limits(), lambda *line: log.append(line), nursery=nursery)
        near, far = trio.testing.memory_stream_pair()
        nursery.start_soon(service.serve_connection, far)
        await near.send_all(encode({"Command": "handshake", "Seq": 0}, {"Version": 1}))
        for seq, (command, body) in enumerate(asked, 1):
            request: list[object] = [{"Command": command, "Seq": seq}]
            if COMMANDS[command].names is not None:
                request.append(body)
            try:
                await near.send_all(encode(*request))
                await answered(near, unpacker, seq)
            except (trio.BrokenResourceError, EOFError):
                break
            handle.emit(QueryReceived(seq, 1, "x", b"", "b", 200.0))
            handle.emit(UserEventReceived(seq, "x", None, True))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def answered(near: trio.abc.ReceiveStream, unpacker: msgpack.Unpacker, seq: int) -> None:
    """Read until request ``seq`` is answered; ``EOFError`` at the end of the connection."""
    while True:
        for one in unpacker:
            if isinstance(one, dict) and one.get("Seq") == seq:
                return
        data = await near.receive_some()
        if not data:
            raise EOFError
        unpacker.feed(data)
