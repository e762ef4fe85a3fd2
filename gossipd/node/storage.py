"""Where a node keeps its tables, for whoever wants to keep them otherwise than in dicts and lists.

A simulator of ten thousand nodes that all know each other cannot give each of
them ten thousand entries of its own; here it hands in tables that share what
is equal.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from gossipd.serf.events import SerfMember
from gossipd.swim.membership import MemberTable
from gossipd.swim.rotation import Rotation
from gossipd.value import Value


class Storage(Value):
    """The tables of one node; what is in them already is known from the start.

    If the node's own entry is among it, the node begins as a member that the others
    know, and does not announce itself again.
    """

    table: MemberTable
    rotation: Rotation
    roster: MutableMapping[str, SerfMember]
