"""Registering services at a catalog that is nobody's: what a node would say of them.

For ``gossipd config check``, so that what only the owner's rules know (sizes as
they travel, ids, kinds of checks) is found without a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

from gossipd.catalog.catalog import Catalog
from gossipd.errors import GossipdError
from gossipd.outbox import Outbox
from gossipd.services.own import FROM_CONFIG

if TYPE_CHECKING:
    from gossipd.catalog.effects import CatalogEffect
    from gossipd.catalog.events import CatalogEvent
    from gossipd.config.model import NodeConfig
    from gossipd.services.definition import Service


def rehearse(
    node: NodeConfig, services: tuple[Service, ...]
) -> Iterator[tuple[Service, str, tuple[str, ...]]]:
    """Yield each service with why it would be refused, empty if not, and warnings."""
    outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
    catalog = Catalog(node.catalog, node.swim, node.name, Random(0), outbox, epoch=1, index=0)
    for service in services:
        try:
            warnings = catalog.provider.register(service, FROM_CONFIG, 0.0)
        except GossipdError as error:
            yield service, str(error), ()
        else:
            yield service, "", warnings
