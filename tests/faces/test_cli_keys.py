"""The commands for keys and round trips, against a fake daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.serf.question import KeyReport
from gossipd_cli.main import main
from support.cli_daemon import found_daemon
from support.fake_handle import make_member, make_view
from support.rpc_thread import RpcThread

Captured = pytest.CaptureFixture[str]
KEY = "AAECAwQFBgcICQoLDA0ODw=="
OTHER = "EBESExQVFhcYGRobHB0eHw=="


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    with found_daemon(tmp_path, monkeypatch) as running:
        yield running


# --- keys ---------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list"], ["--list"]])
def test_keys_are_listed_with_the_primary_one_first(
    server: RpcThread, capsys: Captured, words: list[str]
) -> None:
    server.handle.key_report = KeyReport(2, 2, 0, {}, {KEY: 2, OTHER: 1}, {OTHER: 2})
    assert main(["keys", *words]) == 0
    assert capsys.readouterr().out == f"{OTHER}  [1/2]  primary\n{KEY}  [2/2]\n"
    server.handle.key_report = KeyReport(2, 2, 0, {}, {KEY: 2}, {KEY: 1})
    assert main(["keys", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "action": "list", "nodes": 2, "responses": 2, "errors": 0, "messages": {},
        "keys": [{"key": KEY, "nodes": 2, "primary_on": 1}],
    }  # fmt: skip
    assert main(["keys", *words]) == 0
    assert capsys.readouterr().out == f"{KEY}  [2/2]  primary on 1/2\n"


@pytest.mark.parametrize(
    ("action", "told"),
    [("install", "installed key"), ("use", "changed primary key"), ("remove", "removed key")],
)
def test_keys_are_changed_on_all_members(
    server: RpcThread, capsys: Captured, action: str, told: str
) -> None:
    server.handle.key_report = KeyReport(2, 2, 0, {}, {}, {})
    for words in ([action, KEY], [f"--{action}", KEY]):
        assert main(["keys", *words]) == 0
        assert capsys.readouterr().out == f"Successfully {told}!  [2/2]\n"
    assert server.handle.calls == [(f"{action}-key", bytes(range(16)))] * 2


def test_a_list_of_keys_that_is_cut_short_says_so(server: RpcThread, capsys: Captured) -> None:
    told = "truncated key list response, showing first 1 of 20 keys"
    server.handle.key_report = KeyReport(1, 1, 0, {"a": told}, {KEY: 1}, {KEY: 1})
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr() == (f"{KEY}  [1/1]  primary\n", f"gossipd: a: {told}\n")


def test_who_did_not_change_its_keys_is_told(server: RpcThread, capsys: Captured) -> None:
    messages = {"b": "Removing the primary key is not allowed", "a": "no\x1b"}
    error = "2/2 nodes reported failure"
    server.handle.key_report = KeyReport(2, 2, 2, messages, {}, {}, error)
    assert main(["keys", "remove", KEY]) == 1
    assert capsys.readouterr() == (
        "",
        "gossipd: a: no\\x1b\ngossipd: b: Removing the primary key is not allowed\n"
        "gossipd: cannot remove the key: 2/2 nodes reported failure\n",
    )
    assert main(["keys", "list", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"] == error
    assert json.loads(shown.out)["messages"] == messages
    assert shown.err == f"gossipd: cannot list keys: {error}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "say one of"),
        (["--list", "--use", KEY], "say one of"),
        (["install"], "needs a KEY"),
        (["rotate", KEY], "'rotate' is not one of"),
        (["list", KEY], "takes no KEY"),
        (["install", "@@@@"], "illegal base64 data at input byte 0"),
        (["use", "MTIzNDU="], "the key has 5 bytes; it must have one of 16, 24, 32"),
    ],
)
def test_mistakes_with_keys_never_reach_the_daemon(
    server: RpcThread, capsys: Captured, words: list[str], told: str
) -> None:
    assert main(["keys", *words]) == 2
    assert told in capsys.readouterr().err
    assert server.handle.calls == []


# --- rtt ----------------------------------------------------------------------


def test_a_round_trip_is_estimated(server: RpcThread, capsys: Captured) -> None:
    assert main(["rtt", "a", "b"]) == 0
    assert capsys.readouterr().out == "Estimated a <-> b rtt: 8.000 ms\n"
    assert main(["rtt", "b"]) == 0
    assert capsys.readouterr().out == "Estimated b <-> a rtt: 8.000 ms\n"
    assert main(["rtt", "a", "zz"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith('gossipd: Could not find a coordinate for node "zz"')


def test_all_round_trips_are_a_table(server: RpcThread, capsys: Captured) -> None:
    for words in ([], ["--all"]):
        assert main(["rtt", *words]) == 0
        assert capsys.readouterr().out == "ms  a      b\na          8.000\nb   8.000\n"
    server.handle.current = make_view(*[make_member(name) for name in "abd"])
    assert main(["rtt"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == "d   -      -"
    assert '"d"' in shown.err
    assert main(["rtt", "--all", "a"]) == 2
    server.handle.current = make_view(*[make_member(f"n{i}") for i in range(201)])
    assert main(["rtt"]) == 2
    assert "201 live members are too many" in capsys.readouterr().err


def test_round_trips_as_json_show_the_coordinates(server: RpcThread, capsys: Captured) -> None:
    assert main(["rtt", "a", "zz", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["rtt"] == [{"a": "a", "b": "zz", "seconds": None}]
    assert shown["coordinates"] == {
        "a": {"vec": [0.003, *[0.0] * 7], "height": 0.001, "adjustment": 0.0, "error": 1.5},
        "zz": None,
    }
    assert main(["rtt", "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["rtt"]
    assert (pair["a"], pair["b"], pair["seconds"]) == ("a", "b", pytest.approx(0.008))
