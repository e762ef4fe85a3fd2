"""The log: Serf's lines, levels, the ring, readers and an output that never blocks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.agent import logbook
from gossipd.agent import syslog as syslog_room
from gossipd.agent.log_output import LINE_BYTES_MAX, DescriptorOutput
from gossipd.agent.log_style import style_of
from gossipd.agent.logbook import PROVOKED_LINES_MAX, RING_LINES, Logbook, open_log
from gossipd.agent.syslog import RECONNECT_PAUSE, Syslog
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.node.events import InputDropped, NodeEvent, SyncFinished
from gossipd.node.handle import LogLine, Lost
from gossipd.serf.events import (
    ChangeKind,
    MemberChange,
    QueryClosed,
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
    PingMisdirected,
    SuspicionConfirmed,
    UdpUnreachable,
)
from gossipd.swim.member import Member, MemberState
from gossipd.value import replace
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

ADDRESS = Address(bytes([10, 0, 0, 4]), 7946)
ELSEWHERE = Address(bytes([10, 0, 0, 9]), 7946)
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


# -- who, what and why --------------------------------------------------------


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


def test_causes_that_nothing_follows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "CAUSES_MAX", 5)
    log, _ = make_log()
    for number in range(100):
        name = f"n{number}"
        log.event(
            MemberJoined(Member(name, ADDRESS, b"", Versions(), MemberState.ALIVE, 1, 0.0)), 0
        )
        assert len(log._causes) <= 5


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


# -- level, style, syslog -----------------------------------------------------


def test_the_level_can_be_changed_while_it_runs() -> None:
    log, lines = make_log("WARN")
    log.say("INFO", "agent: one")
    log.set_level("DEBUG")
    log.say("DEBUG", "agent: two")
    log.set_level("ERR")
    log.say("WARN", "agent: three")
    assert [text.rpartition("] ")[2] for text in lines.texts] == ["agent: two"]


def json_log(us: str = "us") -> tuple[Logbook, Lines]:
    lines = Lines()
    log = Logbook(us, "DEBUG", lines, style_of("json", for_journal=False))
    log.release()
    return log, lines


def test_json_lines_hold_who_what_and_why() -> None:
    log, lines = json_log()
    log.event(MemberFailed(MEMBER, "db", 2, 3.9412), 100.0)
    log.event(MemberChange(ChangeKind.FAILED, SERF_MEMBER), 100.0)
    dead, failed, received = map(json.loads, lines.texts)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", failed.pop("time"))
    assert failed == {
        "level": "INFO",
        "part": "serf",
        "text": "EventMemberFailed: web 10.0.0.4 (accused by db, 2 confirmed, suspected for 3.9s)",
        "event": "member-failed",
        "member": "web",
        "address": "10.0.0.4:7946",
        "status": "alive",
        "forced": False,
        "accuser": "db",
        "confirmations": 2,
        "suspected_for": 3.941,
    }
    assert (dead["event"], dead["accuser"]) == ("member-dead", "db")
    assert (received["part"], received["text"]) == ("agent", "Received event: member-failed")


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (
            MemberSuspected(MEMBER, "db", 104.0),
            {"event": "member-suspected", "member": "web", "accuser": "db", "refute_within": 4.0},
        ),
        (
            SuspicionConfirmed(MEMBER, "db", 1, 102.5),
            {"event": "suspicion-confirmed", "confirmations": 1, "refute_within": 2.5},
        ),
        (MemberRefuted(MEMBER, 1.25), {"event": "member-refuted", "suspected_for": 1.25}),
        (
            UserEventReceived(7, "deploy", b"x", may_coalesce=True, sender="db"),
            {"event": "user", "name": "deploy", "ltime": 7, "sender": "db"},
        ),
        (
            QueryReceived(1, 9, "load", b"x", "db", 110.0),
            {"event": "query", "name": "load", "ltime": 9, "sender": "db"},
        ),
        (
            SyncFinished("web", ADDRESS, True),
            {"event": "push-pull", "address": "10.0.0.4:7946", "is_join": True, "error": ""},
        ),
        (
            InputDropped("short", "", ADDRESS, "udp"),
            {"event": "input-dropped", "reason": "short", "source": "10.0.0.4:7946"},
        ),
        (UdpUnreachable(MEMBER), {"event": "UdpUnreachable"}),
    ],
)
def test_json_lines_have_the_fields_of_their_event(
    event: NodeEvent, fields: dict[str, object]
) -> None:
    log, lines = json_log()
    log.event(event, 100.0)
    (line,) = map(json.loads, lines.texts)
    assert {key: line[key] for key in fields} == fields


def test_json_lines_of_joins_and_updates_hold_the_tags() -> None:
    log, lines = json_log()
    tagged = replace(SERF_MEMBER, tags={"role": "web"})
    for kind in (ChangeKind.JOIN, ChangeKind.UPDATE, ChangeKind.REAP):
        log.event(MemberChange(kind, tagged), 100.0)
    told = [line.get("tags") for line in map(json.loads, lines.texts) if "event" in line]
    assert told == [{"role": "web"}, {"role": "web"}, None]


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(max_size=300), max_size=9))
def test_whatever_peers_call_themselves_a_json_line_is_one_line_of_json(
    name: str, text: str, tags: dict[str, str]
) -> None:
    log, lines = json_log()
    log.event(MemberChange(ChangeKind.JOIN, replace(SERF_MEMBER, name=name, tags=tags)), 0.0)
    log.say("INFO", f"agent: {text}")
    log.show(text)
    for line in lines.texts:
        written = line.encode("utf-8", "backslashreplace")
        assert len(written) <= LINE_BYTES_MAX
        assert b"\n" not in written
        assert {"time", "level", "part", "text"} <= json.loads(written).keys()


def test_json_lines_say_through_what_a_member_came() -> None:
    log, lines = json_log()
    for through in (ELSEWHERE, None):
        log.event(MemberJoined(MEMBER, through), 100.0)
        log.event(MemberChange(ChangeKind.JOIN, SERF_MEMBER), 100.0)
    joins = [line for line in map(json.loads, lines.texts) if "event" in line]
    assert [line["through"] for line in joins] == ["10.0.0.9:7946", "push/pull"]


def test_every_json_line_is_json_however_long_and_ends_in_one_line() -> None:
    reading, writing = os.pipe()
    output = DescriptorOutput(writing, {})
    style = style_of("json", for_journal=False)
    output.lost_line = style.lost
    log = Logbook("us", "INFO", output, style)
    log.show("==> Starting gossipd agent...")
    log.release()
    for _ in range(60):
        log.say("INFO", "agent: " + '\N{EURO SIGN}"\n' * 3000)
    log.show("\n==> Log data will now stream in as it occurs:\n")
    got = os.read(reading, 1 << 20)
    log.say("WARN", "agent: after")
    got += os.read(reading, 1 << 20)
    os.close(reading)
    os.close(writing)
    told = [json.loads(line) for line in got.decode().splitlines()]
    assert told[0]["text"] == "Starting gossipd agent..."
    assert told[-1]["text"] == "after"
    assert told[-2]["text"].endswith("log lines lost, output too slow")
    assert told[-2]["lost"] > 0


def test_lines_for_the_journal_have_a_priority_and_no_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stream"
    with path.open("wb") as stream:
        status = os.fstat(stream.fileno())
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        config = AgentConfig(node=NodeConfig(name="us"))
        output = DescriptorOutput(stream.fileno(), environment)
        log = open_log(config, output)
        log.show("\n==> Log data will now stream in as it occurs:\n")
        log.release()
        log.say("ERR", "agent: bad")
        log.say("INFO", "agent: good")
        log = open_log(replace(config, log_format="json"), output)
        log.release()
        log.say("WARN", "agent: odd")
    lines = path.read_text().splitlines()
    assert lines[:3] == [
        "==> Log data will now stream in as it occurs:",
        "<3>[ERR] agent: bad",
        "<5>[INFO] agent: good",
    ]
    assert lines[3].startswith('<4>{"time":')


def test_what_is_not_the_journals_stream_gets_plain_text() -> None:
    reading, writing = os.pipe()
    assert not DescriptorOutput(writing, {}).is_journal
    assert not DescriptorOutput(writing, {"JOURNAL_STREAM": "8:1"}).is_journal
    os.close(reading)
    os.close(writing)
    assert not DescriptorOutput(1, {"JOURNAL_STREAM": "nonsense"}).is_journal


def test_syslog_gets_a_copy_at_the_level_of_the_output(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    clock = [time.mktime((2026, 11, 2, 7, 10, 30, 0, 0, -1))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.setblocking(False)
        syslog = Syslog("local3", path, lambda: clock[0])
        log = Logbook("us", "INFO", None, syslog=syslog)
        log.say("DEBUG", "agent: no")
        log.say("WARN", "agent: a\nb")
        log.say("INFO", "agent: yes")
        log.close_syslog()
        log.say("ERR", "agent: too late")
        pid = os.getpid()
        assert server.recv(4096).decode() == (
            f"<{19 * 8 + 4}>Nov  2 07:10:30 gossipd[{pid}]: [WARN] agent: a\\nb"
        )
        assert server.recv(4096).startswith(b"<%d>" % (19 * 8 + 5))
        with pytest.raises(BlockingIOError):
            server.recv(4096)


def test_a_syslog_that_does_not_read_costs_lines_and_no_time(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.setblocking(False)
        syslog = Syslog("LOCAL0", path)
        assert syslog.problem == ""
        for number in range(5000):
            syslog.write("INFO", f"{number}" + "x" * 5000)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while server.recv(4096):
                taken += 1
        assert 0 < taken < 5000
        syslog.write("INFO", "again")
        assert server.recv(4096).endswith(
            f"[WARN] agent: {5000 - taken} log lines lost by syslog".encode()
        )
        assert server.recv(4096).endswith(b"again")
        syslog.close()


def test_a_syslog_that_is_gone_is_warned_of_once_and_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    clock = [1000.0]
    syslog = Syslog("LOCAL0", path, lambda: clock[0])
    assert syslog.problem == f"{path}: no such file or directory"
    syslog.write("INFO", "one")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        syslog.write("INFO", "two: too soon to try again")
        clock[0] += RECONNECT_PAUSE
        syslog.write("INFO", "three")
        assert server.recv(4096).endswith(b"2 log lines lost by syslog")
        assert server.recv(4096).endswith(b"three")
    os.unlink(path)
    syslog.write("INFO", "four")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:  # it was restarted
        server.bind(path)
        clock[0] += RECONNECT_PAUSE
        syslog.write("INFO", "five")
        assert server.recv(4096).endswith(b"1 log lines lost by syslog")
        assert server.recv(4096).endswith(b"five")
    syslog.close()


def test_an_absent_syslog_is_one_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    absent = str(tmp_path / "none")
    monkeypatch.setattr(syslog_room, "Syslog", partial(Syslog, path=absent))
    lines = Lines()
    config = AgentConfig(node=NodeConfig(name="us"), enable_syslog=True)
    log = open_log(config, lines)
    log.release()
    log.say("INFO", "agent: x")
    assert lines.texts[0].endswith(
        f"[WARN] agent: syslog gets no copy of the log: {absent}: no such file or directory"
    )
    assert len(lines.texts) == 2
    log.close_syslog()
