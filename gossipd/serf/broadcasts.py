"""The three queues of Serf's layer and who waits for an intent to be sent.

gossip.md, sections 11.1 and 11.2: intents go before queries, queries before
user events. Depth limits are section 18.3's.
"""

from __future__ import annotations

import enum

from gossipd.swim.dissemination import BroadcastQueue
from gossipd.value import Value


class Topic(enum.StrEnum):
    """The queues in the order in which they are sent, named as operators see them."""

    INTENT = "intent"
    QUERY = "query"
    EVENT = "event"


class QueueReport(Value):
    """A queue of ``depth`` entries lost ``dropped`` of them."""

    queue: Topic
    depth: int
    dropped: int


class Broadcasts:
    """Intents, queries and user events on their way to everybody."""

    __slots__ = ("_events", "_intents", "_payload_bytes_max", "_queries", "_queues")

    def __init__(self, payload_bytes_max: int) -> None:
        self._payload_bytes_max = payload_bytes_max
        self._intents, self._queries, self._events = (BroadcastQueue() for _ in Topic)
        self._queues = dict(zip(Topic, (self._intents, self._queries, self._events), strict=True))

    def enqueue(
        self,
        topic: Topic,
        payload: bytes,
        maximum: int,
        *,
        name: str | None = None,
        token: int | None = None,
    ) -> None:
        """Queue ``payload``, unless no packet could ever hold it.

        Such a one would only keep the gossip tick awake; its token is never
        reported. A flood is cut at twice ``maximum`` at once and not only when the
        depth is looked at.
        """
        if len(payload) > self._payload_bytes_max:
            return
        queue = self._queues[topic]
        queue.enqueue(payload, name, token)
        if len(queue) > 2 * maximum:
            queue.prune(maximum)

    def take(self, limit: int, overhead: int, retransmit_limit: int) -> list[bytes]:
        """Return what fits into ``limit`` bytes at ``overhead`` bytes a message."""
        taken: list[bytes] = []
        for queue in self._queues.values():
            if len(queue):
                payloads = queue.take(limit, overhead, retransmit_limit)
                limit -= sum(map(len, payloads)) + overhead * len(payloads)
                taken += payloads
        return taken

    def take_finished(self) -> list[int]:
        """Return the tokens of broadcasts that were sent often enough or dropped."""
        return self._queues[Topic.INTENT].take_finished()

    def check_depth(self, warn_at: int, maximum: int) -> list[QueueReport]:
        """Prune each queue to ``maximum``; report those of ``warn_at`` entries or more."""
        reports = []
        for topic, queue in self._queues.items():
            depth = len(queue)
            if depth >= warn_at:
                reports.append(QueueReport(topic, depth, queue.prune(maximum)))
            elif depth > maximum:
                queue.prune(maximum)
        return reports

    def depth(self, topic: Topic) -> int:
        """Return how many messages one queue holds."""
        return len(self._queues[topic])

    def __len__(self) -> int:
        return self._intents.length + self._queries.length + self._events.length

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits at all."""
        return not (self._intents.length or self._queries.length or self._events.length)
