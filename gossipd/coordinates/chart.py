"""``Chart``: our own coordinate, what peers last told of theirs, and how far they are.

What a node owns. It tells ``Chart`` of every direct ack and of every member
that is forgotten, and sends ``payload`` in its own acks (gossip.md, section 19).
An ack counts as an answer whatever becomes of its coordinate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance
from gossipd.coordinates.vivaldi import Vivaldi
from gossipd.errors import WireError
from gossipd.ledger import Tally
from gossipd.wire.coordinate_codec import decode_coordinate_untrusted, encode_coordinate


class Chart:
    """The coordinates that one node knows.

    Args:
        name: of the node itself; an ack under this name is ignored.
        random: seeded; used when two nodes are in the same place.
    """

    def __init__(self, name: str, random: Random) -> None:
        self._name = name
        self._vivaldi = Vivaldi(random)
        self._peers: dict[str, Coordinate] = {}
        self._payload = encode_coordinate(self.own)
        self._ignored: Counter[str] = Counter()
        self.moved = Tally()
        """By how many seconds of round trip each ack changed our place."""
        self.zero_rtts = 0
        """Acks that took no measurable time; they count as a microsecond."""

    @property
    def own(self) -> Coordinate:
        """Where this node is."""
        return self._vivaldi.coordinate

    @property
    def payload(self) -> bytes:
        """What our acks carry; changes when ``ack_observed`` returns true."""
        return self._payload

    @property
    def resets(self) -> int:
        """How often our own numbers overflowed and we began anew."""
        return self._vivaldi.resets

    @property
    def ignored(self) -> Mapping[str, int]:
        """Coordinates that were not used, by reason: of the wire, or a ``Verdict``."""
        return self._ignored

    def ack_observed(self, node: str, payload: bytes | None, rtt: float) -> bool:
        """Learn from a direct ack to our own probe.

        Args:
            node: who answered.
            payload: of the ack; empty from nodes that have no coordinates.
            rtt: seconds from ping to ack.

        Returns:
            Whether our own coordinate changed.
        """
        if not payload or node == self._name:
            return False
        self.zero_rtts += rtt == 0
        try:
            other = decode_coordinate_untrusted(payload)
        except WireError as error:
            self._ignored[error.reason] += 1
            return False
        before = self.own
        verdict = self._vivaldi.update(node, other, rtt)
        if verdict.is_rejection:
            self._ignored[verdict.value] += 1
            if self.own is before:
                return False  # else we are on our way back to the others
        else:
            self._peers[node] = other
        self.moved.add(distance(before, self.own))
        self._payload = encode_coordinate(self.own)
        return True

    def forget(self, node: str) -> None:
        """Drop what is known of a member that is gone; harmless if nothing is."""
        self._peers.pop(node, None)
        self._vivaldi.forget(node)

    def coordinate(self, node: str) -> Coordinate | None:
        """Return where ``node`` is, as it last told; ``None`` if we never measured it."""
        return self.own if node == self._name else self._peers.get(node)

    def rtt(self, a: str, b: str) -> float | None:
        """Return the estimated seconds of a round trip between two nodes.

        Returns:
            ``None`` if one of them is unknown.
        """
        first, second = self.coordinate(a), self.coordinate(b)
        return None if first is None or second is None else distance(first, second)
