"""What a daemon does in advance for the first word of a service."""

from __future__ import annotations

import subprocess
import sys
from random import Random

from gossipd.address import Address
from gossipd.catalog.catalog import Catalog
from gossipd.catalog.effects import CatalogEffect, TellPeer
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.owners import Standing
from gossipd.config.model import NodeConfig
from gossipd.outbox import Outbox
from gossipd.services.definition import Service
from gossipd.services.instance import OWNER_ALIVE
from gossipd.services.own import FROM_CLIENT


def test_a_first_change_loads_nothing_and_writes_no_constructor() -> None:
    code = """
import sys
from random import Random
import gossipd.value
from gossipd.address import Address
from gossipd.agent.log.fields import fields_of_event
from gossipd.agent.log.lines import describe, level_of
from gossipd.agent.services.expecting import steps_before_services
from gossipd.config.model import NodeConfig
from gossipd.node import node  # as the daemon has it
from gossipd.outbox import Outbox
outbox, config, address = Outbox(), NodeConfig(name="us"), Address(bytes(4), 1)
catalogs = []

def open_catalog():
    from gossipd.catalog.catalog import Catalog
    from gossipd.catalog.owners import Standing
    catalog = Catalog(config.catalog, config.swim, "us", Random(0), outbox, epoch=1, index=0)
    for name in ("us", "them", "other"):
        catalog.put_member(Standing(name, address, "alive", None, 1), 0.0)
    catalogs.append(catalog)
    return False

list(steps_before_services(open_catalog))
loaded, written, write = set(sys.modules), [], gossipd.value._write_init
gossipd.value._write_init = lambda kind, **how: written.append(kind.__name__) or write(kind, **how)
for payload in sys.argv[1:]:
    catalogs[0].receive(bytes.fromhex(payload), address, 0.0)
for event in outbox.events:
    if level_of(event):
        describe(event, "us", 0.0)
    fields_of_event(event, "us", 0.0, None)
print([type(event).__name__ for event in outbox.events], written)
print(sorted(name for name in set(sys.modules) - loaded if name.startswith("gossipd")))
"""
    news = [payload.hex() for payload in news_of_a_service()]
    done = subprocess.run(
        [sys.executable, "-c", code, *news], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "['ServiceChanged'] []\n[]\n"


def news_of_a_service() -> list[bytes]:
    """Return what ``them`` tells its peers of a service that it registers."""
    outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
    config = NodeConfig(name="them")
    catalog = Catalog(config.catalog, config.swim, "them", Random(0), outbox, epoch=1, index=0)
    address = Address(bytes(4), 1)
    for name in ("us", "them"):
        catalog.put_member(Standing(name, address, OWNER_ALIVE, None, 1), 0.0)
    catalog.provider.register(Service(id="web", name="web"), FROM_CLIENT, 0.0)
    catalog.flush(0.0)
    (effect,) = outbox.take_effects()
    assert isinstance(effect, TellPeer)
    return list(effect.payloads)
