"""What tests of services on whole nodes do and look at, over ``node_net.py``."""

from __future__ import annotations

from gossipd.catalog.events import RecordIgnored
from gossipd.catalog.syncing import BYTES_SYNC
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CLIENT
from support.node_net import Machine, NodeNet


def register(machine: Machine, service: Service) -> None:
    machine.do(lambda now: machine.node.register_service(service, FROM_CLIENT, now))


def deregister(machine: Machine, service: str) -> None:
    machine.do(lambda now: machine.node.deregister_service(service, now))


def keys(machine: Machine, name: str = "web") -> list[tuple[str, str]]:
    return [instance.key for instance in machine.node.service(name).instances]


def summaries(machines: list[Machine]) -> set[int]:
    catalogs = [machine.node._carriage.catalog for machine in machines if machine.is_up]
    return {0 if catalog is None else catalog.summary for catalog in catalogs}


def are_equal(machines: list[Machine]) -> bool:
    """Say whether all show and hold the same, to the last part."""
    pictures: list[object] = []
    for machine in machines:
        catalog = machine.node._carriage.catalog
        if catalog is None:
            pictures.append({})
            continue
        pictures.append(
            {
                (owner.name, owner.epoch, owner.floor, owner.encoded_node): sorted(
                    (item.id, item.removed, item.encoded_service, item.encoded_state)
                    for item in owner.items.values()
                )
                for owner in catalog.replica.owners.values()
                if owner.floor
            }
        )
    return all(picture == pictures[0] for picture in pictures)


def heard_ignored(machine: Machine) -> set[str]:
    return {event.reason for event in machine.events if isinstance(event, RecordIgnored)}


def send(net: NodeNet, to: Machine, payload: bytes, source: Machine) -> None:
    data = b"\x08" + payload
    to.do(lambda now: to.node.receive_packet(data, source.address, now))


def bytes_of_syncs(machine: Machine) -> int:
    """Return how much a node said to compare itself with others."""
    return machine.node._carriage.outbox.ledger.counts.get(BYTES_SYNC, 0)
