"""``gossipd top`` in a terminal and ``gossipd debug bundle`` of a real daemon."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from gossipd.client.blocking import Client
from support.agents import GOSSIPD, agent_environment
from support.clusters import NewCluster

pytestmark = pytest.mark.interop

COMMAND = (sys.executable, "-m", "gossipd_cli")
KEY = "HvY8ubRZMgafUOWvrOadwOckVa1wN3QWAo46FVKbVN8="
SECRETS = ("rpc-sesam-1", "write-sesam-2", "read-sesam-3", "header-sesam-4", "arg-sesam-5", KEY)


def read_until(descriptor: int, word: str, seconds: float = 20.0) -> str:
    """Return what the program has written once ``word`` is in it."""
    text, deadline = "", time.monotonic() + seconds
    while word not in text:
        assert time.monotonic() < deadline, f"no {word!r} in {text!r}"
        if select.select([descriptor], [], [], 0.2)[0]:
            text += os.read(descriptor, 65536).decode(errors="replace")
    return text


def test_top_follows_keys_and_gives_the_terminal_back(new_cluster: NewCluster) -> None:
    (agent,) = new_cluster(profile="local").start(gossipd=1)
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [*COMMAND, "top", "--interval", "100ms", "--socket", str(agent.options.socket)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=agent_environment() | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
    )
    os.close(theirs)
    try:
        assert "alive" in read_until(ours, "by status")
        os.write(ours, b"n")
        read_until(ours, "by name")
        os.write(ours, b"q")
        while running.poll() is None:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    os.read(ours, 65536)
                except OSError:
                    break
        assert running.wait(20) == 0
        assert running.stderr is not None
        assert running.stderr.read() == b""
    finally:
        running.kill()
        running.wait()
        assert running.stderr is not None
        running.stderr.close()
        os.close(ours)


def test_a_bundle_of_a_daemon_with_every_secret_holds_none(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    config = tmp_path / "gossipd.toml"
    config.write_text(
        f'encrypt_key = "{KEY}"\nrpc_auth = "{SECRETS[0]}"\nlog_level = "trace"\n'
        f'[http]\naddr = "127.0.0.1:0"\ntoken = "{SECRETS[1]}"\nread_token = "{SECRETS[2]}"\n'
    )
    agent = new_cluster(profile="local").prepare(GOSSIPD, more=("--config-file", str(config)))
    agent.spawn()
    environment = agent_environment() | {
        "GOSSIPD_RPC_AUTH": SECRETS[0],
        "GOSSIPD_SOCKET": str(agent.options.socket),
    }
    deadline = time.monotonic() + 20
    while not agent.options.socket.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with Client(str(agent.options.socket), auth=SECRETS[0]) as client:
        client.register_service(
            "web",
            port=1,
            checks=[
                {"id": "h", "http": "/", "headers": {"X-Pass": SECRETS[3]}, "interval": 1},
                {"id": "s", "script": ["/bin/false", SECRETS[4]], "interval": 1},
            ],
        )
        client.list_keys()
    done = subprocess.run(
        [*COMMAND, "debug", "bundle", "-o", "bundle.tar.gz"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        files = {
            each.name: archive.extractfile(each).read().decode()  # type: ignore[union-attr]
            for each in archive.getmembers()
        }
    found = [(name, secret) for secret in SECRETS for name in files if secret in files[name]]
    assert found == []
    assert "[http]" in files["gossipd-debug/configuration.toml"]
    assert "VmRSS" in files["gossipd-debug/process/status.txt"]
    assert "web" in files["gossipd-debug/own-services.json"]
    assert "Serf agent starting" in files["gossipd-debug/log.txt"]
