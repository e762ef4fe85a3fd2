"""``NameVoting``: two nodes claim our name, and the cluster is asked whose it is.

gossip.md, sections 17.1 and 18.2. Every claimant that hears of the other asks all
members. A majority of those who answered decides, as with Serf. Where there is
none either way, which is always so between two nodes and nobody else, Serf
ends both; here the one that started first stays and the other one ends. Two gossipd
tell each other when they started; of a Serf that is not known, and then we stay
and say so: it ends itself.

The rival gets our query straight as well: a node that has our name in its table
cannot gossip to another one of that name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from gossipd.address import Address
from gossipd.errors import Unavailable, WireError
from gossipd.outbox import Outbox
from gossipd.serf.asking import Asking
from gossipd.serf.effects import SerfEffect
from gossipd.serf.events import MessageIgnored, NameVerdict, NameVoted, SerfEvent
from gossipd.serf.queries import CONFLICT
from gossipd.serf.question import Question
from gossipd.wire.internal_query_codec import decode_conflict_response_untrusted
from gossipd.wire.serf_messages import MemberStatus

PAUSE = 30.0
"""Seconds from one vote to the next: claims come with every state of a peer."""
_HERE = (MemberStatus.ALIVE, MemberStatus.LEAVING)

Claim: TypeAlias = tuple[int, tuple[bytes, int]]
"""When a claimant started, in milliseconds since 1970, and its address: the least one stays."""


def judge(
    ours: int, others: int, responses: int, our_claim: Claim, their_claim: Claim | None
) -> NameVerdict:
    """Return what a vote means for us.

    Args:
        ours, others: members that have our address, or another one, under the name.
        responses: all that answered; some may know nobody of that name.
        our_claim: our own start, in milliseconds since 1970, and address.
        their_claim: the same of the rival; ``None`` if it did not tell.
    """
    majority = responses // 2 + 1
    if ours >= majority:
        return NameVerdict.MAJORITY
    if others >= majority:
        return NameVerdict.OUTVOTED
    if their_claim is None or not our_claim[0]:
        return NameVerdict.UNDECIDED
    return NameVerdict.OLDER if our_claim < their_claim else NameVerdict.YOUNGER


def claim_of(started_ms: int, address: Address) -> Claim:
    """Return what claims are compared by."""
    return started_ms, (address.ip, address.port)


class NameVoting:
    """The votes of one node about its own name, one at a time.

    Args:
        name, address: ours.
        started_ms: when we started, in milliseconds since 1970; 0 if that is not known.
        resolves: whether to ask at all; else conflicts are only reported.
        asking: asks the cluster.
        outbox: where events are written.
    """

    __slots__ = (
        "_address", "_asking", "_is_open", "_name", "_next", "_outbox", "_resolves", "_started_ms",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        address: Address,
        started_ms: int,
        asking: Asking,
        outbox: Outbox[SerfEffect, SerfEvent],
        *,
        resolves: bool,
    ) -> None:
        self._name = name
        self._address = address
        self._started_ms = started_ms
        self._asking = asking
        self._outbox = outbox
        self._resolves = resolves
        self._is_open = False
        self._next = -math.inf
        """When the next vote may begin."""

    def claimed(self, node: str, rival: Address, now: float) -> None:
        """``rival`` calls itself ``node``: ask whose name that is, if it is ours."""
        if node != self._name or rival == self._address:
            return
        if not self._resolves or self._is_open or now < self._next:
            return
        vote = _Vote(self._name, self._address, rival, self._over)
        payload = self._name.encode("utf-8", "surrogateescape")
        question = Question(name=CONFLICT, payload=payload, full_time=True)
        try:
            self._asking.ask(question, now, vote, straight_to=rival)
        except Unavailable as error:  # the conflict is heard of again, and so is this
            self._outbox.events.append(MessageIgnored("no-name-vote", str(error), rival))
            return
        self._is_open = True
        self._next = now + PAUSE

    def _over(self, vote: _Vote) -> None:
        self._is_open = False
        theirs = None
        if vote.rival_started_ms:
            theirs = claim_of(vote.rival_started_ms, vote.rival)
        ours = claim_of(self._started_ms, self._address)
        verdict = judge(vote.ours, vote.others, vote.responses, ours, theirs)
        self._outbox.events.append(
            NameVoted(vote.rival, vote.ours, vote.others, vote.responses, verdict)
        )


class _Vote:
    """Listens to the answers to one question about our name."""

    __slots__ = (
        "_address", "_name", "_over", "others", "ours", "responses", "rival", "rival_started_ms",
    )  # fmt: skip

    def __init__(
        self, name: str, address: Address, rival: Address, over: Callable[[_Vote], None]
    ) -> None:
        self._name = name
        self._address = address
        self._over = over
        self.rival = rival
        self.rival_started_ms = 0
        self.ours = 0
        self.others = 0
        self.responses = 0

    def answered(self, node: str, payload: bytes | None) -> None:
        """Count a vote, or note the rival's own claim."""
        try:
            response = decode_conflict_response_untrusted(payload or b"")
        except WireError:
            return  # as Serf: who cannot say it has no vote
        if node == self._name:
            if response is not None:
                self.rival_started_ms = response.started_ms
            return
        self.responses += 1
        if response is None or response.status not in _HERE:
            return
        if response.address == self._address:
            self.ours += 1
        else:
            self.others += 1

    def closed(self) -> None:
        """Tell what came of it."""
        self._over(self)
