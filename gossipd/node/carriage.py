"""``Carriage``: what the catalog needs of the node, and the catalog only once it is needed.

Membership goes up: how members stand, and which life of theirs their meta
announces. Messages of private types go up, and what the catalog wants sent comes
down. A daemon that registers no service, and hears of none, never loads the
catalog; it announces that it has one all the same.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from gossipd.address import Address
from gossipd.config.model import CatalogConfig, NodeConfig
from gossipd.errors import WireError
from gossipd.outbox import Outbox
from gossipd.serf.serf import Serf
from gossipd.swim.member import MemberState
from gossipd.swim.swim import Swim
from gossipd.timers import Timers
from gossipd.value import replace
from gossipd.wire.dialect import pack, unpack_untrusted
from gossipd.wire.meta_tail import CATALOG_PROTOCOL, epoch_of_untrusted, meta_tail
from gossipd.wire.reasons import MALFORMED
from gossipd.wire.serf_messages import MemberStatus

if TYPE_CHECKING:
    from gossipd.catalog.catalog import Catalog
    from gossipd.catalog.effects import CatalogEffect
    from gossipd.catalog.events import CatalogEvent

PLACED_A_STEP = 128
"""Members of whom a catalog is told in one step while nobody needs it: it takes a millisecond."""
INDEX_SHIFT = 20
"""The index of changes begins at the seconds since 1970, so many bits up: above any before."""
NO_EVENTS: tuple[object, ...] = ()


class Carriage:
    """The catalog of one node, as its other rooms see it.

    Args:
        config: the node's; read when it is needed.
        address: the node's own.
        epoch: which life of ours this is.
        index: where the count of changes begins.
        packet_bytes: what fits into one packet.
    """

    __slots__ = (
        "_address", "_config", "_epoch", "_index", "_is_blocked", "_packet_bytes", "_random",
        "_serf", "_swim", "_unplaced", "catalog", "outbox", "timers",
    )  # fmt: skip

    def __init__(
        self,
        config: NodeConfig,
        address: Address,
        swim: Swim,
        serf: Serf,
        random: Random,
        *,
        epoch: int,
        index: int,
        packet_bytes: int,
    ) -> None:
        self._config = config
        self._address = address
        self._swim = swim
        self._serf = serf
        self._random = random
        self._epoch = epoch
        self._index = index
        self._packet_bytes = packet_bytes
        self._is_blocked = False
        self._unplaced: list[str] = []
        """Members that the catalog was not told of yet, the next one last."""
        self.catalog: Catalog | None = None
        """``None`` until the first service of ours, or word of one."""
        self.outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
        self.timers: Timers[Any] = Timers()
        """The catalog's, always the same."""

    @property
    def is_enabled(self) -> bool:
        """Whether this node takes part in the catalog."""
        return self._config.catalog.enabled

    @property
    def epoch(self) -> int:
        """Which life of ours we announce."""
        return self._epoch

    @property
    def index(self) -> int:
        """Of the newest change of any service."""
        return self._index if self.catalog is None else self.catalog.shelves.index

    @property
    def tail(self) -> bytes:
        """What our meta has behind the tags."""
        return meta_tail(self._epoch) if self.is_enabled else b""

    def summary(self) -> bytes:
        """Return what a push/pull tells of the catalog; empty if we take no part."""
        if not self.is_enabled:
            return b""
        summary = 0 if self.catalog is None else self.catalog.summary
        return pack([CATALOG_PROTOCOL, self._config.name, summary])

    def heard_summary(self, said: bytes, now: float) -> None:
        """Take in what the peer of a push/pull of ours told; unless it is equal, compare.

        Raises:
            WireError: it is nothing that a gossipd says; nothing was done.
        """
        if not said or not self.is_enabled:
            return
        fields = unpack_untrusted(said)
        if type(fields) is not list or not fields or type(fields[0]) is not int:
            raise WireError(MALFORMED, "a summary of services is no list")
        if fields[0] != CATALOG_PROTOCOL:
            return
        peer, summary = fields[1:3] if len(fields) > 2 else (None, None)
        if type(peer) is not bytes or type(summary) is not int:
            raise WireError(MALFORMED, "a summary of services has no name or no number")
        if summary == 0 and self.catalog is None:
            return
        name = peer.decode("utf-8", "surrogateescape")
        self.open(now).compare(name, summary, now)

    def receive(self, payload: bytes, source: Address, now: float) -> None:
        """Take in a user message of a private type."""
        if self.is_enabled:
            self.open(now).receive(payload, source, now)

    def open(self, now: float) -> Catalog:
        """Return the catalog, made and told of all members if there was none yet."""
        catalog = self.catalog or self._make(now)
        if self._unplaced:
            self._place(len(self._unplaced), now)
        return catalog

    def prepare(self, now: float) -> bool:
        """Open the catalog in small steps: this is one; return whether there are more.

        Whoever waits for the first record is told it later by the time that this takes.
        """
        if not self.is_enabled:
            return False
        if self.catalog is None:
            self._make(now)
        self._place(PLACED_A_STEP, now)
        return bool(self._unplaced)

    def _make(self, now: float) -> Catalog:
        """Make the catalog; it is of use when it was told of all members."""
        from gossipd.catalog.catalog import Catalog  # a daemon without services is spared it

        config = self._config
        catalog = self.catalog = Catalog(
            config.catalog,
            config.swim,
            config.name,
            self._random,
            self.outbox,
            epoch=self._epoch,
            index=self._index,
            timers=self.timers,
            packet_bytes=self._packet_bytes,
        )
        if self._is_blocked:
            catalog.sending_blocked()
        self._put(config.name, now)
        self._unplaced = list(self._serf.members)
        self._unplaced.reverse()
        return catalog

    def _place(self, count: int, now: float) -> None:
        unplaced = self._unplaced
        for _ in range(min(count, len(unplaced))):
            self._put(unplaced.pop(), now)

    def reconfigure(self, catalog: CatalogConfig, now: float) -> None:
        """Write other settings where the rooms of the catalog read them."""
        ours = self._config.catalog
        zone = ours.zone
        ours.take_over(replace(catalog, enabled=ours.enabled))
        if self.catalog is None:
            return
        self.catalog.shelves.guard_changed(now)
        if zone != catalog.zone:
            self.catalog.provider.set_node_zone(catalog.zone, now)

    def member_changed(self, name: str, now: float) -> None:
        """Something about how ``name`` stands may have changed."""
        if self.catalog is not None:
            self._put(name, now)

    def announced(self, epoch: int) -> None:
        """From now on we announce ``epoch``."""
        self._epoch = epoch

    def handle_deadline(self, now: float) -> None:
        """Do what is due."""
        if self.catalog is not None:
            self.catalog.handle_deadline(now)

    def sending_blocked(self) -> None:
        """Nothing can be sent until further notice."""
        self._is_blocked = True
        if self.catalog is not None:
            self.catalog.sending_blocked()

    def sending_unblocked(self, now: float) -> None:
        """Sending goes on."""
        self._is_blocked = False
        if self.catalog is not None:
            self.catalog.sending_unblocked(now)

    def _put(self, name: str, now: float) -> None:
        """Tell the catalog how ``name`` stands."""
        from gossipd.catalog.owners import Standing
        from gossipd.services.instance import (
            OWNER_ALIVE,
            OWNER_FAILED,
            OWNER_LEAVING,
            OWNER_SUSPECT,
        )

        catalog = self.catalog
        assert catalog is not None
        is_us = name == self._config.name
        member = self._serf.members.get(name)
        if member is None and not is_us:
            catalog.remove_member(name, now)
            return
        status, since = OWNER_ALIVE, None
        if member is not None:
            if member.status is MemberStatus.LEFT and not is_us:
                catalog.remove_member(name, now)
                return
            if member.status is MemberStatus.FAILED and not is_us:
                status = OWNER_FAILED
            elif member.status is MemberStatus.LEAVING:
                status = OWNER_LEAVING
        entry = self._swim.member(name)
        if status == OWNER_ALIVE and entry is not None and entry.state is MemberState.SUSPECT:
            suspicion = self._swim.suspicions().get(name)
            status, since = OWNER_SUSPECT, None if suspicion is None else suspicion.since
        if is_us:
            epoch: int | None = self._epoch
        elif entry is not None:
            epoch = epoch_of_untrusted(entry.meta)
        else:  # the failure detector forgot it, we remember which life it was
            before = catalog.owners.get(name)
            epoch = None if before is None else before.epoch
        address = self._address if member is None else member.address
        catalog.put_member(Standing(name, address, status, since, epoch), now)
