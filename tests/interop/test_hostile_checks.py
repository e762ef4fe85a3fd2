"""A real daemon whose checks hang, fork, flood, dribble and redirect: critical, and nothing else.

In real time, with real scripts and servers; the daemon is asked all the while.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gossipd.client.blocking import Client
from support.agents import agent_environment
from support.waiting import wait_for

GOSSIPD = (sys.executable, "-m", "gossipd_cli")


class Web(BaseHTTPRequestHandler):
    """Behaves as the path says."""

    def do_GET(self) -> None:
        kind = self.path.strip("/").partition("?")[0]
        try:
            self._answer(kind)
        except OSError:
            return  # the daemon had enough of it

    def _answer(self, kind: str) -> None:
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/redirect?{self.path.count('x')}{'x' * 9}{time.time()}")
            self.end_headers()
            return
        if kind == "garbage":
            self.wfile.write(os.urandom(5000))
            return
        if kind == "silent":
            time.sleep(5)
            return
        self.send_response(200)
        self.send_header("X-Load", "0.25")
        self.end_headers()
        self.wfile.write(b"hello")
        if kind == "dribble":
            for _ in range(50):
                self.wfile.write(b".")
                time.sleep(0.1)
        if kind == "flood":
            for _ in range(2000):
                self.wfile.write(b"x" * 65536)

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


SCRIPTS = {
    "hang": "trap '' TERM; sleep 618033",
    "fork": "for n in 1 2 3; do (trap '' TERM; sleep 618033) & setsid sleep 618033 & done; wait",
    "yes": "yes flood",
    "good": "echo fine; echo load=0.5",
}
WEB = ("redirect", "garbage", "silent", "dribble", "flood", "plain")
CRITICAL = {"redirect", "garbage", "silent", "dribble", "hang", "fork", "yes"}


def configuration(port: int) -> str:
    """Return one service for each kind of check; all are said to pass at first."""
    text = ""
    for kind in WEB:
        text += f'[[service]]\nname = "{kind}"\n[[service.checks]]\n'
        text += f'id = "{kind}"\nhttp = "http://127.0.0.1:{port}/{kind}"\n'
        text += 'interval = "500ms"\ntimeout = "1s"\nstatus = "passing"\n'
    for kind, script in SCRIPTS.items():
        text += f'[[service]]\nname = "{kind}"\n[[service.checks]]\n'
        text += f'id = "{kind}"\nscript = ["/bin/sh", "-c", {json.dumps(script)}]\n'
        text += 'interval = "500ms"\ntimeout = "1s"\nstatus = "passing"\n'
    return text


def running(words: str) -> int:
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += words.encode() in path.read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
    return found


def test_checks_that_misbehave_are_critical_and_hold_up_nobody(tmp_path: Path, port: int) -> None:
    file, socket, log = tmp_path / "g.toml", tmp_path / "s", tmp_path / "log"
    head = f'bind = "127.0.0.1:0"\nnode_name = "d"\ndata_dir = "{tmp_path}/data"\n'
    file.write_text(head + configuration(port))
    with log.open("wb") as out:
        daemon = subprocess.Popen(
            [*GOSSIPD, "agent", "--config", str(file), "--socket", str(socket)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=agent_environment(),
        )
    try:
        wait_for(lambda: socket.exists(), 15, "its socket", seen=log.read_text)
        slowest = 0.0

        def all_told() -> bool:
            nonlocal slowest
            began = time.monotonic()
            with Client(str(socket)) as client:
                client.members()
            slowest = max(slowest, time.monotonic() - began)
            said = log.read_text()
            return all(f"check '{kind}' of service" in said for kind in CRITICAL)

        wait_for(all_told, 45, "all to be critical", seen=log.read_text)
        assert slowest < 1.0
        said = log.read_text()
        for kind in ("plain", "flood", "good"):
            assert f"check '{kind}' of service" not in said
        assert "Traceback" not in said
        assert "redirected more than 5 times" in said
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
        kept = json.loads((tmp_path / "data" / "services.json").read_text())
        status = {one["service"]["id"]: one["checks"][0]["status"] for one in kept["services"]}
        assert {kind for kind in status if status[kind] == "critical"} == CRITICAL
        assert all(len(one["checks"][0]["output"]) <= 4096 for one in kept["services"])
        wait_for(lambda: not running("618033"), 15, "all scripts to end")
    finally:
        daemon.kill()
        daemon.wait()
