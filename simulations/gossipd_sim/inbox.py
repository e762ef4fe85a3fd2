"""``Inbox``: input on its way into a node, which may be late or have to wait.

Everything comes out in the order in which it went in. Datagrams wait in a
buffer of a real size; those it has no room for are dropped. What streams
bring is bounded by those who send it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from gossipd_sim.world import World

RECEIVE_BUFFER = 2 * 212_992
"""Bytes of datagrams that wait at a host that does not read, as Linux has it.

Agents ask for 2 MiB; the kernel cuts that down to ``net.core.rmem_max`` without an
error, 212,992 unless somebody changed it, and doubles it for its own overhead, which
it counts as ``DATAGRAM_OVERHEAD`` does.
"""
DATAGRAM_OVERHEAD = 768
"""Bytes that a waiting datagram takes beside its own."""

Verb: TypeAlias = Callable[..., object]
"""What the node is told; ``now`` is added when it is."""
Input: TypeAlias = tuple[Verb, tuple[object, ...], int]
"""A verb, its arguments without ``now``, and the bytes of buffer it takes."""


class Inbox:
    """Input of one host.

    Args:
        take: called with a verb and its arguments when it is their turn.
    """

    def __init__(self, world: World, take: Callable[..., None]) -> None:
        self._world = world
        self._take = take
        self._delay = 0.0
        self._service: Callable[[], float] | None = None
        """How long the next thing takes to handle, where that takes time at all."""
        self._datagrams_only = False
        """Whether streams do not stand in the queue of what is served."""
        self._is_serving = False
        self._ready_at = 0.0
        """When the last delayed input comes out: no later one does before."""
        self._is_shut = False
        self._waiting: deque[Input] = deque()
        self._bytes = 0
        self._epoch = 0
        """Grows when all is thrown away; what is delayed from before is void."""

    def delay(self, seconds: float) -> None:
        """Let everything that goes in from now on come out ``seconds`` later."""
        self._delay = seconds

    def serve(self, seconds: Callable[[], float] | None, *, datagrams_only: bool = False) -> None:
        """Let one thing out after another, each ``seconds()`` after the one before.

        Args:
            seconds: ``None`` lets out what waits, and from then on everything as it comes.
            datagrams_only: let everything else out as it comes.
        """
        self._service = seconds
        self._datagrams_only = datagrams_only
        if seconds is None and not self._is_shut:
            self.open()

    def shut(self) -> None:
        """Let nothing out."""
        self._is_shut = True

    def open(self) -> None:
        """Let everything that waits out now, or be served, and go on."""
        self._is_shut = False
        if self._service is not None:
            if self._datagrams_only:
                self._let_streams_out()
            self._serve_next()
            return
        while self._waiting and not self._is_shut:
            verb, args, cost = self._waiting.popleft()
            self._bytes -= cost
            self._take(verb, *args)

    def clear(self) -> None:
        """Throw everything away, and be as at first."""
        self._epoch += 1
        self._delay, self._ready_at, self._is_shut = 0.0, 0.0, False
        self._service, self._is_serving, self._datagrams_only = None, False, False
        self._waiting.clear()
        self._bytes = 0

    def put_datagram(self, verb: Verb, data: object, source: object, size: int) -> bool:
        """Put a datagram of ``size`` bytes in; False when there was no room for it."""
        cost = DATAGRAM_OVERHEAD + size
        if self._bytes and self._bytes + cost > RECEIVE_BUFFER:
            return False
        self.put(verb, (data, source), cost)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether what comes now would be handled at once."""
        if self._service is not None:
            return False
        return not (self._delay or self._is_shut or self._world.now < self._ready_at)

    def put(self, verb: Verb, args: tuple[object, ...], cost: int = 0) -> None:
        """Put something in that takes ``cost`` bytes of the buffer while it waits."""
        now = self._world.now
        if self._service is not None and (cost or not self._datagrams_only):
            self._bytes += cost
            self._waiting.append((verb, args, cost))
            self._serve_next()
        elif self._delay or now < self._ready_at:
            self._ready_at = max(now + self._delay, self._ready_at)
            self._bytes += cost
            self._world.at(self._ready_at, self._on_ready, self._epoch, verb, args, cost)
        elif self._is_shut:
            self._bytes += cost
            self._waiting.append((verb, args, cost))
        else:
            self._take(verb, *args)

    def _on_ready(self, epoch: int, verb: Verb, args: tuple[object, ...], cost: int) -> None:
        if epoch != self._epoch:
            return
        if self._is_shut:
            self._waiting.append((verb, args, cost))
            return
        self._bytes -= cost
        self._take(verb, *args)

    def _let_streams_out(self) -> None:
        """Let out what is no datagram and waits, which costs no room in the buffer."""
        streams = deque(waiting for waiting in self._waiting if not waiting[2])
        self._waiting = deque(waiting for waiting in self._waiting if waiting[2])
        while streams and not self._is_shut:
            verb, args, _ = streams.popleft()
            self._take(verb, *args)
        self._waiting.extendleft(reversed(streams))

    def _serve_next(self) -> None:
        if self._service is None or self._is_serving or self._is_shut or not self._waiting:
            return
        self._is_serving = True
        self._world.after(self._service(), self._on_served, self._epoch)

    def _on_served(self, epoch: int) -> None:
        if epoch != self._epoch:
            return
        self._is_serving = False
        if self._waiting and not self._is_shut and self._service is not None:
            verb, args, cost = self._waiting.popleft()
            self._bytes -= cost
            self._take(verb, *args)
        self._serve_next()
