"""Programs as services between real daemons: killed, drained, restarted, rendered."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from gossipd.client.blocking import Client
from gossipd.services.instance import Instance
from support.agents import AgentProcess
from support.clusters import NewCluster
from support.peers import skip_or_fail
from support.service_programs import started
from support.waiting import wait_for

PROGRAM = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
TEMPLATES = Path(__file__).resolve().parents[2] / "deploy" / "templates"
GONE_SECONDS = 2.0
"""Far more than it takes, and far less than any time-out of ours."""


@pytest.fixture
def pair(new_cluster: NewCluster) -> tuple[AgentProcess, AgentProcess]:
    """Return two gossipd agents that know each other."""
    cluster = new_cluster()
    here, there = cluster.start(gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_alive()
    return here, there


def at(agent: AgentProcess) -> list[str]:
    return ["--socket", agent.options.rpc]


def instances(agent: AgentProcess, name: str, *, passing: bool = False) -> tuple[Instance, ...]:
    with Client(agent.options.rpc) as client:
        return client.service(name, passing=passing).instances


def wait_for_passing(agent: AgentProcess, name: str, count: int = 1) -> None:
    words = ["wait", *at(agent), "--service", name, "--passing", str(count), "--timeout", "20"]
    with started(*words) as waiting:
        code, out, err = waiting.rest()
    assert (code, out) == (0, f"{name}: {count} passing\n"), err


def test_a_killed_program_is_gone_at_once_everywhere(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    here, there = pair
    script = "echo $$; exec sleep 600"
    words = ["run", *at(here), "--service", "web", "--port", "80", "--", "sh", "-c", script]
    with started(*words) as run:
        program = int(run.line())
        wait_for_passing(there, "web")
        os.kill(run.pid, signal.SIGKILL)
        killed = time.monotonic()
        os.kill(program, signal.SIGKILL)  # which would hold our pipe
        for agent in pair:
            wait_for(lambda agent=agent: not instances(agent, "web"), 20, "web to go")  # type: ignore[misc]
        assert time.monotonic() - killed < GONE_SECONDS


def test_consumers_elsewhere_turn_away_before_the_program_is_told(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    here, there = pair
    words = ["run", *at(here), "--service", "web", "--drain", "3s", "--", "sh", "-c", PROGRAM]
    with (
        started(*words) as run,
        started("watch", *at(there), "web", "--passing", "--json") as watch,
    ):
        assert run.line() == "ready"
        told = watch.json_line()
        if not told["instances"]:
            told = watch.json_line()
            assert told["kind"] == "up"
        run.process.terminate()
        ended = time.monotonic()
        while told["kind"] != "down":
            told = watch.json_line()
        assert time.monotonic() - ended < 3.0
        assert run.process.poll() is None
        assert run.rest() == (0, "told\n", "")
        assert time.monotonic() - ended >= 3.0
    assert not instances(there, "web")


def test_a_registration_outlives_the_daemon(pair: tuple[AgentProcess, AgentProcess]) -> None:
    here, there = pair
    words = ["run", *at(here), "--service", "web", "--", "sh", "-c", PROGRAM]
    with started(*words) as run:
        assert run.line() == "ready"
        wait_for_passing(there, "web")
        here.kill()
        assert "the daemon went away" in run.error_line()
        here.start()
        assert run.error_line() == "gossipd: web is registered again"
        with here.rpc() as probe:
            probe.join(there.options.bind)
        wait_for_passing(there, "web")
        assert run.end(signal.SIGTERM)[:2] == (0, "told\n")


def test_a_program_stays_a_service_that_others_deregister_but_not_one_they_drain(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    here, there = pair
    words = ["run", *at(here), "--service", "web", "--", "sh", "-c", PROGRAM]
    with started(*words) as run, Client(here.options.rpc) as client:
        assert run.line() == "ready"
        wait_for_passing(there, "web")
        client.deregister("web")
        assert run.error_line() == "gossipd: web is registered again: it had been taken back"
        wait_for_passing(there, "web")
        client.drain("web", 0.2)
        assert run.error_line() == "gossipd: web was drained: it is not registered again"
        wait_for(lambda: not instances(there, "web"), 20, "web to go")
        assert run.end(signal.SIGTERM) == (0, "told\n", "")


def test_a_command_that_goes_on_ends_with_who_reads_it(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    here, _ = pair
    with Client(here.options.rpc) as client:
        client.register_service("web", port=80)
    for name, *more in (("watch", "web", "--json"), ("members", "--watch"), ("monitor",)):
        with started(name, *at(here), *more) as command:
            assert command.line()
            assert command.process.stdout is not None
            command.process.stdout.close()  # as ``| head -1`` does
            assert command.process.wait(20) == 1
            assert command.process.stderr is not None
            assert command.process.stderr.read() == ""


def test_haproxy_takes_what_is_rendered_while_services_come_and_go(
    pair: tuple[AgentProcess, AgentProcess], tmp_path: Path
) -> None:
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        skip_or_fail("needs haproxy (Debian package haproxy)")
    here, there = pair
    out = tmp_path / "haproxy.cfg"
    template = str(TEMPLATES / "haproxy.cfg.j2")
    words = ["template", *at(here), template, "--watch", "--out", str(out)]
    words += ["--check", "PATH=$PATH:/usr/sbin haproxy -c -q -f {}", "--exec", "echo reloaded"]
    with started(*words) as run, Client(there.options.rpc) as client:
        assert run.error_line() == "reloaded"
        assert "backend be_web" not in out.read_text()
        client.register_service("web", port=8080, tags=["http"], weight=7)
        assert run.error_line() == "reloaded"
        assert ":8080 weight 7 check" in out.read_text()
        client.deregister("web")
        assert run.error_line() == "reloaded"
        assert "backend be_web" not in out.read_text()
        assert run.end(signal.SIGTERM) == (0, "", "")
