"""What is missing of an owner although newer things are known: asked for, with patience.

A gap mostly closes by itself: gossip brings what was overtaken. If it does not, we
ask whoever told the newer thing, then the owner, then anybody; and give up in the
end, because a version that nobody has may never have been. Then what is held of the
owner cannot be trusted, and is fetched anew.
"""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.catalog.effects import CatalogEffect, TellPeer
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.owners import Owners
from gossipd.catalog.replica import Replica
from gossipd.catalog.timers import CatalogTimer, GapDue
from gossipd.outbox import Outbox
from gossipd.services.instance import OWNER_ALIVE
from gossipd.timers import Handle, Timers
from gossipd.wire.catalog_codec import encode_catalog
from gossipd.wire.catalog_messages import Known, Notice, Wish

PATIENCE = 0.5
"""Seconds until a gap is asked about; the pause doubles with each attempt."""
ATTEMPTS_MAX = 6
WISHES = "catalog-wishes"
"""Counted: wishes sent because of a gap or a notice."""
GAP = "catalog-gap"
"""Measured: seconds from when something of an owner was seen to be missing until it was here."""


class _Gap:
    __slots__ = ("due", "epoch", "found_at", "notice", "teller", "version")

    def __init__(self, epoch: int, teller: Address, found_at: float) -> None:
        self.epoch = epoch
        self.found_at = found_at
        self.teller = teller
        self.due: Handle[CatalogTimer] | None = None
        self.version = 0
        self.notice = b""


class Gaps:
    """The open gaps of one node, by owner; shares timers and outbox with its ``Catalog``."""

    __slots__ = ("_gaps", "_name", "_outbox", "_owners", "_random", "_replica", "_timers")

    def __init__(
        self,
        name: str,
        owners: Owners,
        replica: Replica,
        random: Random,
        timers: Timers[CatalogTimer],
        outbox: Outbox[CatalogEffect, CatalogEvent],
    ) -> None:
        self._name = name
        self._owners = owners
        self._replica = replica
        self._random = random
        self._timers = timers
        self._outbox = outbox
        self._gaps: dict[str, _Gap] = {}

    def found(self, owner: str, epoch: int, teller: Address, now: float) -> None:
        """Something newer than what is known without a break came from ``teller``."""
        if owner not in self._gaps:
            patience = PATIENCE * (0.75 + 0.5 * self._random.random())
            self._open(owner, epoch, teller, now, now + patience)

    def announced(self, notice: Notice, payload: bytes, teller: Address, now: float) -> None:
        """``teller`` knows more of an owner than fits a packet: ask at once."""
        gap = self._gaps.get(notice.owner)
        if gap is None:
            gap = self._open(notice.owner, notice.epoch, teller, now, now)
        elif not gap.notice:
            gap.teller = teller
            self._ask(notice.owner, gap, 0)
        if notice.version > gap.version:
            gap.version, gap.notice = notice.version, payload

    def closed(self, owner: str, now: float) -> bytes:
        """Look whether nothing is missing any more; return the notice that we can pass on."""
        gap = self._gaps.get(owner)
        records = self._replica.records(owner)
        if gap is None or records is None or records.epoch != gap.epoch:
            return b""
        if records.ranges or records.floor < gap.version:
            return b""
        self.forget(owner)
        self._outbox.ledger.measure(GAP, now - gap.found_at)
        return gap.notice

    def forget(self, owner: str) -> None:
        """Nothing of that owner is wanted any more."""
        gap = self._gaps.pop(owner, None)
        if gap is not None and gap.due is not None:
            gap.due.cancel()

    def on_due(self, timer: GapDue, now: float) -> bool:
        """Ask about a gap that is still there, or give it up.

        Returns:
            Whether something is held that nobody can explain: start over with that owner.
        """
        gap = self._gaps.get(timer.owner)
        if gap is None or gap.epoch != timer.epoch:
            return False
        records = self._replica.records(timer.owner)
        if records is not None and records.epoch != gap.epoch:
            records = None
        if records is not None and not records.ranges and records.floor >= gap.version:
            del self._gaps[timer.owner]
            return False
        if timer.attempt >= ATTEMPTS_MAX:
            del self._gaps[timer.owner]
            return records is not None and bool(records.ranges)
        self._ask(timer.owner, gap, timer.attempt)
        again = GapDue(timer.owner, timer.epoch, timer.attempt + 1)
        gap.due = self._timers.set(now + PATIENCE * 2**timer.attempt, again)
        return False

    def ask_anew(self, owner: str, epoch: int, now: float) -> None:
        """Ask for all of an owner of whom nothing is held any more: itself, or anybody."""
        standing = self._owners.get(owner)
        if standing is not None:
            self._ask(owner, _Gap(epoch, standing.address, now), 1)

    def _open(self, owner: str, epoch: int, teller: Address, found_at: float, due: float) -> _Gap:
        gap = self._gaps[owner] = _Gap(epoch, teller, found_at)
        gap.due = self._timers.set(due, GapDue(owner, epoch, 0))
        return gap

    def _ask(self, owner: str, gap: _Gap, attempt: int) -> None:
        records = self._replica.records(owner)
        if records is not None and records.epoch != gap.epoch:
            records = None
        floor = 0 if records is None else records.floor
        payloads = [encode_catalog(Wish(self._name, (Known(owner, gap.epoch, floor),)))]
        standing = self._owners.get(owner)
        if attempt != 1 or standing is None or standing.status != OWNER_ALIVE:
            to = self._whom(gap, attempt)
        else:
            to = standing.address
            top = max(gap.version, 0 if records is None else records.top)
            if top:  # if it never said so much it refutes, at once
                payloads.append(encode_catalog(Notice(owner, gap.epoch, top)))
        self._outbox.ledger.count(WISHES)
        self._outbox.effects.append(TellPeer(to, tuple(payloads)))

    def _whom(self, gap: _Gap, attempt: int) -> Address:
        if attempt >= 1:
            for peer in self._owners.choose(1, self._random):
                return peer.address
        return gap.teller
