"""Fixtures of the tests that need real peers, and the logs of failed ones."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agents import has_serf
from support.clusters import Cluster, NewCluster
from support.peers import skip_or_fail

LOG_TAIL_CHARACTERS = 6000

CLUSTERS = pytest.StashKey[list[Cluster]]()


@pytest.fixture
def serf_program() -> None:
    """Ask for the ``serf`` program."""
    if not has_serf():
        skip_or_fail("needs the serf program (Debian package serf)")


@pytest.fixture
def new_cluster(request: pytest.FixtureRequest) -> Iterator[NewCluster]:
    """Return a maker of clusters whose processes end with the test."""
    made: list[Cluster] = []
    request.node.stash[CLUSTERS] = made
    with tempfile.TemporaryDirectory(prefix="gossipd-") as folder:

        def make(**settings: Any) -> Cluster:
            own = Path(folder) / str(len(made))
            own.mkdir()
            made.append(Cluster(own, **settings))
            return made[-1]

        try:
            yield make
        finally:
            for cluster in made:
                cluster.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the agents logged to the report of a failed test."""
    report = yield
    if report.failed and report.when == "call":
        for cluster in item.stash.get(CLUSTERS, []):
            for agent in cluster.agents:
                report.sections.append((f"log of {agent!r}", agent.log()[-LOG_TAIL_CHARACTERS:]))
    return report
