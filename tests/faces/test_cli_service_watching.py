"""``gossipd watch``, ``run`` and ``template --watch`` while the cluster and the daemon change."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.errors import UsageError
from gossipd.services.instance import Instance
from gossipd.value import replace
from support.cli_daemon import found_daemon
from support.fake_handle import FakeHandle
from support.rpc_thread import RpcThread, rpc_thread
from support.service_programs import started
from support.template_source import make_instance

A, B = make_instance(owner="a"), make_instance(owner="b", address="10.0.0.2")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    with found_daemon(tmp_path, monkeypatch) as running:
        yield running


def show(server: RpcThread, instance: Instance) -> None:
    server.do(lambda: server.handle.show(instance))


def hide(server: RpcThread, instance: Instance) -> None:
    server.do(lambda: server.handle.hide(instance.owner, instance.service.name))


def registered(server: RpcThread) -> list[str]:
    return server.do(lambda: [one.service.id for one in server.handle.own.services])


def test_a_watch_tells_the_set_then_each_change(server: RpcThread) -> None:
    show(server, A)
    with started("watch", "web", "--json") as watch:
        first = watch.json_line()
        assert (first["kind"], first["name"]) == ("set", "web")
        assert [one["node"] for one in first["instances"]] == ["a"]
        show(server, B)
        show(server, make_instance("db"))
        show(server, replace(A, status="critical"))
        hide(server, B)
        told = [watch.json_line() for _ in range(3)]
        assert [(one["kind"], one["instance"]["node"]) for one in told] == [
            ("up", "b"), ("changed", "a"), ("down", "b"),
        ]  # fmt: skip
        assert told[0]["index"] < told[1]["index"] < told[2]["index"]
        assert watch.end(signal.SIGINT) == (0, "", "")


def test_a_watch_of_what_passes_as_text(server: RpcThread) -> None:
    show(server, A)
    with started("watch", "web", "--passing") as watch:
        assert watch.line().startswith("a  web  10.0.0.1:80  passing  weight 1  ")
        show(server, replace(B, status="critical"))
        show(server, replace(A, status="warning"))
        assert watch.line().startswith("down  a  web  10.0.0.1:80")
        show(server, B)
        assert watch.line().startswith("up  b  web  10.0.0.2:80  passing")
        assert watch.end(signal.SIGINT)[0] == 0


def test_a_watch_goes_on_over_a_restart_of_the_daemon(server: RpcThread, tmp_path: Path) -> None:
    show(server, A)
    show(server, B)
    with started("watch", "web", "--json") as watch:
        assert len(watch.json_line()["instances"]) == 2
        server.stop()
        assert "trying again" in watch.error_line()
        os.unlink(server.path)
        server.handle.begin_again()
        server.handle.hide("b", "web")  # not found again yet
        with rpc_thread(tmp_path, server.handle) as again:
            show(again, replace(A, status="critical"))
            told = watch.json_line()
            assert (told["kind"], told["instance"]["node"]) == ("changed", "a")
            show(again, B)  # found again in time: nothing to tell
            show(again, make_instance(owner="c"))
            told = watch.json_line()
            assert (told["kind"], told["instance"]["node"]) == ("up", "c")
            assert watch.end(signal.SIGINT)[:2] == (0, "")


def test_a_command_is_run_for_the_set_and_for_each_change(
    server: RpcThread, tmp_path: Path
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    command = f'cat >> {log}; echo "$GOSSIPD_SERVICE $GOSSIPD_CHANGE"; cat {gate} >&2'
    with started("watch", "web", "--exec", command) as watch:
        assert watch.line() == "web set"
        show(server, A)  # while the command still runs
        show(server, replace(A, status="critical"))
        show(server, B)
        hide(server, B)
        gate.write_text("")
        assert watch.line() == "web changed"
        gate.write_text("")
        assert watch.line() == "web down"
        show(server, B)
        gate.write_text("")
        assert watch.line() == "web up"
        gate.write_text("")
        watch.end(signal.SIGINT)
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["kind"] for one in told] == ["set", "changed", "down", "up"]
    assert told[1]["instance"]["status"] == "critical"
    assert told[3]["instance"]["node"] == "b"


def test_a_command_that_fails_is_told_and_the_watch_goes_on(server: RpcThread) -> None:
    with started("watch", "web", "--exec", "exit 3") as watch:
        assert watch.error_line() == "gossipd: --exec: exit code 3: exit 3"
        show(server, A)
        assert watch.error_line() == "gossipd: --exec: exit code 3: exit 3"
        assert watch.end(signal.SIGINT)[0] == 0


def test_a_program_is_a_service_for_as_long_as_it_runs(server: RpcThread) -> None:
    script = "echo $GOSSIPD_SERVICE $GOSSIPD_SERVICE_ID $GOSSIPD_SERVICE_PORT; exec sleep 600"
    words = ["--service", "web", "--id", "w1", "--port", "8080", "--check", "http:/health"]
    with started("run", *words, "--", "sh", "-c", script) as run:
        assert run.line() == "web w1 8080"
        assert registered(server) == ["w1"]
        service = server.handle.own.services[0].service
        assert service.checks[0].target == "http://127.0.0.1:8080/health"
        code, _, err = run.end(signal.SIGHUP)
    assert (code, err) == (128 + signal.SIGHUP, "")
    server.wait_for(lambda: not server.handle.own.services)


def test_the_exit_code_of_a_program_is_ours(server: RpcThread) -> None:
    with started("run", "--service", "web", "--", "sh", "-c", "exit 7") as run:
        assert run.rest() == (7, "", "")
    server.wait_for(lambda: not server.handle.own.services)
    with started("run", "--service", "web", "--", "no-such-program") as run:
        assert run.rest() == (127, "", "gossipd: no-such-program: no such program\n")
    server.wait_for(lambda: not server.handle.own.services)


def test_a_killed_run_leaves_no_service_behind(server: RpcThread) -> None:
    script = "echo $$; exec sleep 600"
    with started("run", "--service", "web", "--", "sh", "-c", script) as run:
        child = int(run.line())
        assert registered(server) == ["web"]
        os.kill(run.pid, signal.SIGKILL)
        server.wait_for(lambda: not server.handle.own.services)
        os.kill(child, signal.SIGKILL)


def test_consumers_may_turn_away_before_the_program_is_told(server: RpcThread) -> None:
    script = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    words = ["--service", "web", "--drain", "0.2s"]
    with started("run", *words, "--", "sh", "-c", script) as run:
        assert run.line() == "ready"
        assert run.end(signal.SIGTERM) == (0, "told\n", "")
    assert ("drain", "web", 0.2) in server.handle.commands


def test_a_program_that_is_not_the_only_one_of_its_service_ends_without_a_drain(
    server: RpcThread,
) -> None:
    words = ["--service", "web", "--drain", "60s", "--", "sh", "-c", "echo ready; exec sleep 600"]
    with started("run", *words) as one, started("run", *words) as other:
        assert (one.line(), other.line()) == ("ready", "ready")
        code, _, error = one.end(signal.SIGTERM)
        assert code == 128 + signal.SIGTERM
        assert error.startswith("gossipd: cannot drain web: ")
        assert registered(server) == ["web"]
        assert other.end(signal.SIGINT)[0] == 128 + signal.SIGINT


def test_without_a_drain_the_service_is_gone_before_the_program_is_told(
    server: RpcThread,
) -> None:
    script = "trap 'echo told; read line; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    with started("run", "--service", "web", "--", "sh", "-c", script) as run:
        assert run.line() == "ready"
        run.process.terminate()
        assert run.line() == "told"
        server.wait_for(lambda: not server.handle.own.services)
    assert not [command for command in server.handle.commands if command[0] == "drain"]


def test_a_registration_survives_a_restart_of_the_daemon(server: RpcThread, tmp_path: Path) -> None:
    script = "echo ready; exec sleep 600"
    with started("run", "--service", "web", "--", "sh", "-c", script) as run:
        assert run.line() == "ready"
        server.stop()
        assert run.error_line() == (
            "gossipd: the daemon went away; web is registered again when it is back"
        )
        os.unlink(server.path)
        with rpc_thread(tmp_path) as again:
            assert run.error_line() == "gossipd: web is registered again"
            assert registered(again) == ["web"]
            assert run.end(signal.SIGINT)[0] == 128 + signal.SIGINT
            again.wait_for(lambda: not again.handle.own.services)


def test_a_daemon_that_refuses_at_first_is_asked_again(server: RpcThread, tmp_path: Path) -> None:
    with started("run", "--service", "web", "--", "sh", "-c", "echo ready; exec sleep 600") as run:
        assert run.line() == "ready"
        server.stop()
        assert "the daemon went away" in run.error_line()
        os.unlink(server.path)
        handle = FakeHandle()
        handle.refusal = UsageError("too many services")
        with rpc_thread(tmp_path, handle) as again:
            assert run.error_line() == "gossipd: cannot register web again: too many services"
            assert run.error_line() == "gossipd: web is registered again"
            assert run.end(signal.SIGINT)[0] == 128 + signal.SIGINT
            again.wait_for(lambda: not again.handle.own.services)


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[str]:
    """Return the socket of a daemon that takes connections and never answers."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "frozen.sock"))
        listening.listen()
        yield str(tmp_path / "frozen.sock")


