"""``Joiner``: joining on behalf of one life of a host, as the daemon does it.

Seeds are tried side by side, and again after a growing pause until one
answers. A host that remembers its peers tries them one after another, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from gossipd.address import Address
from gossipd.node.events import OperationFinished
from gossipd.node.node import Node
from gossipd_sim.world import World

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between tries to join, doubling, as with the daemon's ``--retry-join``."""

Command: TypeAlias = Callable[[Node, float], object]
"""What is done to a node when its host gets to it; the float is the local time."""


class Joiner:
    """Joins until it is stopped.

    Args:
        command: has the host run a command.
    """

    def __init__(self, world: World, command: Callable[[Command], None]) -> None:
        self._world = world
        self._command = command
        self._attempts: dict[int, _Attempt] = {}
        self._is_stopped = False

    def join(self, seeds: Sequence[Address], pause: float = FIRST_PAUSE) -> None:
        """Try all of ``seeds``; if none answers try again after ``pause`` seconds."""
        longer = min(2 * pause, LONGEST_PAUSE)
        retry = partial(self._world.after, pause, self.join, seeds, longer)
        self._begin(_Attempt(len(seeds), retry), seeds)

    def rejoin(self, known: Sequence[Address]) -> None:
        """Try ``known`` one after another until one answers."""
        if known:
            next_one = partial(self._world.after, 0.0, self.rejoin, known[1:])
            self._begin(_Attempt(1, next_one), known[:1])

    def stop(self) -> None:
        """Begin no more tries."""
        self._is_stopped = True

    def on_finished(self, event: OperationFinished) -> None:
        """Hear that an operation of the node is over; it may be none of ours."""
        attempt = self._attempts.pop(event.operation, None)
        if attempt is None:
            return
        attempt.waiting -= 1
        attempt.contacted += not event.error
        if attempt.waiting:
            return
        if attempt.contacted:
            # at the next moment: this step is still being told
            self._world.after(0.0, self._announce)
        else:
            attempt.on_failure()

    def _begin(self, attempt: _Attempt, targets: Sequence[Address]) -> None:
        if not self._is_stopped:
            for to in targets:
                self._command(partial(self._contact, attempt, to))

    def _contact(self, attempt: _Attempt, to: Address, node: Node, now: float) -> None:
        if not self._is_stopped:
            self._attempts[node.join(to, "", now, ignore_old=True)] = attempt

    def _announce(self) -> None:
        if not self._is_stopped:
            self._command(lambda node, now: node.announce_join(now))


class _Attempt:
    """One try, through one or several addresses."""

    __slots__ = ("contacted", "on_failure", "waiting")

    def __init__(self, waiting: int, on_failure: Callable[[], None]) -> None:
        self.waiting = waiting
        self.on_failure = on_failure
        self.contacted = 0
