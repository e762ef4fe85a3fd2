"""A full disk under a running daemon: it goes on, says so, and catches up when there is room."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from gossipd.serf.snapshot import replay_untrusted
from support.agents import GOSSIPD, AgentProcess
from support.clusters import NewCluster
from support.peers import skip_or_fail
from support.rpc_probe import RpcProblem
from support.waiting import wait_for

pytestmark = pytest.mark.slow

MOUNT = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
FILL_BYTES = 128 * 1024


def small_disk(folder: Path) -> tuple[str, ...]:
    """Return the words that start a command with a disk of 64 KiB of its own at ``folder``."""
    words = ("unshare", "--mount", "sh", "-c", MOUNT, str(folder))
    try:
        tried = subprocess.run([*words, "true"], capture_output=True, text=True, timeout=10)
    except FileNotFoundError:
        skip_or_fail("needs the program unshare")
    if tried.returncode:
        skip_or_fail(f"needs the right to mount: {tried.stderr.strip()}")
    return words


def snapshot_status(agent: AgentProcess) -> str:
    with agent.rpc() as probe:
        return probe.stats()["gossipd"]["snapshot"]


def fill(file: Path) -> None:
    """Write to ``file`` until its disk is full."""
    with file.open("wb", buffering=0) as open_file:
        for _ in range(FILL_BYTES // 512):
            try:
                open_file.write(bytes(512))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return
    pytest.fail("the disk has no end")


def test_a_daemon_outlives_a_full_disk(new_cluster: NewCluster, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    cluster = new_cluster(profile="local", log_level="INFO")
    agent = cluster.prepare(
        GOSSIPD, "full", wrapper=small_disk(disk), more=("--data-dir", str(disk / "state"))
    )
    agent.start()
    seen = Path(f"/proc/{agent.pid}/root{disk}")  # the disk is in a namespace of its own
    snapshot = seen / "state" / "snapshot"
    wait_for(lambda: b"alive: full" in snapshot.read_bytes(), 5.0, "the first record")
    assert snapshot_status(agent) == "ok"
    fill(seen / "fill")
    with agent.rpc() as probe, agent.rpc() as stream:
        stream.follow("user")
        for i in range(600):  # more than what was left of the last block
            probe.event("while-full", b"%d" % i)
        last = [stream.next_record(10.0) for _ in range(600)][-1]
        assert last["Payload"] == b"599" or last["Payload"] == "599"
        with pytest.raises(RpcProblem, match="no space left on device; the tags are unchanged"):
            probe.set_tags({"x": "1"})
    assert snapshot_status(agent).endswith("no space left on device")
    assert agent.log().count("[ERR] agent: snapshot") == 1
    (seen / "fill").unlink()
    wait_for(lambda: snapshot_status(agent) == "ok", 45.0, "the next try", interval=0.5)
    read = replay_untrusted([snapshot.read_bytes()], rejoin_after_leave=False)
    assert read.complaints == ()
    assert read.snapshot.memory.event_clock == last["LTime"]
    with agent.rpc() as probe:
        probe.set_tags({"x": "1"})
    assert "x" in (seen / "state" / "tags.json").read_text()
