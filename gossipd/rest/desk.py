"""``Desk``: what every handler of the HTTP face works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.node.handle import NodeHandle
from gossipd.rest.consul.reads.reading import Reading
from gossipd.rest.happening.timeline import Timeline
from gossipd.rest.own.state import KeptState

if TYPE_CHECKING:
    from gossipd.metrics.collecting import Collector


class Desk:
    """The node that is asked and what is kept between requests; one for each face.

    Args:
        handle: the node.
        config: of the face.
        datacenter: what clients are told.
        ledger: where requests are counted and measured.
        log: gets (level, line without date).
        wall: calendar time, seconds since 1970.
    """

    def __init__(
        self,
        handle: NodeHandle,
        config: HttpConfig,
        *,
        datacenter: str,
        ledger: Ledger,
        log: Callable[[str, str], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.handle = handle
        self.config = config
        self.datacenter = datacenter
        self.ledger = ledger
        self.log = log
        self.wall = wall
        self.reading = Reading(handle, datacenter, wall)
        """What reads in Consul's words share; it observes the node from now on."""
        self.timeline = Timeline(handle, wall)
        """What happened lately; it observes the node from now on."""
        self.kept_state = KeptState()
        self.collector: Collector | None = None
        """What ``/v1/agent/metrics`` compares with, once somebody has asked for it."""
