"""Whom others may still hold for an address at which it was before it moved.

A name that is alive or suspected in a table keeps its address, whatever its
owner says from elsewhere: that is a name conflict (gossip.md, section 8.1,
step 5). Until the entry was suspected, died and was dropped nobody there can
know better. Meanwhile nobody there gossips to where the owner is, so who has
moved does not hear what others found out about somebody else who has: it finds
out alone, after a round of probes and a suspicion that nobody confirms. Nor does
it hear of services: what others answer goes to where they hold it.
"""

from __future__ import annotations

from collections.abc import Iterable

from gossipd.address import Address
from gossipd.swim.scaling import suspicion_bounds
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth


def moved_lately(truth: Truth, host: Host) -> bool:
    """Say whether others may still hold the name of ``host`` for its former address.

    They do until its entry there was suspected, died and was dropped, and once
    more if meanwhile somebody told of it who had not noticed.
    """
    swim, size = host.config.swim, len(truth.hosts)
    _, _, suspected = suspicion_bounds(swim, size)
    dropped = swim.gossip_to_the_dead_time + 2 * size * swim.probe_interval
    return truth.now - truth.moved_at(host) < 2 * (suspected + dropped)


def may_be_sought_at(truth: Truth, host: Host, address: Address) -> bool:
    """Say whether ``host`` has left ``address`` so lately that others may seek it there."""
    return truth.has_left(host, address) and moved_lately(truth, host)


def is_sought_elsewhere(truth: Truth, host: Host, others: Iterable[Host]) -> bool:
    """Say whether ``host`` moved lately, and none of ``others`` holds it for where it is yet."""
    if not moved_lately(truth, host):
        return False
    for other in others:
        if other is host or other.node is None:
            continue
        entry = insight.entry(other.node, host.config.name)
        if entry is not None and entry.address == host.address:
            return False
    return True
