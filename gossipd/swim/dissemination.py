"""``BroadcastQueue``: claims on their way to everybody, each sent a limited number of times.

Fresh claims go first, among equally fresh ones the longest, among equally
long ones the newest (gossip.md, section 11.1; SWIM section 4.1). Entries are
kept in tiers by the number of transmissions, each tier sorted, so filling a
packet costs a search per entry taken and no sorting.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TypeAlias


class _Broadcast:
    __slots__ = ("name", "order", "payload", "token", "transmits")

    def __init__(self, payload: bytes, name: str | None, token: int | None, number: int) -> None:
        self.payload = payload
        self.name = name
        self.token = token
        self.transmits = 0
        self.order = (-len(payload), -number)


_Ranked: TypeAlias = tuple[int, int, _Broadcast]


class BroadcastQueue:
    """Transmit-limited queue of encoded messages.

    A named entry replaces the one of the same name; an unnamed one is never
    replaced. An entry with a token is reported by ``take_finished`` when it
    leaves the queue: sent often enough, replaced or pruned.
    """

    __slots__ = ("_finished", "_named", "_number", "_tiers", "length")

    def __init__(self) -> None:
        self._tiers: dict[int, list[_Ranked]] = {}
        self._named: dict[str, _Broadcast] = {}
        self._finished: list[int] = []
        self._number = 0
        self.length = 0
        """How many entries wait; read it, only the queue changes it."""

    def __len__(self) -> int:
        return self.length

    def enqueue(self, payload: bytes, name: str | None = None, token: int | None = None) -> None:
        """Queue ``payload``; with a ``name`` it supersedes what was queued under that name."""
        if name is not None:
            superseded = self._named.get(name)
            if superseded is not None:
                self._remove(superseded)
                self._finish(superseded)
        self._number += 1
        broadcast = _Broadcast(payload, name, token, self._number)
        if name is not None:
            self._named[name] = broadcast
        self._insert(broadcast)

    def take(self, limit: int, overhead: int, retransmit_limit: int) -> list[bytes]:
        """Return the payloads for one packet and count each as sent once more.

        Args:
            limit: bytes left in the packet.
            overhead: bytes that each payload costs beside its own length.
            retransmit_limit: how often an entry is sent before it is dropped.
        """
        if not self.length:
            return []
        taken: list[_Broadcast] = []
        free = limit - overhead
        for transmits in sorted(self._tiers):
            tier = self._tiers[transmits]
            # ``free`` only shrinks, so an entry passed over once stays too long.
            while free > 0:
                position = bisect_left(tier, (-free,))
                if position == len(tier):
                    break
                broadcast = tier.pop(position)[2]
                taken.append(broadcast)
                free -= len(broadcast.payload) + overhead
            if not tier:
                del self._tiers[transmits]
            if free <= 0:
                break
        self.length -= len(taken)
        # Put back after the whole selection: a packet never holds an entry twice.
        for broadcast in taken:
            broadcast.transmits += 1
            if broadcast.transmits >= retransmit_limit:
                self._finish(broadcast)
            else:
                self._insert(broadcast)
        return [broadcast.payload for broadcast in taken]

    def take_finished(self) -> list[int]:
        """Return the tokens of entries that left the queue since the last call."""
        finished = self._finished
        if finished:
            self._finished = []
        return finished

    def prune(self, maximum: int) -> int:
        """Drop entries until ``maximum`` are left, most transmitted first; returns how many."""
        dropped = 0
        while self.length > maximum:
            tier = self._tiers[max(self._tiers)]
            broadcast = tier[-1][2]
            self._remove(broadcast)
            self._finish(broadcast)
            dropped += 1
        return dropped

    def _insert(self, broadcast: _Broadcast) -> None:
        tier = self._tiers.setdefault(broadcast.transmits, [])
        insort(tier, (*broadcast.order, broadcast))
        self.length += 1

    def _remove(self, broadcast: _Broadcast) -> None:
        tier = self._tiers[broadcast.transmits]
        del tier[bisect_left(tier, broadcast.order)]
        if not tier:
            del self._tiers[broadcast.transmits]
        self.length -= 1

    def _finish(self, broadcast: _Broadcast) -> None:
        if broadcast.name is not None and self._named.get(broadcast.name) is broadcast:
            del self._named[broadcast.name]
        if broadcast.token is not None:
            self._finished.append(broadcast.token)
