"""``Coordinate``: where a node is in the space of round-trip times.

The value alone: peers carry it in acks (``wire/coordinate_codec.py``), readers
ask for it, and ``coordinates`` computes with it. Two nodes' coordinates
estimate the round trip between them (Vivaldi; gossip.md, section 19).
"""

from __future__ import annotations

from gossipd.value import Value

DIMENSIONS = 8
"""Of the Euclidean part, in every peer."""
ERROR_START = 1.5
"""The error of a node that knows nothing yet, and the greatest there is."""
HEIGHT_MIN = 1e-5
"""Seconds; the least cost of getting from a node to the network's core and back."""


class Coordinate(Value, kw_only=True):
    """A point, the height above it, and how much to trust both; seconds throughout.

    ``error``: the relative error that the node expects of its estimates, from 0
    (certain) to 1.5. ``adjustment``: added to estimates that take part in it, may be
    negative. ``height``: the share of every round trip that is the node's own link.
    Numbers come from peers: any float is possible, NaN and infinities too.
    """

    vec: tuple[float, ...] = (0.0,) * DIMENSIONS
    error: float = ERROR_START
    adjustment: float = 0.0
    height: float = HEIGHT_MIN
