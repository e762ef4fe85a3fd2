"""How log lines look: as JSON, and for the journal."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.agent.log.logbook import Logbook, open_log
from gossipd.agent.log.output import LINE_BYTES_MAX, DescriptorOutput
from gossipd.agent.log.style import style_of
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.node.events import (
    InputDropped,
    MemberDegraded,
    MemberRecovered,
    NodeEvent,
    SyncFinished,
)
from gossipd.serf.events import ChangeKind, MemberChange, QueryReceived, UserEventReceived
from gossipd.swim.events import (
    MemberFailed,
    MemberJoined,
    MemberRefuted,
    MemberSuspected,
    SuspicionConfirmed,
    UdpUnreachable,
)
from gossipd.value import replace
from support.logs import ADDRESS, ELSEWHERE, MEMBER, SERF_MEMBER, json_log


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
        (
            MemberDegraded("b", "why"),
            {"event": "member-degraded", "member": "b", "reason": "why"},
        ),
        (
            MemberRecovered("b", 61.25),
            {"event": "member-recovered", "member": "b", "degraded_for": 61.25},
        ),
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


def test_json_lines_hold_how_long_a_forgotten_member_was_away() -> None:
    log, lines = json_log()
    log.event(MemberChange(ChangeKind.REAP, replace(SERF_MEMBER, left_at=38.7)), 100.0)
    log.event(MemberChange(ChangeKind.FAILED, replace(SERF_MEMBER, left_at=100.0)), 100.0)
    told = [line.get("gone_for") for line in map(json.loads, lines.texts) if "event" in line]
    assert told == [61.3, None]


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
