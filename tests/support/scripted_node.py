"""A node that does what the test says, and notes what the driver told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.errors import UsageError
from gossipd.node.effects import NodeEffect
from gossipd.node.events import NodeEvent, OperationFinished
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd.serf.question import Question

ADDRESS = Address(bytes([10, 0, 0, 1]), 7946)


class ScriptedNode:
    """Keeps ``calls`` as (verb, arguments); effects, events and deadline are set by the test.

    A join to an address in ``joins`` finishes with that error (empty is
    success); one that is not there never finishes by itself.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.effects: list[NodeEffect] = []
        self.events: list[NodeEvent] = []
        self.deadline: float | None = None
        self.period: float | None = None
        self.joins: dict[Address, str] = {}
        self.is_leaving = False
        self.leave_error: str | None = ""
        self.times = NO_MEMORY
        self.gossip_ticks = 0
        self._operations = 0

    def verbs(self) -> list[object]:
        return [call[0] for call in self.calls]

    def start(self, now: float) -> None:
        self.calls.append(("start", now))

    def receive_packet(self, data: bytes, source: Address, now: float) -> None:
        self.calls.append(("packet", data, source, now))

    def handle_deadline(self, now: float) -> None:
        self.calls.append(("deadline", now))
        self.deadline = None if self.period is None else now + self.period

    def next_deadline(self) -> float | None:
        return self.deadline

    def take_effects(self) -> list[NodeEffect]:
        taken, self.effects = self.effects, []
        return taken

    def take_events(self) -> list[NodeEvent]:
        taken, self.events = self.events, []
        return taken

    def accept_stream(self, stream: int, source: Address, now: float) -> None:
        self.calls.append(("accepted", stream, source))

    def stream_opened(self, stream: int, now: float) -> None:
        self.calls.append(("opened", stream))

    def receive_stream(self, stream: int, data: bytes, now: float) -> None:
        self.calls.append(("received", stream, data))

    def stream_ended(self, stream: int, now: float) -> None:
        self.calls.append(("ended", stream))

    def stream_failed(self, stream: int, reason: str, now: float) -> None:
        self.calls.append(("failed", stream, reason, now))

    def join(self, to: Address, node: str, now: float, *, ignore_old: bool) -> int:
        if self.is_leaving:
            raise UsageError("Serf can't Join after Leave or Shutdown")
        self.calls.append(("join", to, node, ignore_old, now))
        return self._operation(self.joins.get(to))

    def announce_join(self, now: float) -> None:
        self.calls.append(("announce_join",))

    def leave(self, now: float) -> int:
        if self.is_leaving:
            raise UsageError("Leave already in progress")
        self.is_leaving = True
        self.calls.append(("leave", now))
        return self._operation(self.leave_error)

    def force_leave(self, node: str, prune: bool, now: float) -> int:
        self.calls.append(("force_leave", node, prune))
        return self._operation("")

    def set_tags(self, tags: Mapping[str, str], delete: Sequence[str], now: float) -> int:
        self.calls.append(("set_tags", dict(tags), tuple(delete)))
        return self._operation("")

    def send_event(
        self,
        name: str,
        payload: bytes | None,
        now: float,
        *,
        may_coalesce: bool,
        nodes: Sequence[str],
        tags: Mapping[str, str] | None,
    ) -> None:
        self.calls.append(("send_event", name, payload, may_coalesce, tuple(nodes), tags))

    def ask(self, question: Question, now: float) -> int:
        self.calls.append(("ask", question))
        return 7

    def respond(self, number: int, payload: bytes | None, now: float) -> None:
        self.calls.append(("respond", number, payload))

    def stop_asking(self, number: int, now: float) -> None:
        self.calls.append(("stop_asking", number))

    def decline(self, number: int, now: float) -> None:
        self.calls.append(("decline", number))

    def set_verification(self, incoming: bool, outgoing: bool, now: float) -> None:
        self.calls.append(("set_verification", incoming, outgoing))

    def reconfigure(self, swim: SwimConfig, serf: SerfConfig, now: float) -> None:
        self.calls.append(("reconfigure", swim, serf))

    def view(self) -> View:
        return View(name="us", address=ADDRESS, version=1, members=(), suspicions={})

    def memory(self) -> Memory:
        return self.times

    def statistics(self) -> Statistics:
        raise NotImplementedError

    def _operation(self, error: str | None) -> int:
        """Number a command; ``None`` leaves it unfinished."""
        self._operations += 1
        if error is not None:
            self.events.append(OperationFinished(self._operations, error))
        return self._operations
