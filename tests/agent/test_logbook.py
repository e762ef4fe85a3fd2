"""The log: levels, the ring, readers, limits, and an output that never blocks."""

from __future__ import annotations

import os

import pytest

from gossipd.agent.log import logbook
from gossipd.agent.log.logbook import PROVOKED_LINES_MAX, RING_LINES, Logbook
from gossipd.agent.log.output import DescriptorOutput
from gossipd.node.events import InputDropped
from gossipd.node.handle import LogLine, Lost
from gossipd.serf.events import ChangeKind, MemberChange, QueryClosed
from gossipd.swim.events import MemberJoined, PingMisdirected
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import Versions
from support.logs import ADDRESS, SERF_MEMBER, Lines, make_log


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


def test_causes_that_nothing_follows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "CAUSES_MAX", 5)
    log, _ = make_log()
    for number in range(100):
        name = f"n{number}"
        log.event(
            MemberJoined(Member(name, ADDRESS, b"", Versions(), MemberState.ALIVE, 1, 0.0)), 0
        )
        assert len(log._causes) <= 5


def test_the_level_can_be_changed_while_it_runs() -> None:
    log, lines = make_log("WARN")
    log.say("INFO", "agent: one")
    log.set_level("DEBUG")
    log.say("DEBUG", "agent: two")
    log.set_level("ERR")
    log.say("WARN", "agent: three")
    assert [text.rpartition("] ")[2] for text in lines.texts] == ["agent: two"]