def test_a_frozen_daemon_keeps_no_waiting_script_for_long(frozen: str) -> None:
    words = ["--service", "web", "--timeout", "0.2", "--socket", frozen]
    with started("wait", *words) as wait:
        assert wait.rest() == (3, "", "gossipd: no daemon could be reached in time\n")


def test_a_program_starts_when_what_it_needs_passes(server: RpcThread) -> None:
    words = ["--service", "web", "--needs", "db"]
    with started("run", *words, "--", "echo", "started") as run:
        assert run.error_line() == "gossipd: web waits until db passes"
        assert registered(server) == []
        show(server, make_instance("db"))
        assert run.rest() == (0, "started\n", "gossipd: db passes\n")


def test_a_need_that_does_not_come_is_a_timeout(server: RpcThread) -> None:
    words = ["--service", "web", "--needs", "db", "--needs-timeout", "0.1"]
    with started("run", *words, "--", "echo", "started") as run:
        code, out, err = run.rest()
    assert (code, out) == (4, "")
    assert err.endswith("the time is up: no instance of db passes\n")


def test_a_daemon_that_is_not_there_yet_is_waited_for(server: RpcThread, tmp_path: Path) -> None:
    server.stop()
    os.unlink(server.path)
    with started("run", "--service", "web", "--wait", "30s", "--", "echo", "hi") as run:
        assert run.error_line() == "gossipd: waiting for the daemon"
        with rpc_thread(tmp_path):
            assert run.rest() == (0, "hi\n", "")


