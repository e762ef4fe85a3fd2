"""A real daemon rereads its file: by SIGHUP, by command, and not when the file is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.client.blocking import Client
from support.agents import agent_environment
from support.waiting import wait_for


class Daemon:
    """One process with its file, socket and log."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "g.toml"
        self.socket = folder / "s"
        self.log = folder / "log"
        self.file.write_text('bind = "127.0.0.1:0"\nnode_name = "d"\n[tags]\nrole = "web"\n')
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*GOSSIPD, "agent", "--config", str(self.file), "--socket", str(self.socket)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=agent_environment(),
            )
        wait_for(lambda: "running!" in self.said(), 15, "the daemon to run", seen=self.said)
        wait_for(lambda: self.socket.exists(), 15, "its socket", seen=self.said)

    def said(self) -> str:
        return self.log.read_text()

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*GOSSIPD, *words, "--socket", str(self.socket)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=agent_environment(),
        )


GOSSIPD = (sys.executable, "-m", "gossipd_cli")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon(tmp_path)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_sighup_and_the_command_apply_the_file_and_refuse_a_wrong_one(daemon: Daemon) -> None:
    with Client(str(daemon.socket)) as client:
        client.set_tags({"hand": "made"})
        daemon.file.write_text('bind = "127.0.0.1:0"\nnode_name = "d"\n[tags]\nrole = "db"\n')
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_for(lambda: client.tags().get("role") == "db", 10, "the new tag", seen=daemon.said)
        assert client.tags() == {"role": "db", "hand": "made"}
    assert "==> Reloading configuration..." in daemon.said()

    daemon.file.write_text('bind = "127.0.0.1:0"\nlog_level = "loud"\n')
    refused = daemon.ask("reload")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"gossipd: {daemon.file}:2: Invalid log level: LOUD")

    daemon.file.write_text(
        'bind = "127.0.0.1:1"\nnode_name = "d"\nlog_level = "warn"\nrpc_auth = "hush"\n'
    )
    done = daemon.ask("reload", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "applied": ["log_level", "tags.role"],
        "needs_restart": ["bind", "rpc_auth"],
        "kept": [],
    }

    shown = daemon.ask("config", "show", "--running", "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    settings = json.loads(shown.stdout)
    assert settings["log_level"] == {"value": "WARN", "from": f"{daemon.file}:3"}
    assert settings["bind"] == {"value": "127.0.0.1:0", "from": f"{daemon.file}:1"}
    assert settings["tags.hand"] == {"value": "made", "from": "set at run time"}
    assert settings["socket"] == {"value": str(daemon.socket), "from": "--socket"}
    assert daemon.process.poll() is None


HANGS_UP_EARLY = """
import os, signal, sys
from gossipd_cli import agent, configuration

read = configuration.configured

def read_and_hang_up(flags, environment, **more):
    loaded = read(flags, environment, **more)
    if not more:
        with open(flags["config"][0], "a") as file:
            file.write("log_level = 'debug'")
        os.kill(os.getpid(), signal.SIGHUP)
    return loaded

configuration.configured = read_and_hang_up
sys.exit(agent.run_plain(sys.argv[1:]))
"""


def test_a_sighup_during_the_start_is_not_lost_and_ends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "g.toml"
    file.write_text('bind = "127.0.0.1:0"\n')
    words = ["--config", str(file), "--socket", str(tmp_path / "s")]
    with subprocess.Popen(
        [sys.executable, "-c", HANGS_UP_EARLY, *words],
        stdout=subprocess.PIPE,
        text=True,
        env=agent_environment(),
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            while "configuration reloaded: log_level" not in said and process.poll() is None:
                said += process.stdout.readline()
            process.terminate()
            assert process.wait(20) == 0, said
        finally:
            process.kill()
