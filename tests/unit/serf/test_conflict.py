"""Whose name it is: what we answer, and the vote about our own (section 18.2; cases 130, 131)."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.serf.events import NameVerdict, NameVoted
from gossipd.serf.name_vote import PAUSE, Claim, claim_of, judge
from gossipd.swim.events import NameConflict
from gossipd.value import replace
from gossipd.wire.internal_query_codec import (
    decode_conflict_response_untrusted,
    encode_conflict_response,
)
from gossipd.wire.messages import Versions
from gossipd.wire.serf_codec import decode_serf_untrusted
from gossipd.wire.serf_messages import (
    TAKES_CLAIMS,
    ConflictResponse,
    MemberStatus,
    Query,
    QueryResponse,
    SerfMessage,
)
from support.serf_harness import SerfHarness, address_of, member_of, query_of

RIVAL = Address(b"\x0a\0\0\x63", 7946)
VOTE_OVER = 3.2
"""Seconds that a vote takes among up to nine nodes."""


def test_case_130_about_us_nothing_about_another_its_record_about_nobody_nil() -> None:
    serf = SerfHarness()
    serf.join("b", tags={"role": "db"})
    serf.die("b", at=1.0)
    answers = []
    for query_id, node in enumerate((b"us", b"b", b"nobody")):
        serf.receive(query_of(query_id=query_id, name="_serf_conflict", payload=node))
        answers.append([message for _, message in serf.sent()])
    assert answers[0] == []
    [about_b], [about_nobody] = answers[1:]
    assert isinstance(about_b, QueryResponse)
    assert about_b.payload is not None
    assert decode_conflict_response_untrusted(about_b.payload) == ConflictResponse(
        "b", address_of("b"), {"role": "db"}, MemberStatus.FAILED, Versions()
    )
    assert isinstance(about_nobody, QueryResponse)
    assert about_nobody.payload == b"\x06\xc0"


def test_a_gossipd_of_our_name_is_told_when_we_started_and_a_serf_is_not() -> None:
    serf = SerfHarness(started_ms=1_700_000_000_123)
    plain = query_of(query_id=1, name="_serf_conflict", payload=b"us", origin=RIVAL)
    serf.receive(plain)
    assert serf.sent() == []
    serf.receive(
        query_of(
            query_id=2, name="_serf_conflict", payload=b"us", origin=RIVAL, features=TAKES_CLAIMS
        )
    )
    [(to, response)] = serf.sent()
    assert to == RIVAL
    assert isinstance(response, QueryResponse)
    assert response.payload is not None
    claim = decode_conflict_response_untrusted(response.payload)
    assert claim is not None
    assert (claim.name, claim.address, claim.started_ms) == (
        "us", address_of("us"), 1_700_000_000_123,
    )  # fmt: skip


def test_when_a_claimant_started_is_skipped_by_who_does_not_look_for_it() -> None:
    """The extra key sorts behind those of Serf, as its other extras do."""
    record = ConflictResponse("a", RIVAL, {}, MemberStatus.ALIVE, Versions())
    plain = encode_conflict_response(record)
    told = encode_conflict_response(
        ConflictResponse("a", RIVAL, {}, MemberStatus.ALIVE, Versions(), started_ms=5)
    )
    assert told[2:].startswith(plain[2:])
    assert told[len(plain) :] == b"\xa8Zgossipd\x05"


# -- what a vote means -----------------------------------------------------------------

ONE, TWO = Address(b"\x0a\0\0\1", 1), Address(b"\x0a\0\0\2", 1)
ONE_HIGHER = Address(ONE.ip, 2)
EARLY, LATE = claim_of(1000, RIVAL), claim_of(2000, address_of("us"))


@pytest.mark.parametrize(
    ("ours", "others", "responses", "verdict"),
    [
        (2, 1, 3, NameVerdict.MAJORITY),
        (1, 2, 3, NameVerdict.OUTVOTED),
        (1, 0, 1, NameVerdict.MAJORITY),
        (0, 1, 1, NameVerdict.OUTVOTED),
        (0, 0, 0, NameVerdict.UNDECIDED),
        (1, 1, 2, NameVerdict.UNDECIDED),
        (1, 1, 3, NameVerdict.UNDECIDED),
        (0, 1, 3, NameVerdict.UNDECIDED),
    ],
)
def test_case_131_a_majority_of_those_who_answered_decides(
    ours: int, others: int, responses: int, verdict: NameVerdict
) -> None:
    assert judge(ours, others, responses, EARLY, None) is verdict
    assert (
        verdict is NameVerdict.UNDECIDED or judge(ours, others, responses, LATE, EARLY) is verdict
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (EARLY, LATE, NameVerdict.OLDER),
        (LATE, EARLY, NameVerdict.YOUNGER),
        (claim_of(5, ONE), claim_of(5, TWO), NameVerdict.OLDER),
        (claim_of(5, ONE_HIGHER), claim_of(5, ONE), NameVerdict.YOUNGER),
        (claim_of(0, RIVAL), LATE, NameVerdict.UNDECIDED),
    ],
)  # fmt: skip
def test_without_a_majority_the_older_one_stays_and_never_do_both_end(
    ours: Claim, theirs: Claim, verdict: NameVerdict
) -> None:
    assert judge(1, 1, 2, ours, theirs) is verdict
    if verdict is not NameVerdict.UNDECIDED:
        other = {NameVerdict.OLDER: NameVerdict.YOUNGER}.get(verdict, NameVerdict.OLDER)
        assert judge(1, 1, 2, theirs, ours) is other


@given(
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 5),
    st.tuples(st.integers(0, 3), st.integers(1, 2)),
    st.tuples(st.integers(0, 3), st.integers(1, 2)),
)
def test_of_two_that_hear_the_same_votes_never_both_end(
    ours: int, others: int, undecided: int, first: tuple[int, int], second: tuple[int, int]
) -> None:
    """Starts and ports may be equal, but not both; a start of 0 is not told."""
    one, two = (claim_of(start, Address(ONE.ip, port)) for start, port in (first, second))
    assume(one[1] != two[1])
    responses = ours + others + undecided
    verdicts = [
        judge(ours, others, responses, one, two if two[0] else None),
        judge(others, ours, responses, two, one if one[0] else None),
    ]
    ending = [NameVoted(RIVAL, 0, 0, 0, verdict).must_end for verdict in verdicts]
    assert not all(ending)
    known = one[0] and two[0]
    assert any(ending) or not known, "and one does where that can be told"


# -- the vote itself -------------------------------------------------------------------


class Contested:
    """A node "us" whose name ``RIVAL`` bears too; ``b``, ``c`` and ``d`` are members."""

    def __init__(self, *, started_ms: int = 2000, resolves: bool = True) -> None:
        config = SerfConfig(resolve_name_conflicts=resolves)
        self.serf = SerfHarness(config, started_ms=started_ms)
        self.serf.join("b", "c", "d")

    def conflict(self, node: str = "us", at: float = 1.0) -> list[Query]:
        """Let swim tell of the conflict; return the question that went straight to the rival."""
        self.serf.serf.handle(NameConflict(member_of(node), RIVAL), at)
        straight = [message for to, message in self.serf.sent() if to == RIVAL]
        assert all(isinstance(message, Query) for message in straight)
        return [message for message in straight if isinstance(message, Query)]

    def gossiped(self) -> list[SerfMessage]:
        return [decode_serf_untrusted(payload) for payload in self.serf.gossiped()]

    def vote(self, query: Query, node: str, response: ConflictResponse | bytes | None) -> None:
        payload = response if isinstance(response, bytes) else encode_conflict_response(response)
        self.serf.receive(QueryResponse(query.ltime, query.id, node, 0, payload), at=1.5)

    def outcome(self) -> NameVoted:
        self.serf.advance(1.0 + VOTE_OVER - 0.01)
        assert self.serf.events_of(NameVoted) == [], "who answers late counts too"
        self.serf.advance(1.0 + VOTE_OVER)
        [voted] = self.serf.events_of(NameVoted)
        return voted


def record(address: Address, status: MemberStatus = MemberStatus.ALIVE) -> ConflictResponse:
    return ConflictResponse("us", address, {}, status, Versions())


OURS, THEIRS = record(address_of("us")), record(RIVAL)


def test_the_members_are_asked_and_the_rival_straight() -> None:
    contested = Contested()
    [straight] = contested.conflict()
    assert contested.gossiped() == [straight]
    assert (straight.name, straight.payload) == ("_serf_conflict", b"us")
    assert straight.features & TAKES_CLAIMS


def test_a_majority_for_us_and_we_stay() -> None:
    contested = Contested()
    query = contested.conflict()[0]
    for node, vote in (("b", OURS), ("c", THEIRS), ("d", OURS)):
        contested.vote(query, node, vote)
    voted = contested.outcome()
    assert voted == NameVoted(RIVAL, 2, 1, 3, NameVerdict.MAJORITY)
    assert not voted.must_end


def test_a_majority_against_us_and_we_end_without_a_word_in_that_name() -> None:
    contested = Contested()
    query = contested.conflict()[0]
    for node, vote in (("b", THEIRS), ("c", THEIRS), ("d", OURS)):
        contested.vote(query, node, vote)
    voted = contested.outcome()
    assert voted == NameVoted(RIVAL, 1, 2, 3, NameVerdict.OUTVOTED)
    assert voted.must_end
    assert contested.gossiped() == [query]


@pytest.mark.parametrize(
    ("their_start", "verdict"),
    [(1000, NameVerdict.YOUNGER), (3000, NameVerdict.OLDER), (0, NameVerdict.UNDECIDED)],
)
def test_without_voters_the_older_one_stays(their_start: int, verdict: NameVerdict) -> None:
    contested = Contested(started_ms=2000)
    query = contested.conflict()[0]
    claim = ConflictResponse(
        "us", RIVAL, {}, MemberStatus.ALIVE, Versions(), started_ms=their_start
    )
    contested.vote(query, "us", claim)
    assert contested.outcome() == NameVoted(RIVAL, 0, 0, 0, verdict)


def test_nobody_answers_and_we_stay() -> None:
    contested = Contested()
    contested.conflict()
    assert not contested.outcome().must_end


def test_garbage_is_no_vote_and_who_knows_nobody_or_a_dead_one_is_for_nobody() -> None:
    contested = Contested()
    query = contested.conflict()[0]
    contested.vote(query, "b", b"\x06\xc1")
    contested.vote(query, "c", None)
    contested.vote(query, "d", record(RIVAL, MemberStatus.FAILED))
    assert contested.outcome() == NameVoted(RIVAL, 0, 0, 2, NameVerdict.UNDECIDED)


def test_another_name_is_not_our_business_and_neither_is_any_when_switched_off() -> None:
    assert Contested().conflict("b") == []
    assert Contested(resolves=False).conflict() == []


def test_a_conflict_that_goes_on_is_voted_on_again_after_a_pause() -> None:
    contested = Contested()
    assert contested.conflict(at=1.0)
    assert contested.conflict(at=2.0) == [], "one at a time"
    contested.outcome()
    assert contested.conflict(at=PAUSE) == []
    assert contested.conflict(at=1.0 + PAUSE)


def test_who_asks_about_our_name_from_elsewhere_bears_it_and_makes_us_ask_too() -> None:
    contested = Contested()
    asked = query_of(name="_serf_conflict", payload=b"us", origin=RIVAL)
    contested.serf.receive(replace(asked, origin_node="us"))
    ours = [
        message
        for to, message in contested.serf.sent()
        if to == RIVAL and isinstance(message, Query)
    ]
    assert [query.origin for query in ours] == [address_of("us")]
