"""The order of instances by how far away they are (``dns.sort = rtt``).

Round trips are estimated from network coordinates; of whom none is known comes last.
"""

from __future__ import annotations

from math import inf

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance, is_finite
from gossipd.node.handle import NodeHandle
from gossipd.services.instance import Instance


def nearest_first(handle: NodeHandle, instances: list[Instance]) -> list[Instance]:
    """Return ``instances`` sorted by the round trip to their owners."""
    own_name = handle.view().name
    here = handle.coordinate(own_name)

    def far(instance: Instance) -> float:
        if instance.owner == own_name:
            return 0.0
        return _between(here, handle.coordinate(instance.owner))

    return sorted(instances, key=far)


def _between(here: Coordinate | None, there: Coordinate | None) -> float:
    if here is None or there is None or len(here.vec) != len(there.vec):
        return inf
    if not (is_finite(here) and is_finite(there)):
        return inf
    return distance(here, there)
