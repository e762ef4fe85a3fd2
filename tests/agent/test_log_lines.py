"""What the log says of an event: Serf's lines, and who said so and why."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.node.events import (
    InputDropped,
    MemberDegraded,
    MemberRecovered,
    NodeEvent,
    SyncFinished,
)
from gossipd.serf.events import (
    ChangeKind,
    MemberChange,
    QueryReceived,
    QueueTooDeep,
    SerfMember,
    UserEventReceived,
)
from gossipd.swim.events import (
    AccusationRefuted,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    NameConflict,
    SuspicionConfirmed,
    UdpUnreachable,
)
from gossipd.swim.member import Member, MemberState
from gossipd.value import replace
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus
from support.logs import ADDRESS, ELSEWHERE, MEMBER, SERF_MEMBER, line_of, make_log


def test_events_become_the_lines_that_tools_match_on() -> None:
    assert line_of(MemberChange(ChangeKind.JOIN, SERF_MEMBER)) == (
        "[INFO] serf: EventMemberJoin: web 10.0.0.4"
    )
    assert line_of(MemberChange(ChangeKind.LEAVE, SERF_MEMBER, forced=True)) == (
        "[INFO] serf: EventMemberLeave (forced): web 10.0.0.4"
    )
    assert line_of(MemberChange(ChangeKind.UPDATE, SERF_MEMBER)) == (
        "[INFO] serf: EventMemberUpdate: web (no tags)"
    )
    tagged = replace(SERF_MEMBER, tags={"role": "web", "dc": "e\n"})
    assert line_of(MemberChange(ChangeKind.UPDATE, tagged)) == (
        "[INFO] serf: EventMemberUpdate: web (tags: dc=e\\n, role=web)"
    )
    assert line_of(MemberSuspected(MEMBER, "us", 104.0)) == (
        "[INFO] memberlist: Suspect web has failed, no acks received (it has 4.0s to refute)"
    )
    assert line_of(MemberSuspected(MEMBER, "db", 104.0)) == (
        "[INFO] memberlist: Suspect web has failed, says db (it has 4.0s to refute)"
    )
    assert line_of(SuspicionConfirmed(MEMBER, "db", 1, 102.5)) == (
        "[DEBUG] memberlist: Suspicion of web confirmed by db (1 peer confirmations, 2.5s left)"
    )
    assert line_of(MemberRefuted(MEMBER, 1.25)) == (
        "[INFO] memberlist: web refuted the suspicion after 1.2s (incarnation 3)"
    )
    assert line_of(MemberFailed(MEMBER, "us", 2, 3.9)) == (
        "[INFO] memberlist: Marking web as failed, suspect timeout reached"
        " (2 peer confirmations) after 3.9s"
    )
    assert line_of(MemberFailed(MEMBER, "db", 0, None)) == (
        "[INFO] memberlist: web is dead, says db"
    )
    assert line_of(AccusationRefuted("suspect", "db", 5)) == (
        "[WARN] memberlist: Refuting a suspect message (from: db) with incarnation 5"
    )
    assert line_of(AccusationRefuted("alive", "", 5)) == (
        "[WARN] memberlist: Refuting an alive message about us that is not ours with incarnation 5"
    )
    assert line_of(NameConflict(MEMBER, Address(bytes([10, 0, 0, 5]), 1))).startswith(
        "[ERR] memberlist: Conflicting address for web. Mine: 10.0.0.4:7946 Theirs: 10.0.0.5:1"
    )
    assert line_of(MemberDegraded("b", "round trip 90ms, usually 1ms")) == (
        "[WARN] agent: Member degraded: b: round trip 90ms, usually 1ms"
    )
    assert line_of(MemberRecovered("b", 61.4)) == (
        "[INFO] agent: Member no longer degraded: b (after 61s)"
    )
    assert line_of(UdpUnreachable(MEMBER)) == (
        "[WARN] memberlist: Was able to connect to web over TCP but UDP probes failed,"
        " network may be misconfigured"
    )
    assert line_of(QueueTooDeep("Event", 130, 0)) == "[WARN] serf: Event queue depth: 130"
    assert line_of(QueueTooDeep("Intent", 5000, 904)) == (
        "[WARN] serf: Intent queue depth (5000) exceeds limit (4096), dropping messages!"
    )
    assert line_of(SyncFinished("web", ADDRESS, False, "timeout")) == (
        "[ERR] memberlist: Push/Pull with web failed: timeout"
    )
    assert line_of(InputDropped("bad-checksum", "want 1", ADDRESS, "udp")) == (
        "[DEBUG] memberlist: Dropped udp input: bad-checksum want 1 from=10.0.0.4:7946"
    )


def test_of_a_member_that_is_forgotten_it_is_told_how_long_it_was_away() -> None:
    gone = replace(SERF_MEMBER, left_at=38.7)
    reap = line_of(MemberChange(ChangeKind.REAP, gone))
    assert reap == "[INFO] serf: EventMemberReap: web (gone for 61.3s)"
    forced = line_of(MemberChange(ChangeKind.LEAVE, gone, forced=True))
    assert forced == "[INFO] serf: EventMemberLeave (forced): web 10.0.0.4 (gone for 61.3s)"


def test_a_name_from_a_peer_cannot_forge_a_line() -> None:
    forger = SerfMember("x\n2026/01/01 00:00:00 [ERR]\x1b[2J", ADDRESS, {}, MemberStatus.ALIVE,
                        Versions(), 1)  # fmt: skip
    text = line_of(MemberChange(ChangeKind.JOIN, forger))
    assert "\n" not in text
    assert "\x1b" not in text
    assert r"x\n2026" in text


def line_with_cause(cause: NodeEvent, change: MemberChange) -> str:
    """Return the line of a change that follows what the failure detector said."""
    log, lines = make_log()
    log.event(cause, 100.0)
    lines.texts.clear()
    log.event(change, 100.0)
    return lines.texts[0].partition("] ")[2]


@pytest.mark.parametrize(
    ("cause", "kind", "line"),
    [
        (
            MemberFailed(MEMBER, "db", 2, 3.94),
            ChangeKind.FAILED,
            "serf: EventMemberFailed: web 10.0.0.4"
            " (accused by db, 2 confirmed, suspected for 3.9s)",
        ),
        (
            MemberFailed(MEMBER, "us", 0, 5.0),
            ChangeKind.FAILED,
            "serf: EventMemberFailed: web 10.0.0.4"
            " (no acks to us, 0 confirmed, suspected for 5.0s)",
        ),
        (
            MemberFailed(MEMBER, "db", 0, None),
            ChangeKind.LEAVE,
            "serf: EventMemberLeave: web 10.0.0.4 (accused by db)",
        ),
        (
            MemberJoined(MEMBER, ELSEWHERE),
            ChangeKind.JOIN,
            "serf: EventMemberJoin: web 10.0.0.4 (gossip from 10.0.0.9:7946)",
        ),
        (
            MemberJoined(MEMBER),
            ChangeKind.JOIN,
            "serf: EventMemberJoin: web 10.0.0.4 (by push/pull)",
        ),
        (
            MemberLeft(MEMBER, ADDRESS),
            ChangeKind.LEAVE,
            "serf: EventMemberLeave: web 10.0.0.4 (its own word, from itself)",
        ),
        (
            MemberLeft(MEMBER, ELSEWHERE),
            ChangeKind.LEAVE,
            "serf: EventMemberLeave: web 10.0.0.4 (its own word, gossip from 10.0.0.9:7946)",
        ),
    ],
)
def test_a_change_of_status_says_who_said_so(cause: NodeEvent, kind: ChangeKind, line: str) -> None:
    assert line_with_cause(cause, MemberChange(kind, SERF_MEMBER)) == line


def test_a_cause_belongs_to_its_member_and_to_one_change() -> None:
    log, lines = make_log()
    other = Member("db", ADDRESS, b"", Versions(), MemberState.DEAD, 3, 0.0)
    log.event(MemberJoined(MEMBER, ELSEWHERE), 100.0)
    log.event(MemberFailed(other, "us", 0, None), 100.0)
    log.event(MemberChange(ChangeKind.JOIN, SERF_MEMBER), 100.0)
    log.event(MemberChange(ChangeKind.UPDATE, SERF_MEMBER), 100.0)
    texts = [text.partition("] ")[2] for text in lines.texts if "EventMember" in text]
    assert texts == [
        "serf: EventMemberJoin: web 10.0.0.4 (gossip from 10.0.0.9:7946)",
        "serf: EventMemberUpdate: web (no tags)",
    ]


def test_our_own_join_needs_no_witness() -> None:
    us = SerfMember("us", ADDRESS, {}, MemberStatus.ALIVE, Versions(), 1)
    own = Member("us", ADDRESS, b"", Versions(), MemberState.ALIVE, 1, 0.0)
    line = line_with_cause(MemberJoined(own), MemberChange(ChangeKind.JOIN, us))
    assert line == "serf: EventMemberJoin: us 10.0.0.4"


def test_user_events_and_queries_are_named_without_their_payload() -> None:
    event = UserEventReceived(7, "deploy", b"secret", may_coalesce=True, sender="db")
    query = QueryReceived(1, 9, "load", b"secret", "db", 110.0)
    assert line_of(event) == "[INFO] agent: Received event: user-event: deploy"
    assert line_of(query) == "[INFO] agent: Received event: query: load"
    log, lines = make_log("TRACE")
    log.event(event, 100.0)
    assert "secret" not in "".join(lines.texts)
    assert "secret" not in repr(list(log._ring))
