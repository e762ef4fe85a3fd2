"""The command line of the agent: what is plainly understood, and what goes to click."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gossipd.config.options import OPTIONS
from gossipd.errors import ConfigError
from gossipd_cli import agent as command
from gossipd_cli.agent import parse_plain, start_agent
from gossipd_cli.configuration import configured, read_files


def test_one_or_two_dashes_and_both_ways_to_give_a_value_are_understood() -> None:
    words = ["-node", "a", "--bind=1.2.3.4:5", "-replay", "-leave-on-terminate=false"]
    assert parse_plain(words) == {
        "node_name": "a",
        "bind": "1.2.3.4:5",
        "replay_on_join": "true",
        "leave_on_terminate": "false",
    }


def test_repeated_options_gather_and_others_are_replaced() -> None:
    words = ["--join", "a", "--join=b", "--tag", "k=v=w", "--node", "x", "--node", "y"]
    words += ["--config", "f", "-config-dir", "d"]
    assert parse_plain(words) == {
        "start_join": ("a", "b"),
        "tags": ("k=v=w",),
        "node_name": "y",
        "config": ("f", "d"),
    }


@pytest.mark.parametrize(
    "words",
    [["--help"], ["word"], ["--node"], ["--node", "--bind"], ["---node", "a"], ["--nodee=a"]],
)
def test_anything_else_is_left_to_click(words: list[str]) -> None:
    assert parse_plain(words) is None


def test_click_offers_every_option_of_the_table() -> None:
    from gossipd_cli import agent

    names = {parameter.name for parameter in agent.command.params}  # type: ignore[attr-defined]
    assert names == {option.key for option in OPTIONS} | {"config"}


def test_a_folder_is_read_in_the_order_of_its_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.toml").write_text("profile = 'wan'")
    (tmp_path / "2.json").write_text('{"profile": "moon"}')
    (tmp_path / "3.txt").write_text("not a configuration")
    assert start_agent({"config": (str(tmp_path),)}) == 2
    assert capsys.readouterr().err == (
        f"gossipd agent: {tmp_path}/2.json:1: Unknown profile: moon; known are lan, wan, local\n"
    )


def test_a_folder_without_files_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.toml").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("")
    folders = tuple(str(tmp_path / name) for name in ("full/", "full", "empty"))
    config = configured({"config": (*folders, f"{tmp_path}/full/")}, {}).config
    assert config.warnings == (f"no *.toml or *.json in {folders[2]}",)


def test_a_pipe_is_read_once_and_never_again(tmp_path: Path) -> None:
    """A reload would take its end for an empty file, or wait for ever for a writer."""
    reading, writing = os.pipe()
    os.write(writing, b"{}")
    os.close(writing)
    try:
        assert [file.text for file in read_files([f"/dev/fd/{reading}"])] == ["{}"]
        with pytest.raises(ConfigError, match="it is no file, and cannot be read again"):
            read_files([f"/dev/fd/{reading}"], again=True)
    finally:
        os.close(reading)
    os.mkfifo(tmp_path / "a.toml")
    with pytest.raises(ConfigError, match="cannot be read again"):
        configured({"config": (str(tmp_path),)}, {}, again=True)
    with pytest.raises(ConfigError, match="No such file"):
        read_files([str(tmp_path / "none")], again=True)


def test_tags_that_no_packet_could_hold_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {"bind": "127.0.0.1:0", "socket": str(tmp_path / "s"), "tags": ("big=" + "x" * 600,)}
    assert start_agent(flags) == 2
    assert capsys.readouterr().err == (
        "gossipd agent: Encoded length of tags exceeds limit of 500 bytes"
        " (512 with catalog.enabled = false)\n"
    )


def test_an_unreadable_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start_agent({"config": (str(tmp_path / "none.toml"),)}) == 2
    assert "none.toml': No such file or directory" in capsys.readouterr().err


def test_a_plain_start_loads_neither_click_nor_what_it_may_not_need() -> None:
    code = (
        "import sys\nfrom gossipd_cli.agent import run_plain\n"
        "code = run_plain(['--bind', '127.0.0.1:0', '--advertise', '0.0.0.0'])\n"
        "heavy = {'click', 'cryptography', 'tomllib', 'difflib', 'dataclasses', 'anyio', 'json'}\n"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == "2 []"


def test_a_daemon_at_rest_has_not_loaded_what_only_questions_and_handlers_need(
    tmp_path: Path,
) -> None:
    code = """
import os, signal, sys
from gossipd.agent.lifecycle import Lifecycle
from gossipd_cli.agent import run_plain

watch = Lifecycle.watch

async def end_at_rest(self, signals):
    print(sorted(name for name in sys.modules if name.startswith("gossipd")), file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)
    await watch(self, signals)

Lifecycle.watch = end_at_rest
run_plain(["--bind", "127.0.0.1:0", "--socket", sys.argv[1]])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    loaded = ast.literal_eval(done.stderr)
    assert {"gossipd.agent.agent", "gossipd.rpc.server", "gossipd.serf.serf"} <= set(loaded)
    unneeded = (
        "gossipd.query", "gossipd.rpc.service", "gossipd.agent.handlers.runner",
        "gossipd.agent.reload", "gossipd.serf.asking", "gossipd.serf.answering",
        "gossipd.serf.key_queries", "gossipd.serf.name_vote", "gossipd_cli.exits",
        "gossipd.services", "gossipd.catalog", "gossipd.wire.catalog", "gossipd.balance",
        "gossipd.agent.services", "gossipd.agent.checks", "gossipd.agent.log.service_lines",
        "gossipd.config.services", "gossipd.rest", "gossipd.dns", "gossipd.agent.early_warning",
        "gossipd.metrics.bands", "gossipd.metrics.histogram", "gossipd.metrics.families",
    )  # fmt: skip
    assert [name for name in loaded if name.startswith(unneeded)] == []


def test_a_daemon_takes_the_descriptors_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = 1024, 4096
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: taken.append(limits))
    command._take_descriptors()
    soft = hard
    command._take_descriptors()
    soft, hard = 1024, -1
    command._take_descriptors()
    assert taken == [(4096, 4096), (command.DESCRIPTORS, -1)]


def test_ctrl_c_before_the_daemon_runs_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gossipd_cli.agent._run", interrupted)
    assert start_agent({}) == 130
    assert capsys.readouterr().err == ""
