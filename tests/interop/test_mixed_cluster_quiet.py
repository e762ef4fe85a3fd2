"""A mixed cluster at rest: nothing we send makes a real Serf complain.

Serf logs a warning or an error for every message it does not like, so an
empty log is the strictest decoder test there is. ``GOSSIPD_INTEROP_QUIET``
sets how many seconds are watched (the full bar is 60).
"""

from __future__ import annotations

import base64
import os
import time

import pytest

from support.agents import GOSSIPD, SERF
from support.clusters import NewCluster, log_marks, trouble_since

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

QUIET_SECONDS = float(os.environ.get("GOSSIPD_INTEROP_QUIET", "12"))


@pytest.mark.timeout(100 + 2 * QUIET_SECONDS)
@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["plain", "encrypted"])
def test_serf_logs_no_warning_about_a_gossipd(new_cluster: NewCluster, key: bytes) -> None:
    cluster = new_cluster(encrypt=base64.b64encode(key).decode())
    cluster.start(serf=3, gossipd=3)
    serfs, ours = cluster.of(SERF), cluster.of(GOSSIPD)
    marks = log_marks(cluster.agents)
    cluster.join_all()
    cluster.wait_until_all_met(5.0)

    with ours[0].rpc() as probe:  # everything a member can say at rest, said once
        probe.set_tags({"role": "quiet"})
    with serfs[0].rpc() as probe:
        probe.set_tags({"role": "quiet"})
        probe.event("deploy", b"v1")

    time.sleep(QUIET_SECONDS)

    assert trouble_since(serfs, marks) == []
    assert trouble_since(ours, marks) == []
    cluster.wait_until_all_alive(0.0)
