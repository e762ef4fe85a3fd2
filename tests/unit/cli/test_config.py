"""``gossipd config``: exit codes, lines, and what may be seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gossipd_cli.main import main


def run(*words: str) -> int:
    return main(["config", *words])


def test_a_right_file_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text("retry_interval = '1ms'")
    assert run("check", str(file)) == 0
    assert capsys.readouterr().out == (
        f"warning: 'RetryInterval' is too low. Setting to 1s\n{file}: ok\n"
    )


def test_every_complaint_of_a_folder_is_a_line_and_the_exit_code_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.toml").write_text("\nbind = 3\n[swim]\nprobe_intervall = 1\n")
    (tmp_path / "2.json").write_text('{"tags": {\n"a": 1}}')
    assert run("check", str(tmp_path)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{tmp_path}/1.toml:2: bind: 3 is not text",
        f"{tmp_path}/1.toml:4: swim.probe_intervall: unknown key 'probe_intervall';"
        " did you mean 'probe_interval'?",
        f"{tmp_path}/2.json:2: tags.a: 1 is not text",
    ]


def test_complaints_as_json_have_line_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text("bind = 'x'\na b\n")
    assert run("check", "--json", str(file)) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    (complaint,) = answer["complaints"]
    assert (complaint["file"], complaint["line"], complaint["column"]) == (str(file), 2, 3)


def test_nothing_to_check_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(tmp_path)) == 2
    assert "nothing to check" in capsys.readouterr().err
    assert run("check", str(tmp_path / "none.toml")) == 2
    assert "No such file" in capsys.readouterr().err


def test_all_faults_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        'log_format = "x"\nlog_level = "loud"\nnode_name = ""\n[swim]\ngossip_interval = 0\n'
    )
    assert run("check", str(file), str(tmp_path / "none.toml")) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/none.toml: Error reading '{tmp_path}/none.toml': No such file or directory",
        f"{file}:3: node_name is empty: give the node a name unique in the cluster",
        f"{file}:5: gossip_interval is 0: it must be above 0",
        f"{file}:2: Invalid log level: LOUD. Valid log levels are: [TRACE DEBUG INFO WARN ERR]",
        f"{file}:1: log_format is 'x': it must be one of text, json",
    ]


def test_tags_that_are_too_long_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f"[tags]\na = 'b'\nc = '{'d' * 600}'\n")
    assert run("check", str(file)) == 2
    assert capsys.readouterr().err == (
        f"{file}:3: tags.c: Encoded length of tags exceeds limit of 500 bytes"
        " (512 with catalog.enabled = false)\n"
    )


def test_a_seed_that_cannot_be_reached_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text("retry_join = ['10.0.0.1', 'db/h:1', '[::1]:2', '_g._tcp.x.org', 'h:port']")
    assert run("check", str(file)) == 0
    (warning, _) = capsys.readouterr().out.splitlines()
    assert warning.startswith("warning: retry_join 'h:port': port 'port'")


def test_a_file_that_cannot_be_read_is_told_as_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--json", str(tmp_path / "none.toml")) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    (complaint,) = answer["complaints"]
    assert complaint["file"] == str(tmp_path / "none.toml")


def test_what_editors_leave_in_a_folder_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfbind = '127.0.0.1:1'\n")
    (tmp_path / ".#a.toml").symlink_to("nobody@nowhere.1234")
    assert run("check", str(tmp_path)) == 0
    assert capsys.readouterr().out == f"{tmp_path}/a.toml: ok\n"


def test_a_missing_word_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "gossipd: Missing command. (see 'gossipd config --help')\n")


def test_show_takes_the_agents_flags_and_names_every_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOSSIPD_LOG_LEVEL", "debug")
    file = tmp_path / "a.toml"
    file.write_text('node_name = "f"\nrpc_auth = "hush"\n')
    assert run("show", "--json", "--config", str(file), "--bind", "127.0.0.1:1") == 0
    out = capsys.readouterr().out
    assert "hush" not in out
    shown = json.loads(out)
    assert shown["node_name"] == {"value": "f", "from": f"{file}:1"}
    assert shown["bind"] == {"value": "127.0.0.1:1", "from": "--bind"}
    assert shown["log_level"] == {"value": "DEBUG", "from": "GOSSIPD_LOG_LEVEL"}
    assert shown["rpc_auth"] == {"value": "(hidden)", "from": f"{file}:2"}
    assert shown["swim.probe_interval"] == {"value": 1.0, "from": "default"}


def test_show_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text("bind = 3")
    assert run("show", "--config", str(file)) == 2
    assert capsys.readouterr().err == f"gossipd: {file}:1: bind: 3 is not text\n"
