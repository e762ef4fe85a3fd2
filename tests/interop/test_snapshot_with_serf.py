"""One snapshot, two programs: Serf starts from ours and we start from Serf's."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossipd.serf.snapshot import replay_untrusted
from support.agents import GOSSIPD, SERF, AgentKind
from support.clusters import NewCluster
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]


@pytest.mark.parametrize(("first", "second"), [(GOSSIPD, SERF), (SERF, GOSSIPD)])
def test_a_member_restarts_as_the_other_program_and_finds_the_cluster(
    new_cluster: NewCluster, tmp_path: Path, first: AgentKind, second: AgentKind
) -> None:
    path = tmp_path / "snapshot"
    cluster = new_cluster(profile="local", log_level="info")
    peer, failing = cluster.start(gossipd=1, serf=1)
    more = ("-snapshot" if first is SERF else "--snapshot", str(path))
    before = cluster.prepare(first, "moved node", more=more)
    before.start()
    cluster.join_all()
    cluster.wait_until_all_alive()
    with peer.rpc() as probe:
        probe.event("deploy", b"x")
    failing.kill()
    cluster.wait_for_statuses(
        {peer.name: "alive", failing.name: "failed", before.name: "alive"}, 30.0
    )
    with peer.rpc() as probe:

        def is_written() -> bool:
            probe.event("again", b"y")  # Serf writes what it knows when something more comes
            read = replay_untrusted([path.read_bytes()], rejoin_after_leave=False)
            return read.snapshot.memory.event_clock >= 2

        wait_for(is_written, 10.0, "the second event", seen=path.read_bytes)
    before.kill()
    written = path.read_bytes()
    replay = replay_untrusted([written], rejoin_after_leave=False)
    assert replay.complaints == ()
    assert replay.snapshot.alive.keys() == {peer.name, before.name}
    assert replay.snapshot.memory.event_clock >= 2
    if first is GOSSIPD:
        assert replay.snapshot.failed.keys() == {failing.name}
        assert b"# gossipd failed: " in written

    flag = "-snapshot" if second is SERF else "--snapshot"
    options = {"bind": before.options.bind, "rpc": before.options.rpc}
    after = cluster.prepare(second, "moved node", more=(flag, str(path)), **options)
    after.start()
    wait_for(
        lambda: f"Re-joined to previously known node: {peer.name}" in after.log(),
        10.0,
        "the rejoin",
        seen=after.log,
    )
    wait_for(lambda: after.statuses().get(peer.name) == "alive", 5.0, "the other member")
    assert "Unrecognized snapshot line" not in after.log()
    with after.rpc() as probe:
        assert int(probe.stats()["serf"]["event_time"]) >= 3
