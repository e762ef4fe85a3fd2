"""``Catalog``: the dispatcher of services; membership and messages in, outbox out.

Each node owns its records and alone writes them; all nodes hold all of them
(docs/catalog-protocol.md). It routes: what records come to is decided in
``replica.py``, what is told and asked in ``spreading.py``, ``gaps.py`` and
``syncing.py``, what consumers are shown in ``shelves.py``, and what this node
registers itself in ``provider.py``.

Nothing a peer says is believed but what fits the life of the owner that membership
announces; what does not is refused, counted, and told as ``RecordIgnored``.
"""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.catalog.early_news import EarlyNews
from gossipd.catalog.effects import CatalogEffect
from gossipd.catalog.events import CatalogEvent, RecordIgnored
from gossipd.catalog.gaps import Gaps
from gossipd.catalog.heard import Heard
from gossipd.catalog.item import OwnerRecords
from gossipd.catalog.own_records import OwnRecords
from gossipd.catalog.owners import Owners, Standing
from gossipd.catalog.provider import Provider
from gossipd.catalog.quota import Quota
from gossipd.catalog.refutation import Refutation
from gossipd.catalog.replica import Refused, Replica
from gossipd.catalog.shelves import Shelves
from gossipd.catalog.spreading import PART_OVERHEAD, Spreading, queue_name
from gossipd.catalog.syncing import Syncing
from gossipd.catalog.timers import (
    CatalogTimer,
    ExpiryTick,
    GapDue,
    RefutationDue,
    RepetitionOver,
    ReunionDue,
    SpreadTick,
)
from gossipd.config.model import CatalogConfig, SwimConfig
from gossipd.errors import WireError
from gossipd.outbox import Outbox
from gossipd.services.instance import OWNER_ALIVE, OWNER_FAILED
from gossipd.timers import Timers
from gossipd.wire.catalog_codec import decode_catalog_untrusted, encode_catalog
from gossipd.wire.catalog_messages import Delta, Digest, News, Notice, Portion, Record, Wish

VERSION_JUMP_MAX = 2**20
"""No owner changes so much between two things that we hear of it."""
FRESH_BYTES_MAX = 2048
"""More own changes than so many bytes at once are announced, and fetched: gossip would carry
each of them a dozen times to everybody."""
REPEATED_WITHIN = 2.0
"""Seconds for which an owner that refutes is shown as it was, until it has said it again: what
others claim in its name does not make its services come and go."""
LOST_MAX = 256
"""Owners of whom what we held became void, and nothing was heard since."""
TOLD_SAVED = 2.0**25
"""Bytes of messages larger than a packet that are read at once, and ``TOLD_PER_SECOND`` after
that: a megabyte of the worst of them takes a quarter of a second."""
TOLD_PER_SECOND = 2.0**21
YOUNG = 10.0
"""Seconds for which a catalog fills itself and tells nobody what it fetched."""
RECEIVED = "catalog-messages"
"""Counted."""
SAME, DIFFERENT = "catalog-same", "catalog-different"
"""Counted: push/pulls by whether the peer knew the same of services."""


