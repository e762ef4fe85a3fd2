"""``Refutation``: what others say that we have said, and the new epoch that we answer with.

Nobody but ourselves writes our records. Whoever hears something else believes it until
the tail of our meta announces another epoch, which voids all that was said before; as
that makes everybody forget and fetch our records it is not done often.
"""

from __future__ import annotations

from gossipd.catalog.effects import AnnounceEpoch, CatalogEffect
from gossipd.catalog.events import CatalogEvent, RecordIgnored
from gossipd.catalog.own_records import OwnRecords
from gossipd.catalog.owners import Owners, Standing
from gossipd.catalog.reconcile import is_disputed
from gossipd.catalog.timers import CatalogTimer, RefutationDue
from gossipd.outbox import Outbox
from gossipd.timers import Timers
from gossipd.wire.catalog_messages import Digest, News, Notice, Portion, Wish
from gossipd.wire.meta_tail import EPOCH_MAX

REFUTATION_PAUSE = 5.0
"""Seconds between two epochs."""
REFUTATIONS = "catalog-refutations"
"""Counted: epochs begun because of what others say."""


class Refutation:
    """The honour of the node ``name``; shares timers and outbox with its ``Catalog``."""

    __slots__ = ("_is_due", "_last_at", "_name", "_outbox", "_own", "_owners", "_timers")

    def __init__(
        self,
        name: str,
        own: OwnRecords,
        owners: Owners,
        timers: Timers[CatalogTimer],
        outbox: Outbox[CatalogEffect, CatalogEvent],
    ) -> None:
        self._name = name
        self._own = own
        self._owners = owners
        self._timers = timers
        self._outbox = outbox
        self._last_at: float | None = None
        self._is_due = False

    def hear(self, told: News | Notice | Portion, now: float) -> None:
        """Somebody tells what we are to have said, or how far we are to have come.

        Of any other epoch than ours nobody believes it.
        """
        own = self._own
        if told.epoch != own.epoch:
            reason = "old-epoch" if told.epoch < own.epoch else "other-epoch"
            self._outbox.events.append(RecordIgnored(reason, self._name))
            return
        match told:
            case Notice():
                if told.version > own.records.floor:
                    self._refute("notice", now)
            case Portion():
                if told.upto > own.records.floor or not all(map(own.is_ours, told.records)):
                    self._refute("records", now)
            case News():
                if not own.is_ours(told.record):
                    self._refute("records", now)
                covered = [one for one in told.covered if 0 < one != told.version]
                if covered and own.holds_any(covered):
                    self._refute("covered", now)  # who believes it would never ask for that

    def hear_what_is_held(self, message: Digest | Wish, now: float) -> None:
        """Somebody tells how much of us is known, and what that is."""
        own = self._own.records
        for one in message.known:
            if one.owner != self._name or one.epoch != own.epoch:
                continue
            if one.floor > own.floor or is_disputed(one, own):
                self._refute("digest", now)
                return

    def begin_epoch(self, now: float) -> None:
        """Say everything again in a new epoch."""
        self._is_due = False
        self._last_at = now
        epoch = self._own.epoch + 1
        if epoch > EPOCH_MAX:
            return
        self._outbox.ledger.count(REFUTATIONS)
        own = self._owners.get(self._name)
        if own is not None:  # at once: nobody else announces it
            address, status, since = own.address, own.status, own.suspected_at
            self._owners.put(Standing(self._name, address, status, since, epoch))
        self._own.begin_anew(epoch, now)
        self._outbox.effects.append(AnnounceEpoch(epoch))

    def _refute(self, detail: str, now: float) -> None:
        self._outbox.events.append(RecordIgnored("not-our-word", self._name, detail))
        if self._is_due:
            return
        due = now if self._last_at is None else self._last_at + REFUTATION_PAUSE
        if due > now:
            self._is_due = True
            self._timers.set(due, RefutationDue())
        else:
            self.begin_epoch(now)
