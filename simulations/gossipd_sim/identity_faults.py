"""Faults of identity: two nodes of one name, an address that passes on, a name that moves."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.value import replace
from gossipd_sim.faults import ABSENT, GONE, UP, Fault, HostFault, Stage, join_through
from gossipd_sim.host import Host
from gossipd_sim.selectors import plain_names


class NameClash(HostFault, kw_only=True):
    """A host that is down starts under the name of the host ``of``; ``lasts`` ends it.

    The cluster keeps the address that had the name first.
    """

    of: str

    do = "name_clash"
    needs = frozenset({ABSENT, GONE})
    makes = UP

    def befall(self, host: Host, stage: Stage) -> None:
        (victim,) = plain_names(self.of)
        host.config = replace(host.config, name=victim)
        host.boot()
        host.join(join_through(host, "", stage))

    def undo(self, at: float) -> Fault:
        return ClashEnds(at=at, hosts=self.hosts)

    def describe(self) -> str:
        return f"{self.hosts} starts under the name of {self.of}"


class ClashEnds(HostFault, kw_only=True):
    """A host that bore another's name stops, and has its own again for its next life."""

    do = "clash_ends"
    makes = GONE

    def befall(self, host: Host, stage: Stage) -> None:
        host.crash()
        host.config = replace(host.config, name=host.name)

    def describe(self) -> str:
        return f"crash {self.hosts}, which bore another's name"


class AddressReuse(HostFault, kw_only=True):
    """A host that is down starts, under its own name, at the address of ``of``, which is down."""

    of: str

    do = "address_reuse"
    needs = frozenset({ABSENT, GONE})
    makes = UP

    def befall(self, host: Host, stage: Stage) -> None:
        (former,) = plain_names(self.of)
        host.address = stage.hosts[former].address
        host.boot()
        host.join(join_through(host, "", stage))

    def describe(self) -> str:
        return f"{self.hosts} starts at the address of {self.of}"


class Move(HostFault, kw_only=True):
    """A host that is down starts again under its name, at another port of its address."""

    do = "move"
    needs = frozenset({GONE})
    makes = UP

    def befall(self, host: Host, stage: Stage) -> None:
        host.address = Address(host.address.ip, host.address.port + 1)
        host.restart(remember=False)
        host.join(host.seeds or join_through(host, "", stage))

    def describe(self) -> str:
        return f"restart {self.hosts} at another address"


FAULTS_OF_IDENTITY: tuple[type[HostFault], ...] = (NameClash, ClashEnds, AddressReuse, Move)