def test_a_template_is_rendered_when_something_changes(server: RpcThread, tmp_path: Path) -> None:
    template, out = tmp_path / "t.j2", tmp_path / "out"
    template.write_text(
        "{% for i in service('web') %}{{ i.endpoint }}\n{% endfor %}"
        "{% for s in services() %}{{ s.name }}\n{% endfor %}"
        "{% for m in members(status='alive') %}{{ m.name }}\n{% endfor %}{{ node }}\n"
    )
    show(server, A)
    words = ["--out", str(out), "--watch", "--exec", f"cat {out}; echo end"]
    with started("template", str(template), *words) as run:

        def rendered() -> list[str]:
            return list(iter(run.error_line, "end"))

        assert rendered() == ["10.0.0.1:80", "web", "a", "b", "a"]
        show(server, B)
        assert rendered() == ["10.0.0.1:80", "10.0.0.2:80", "web", "a", "b", "a"]
        show(server, make_instance("db"))  # a service of which the template knows nothing yet
        assert rendered()[2:4] == ["db", "web"]
        hide(server, A)
        assert rendered() == ["10.0.0.2:80", "db", "web", "a", "b", "a"]
        assert run.end(signal.SIGTERM) == (0, "", "")
    assert out.read_text().startswith("10.0.0.2:80\n")
    assert not list(tmp_path.glob(".gossipd-*"))


def test_a_template_that_fails_keeps_the_file_and_tries_again(
    server: RpcThread, tmp_path: Path
) -> None:
    template, out = tmp_path / "t.j2", tmp_path / "out"
    template.write_text("ok\n{% for i in service('web') %}{{ i.meta.must }}\n{% endfor %}")
    words = ["--out", str(out), "--watch", "--check", "! grep -q bad {}"]
    with started("template", str(template), *words, "--exec", "echo done") as run:
        assert run.error_line() == "done"
        show(server, A)
        assert run.error_line() == f"gossipd: {template}:2: 'dict object' has no attribute 'must'"
        assert out.read_text() == "ok\n"
        show(server, make_instance(meta={"must": "bad"}))
        assert "--check: exit code 1" in run.error_line()
        assert out.read_text() == "ok\n"
        show(server, make_instance(meta={"must": "good"}))
        assert run.error_line() == "done"
        assert out.read_text() == "ok\ngood\n"
        assert run.end(signal.SIGINT)[0] == 0


def test_a_template_waits_for_a_daemon_that_restarts(server: RpcThread, tmp_path: Path) -> None:
    template, out = tmp_path / "t.j2", tmp_path / "out"
    template.write_text("{{ service('web') | length }}\n")
    show(server, A)
    words = ["--out", str(out), "--watch", "--exec", "echo done"]
    with started("template", str(template), *words, patience=0.5) as run:
        assert run.error_line() == "done"
        server.stop()
        assert "trying again" in run.error_line()
        os.unlink(server.path)
        server.handle.hide("a", "web")
        with rpc_thread(tmp_path, server.handle) as again:
            assert out.read_text() == "1\n"
            show(again, A)
            show(again, B)
            assert run.error_line() == "done"  # not before the daemon had its time
            assert out.read_text() == "2\n"
