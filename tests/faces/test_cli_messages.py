"""The commands for events, queries, handlers and waiting, against a fake daemon."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gossipd.agent.handlers.spec import listed, parse_handlers
from gossipd.errors import UsageError
from gossipd.query.event_filter import EventFilter
from gossipd.serf.events import (
    ChangeKind,
    QueryAcked,
    QueryAnswered,
    QueryReceived,
    UserEventReceived,
)
from gossipd.serf.question import Question
from gossipd.wire.serf_messages import MemberStatus
from gossipd_cli.main import _command, click_group, main
from gossipd_cli.plain import parse_plain
from support.cli_daemon import found_daemon
from support.fake_handle import make_member
from support.rpc_thread import RpcThread, rpc_thread

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    with found_daemon(tmp_path, monkeypatch) as running:
        yield running


# --- event --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["deploy"], ("event", "deploy", None, True, (), {})),
        (["deploy", "v1"], ("event", "deploy", b"v1", True, (), {})),
        (["deploy", "v1", "-coalesce=false"], ("event", "deploy", b"v1", False, (), {})),
        (["x", "--", "-coalesce=false"], ("event", "x", b"-coalesce=false", True, (), {})),
        (["--no-coalesce", "deploy"], ("event", "deploy", None, False, (), {})),
        (["--coalesce=0", "deploy"], ("event", "deploy", None, False, (), {})),
        (["--coalesce", "deploy"], ("event", "deploy", None, True, (), {})),
        (
            ["x", "--node", "a", "--node=b", "--tag", "role=w.b"],
            ("event", "x", None, True, ("a", "b"), {"role": "w.b"}),
        ),
    ],
)
def test_an_event_is_sent(
    server: RpcThread, capsys: Captured, words: list[str], call: tuple[object, ...]
) -> None:
    assert main(["event", *words]) == 0
    assert server.handle.calls == [call]
    switch = str(call[3]).lower()
    assert (
        capsys.readouterr().out == f"Event '{call[1]}' dispatched! Coalescing enabled: {switch}\n"
    )
    result = CliRunner().invoke(click_group(), ["event", *words])
    assert result.exit_code == 0, result.output
    assert server.handle.calls == [call, call]


def test_a_payload_comes_from_a_file_or_standard_input(
    server: RpcThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    file = tmp_path / "payload"
    file.write_bytes(b"\x00\xff")
    assert main(["event", "x", "--payload-file", str(file)]) == 0
    for words in (["x", "-"], ["x", "--payload-file", "-"], ["x", "--payload-file=-"]):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"in\n")))
        assert main(["event", *words]) == 0
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    assert main(["event", "x", "-", "--json"]) == 0
    payloads = [call[2] for call in server.handle.calls]
    assert payloads == [b"\x00\xff", b"in\n", b"in\n", b"in\n", None]
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :]) == {
        "event": "x", "payload_bytes": 0, "coalesce": True,
    }  # fmt: skip


def test_payloads_that_cannot_be_read_or_sent_are_refused(
    server: RpcThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * 65_537)
    monkeypatch.setattr(sys, "stdin", None)
    for words, told in (
        (["x", "word", "--payload-file", "f"], "not both"),
        (["x", "--payload-file", str(tmp_path / "none")], "No such file"),
        (["x", "--payload-file", str(big)], "more than 65536 bytes"),
        (["x", "-"], "stdin, which is closed"),
        (["x", "y", "z"], "unexpected argument (z)"),
        ([], "Missing argument"),
    ):
        assert main(["event", *words]) == 2, words
        shown = capsys.readouterr()
        assert told in shown.err
        assert shown.err.count("\n") == 1
    assert server.handle.calls == []
    server.handle.refusals["event"] = UsageError("user event exceeds configured limit of 512 bytes")
    assert main(["event", "x"]) == 1
    assert "limit of 512 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--coalesce=maybe", "x"], ["--no-coalesce=true", "x"]])
def test_a_switch_that_says_nothing_is_left_to_click(words: list[str], capsys: Captured) -> None:
    assert parse_plain(_command("event"), words) is None
    assert main(["event", *words]) == 2
    assert "does not take a value" in capsys.readouterr().err


# --- query --------------------------------------------------------------------


def test_a_query_prints_as_answers_come_and_tells_who_is_silent(
    server: RpcThread, capsys: Captured
) -> None:
    server.handle.replies = [QueryAcked(1, "a"), QueryAnswered(1, "a", b"0.42\nx\x1b\n")]
    words = ["load", "now", "--timeout", "600ms", "--relay-factor=2", "--full-time"]
    assert main(["query", *words]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        "Query 'load' dispatched\nAck from 'a'\nResponse from 'a': 0.42\nx\\x1b\n"
        "Total Acks: 1\nTotal Responses: 1\n"
    )
    assert shown.err == "gossipd: no answer from 1 of 2 live members: b\n"
    question = Question(
        name="load", payload=b"now", wants_acks=True, relay_factor=2, timeout=0.6, full_time=True
    )
    assert server.handle.calls == [("ask", question)]


def test_filters_say_who_is_asked_and_so_who_is_silent(server: RpcThread, capsys: Captured) -> None:
    server.handle.replies = [QueryAnswered(1, "b", b"1")]
    assert main(["query", "load", "--tag", "role=d", "--no-ack"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (
        "Query 'load' dispatched\nResponse from 'b': 1\nTotal Responses: 1\n", "",
    )  # fmt: skip
    assert main(["query", "load", "--node", "b", "--node", "c", "--node=x"]) == 0
    assert capsys.readouterr().err == "gossipd: no live member is selected as: c, x\n"
    expected = Question(name="load", nodes=("b", "c", "x"), wants_acks=True)
    assert server.handle.calls[-1] == ("ask", expected)


def test_a_query_that_nobody_answers_is_exit_code_1(server: RpcThread, capsys: Captured) -> None:
    server.handle.replies = [QueryAcked(1, "a")]
    assert main(["query", "load"]) == 1
    shown = capsys.readouterr()
    assert shown.out.endswith("Total Acks: 1\nTotal Responses: 0\n")
    assert shown.err == "gossipd: no answer from 2 of 2 live members: a, b\n"
    server.handle.replies = []
    assert main(["query", "load", "--tag", "role=none"]) == 1
    assert "nobody was asked 'load'" in capsys.readouterr().err


def test_a_query_as_json(server: RpcThread, capsys: Captured) -> None:
    server.handle.replies = [
        QueryAnswered(1, "b", b"\xff"), QueryAcked(1, "b"), QueryAnswered(1, "a", None),
    ]  # fmt: skip
    assert main(["query", "load", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("seconds") >= 0
    assert shown == {
        "query": "load",
        "acks": ["b"],
        "responses": [{"node": "a", "payload": None}, {"node": "b", "payload_base64": "/w=="}],
        "silent": [],
    }


def test_a_refused_query_is_one_line(server: RpcThread, capsys: Captured) -> None:
    server.handle.refusals["ask"] = UsageError("query exceeds limit of 1024 bytes")
    assert main(["query", "load"]) == 1
    assert capsys.readouterr() == ("", "gossipd: query exceeds limit of 1024 bytes\n")
    assert main(["query", "load", "--relay-factor", "256"]) == 2
    assert main(["query", "load", "--relay-factor", "-1"]) == 2
    assert main(["query", "load", "--relay-factor", "x"]) == 2


def start_cli(server: RpcThread, *words: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    path = f"{root}{os.pathsep}{root / 'cli'}"
    return subprocess.Popen(
        [sys.executable, "-m", "gossipd_cli", *words],
        env=os.environ | {"PYTHONPATH": path, "GOSSIPD_SOCKET": server.path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_an_interrupted_query_has_shown_what_came(server: RpcThread) -> None:
    server.handle.replies = [QueryAnswered(1, "a", b"1"), None]
    with start_cli(server, "query", "load") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines == ["Query 'load' dispatched\n", "Response from 'a': 1\n"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


# --- wait ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--members", "3"], ["--alive=2"], ["--members", "2", "--alive", "1"], ["--node", "a"],
        ["--node", "c", "--status", "failed"], ["--alive", "0"],
    ],
)  # fmt: skip
def test_what_is_so_already_is_not_waited_for(
    server: RpcThread, capsys: Captured, words: list[str]
) -> None:
    assert main(["wait", *words]) == 0
    assert capsys.readouterr().out == "Total members: 3, live members: 2\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--members", "4"], "3 of 4 members"),
        (["--alive", "3", "--node", "c"], "2 of 3 alive members; c is failed, not alive"),
        (["--node", "x", "--status", "left"], "x is no member, not left"),
    ],
)
def test_when_the_time_is_up_what_is_missing_is_told(
    server: RpcThread, capsys: Captured, words: list[str], told: str
) -> None:
    assert main(["wait", *words, "--timeout", "10ms"]) == 4
    assert capsys.readouterr() == ("", f"gossipd: the time is up: {told}\n")
    assert main(["wait", *words, "--timeout", "10ms", "--json"]) == 4
    shown = json.loads(capsys.readouterr().out)
    assert (shown["reached"], shown["missing"]) == (False, told.split("; "))


def test_what_becomes_so_ends_the_waiting(server: RpcThread) -> None:
    handle = server.handle
    with (
        start_cli(server, "wait", "--alive", "3", "--json") as alive,
        start_cli(server, "wait", "--node", "b", "--status", "leaving", "--timeout", "60") as gone,
    ):
        server.wait_for(lambda: len(handle.feeds) == 2)
        assert [(feed.coalesced, feed.may_answer) for feed in handle.feeds] == [(False, None)] * 2
        server.do(lambda: handle.change(ChangeKind.UPDATE, make_member("a")))
        server.do(lambda: handle.change(ChangeKind.JOIN, make_member("c")))
        out, err = alive.communicate(timeout=30)
        assert (alive.returncode, err) == (0, "")
        assert json.loads(out)["alive"] == 3
        left = make_member("b", status=MemberStatus.LEFT)
        server.do(lambda: handle.change(ChangeKind.LEAVE, left))
        assert gone.wait(30) == 0


def test_with_a_timeout_a_daemon_that_is_starting_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    path = str(tmp_path / "rpc.sock")
    with contextlib.ExitStack() as running:

        def sleep(seconds: float) -> None:
            running.enter_context(rpc_thread(tmp_path))

        clock = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
        monkeypatch.setattr("gossipd_cli.wait.time", clock)
        words = ["wait", "--alive", "1", "--socket", path]
        assert main(words) == 3
        assert main([*words, "--timeout", "60"]) == 0
        assert capsys.readouterr().out == "Total members: 1, live members: 1\n"


def test_a_daemon_that_never_comes_or_never_answers_is_waited_for_until_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: passed[0], sleep=sleep)
    monkeypatch.setattr("gossipd_cli.wait.time", clock)
    monkeypatch.setattr("gossipd_cli.wait.ANSWER_SECONDS", 0.001)
    path = str(tmp_path / "x.sock")
    words = ["wait", "--alive", "1", "--socket", path, "--timeout"]
    assert main([*words, "60"]) == 3
    assert passed[0] == pytest.approx(60, abs=0.2)
    assert "no daemon answers at" in capsys.readouterr().err
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(path)
        frozen.listen()
        assert main([*words, "1ms"]) == 3
    assert capsys.readouterr().err == f"gossipd: no answer from {path} in time\n"


@pytest.mark.parametrize("words", [[], ["--status", "left"], ["--alive", "-1"], ["--node", "a",
                                   "--status", "dead"], ["--timeout", "5"]])  # fmt: skip
def test_waiting_for_nothing_is_a_mistake(
    server: RpcThread, capsys: Captured, words: list[str]
) -> None:
    assert main(["wait", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- handlers and monitor -----------------------------------------------------


def test_handlers_are_listed_by_filter(server: RpcThread, capsys: Captured) -> None:
    assert main(["handlers"]) == 0
    assert capsys.readouterr().out == ""
    scripts = ["*=log.sh", "user:deploy=./deploy.sh", "user=a", "user=b", "query:x (2)=c"]
    server.handle.event_handlers = listed(parse_handlers(scripts))
    assert main(["handlers"]) == 0
    assert capsys.readouterr().out == (
        "*            log.sh\nquery:x (2)  c\nuser         a\nuser         b\n"
        "user:deploy  ./deploy.sh\n"
    )
    assert main(["handlers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["handlers"][0] == {"filter": "*", "script": "log.sh"}
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert "event_handlers:\n\t*: = log.sh\n\tquery:x (2) = c\n\tuser: = a\n" in shown


def test_monitor_shows_user_events_and_queries(server: RpcThread) -> None:
    handle = server.handle

    def emit() -> None:
        handle.emit(UserEventReceived(4, "deploy", b"v1", True, "b"))
        handle.emit(UserEventReceived(5, "raw", b"\xff", False))
        handle.emit(QueryReceived(70, 9, "load", None, "b", 200.0))
        handle.log("INFO", "[INFO] hello")

    with (
        start_cli(server, "monitor", "--json", "--no-log", "--immediate") as lines,
        start_cli(server, "monitor", "--no-log", "--event", "user,query:load") as text,
        start_cli(server, "monitor", "--no-events") as log,
    ):
        server.wait_for(lambda: len(handle.feeds) == 2 and len(handle.log_feeds) == 1)
        assert sorted(feed.coalesced for feed in handle.feeds) == [False, True]
        assert {feed.may_answer for feed in handle.feeds} == {None}
        server.do(emit)
        assert lines.stdout is not None
        assert text.stdout is not None
        assert log.stdout is not None
        assert [json.loads(lines.stdout.readline()) for _ in range(3)] == [
            {
                "event": "user", "name": "deploy", "ltime": 4, "sender": "b", "coalesce": True,
                "payload": "v1",
            },
            {
                "event": "user", "name": "raw", "ltime": 5, "sender": None, "coalesce": False,
                "payload_base64": "/w==",
            },
            {"event": "query", "name": "load", "ltime": 9, "sender": "b", "payload": None},
        ]  # fmt: skip
        assert [text.stdout.readline() for _ in range(3)] == [
            "user: deploy (from b, ltime 4): v1\n",
            "user: raw (ltime 5): \\xff\n",
            "query: load (from b, ltime 9)\n",
        ]
        assert log.stdout.readline() == "[INFO] hello\n"
        for process in (lines, text, log):
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0


def test_a_monitor_of_nothing_is_a_mistake(server: RpcThread, capsys: Captured) -> None:
    assert main(["monitor", "--no-log", "--no-events"]) == 2
    assert "leave nothing to follow" in capsys.readouterr().err


def test_a_filter_that_is_none_is_refused_with_those_that_are(
    server: RpcThread, capsys: Captured
) -> None:
    assert main(["monitor", "--no-log", "--event", "member-*"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("gossipd: Invalid event filter: give *, member-join, ")
    assert told.count("\n") == 1
    known = told.partition("give ")[2].partition(";")[0].replace(" or ", ", ").strip()
    EventFilter(known.replace(", ", ",").replace("NAME", "deploy"))  # each of them is one
