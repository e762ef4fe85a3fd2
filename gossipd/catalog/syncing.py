"""When and with whom this node compares all that is known, and what it answers to others.

What is compared and told is ``reconcile.py``'s part. How much is answered is
bounded, because a digest of a few bytes may ask for everything.
"""

from __future__ import annotations

from random import Random

from gossipd.catalog.effects import CatalogEffect, TellByStream, TellPeer
from gossipd.catalog.events import CatalogEvent, RecordIgnored
from gossipd.catalog.item import OwnerRecords
from gossipd.catalog.owners import Owners, Standing
from gossipd.catalog.quota import Quota
from gossipd.catalog.reconcile import deltas, is_disputed, missing, wanted
from gossipd.catalog.replica import Replica
from gossipd.catalog.timers import CatalogTimer, ReunionDue
from gossipd.outbox import Outbox
from gossipd.services.instance import OWNER_ALIVE, OWNER_FAILED, OWNER_SUSPECT
from gossipd.timers import Timers
from gossipd.wire.catalog_codec import encode_catalog
from gossipd.wire.catalog_messages import Digest, Known, Wish

REUNION_PAUSE = (0.2, 0.8)
"""Seconds from the return of a lost member until we compare with it, and as many at random."""
NEWCOMER_ASKED = 3.0
"""So many nodes compare with a newcomer, on average."""
SYNCS_SAVED = 128.0
"""Digests and wishes answered at once, and ``SYNCS_PER_SECOND`` after that."""
SYNCS_PER_SECOND = 64.0
ANSWERED_SAVED = 2.0**25
"""Bytes that answer digests and wishes at once, and ``ANSWERED_PER_SECOND`` after that: the
whole of a catalog of 10,000 instances eight times, and one more each second."""
ANSWERED_PER_SECOND = 2.0**22
SHOWN_SAVED = 16.0
"""Disputes shown to their owners at once, and ``SHOWN_PER_SECOND`` after that."""
SHOWN_PER_SECOND = 4.0
BYTES_SYNC = "catalog-bytes-sync"
"""Counted: bytes of digests and of what answers them."""
SYNCS = "catalog-syncs"
"""Counted: digests that we sent."""


class Syncing:
    """The comparisons of the node ``name``; shares timers and outbox with its ``Catalog``.

    Args:
        answer_bytes: an answer that is not longer goes by packet.
    """

    __slots__ = (
        "_answer_bytes", "_answered", "_name", "_outbox", "_owners", "_random", "_replica",
        "_reunion", "_shown", "_syncs", "_timers",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        owners: Owners,
        replica: Replica,
        random: Random,
        timers: Timers[CatalogTimer],
        outbox: Outbox[CatalogEffect, CatalogEvent],
        answer_bytes: int,
    ) -> None:
        self._name = name
        self._owners = owners
        self._replica = replica
        self._random = random
        self._timers = timers
        self._outbox = outbox
        self._answer_bytes = answer_bytes
        self._reunion: str | None = None
        self._syncs = Quota(SYNCS_SAVED, SYNCS_PER_SECOND)
        self._answered = Quota(ANSWERED_SAVED, ANSWERED_PER_SECOND)
        self._shown = Quota(SHOWN_SAVED, SHOWN_PER_SECOND)

    def sync_with(self, peer: str) -> None:
        """Tell ``peer`` how much we know; what is missing on either side follows."""
        standing = self._owners.get(peer)
        if standing is None or standing.epoch is None or peer == self._name:
            return
        if standing.status not in (OWNER_ALIVE, OWNER_SUSPECT):
            return
        self._outbox.ledger.count(SYNCS)
        digest = Digest(self._name, tuple(self._replica.known()))
        self._send_by_stream(standing, encode_catalog(digest))

    def on_digest(self, digest: Digest, now: float) -> None:
        """Tell what its sender lacks, and ask for what we lack."""
        standing = self._asker(digest.sender, now)
        if standing is None:
            return
        lacks, wishes = missing(self._replica, self._owners, digest.known)
        self._have_disputes_judged(digest, now)
        self._answer(standing, lacks)
        if wishes:
            self._send_by_stream(standing, encode_catalog(Wish(self._name, tuple(wishes))))

    def on_wish(self, wish: Wish, now: float) -> None:
        """Tell what is asked for."""
        standing = self._asker(wish.sender, now)
        if standing is not None:
            self._answer(standing, wanted(self._replica, wish.known))

    def is_back(self, peer: str, before: Standing | None, now: float) -> None:
        """``peer`` runs, and stood as ``before``: compare with who was lost.

        When it had time to see us again too. Of a newcomer, which may have been taken for
        one that left, a few ask.
        """
        if before is None:
            if not self._replica.summary:
                return
            if self._random.random() * self._owners.peers >= NEWCOMER_ASKED:
                return
        elif before.status != OWNER_FAILED:
            return
        if self._reunion is None:
            self._reunion = peer
            least, more = REUNION_PAUSE
            self._timers.set(now + least + more * self._random.random(), ReunionDue(peer))

    def on_reunion(self, timer: ReunionDue) -> None:
        """The time has come to compare with who is back."""
        self._reunion = None
        self.sync_with(timer.peer)

    def show(self, owner: Standing, payload: bytes, now: float) -> None:
        """Show ``owner`` what was said in its name: it refutes what is not its word."""
        if owner.status == OWNER_FAILED or len(payload) > self._answer_bytes:
            return
        if self._shown.has(now):
            self._shown.spend()
            self._outbox.ledger.count(BYTES_SYNC, len(payload))
            self._outbox.effects.append(TellPeer(owner.address, (payload,)))

    def _have_disputes_judged(self, digest: Digest, now: float) -> None:
        """Where ``digest`` and we hold different things as all of an owner, ask that owner."""
        for one in digest.known:
            records, owner = self._replica.records(one.owner), self._owners.get(one.owner)
            if records is None or owner is None or one.owner == self._name:
                continue
            if not is_disputed(one, records):
                continue
            ours = Known(one.owner, one.epoch, one.floor, records.content)
            self.show(owner, encode_catalog(Wish(self._name, (ours, one))), now)

    def _answer(self, to: Standing, lacks: list[tuple[OwnerRecords, int]]) -> None:
        messages = deltas(self._name, lacks)
        self._answered.spend(sum(map(len, messages)))
        if len(messages) == 1 and len(messages[0]) <= self._answer_bytes:
            self._outbox.ledger.count(BYTES_SYNC, len(messages[0]))
            self._outbox.effects.append(TellPeer(to.address, (messages[0],)))
            return
        for message in messages:
            self._send_by_stream(to, message)

    def _asker(self, name: str, now: float) -> Standing | None:
        """Return the standing of a gossipd node that asks, unless too many do."""
        standing = self._owners.get(name)
        if standing is None or standing.epoch is None or name == self._name:
            self._outbox.events.append(RecordIgnored("stranger", name))
            return None
        if not self._syncs.has(now) or not self._answered.has(now):
            self._outbox.events.append(RecordIgnored("too-many-syncs", name))
            return None
        self._syncs.spend()
        return standing

    def _send_by_stream(self, to: Standing, payload: bytes) -> None:
        self._outbox.ledger.count(BYTES_SYNC, len(payload))
        self._outbox.effects.append(TellByStream(to.address, payload))
