"""The one window into a running ``Node`` that checkers use.

What users may see is in ``Node.view()``. Some rules are about what only the
node itself holds: the incarnations in its table, a suspicion's bounds, who is
still in a queue. All reaching into private rooms is in this file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gossipd.node.node import Node
from gossipd.serf.events import SerfMember
from gossipd.swim.member import Member
from gossipd.swim.suspicion import Suspicion


def table(node: Node) -> Collection[Member]:
    """Return the failure detector's entries, a live collection."""
    return node._swim.members


def entry(node: Node, name: str) -> Member | None:
    """Return the failure detector's entry of ``name``."""
    return node._swim.member(name)


def table_size(node: Node) -> int:
    """Return how many entries the table has, dead ones included."""
    return node._swim.count


def incarnation(node: Node) -> int:
    """Return the node's own incarnation."""
    return node._swim.incarnation


def is_probing(node: Node, seq: int) -> bool:
    """Return whether ``seq`` numbers the ping of the node's own running probe round."""
    probe = node._swim._prober._round
    return probe is not None and probe.seq == seq


def probed(node: Node) -> tuple[str, int] | None:
    """Return whom the node's own running probe round is about, and its number."""
    probe = node._swim._prober._round
    return None if probe is None else (probe.target.name, probe.seq)


def suspicions(node: Node) -> Mapping[str, Suspicion]:
    """Return the running suspicions; read them at once, they change."""
    return node._swim.suspicions()


def came_by_packet(node: Node) -> bool:
    """Return whether the claim that the node judged last came by a packet of somebody's."""
    return node._swim._claims.source is not None


def is_leaving(node: Node) -> bool:
    """Return whether the node was told to leave, in any of its layers."""
    return node._operations.departure is not None or node._swim.is_leaving or node._serf.is_leaving


def roster(node: Node) -> Mapping[str, SerfMember]:
    """Return Serf's members by name, a live mapping."""
    return node._serf.members


def roster_version(node: Node) -> int:
    """Return a number that grows with every change of the roster."""
    return node._serf.version


def health_score(node: Node) -> int:
    """Return the node's local health; 0 is good."""
    return node._swim.health_score


def claims_queued(node: Node) -> int:
    """Return how many claims wait to be gossiped."""
    return node._swim.queue_depth


def payloads_queued(node: Node) -> int:
    """Return how many of Serf's messages wait to be gossiped."""
    serf = node._serf
    return serf.intent_queue + serf.query_queue + serf.event_queue


def streams_open(node: Node) -> int:
    """Return how many streams the node believes to be open."""
    return node._sessions.open_count


def is_for_all(node: Node, ltime: int, name: str) -> bool:
    """Return whether the node's buffer holds such an event that is for everybody."""
    return any(
        event.name == name
        and (event.extras is None or not (event.extras.nodes or event.extras.tags))
        for slot in node._serf._announcing.buffer.slots()
        if slot is not None and slot.ltime == ltime
        for event in slot.events
    )


def catalog_floor(node: Node, owner: str) -> int:
    """Return the version up to which all is known that ``owner`` said of its services."""
    catalog = node._carriage.catalog
    records = None if catalog is None else catalog.replica.records(owner)
    return 0 if records is None else records.floor


def catalog_version(node: Node, owner: str, service: str) -> int:
    """Return the newest version that is held of that service; 0 if nothing is."""
    catalog = node._carriage.catalog
    records = None if catalog is None else catalog.replica.records(owner)
    item = None if records is None else records.items.get(service)
    return 0 if item is None else item.version


def catalog_epoch(node: Node) -> int:
    """Return which life of its own the node's records are of."""
    return node._carriage._epoch


def catalog_queued(node: Node) -> int:
    """Return how many of the catalog's messages wait to be gossiped."""
    catalog = node._carriage.catalog
    return 0 if catalog is None else catalog.queue_depth
