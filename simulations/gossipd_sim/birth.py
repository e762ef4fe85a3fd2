"""How the node of a new life of a host is made.

Its chance and its nonces come from the world, under the name of that life, so
no life changes what another one draws.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from gossipd.address import Address
from gossipd.config.model import NodeConfig
from gossipd.node.node import Node
from gossipd.node.storage import Storage
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd_sim.formed import Formed, epoch_of
from gossipd_sim.world import World


class MakeNode(Protocol):
    """Makes the node of one life, with the Lamport times of the last."""

    def __call__(
        self,
        config: NodeConfig,
        address: Address,
        random: Random,
        entropy: Callable[[int], bytes],
        *,
        memory: Memory = NO_MEMORY,
        catalog_epoch: int = 1,
    ) -> Node: ...


def make_unsealed_node(
    config: NodeConfig,
    address: Address,
    random: Random,
    entropy: Callable[[int], bytes],
    storage: Storage | None = None,
    *,
    memory: Memory = NO_MEMORY,
    catalog_epoch: int = 1,
) -> Node:
    """Return a node that leaves it to the network whether packets are sealed."""
    return Node(
        config,
        address,
        random,
        entropy,
        seals=False,
        storage=storage,
        memory=memory,
        catalog_epoch=catalog_epoch,
    )


class Entropy:
    """Unpredictable bytes of one life, for nonces; made only if somebody asks."""

    __slots__ = ("_purpose", "_random", "_world")

    def __init__(self, world: World, purpose: str) -> None:
        self._world = world
        self._purpose = purpose
        self._random: Random | None = None

    def __call__(self, length: int) -> bytes:
        """Return that many bytes."""
        if self._random is None:
            self._random = self._world.random(self._purpose)
        return self._random.randbytes(length)


class Newborn(Protocol):
    """The host whose process begins."""

    name: str
    life: int
    config: NodeConfig

    @property
    def address(self) -> Address: ...


def give_birth(
    world: World,
    host: Newborn,
    *,
    formed: Formed | None = None,
    memory: Memory = NO_MEMORY,
    make_node: MakeNode = make_unsealed_node,
) -> Node:
    """Return the node of the life of ``host`` that begins now.

    One that begins in a cluster that is ``formed`` shares its tables, and is unsealed
    whatever ``make_node`` would make.
    """
    life, config, address = f"{host.name} life {host.life}", host.config, host.address
    random = world.random(f"node of {life}")
    entropy = Entropy(world, f"entropy of {life}")
    if formed is None:
        epoch = epoch_of(world.now, host.life)
        return make_node(config, address, random, entropy, memory=memory, catalog_epoch=epoch)
    storage = formed.storage(random, round_robin=config.swim.round_robin)
    return make_unsealed_node(config, address, random, entropy, storage, catalog_epoch=formed.epoch)
