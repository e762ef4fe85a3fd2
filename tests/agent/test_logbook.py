"""The log: Serf's lines, levels, the ring, readers and an output that never blocks."""

from __future__ import annotations

import os
import re

from gossipd.address import Address
from gossipd.agent.logbook import PROVOKED_LINES_MAX, RING_LINES, DescriptorOutput, Logbook
from gossipd.node.events import InputDropped, NodeEvent, SyncFinished
from gossipd.node.handle import LogLine, Lost
from gossipd.serf.events import ChangeKind, MemberChange, QueryClosed, QueueTooDeep, SerfMember
from gossipd.swim.events import (
    AccusationRefuted,
    MemberFailed,
    MemberRefuted,
    MemberSuspected,
    NameConflict,
    PingMisdirected,
    SuspicionConfirmed,
    UdpUnreachable,
)
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

ADDRESS = Address(bytes([10, 0, 0, 4]), 7946)
MEMBER = Member("web", ADDRESS, b"", Versions(), MemberState.ALIVE, 3, 0.0)
SERF_MEMBER = SerfMember("web", ADDRESS, {}, MemberStatus.ALIVE, Versions(), 1)


class Lines:
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        self.texts.append(text)


def make_log(level: str = "INFO") -> tuple[Logbook, Lines]:
    lines = Lines()
    log = Logbook("us", level, lines)
    log.release()
    return log, lines


def line_of(event: NodeEvent) -> str:
    log, lines = make_log("TRACE")
    log.event(event, 100.0)
    return re.sub(r"^    \d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", lines.texts[0])


def test_events_become_the_lines_that_tools_match_on() -> None:
    assert line_of(MemberChange(ChangeKind.JOIN, SERF_MEMBER)) == (
        "[INFO] serf: EventMemberJoin: web 10.0.0.4"
    )
    assert line_of(MemberChange(ChangeKind.LEAVE, SERF_MEMBER, forced=True)) == (
        "[INFO] serf: EventMemberLeave (forced): web 10.0.0.4"
    )
    assert line_of(MemberChange(ChangeKind.UPDATE, SERF_MEMBER)) == (
        "[INFO] serf: EventMemberUpdate: web"
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


def test_events_without_a_line_are_not_logged() -> None:
    log, lines = make_log("TRACE")
    log.event(QueryClosed(1), 0.0)
    assert lines.texts == []


def test_lines_below_the_level_are_not_printed_but_can_be_followed() -> None:
    log, lines = make_log("INFO")
    log.event(InputDropped("short", "", None, "tcp"), 0.0)
    log.say("INFO", "agent: hello")
    assert len(lines.texts) == 1
    with log.follow("DEBUG", 4) as reader:
        assert len(reader._queue) == 2
    with log.follow("WARN", 4) as reader:
        assert len(reader._queue) == 0


def test_a_name_from_a_peer_cannot_forge_a_line() -> None:
    forger = SerfMember("x\n2026/01/01 00:00:00 [ERR]\x1b[2J", ADDRESS, {}, MemberStatus.ALIVE,
                        Versions(), 1)  # fmt: skip
    text = line_of(MemberChange(ChangeKind.JOIN, forger))
    assert "\n" not in text
    assert "\x1b" not in text
    assert r"x\n2026" in text


def test_lines_of_the_start_are_held_back_until_released() -> None:
    lines = Lines()
    log = Logbook("us", "INFO", lines)
    log.say("INFO", "agent: early")
    log.show("==> Starting")
    assert lines.texts == ["==> Starting"]
    log.release()
    log.say("INFO", "agent: late")
    assert [text.rpartition("] ")[2] for text in lines.texts[1:]] == ["agent: early", "agent: late"]


async def test_a_follower_gets_the_kept_lines_then_new_ones_then_its_losses(
    autojump_clock: object,
) -> None:
    log, _ = make_log()
    for number in range(RING_LINES + 5):
        log.say("INFO", f"agent: {number}")
    with log.follow("INFO", 2) as reader:
        for number in range(3):
            log.say("WARN", f"agent: new {number}")
        log.close()
        got = [line async for line in reader]
    texts = [line.text.rpartition("] ")[2] if isinstance(line, LogLine) else line for line in got]
    assert texts[0] == "agent: 5"
    assert texts[RING_LINES - 1 :] == ["agent: 516", "agent: new 0", "agent: new 1", Lost(1)]


def test_a_full_pipe_loses_lines_and_says_so_when_it_goes_on() -> None:
    reading, writing = os.pipe()
    output = DescriptorOutput(writing)
    for _ in range(100):
        output.write("x" * 3000)
    first = os.read(reading, 1 << 20)
    assert 0 < len(first) < 100 * 3001
    output.write("again")
    rest = os.read(reading, 1 << 20).decode()
    lost = 100 - first.count(b"\n")
    assert rest == f"[WARN] agent: {lost} log lines lost, output too slow\nagain\n"
    os.close(reading)
    output.write("nobody reads")
    os.close(writing)


def test_lines_that_peers_provoke_are_limited_and_the_rest_is_told() -> None:
    log, lines = make_log()
    for number in range(1000):
        log.event(PingMisdirected(f"n{number}", ADDRESS), 100.0 + number / 1000)
        log.event(MemberChange(ChangeKind.UPDATE, SERF_MEMBER), 100.0 + number / 1000)
    provoked = [text for text in lines.texts if "unexpected node" in text]
    assert len(provoked) == PROVOKED_LINES_MAX
    assert sum("EventMemberUpdate" in text for text in lines.texts) == 1000
    log.event(PingMisdirected("later", ADDRESS), 101.5)
    assert lines.texts[-2].endswith("[WARN] agent: PingMisdirected: 980 lines withheld")
    assert "unexpected node 'later'" in lines.texts[-1]