class Catalog:
    """The services of the cluster, as one node knows them.

    Args:
        config: its section of the configuration; read when it is needed.
        swim_config: how often and whom to gossip to.
        name: our own name.
        random: the injected random stream.
        outbox: where effects and events are written.
        epoch: which life of ours this is.
        index: where the count of changes that consumers see begins.
        timers: where timers are kept; the owner may have made them before.
        packet_bytes: what fits into one packet.
    """

    def __init__(
        self,
        config: CatalogConfig,
        swim_config: SwimConfig,
        name: str,
        random: Random,
        outbox: Outbox[CatalogEffect, CatalogEvent],
        *,
        epoch: int,
        index: int,
        timers: Timers[CatalogTimer] | None = None,
        packet_bytes: int = 1280,
    ) -> None:
        self._config = config
        self._name = name
        self._random = random
        self._outbox = outbox
        self.timers: Timers[CatalogTimer] = Timers() if timers is None else timers
        self.owners = Owners(name)
        self.replica = Replica(config)
        self.shelves = Shelves(config, self.owners, self.replica, outbox, index)
        self._own = OwnRecords(config, name, epoch, self.replica, self._own_changed)
        self.provider = Provider(config, self._own, self.timers, outbox, random)
        self._spreading = Spreading(
            swim_config, self.owners, random, self.timers, outbox, packet_bytes
        )
        self._gaps = Gaps(name, self.owners, self.replica, random, self.timers, outbox)
        self._syncing = Syncing(
            name,
            self.owners,
            self.replica,
            random,
            self.timers,
            outbox,
            packet_bytes - PART_OVERHEAD,
        )
        self._refutation = Refutation(name, self._own, self.owners, self.timers, outbox)
        self._early = EarlyNews()
        self._told = Quota(TOLD_SAVED, TOLD_PER_SECOND)
        self._lost: dict[str, None] = {}
        self._heard = Heard()
        self._touched: dict[str, dict[str, None]] = {}
        """Services of owners of which there was news in this step."""
        self._made_at: float | None = None
        self._is_expiry_armed = False

    # -- what readers ask -----------------------------------------------------

    @property
    def epoch(self) -> int:
        """Which life of ours our records are of."""
        return self._own.epoch

    @property
    def summary(self) -> int:
        """64 bits that say what we know; the same on nodes that know the same."""
        return self.replica.summary

    @property
    def queue_depth(self) -> int:
        """Messages that wait to be gossiped."""
        return self._spreading.depth

    # -- membership -----------------------------------------------------------

    def put_member(self, standing: Standing, now: float) -> None:
        """Take in how a member stands now; one that left is ``remove_member``'s."""
        name = standing.name
        had_peers = self.owners.peers > 0
        before = self.owners.put(standing)
        if before == standing:
            return
        epoch = standing.epoch
        records = self.replica.records(name)
        if records is not None and records.epoch != epoch and name != self._name:
            self._lose(name)
        elif records is not None:
            self.replica.compare(records, standing.status != OWNER_FAILED)
        if self._is_repetition(before, standing):
            self.timers.set(now + REPEATED_WITHIN, RepetitionOver(name))
        else:
            self.shelves.owner_changed(name, now)
        if epoch is None:
            return
        if before is None or before.epoch != epoch:
            self._gaps.forget(name)  # of another life
            if name in self._lost and standing.status != OWNER_FAILED:
                self._gaps.found(name, epoch, standing.address, now)
            for early in self._early.take(name, now):
                self._receive(early.payload, early.source, now)
        if standing.status == OWNER_ALIVE and name != self._name:
            self._syncing.is_back(name, before, now)
            if not had_peers:
                self.flush(now)
                self._spreading.arm(now)

    def remove_member(self, name: str, now: float) -> None:
        """A member left, or is forgotten: so is all that it said."""
        if self.owners.remove(name) is None or name == self._name:
            return
        self._lose(name)
        self.shelves.owner_changed(name, now)

    def _lose(self, name: str) -> None:
        """Forget what an owner said, as membership says that it is void.

        That may have been made up: the owner refutes it then, but has no reason to say its
        records again, as it does in a new life. So it will be asked.
        """
        self._gaps.forget(name)
        if self.replica.drop(name) is not None:
            self._lost[name] = None
            if len(self._lost) > LOST_MAX:
                del self._lost[next(iter(self._lost))]

    def _is_repetition(self, before: Standing | None, standing: Standing) -> bool:
        """Say whether an owner only refutes what was said in its name (``refutation.py``)."""
        if before is None or before.epoch is None or standing.epoch != before.epoch + 1:
            return False
        return standing.name != self._name and standing.status == before.status == OWNER_ALIVE

    # -- messages -------------------------------------------------------------

    def receive(self, payload: bytes, source: Address, now: float) -> None:
        """Take in a message of another gossipd node."""
        self._outbox.ledger.count(RECEIVED)
        if payload in self._heard:
            return
        if not self._spreading.fits(payload):
            if not self._told.has(now):
                self._ignore("too-much-told", "", f"{len(payload)} bytes of {source}")
                return
            self._told.spend(len(payload))
        self._receive(payload, source, now)
        self.flush(now)

    def compare(self, peer: str, summary: int, now: float) -> None:
        """``peer``, with whom we just exchanged states, knows what ``summary`` says."""
        if summary == self.replica.summary:
            self._outbox.ledger.count(SAME)
        else:
            self._outbox.ledger.count(DIFFERENT)
            self._syncing.sync_with(peer)

    def flush(self, now: float) -> None:
        """Tell what is new, of ours and of others, to readers and to peers; after each step.

        A service and the state of it come as two messages of one packet: readers are told
        of both together, and never of a state that was not meant.
        """
        if self._touched:
            touched, self._touched = self._touched, {}
            for owner, ids in touched.items():
                self.shelves.records_changed(owner, ids, now)
        may_hurry = False
        if self._own.has_fresh and self._spreading.may_hurry(now):
            may_hurry = True
            self._tell_own()
        self._spreading.flush(now, may_hurry=may_hurry)

    def _receive(self, payload: bytes, source: Address, now: float) -> None:
        if self._made_at is None:
            self._made_at = now
        try:
            message = decode_catalog_untrusted(payload)
        except WireError as error:
            self._ignore(error.reason, "", error.detail)
            return
        match message:
            case News():
                self._on_news(message, payload, source, now)
            case Notice():
                self._on_notice(message, payload, source, now)
            case Delta():
                self._on_delta(message, now)
            case Digest():
                self._refutation.hear_what_is_held(message, now)
                self._syncing.on_digest(message, now)
            case Wish():
                self._refutation.hear_what_is_held(message, now)
                self._syncing.on_wish(message, now)

    def _on_news(self, news: News, payload: bytes, source: Address, now: float) -> None:
        owner, version = news.owner, news.version
        if owner == self._name:
            self._refutation.hear(news, now)
            return
        if not self._is_of_this_life(owner, news.epoch, payload, source, now):
            return
        records = self._open(owner, news.epoch)
        if all(map(records.knows, (version, *news.record.versions))):
            return
        if records.top and version - records.top > VERSION_JUMP_MAX:
            self._ignore("version-jump", owner, f"from {records.top} to {version}")
            return
        if news.record.version != version:
            self._ignore("malformed", owner, "a part is not of the version of its news")
            return
        is_hidden = records.refused and news.record.id in records.refused
        is_new = None if is_hidden else self._apply(records, news.record, now)
        if is_new is None:
            return  # not known then: who compares with us tells the whole of it
        known = (*news.covered, *news.record.versions)
        ranges = [(one - 1, one) for one in known if 0 < one < version]
        self.replica.learn(records, [*ranges, (version - 1, version)])
        if not self._spreading.fits(payload):  # where it came from, packets are larger
            payload = encode_catalog(Notice(owner, news.epoch, version))
        self._heard.add(payload)
        self._spreading.tell(payload, queue_name(news))
        if is_new:
            self._touched.setdefault(owner, {})[news.record.id] = None
            self._arm_expiry(records, now)
        self._look_for_gap(records, source, now)

    def _on_notice(self, notice: Notice, payload: bytes, source: Address, now: float) -> None:
        owner = notice.owner
        if owner == self._name:
            self._refutation.hear(notice, now)
            return
        if not self._is_of_this_life(owner, notice.epoch, payload, source, now):
            return
        records = self.replica.records(owner)
        if records is not None and records.floor >= notice.version:
            return
        top = 0 if records is None else records.top
        if top and notice.version - top > VERSION_JUMP_MAX:
            self._ignore("version-jump", owner, f"from {top} to {notice.version}")
            return
        if not self._spreading.fits(payload):
            payload = encode_catalog(notice)
        self._heard.add(payload)
        self._gaps.announced(notice, payload, source, now)

    def _on_delta(self, delta: Delta, now: float) -> None:
        has_news = False
        for portion in delta.portions:
            if portion.owner == self._name:
                self._refutation.hear(portion, now)
            elif self._take_portion(portion, delta.sender, now):
                has_news = True
        if delta.has_more and has_news:
            self._syncing.sync_with(delta.sender)

    def _take_portion(self, portion: Portion, sender: str, now: float) -> bool:
        owner = portion.owner
        standing = self.owners.get(owner)
        if standing is None or standing.epoch != portion.epoch:
            self._ignore("other-epoch", owner)
            return False
        known = self.replica.records(owner)
        is_late = known is not None and known.epoch == portion.epoch and known.floor > 0
        records = self._open(owner, portion.epoch)
        if portion.upto <= records.floor:
            return False  # all of it is known, so what looks new is not the owner's, or is gone
        floor, changed = records.floor, []
        ranges = [(portion.base, portion.upto)]
        for record in portion.records:
            if record.version - portion.upto > VERSION_JUMP_MAX:
                self._ignore("version-jump", owner, f"from {portion.upto} to {record.version}")
                continue
            is_new = self._apply(records, record, now)
            if is_new:
                changed.append(record.id)
            elif is_new is None:
                self.replica.refuse(records, record)
            # its teller may know more of a service than it can vouch for
            ranges += [(one - 1, one) for one in record.versions if one > portion.upto]
        if portion.ids is not None and portion.upto > records.floor:
            changed += self.replica.keep_only(records, portion.ids, portion.upto)
            records.gc = max(records.gc, portion.upto)
        self.replica.learn(records, ranges)
        if changed:
            # of one that is new here everything: it may have been held before
            self.shelves.records_changed(owner, tuple(changed) if floor else None, now)
            self._arm_expiry(records, now)
        teller = self.owners.get(sender)
        if records.ranges and teller is not None:  # a portion before this one may be lost
            self._gaps.found(owner, records.epoch, teller.address, now)
        notice = self._gaps.closed(owner, now)
        if records.floor > floor and self._spreading_is_due(is_late, now):
            # not what a joiner fetches: others know it already
            notice = notice or encode_catalog(Notice(owner, records.epoch, records.floor))
        if notice:
            self._heard.add(notice)
            self._spreading.tell(notice, f"{owner}\0")
        return records.floor > floor

    # -- what is believed -----------------------------------------------------

    def _is_of_this_life(
        self, owner: str, epoch: int, payload: bytes, source: Address, now: float
    ) -> bool:
        """Say whether ``epoch`` is the one that ``owner`` announces; if it may be, later, wait."""
        standing = self.owners.get(owner)
        if standing is not None and standing.epoch == epoch:
            return True
        if standing is None or standing.epoch is None or epoch > standing.epoch:
            self._early.keep(owner, payload, source, now)
        else:
            self._ignore("old-epoch", owner)
        return False

    def _open(self, owner: str, epoch: int) -> OwnerRecords:
        records = self.replica.open(owner, epoch)
        self._lost.pop(owner, None)
        standing = self.owners.get(owner)
        if not records.floor and standing is not None and standing.status == OWNER_FAILED:
            self.replica.compare(records, is_compared=False)
        return records

    def _apply(self, records: OwnerRecords, record: Record, now: float) -> bool | None:
        """Say whether anything of ``record`` is new; ``None`` if it is refused."""
        try:
            return self.replica.apply(records, record, now)
        except (Refused, WireError) as error:
            self._ignore(error.reason, records.name, error.detail)
            return None

    # -- own records ----------------------------------------------------------

    def _own_changed(self, id: str, now: float) -> None:
        if self._made_at is None:
            self._made_at = now
        self.shelves.records_changed(self._name, (id,), now)
        self._arm_expiry(self._own.records, now)

    def _tell_own(self) -> None:
        """Gossip own changes, or only that there are some if they are many or large."""
        news = self._own.take_fresh()
        told = [(encode_catalog(each), queue_name(each)) for each in news]
        is_much = sum(len(payload) for payload, _ in told) > FRESH_BYTES_MAX
        if is_much or not all(self._spreading.fits(payload) for payload, _ in told):
            notice = encode_catalog(Notice(self._name, self._own.epoch, self._own.records.floor))
            told = [(notice, f"{self._name}\0")]
        for payload, name in told:
            self._heard.add(payload)
            self._spreading.tell(payload, name)

    # -- time -----------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when ``handle_deadline`` is due (seconds, monotonic)."""
        return self.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Handle every timer that is due."""
        while (timer := self.timers.pop_due(now)) is not None:
            match timer:
                case SpreadTick():
                    if self._own.has_fresh:  # what came too fast, now told together
                        self._tell_own()
                    self._spreading.on_tick(now)
                case GapDue():
                    if self._gaps.on_due(timer, now):
                        # shown as it was until the whole of it is here again
                        self.replica.drop(timer.owner)
                        self._gaps.ask_anew(timer.owner, timer.epoch, now)
                case ReunionDue():
                    self._syncing.on_reunion(timer)
                case RepetitionOver():
                    self.shelves.owner_changed(timer.owner, now)
                case RefutationDue():
                    self._refutation.begin_epoch(now)
                case ExpiryTick():
                    self._expire(now)
                case _:
                    self.provider.handle_timer(timer, now)
        self.flush(now)

    def sending_blocked(self) -> None:
        """Gossip nothing until further notice; what was asked for is still answered."""
        self._spreading.sending_blocked()

    def sending_unblocked(self, now: float) -> None:
        """Go on."""
        self._spreading.sending_unblocked(now)

    def _arm_expiry(self, records: OwnerRecords, now: float) -> None:
        if records.tombstones and not self._is_expiry_armed:
            self._is_expiry_armed = True
            self.timers.set(now + self._config.tombstone_timeout, ExpiryTick())

    def _expire(self, now: float) -> None:
        self._is_expiry_armed = False
        self.replica.expire(now - self._config.tombstone_timeout)
        self._own.forget_gone()
        pause = self._config.tombstone_timeout / 8
        if any(records.tombstones for records in self.replica.owners.values()):
            self._is_expiry_armed = True
            self.timers.set(now + pause, ExpiryTick())

    # -- bookkeeping ----------------------------------------------------------

    def _look_for_gap(self, records: OwnerRecords, source: Address, now: float) -> None:
        if records.ranges:
            self._gaps.found(records.name, records.epoch, source, now)
        else:
            notice = self._gaps.closed(records.name, now)
            if notice:
                self._spreading.tell(notice, f"{records.name}\0")

    def _spreading_is_due(self, is_late: bool, now: float) -> bool:
        made_at = self._made_at
        return is_late or (made_at is not None and now - made_at > YOUNG)

    def _ignore(self, reason: str, owner: str, detail: str = "") -> None:
        self._outbox.events.append(RecordIgnored(reason, owner, detail))
