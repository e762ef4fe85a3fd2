"""The commands about services against a fake daemon: output, exit codes, what is asked."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from gossipd.errors import UsageError
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CLIENT
from gossipd.value import replace
from gossipd_cli.main import click_group, main
from support.cli_daemon import found_daemon
from support.rpc_thread import RpcThread
from support.template_source import make_instance


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    with found_daemon(tmp_path, monkeypatch) as running:
        yield running


def show(server: RpcThread, *instances: object) -> None:
    for instance in instances:
        server.do(lambda instance=instance: server.handle.show(instance))  # type: ignore[misc]


def registered(server: RpcThread) -> Service:
    command = server.handle.commands[-1]
    assert command[0] == "register"
    assert command[2] == FROM_CLIENT
    assert isinstance(command[1], Service)
    return command[1]


@pytest.fixture
def cluster(server: RpcThread) -> RpcThread:
    """Show two of web, which needs db, of which one is critical; nobody registers cache."""
    show(
        server,
        make_instance("web", "a", tags=("v1",), zone="east", needs=("db", "cache")),
        make_instance("web", "b", address="10.0.0.2", tags=("v1", "v2"), meta={"k": "v"}),
        make_instance("db", "a", port=5432),
        make_instance("db", "c", port=5432, status="critical"),
    )
    return server


def test_services_are_lines_or_json(cluster: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["services"]) == 0
    assert capsys.readouterr().out == (
        "db   1 passing, 1 critical\n"
        "web  2 passing              v1,v2  needs cache,db\n"
    )  # fmt: skip
    assert main(["services", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["services"]
    assert [one["name"] for one in shown] == ["db", "web"]
    assert shown[0]["total"] == 2
    assert shown[1]["needs"] == ["cache", "db"]
    assert main(["services", "--node", "c"]) == 0
    assert capsys.readouterr().out.startswith("c  db  10.0.0.1:5432  critical  weight 1  ")


def test_no_services_are_no_failure(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["services"]) == 0
    assert main(["service", "web"]) == 0
    assert main(["services", "--graph"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["service", "web", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["instances"] == []


@pytest.mark.parametrize(
    ("words", "owners"),
    [
        ([], ["a", "b"]),
        (["--tag", "v2"], ["b"]),
        (["--tag", "v1", "--tag", "v2"], ["b"]),
        (["--meta", "k=v"], ["b"]),
        (["--zone", "east"], ["a"]),
        (["--near", "a"], ["a", "b"]),
        (["--passing"], ["a", "b"]),
        (["--tag", "v3"], []),
    ],
)
def test_instances_are_filtered(
    cluster: RpcThread, capsys: pytest.CaptureFixture[str], words: list[str], owners: list[str]
) -> None:
    assert main(["service", "web", "--json", *words]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [one["node"] for one in shown["instances"]] == owners
    assert main(["service", "web", *words]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == owners


def test_only_what_passes(cluster: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "db", "--passing"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_flags_describe_a_service(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--id", "web-1", "--port", "8080", "--address", "10.0.0.9", "--tag", "v1"]
    words += ["--tag", "v2", "--meta", "k=v=w", "--zone", "east", "--needs", "db", "--weight", "7"]
    words += ["--warning-weight", "3", "--tagged-address", "lan=10.1.0.1:81"]
    words += ["--check", "http:/health", "--check", "tcp", "--check", "tcp:81", "--interval", "2s"]
    words += ["--check", "ttl:30s", "--check", "script:/bin/check 'a b'", "--check", "alias:db"]
    words += ["--check", "https://example.org/x", "--timeout", "500ms", "--grace", "5"]
    words += ["--passes", "2", "--failures", "3", "--deregister-after", "60"]
    assert main(["register", "web", *words]) == 0
    assert capsys.readouterr() == ("web is registered as web-1\n", "")
    service = registered(server)
    assert (service.id, service.name, service.port, service.address) == (
        "web-1", "web", 8080, "10.0.0.9",
    )  # fmt: skip
    assert (service.tags, service.meta, service.zone) == (("v1", "v2"), {"k": "v=w"}, "east")
    assert (service.needs, service.weight, service.warning_weight) == (("db",), 7, 3)
    assert service.tagged_addresses == {"lan": ("10.1.0.1", 81)}
    checks = service.checks
    assert [check.kind for check in checks] == [
        "http", "tcp", "tcp", "ttl", "script", "alias", "http",
    ]  # fmt: skip
    assert [check.target for check in checks if check.target] == [
        "http://10.0.0.9:8080/health",
        "10.0.0.9:8080",
        "10.0.0.9:81",
        "db",
        "https://example.org/x",
    ]
    assert checks[4].args == ("/bin/check", "a b")
    assert checks[3].ttl == 30.0
    assert {check.interval for check in checks if check.kind in ("http", "tcp")} == {2.0}
    assert {check.timeout for check in checks if check.kind in ("http", "tcp")} == {0.5}
    assert {check.deregister_after for check in checks} == {60.0}
    assert (checks[0].passes_needed, checks[0].failures_before_critical) == (2, 3)


def test_warnings_are_told_and_no_failure(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.warnings = ("DNS cannot carry it",)
    assert main(["register", "web", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "registered": [{"id": "web", "name": "web", "warnings": ["DNS cannot carry it"]}]
    }
    assert err == "gossipd: warning: DNS cannot carry it\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say the name of the service"),
        (["web", "--port", "70000"], "port: "),
        (["web", "--check", "ping"], "--check ping: give http:/PATH"),
        (["web", "--check", "ttl"], "--check ttl: say ttl:30s"),
        (["web", "--check", "ttl:soon"], "checks[0].ttl: "),
        (["web", "--check", "tcp"], "checks[0].tcp: "),
        (["web", "--check", "http:health"], "checks[0].http: "),
        (["web", "--interval", "3"], "--interval is of a check: name one with --check"),
        (
            ["web", "--check", "ttl:5s", "--failures", "2"],
            "--failures is of http, tcp, script checks, and there is none",
        ),
        (["web", "--file", "x"], "--file says it all: leave web out"),
        (["--port", "1", "--file", "x"], "--file says it all: leave --port out"),
        (["--file", "no-such-file"], "cannot read no-such-file: No such file"),
    ],
)
def test_what_is_no_service_is_refused_with_its_field(
    server: RpcThread, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["register", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, message in err, err.count("\n")) == ("", True, 1), err
    assert server.handle.commands == []


def test_files_describe_services(
    server: RpcThread,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "web.toml"
    file.write_text('name = "web"\nport = 80\n[check]\nhttp = "/health"\n')
    assert main(["register", "--file", str(file)]) == 0
    assert registered(server).checks[0].target == "http://127.0.0.1:80/health"
    file.write_text('[[service]]\nname = "one"\n[[service]]\nname = "two"\n')
    assert main(["register", "--file", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["one is registered", "two is registered"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"name": "three"}')))
    assert main(["register", "--file", "-"]) == 0
    assert registered(server).name == "three"
    file.write_text('[[service]]\nname = "one"\n[[service]]\nname = "two"\nport = "x"\n')
    assert main(["register", "--file", str(file)]) == 2
    assert f"{file}: service[1]: port: " in capsys.readouterr().err
    for text, message in (
        ("name = ", "web.toml: "),
        ("{", "web.toml: "),
        ("service = 1", "web.toml: is no table"),
        ("[\n {}]", "web.toml: name: missing"),
        ("[\n {]", "web.toml: Expecting property name"),
        ("service = []", "describes no service"),
        ("[[service]]\nname = 'a'\n[other]\n", "other: unknown"),
    ):
        file.write_text(text)
        assert main(["register", "--file", str(file)]) == 2
        assert message in capsys.readouterr().err
    file.write_bytes(b"\xff")
    assert main(["register", "--file", str(file)]) == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_service_is_taken_back(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["register", "web"]) == 0
    assert main(["deregister", "web"]) == 0
    assert server.handle.commands[-1] == ("deregister", "web")
    assert capsys.readouterr().out.endswith("web is deregistered\n")
    assert main(["deregister", "web"]) == 1
    assert capsys.readouterr().err == "gossipd: this node registers no service 'web'\n"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["report", "c", "pass"], ("report", "c", "passing", "", None)),
        (["report", "c", "WARN", "slow"], ("report", "c", "warning", "slow", None)),
        (["report", "c", "fail", "x", "--load", "75%"], ("report", "c", "critical", "x", 0.75)),
        (["load", "web", "0.5"], ("load", "web", 0.5)),
        (["maint", "on"], ("maintenance", "", "by an operator")),
        (["maint", "on", "web", "--reason", "disk"], ("maintenance", "web", "disk")),
        (["maint", "off", "web"], ("maintenance", "web", None)),
        (["drain"], ("drain", "", 10.0)),
        (["drain", "web", "--for", "3s"], ("drain", "web", 3.0)),
        (["drain", "web", "--stop"], ("drain", "web", 0.0)),
    ],
)
def test_what_a_provider_says_of_itself_is_passed_on(
    server: RpcThread,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    command: tuple[object, ...],
) -> None:
    assert main(words) == 0
    assert main([*words, "--json"]) == 0
    assert server.handle.commands == [command, command]
    assert json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "c", "good"], "'good' is no status: give pass, warn or fail"),
        (["report", "c"], "got too few arguments: CHECK pass|warn|fail [OUTPUT]"),
        (["load", "web", "much"], "'much' is no load"),
        (["load", "web", "-1"], "No such option"),
        (["maint", "maybe"], "'maybe': say on or off"),
        (["maint", "off", "--reason", "x"], "--reason is of 'maint on'"),
        (["drain", "--stop", "--for", "3"], "--stop ends a drain"),
        (["services", "--graph", "--node", "a"], "--node lists instances"),
    ],
)
def test_what_makes_no_sense_is_a_wrong_call(
    server: RpcThread, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert server.handle.commands == []


def test_refusals_of_the_daemon_are_one_line(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.refusal = UsageError("id: 'web' is taken")
    assert main(["register", "web"]) == 1
    assert capsys.readouterr().err == "gossipd: id: 'web' is taken\n"


def test_leave_drains_first_only_when_asked(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leave", "--drain", "2s"]) == 0
    assert server.handle.calls[-1] == ("leave", 2.0)


def test_the_graph_is_lines_dot_or_json(
    cluster: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["services", "--graph"]) == 0
    assert capsys.readouterr().out == (
        "web  2 of 2 passing\n"
        "  cache  nobody registers it\n"
        "  db  1 of 2 passing\n"
    )  # fmt: skip
    assert main(["services", "--dot"]) == 0
    assert '"web" -> "db";' in capsys.readouterr().out
    assert main(["services", "--graph", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["missing"] == ["cache"]
    assert [one["name"] for one in shown["services"]] == ["cache", "db", "web"]
    assert shown["services"][1]["needed_by"] == ["web"]
    assert main(["services", "--dot", "--svg"]) == 2


def test_a_circle_of_needs_is_drawn_once(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    show(
        server,
        make_instance("a", needs=("b",)),
        make_instance("b", needs=("c",)),
        make_instance("c", needs=("a",)),
    )
    assert main(["services", "--graph"]) == 0
    assert capsys.readouterr().out == (
        "a  1 of 1 passing\n"
        "  b  1 of 1 passing\n"
        "    c  1 of 1 passing\n"
        "      a  1 of 1 passing  (see above)\n"
    )


def test_a_picture_without_graphviz_is_a_clear_error(
    cluster: RpcThread, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["services", "--svg"]) == 1
    assert "Graphviz's dot is not installed" in capsys.readouterr().err


def test_the_impact_of_a_node_and_of_a_service(
    cluster: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["impact", "a"]) == 0
    assert capsys.readouterr().out == (
        "db: loses all 1 that pass (a/db); needed by web\n"
        "web: loses 1 of 2 that pass (a/web)\n"
        "broken without it: web\n"
    )
    assert main(["impact", "db", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["service"] == "db"
    assert shown["broken"] == ["web"]
    assert shown["losses"][0]["lost"] == [
        {"node": "a", "id": "db", "status": "passing"},
        {"node": "c", "id": "db", "status": "critical"},
    ]
    assert main(["impact", "b", "--node"]) == 0
    assert capsys.readouterr().out == "web: loses 1 of 2 that pass (b/web)\n"


def test_an_impact_of_what_nobody_knows_is_a_failure(
    cluster: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["impact", "nobody"]) == 1
    assert capsys.readouterr().err == "gossipd: no node or service is named 'nobody'\n"
    assert main(["impact", "web", "--node"]) == 1
    assert main(["impact", "a", "--service"]) == 1
    show(cluster, make_instance("a", "b"))
    assert main(["impact", "a"]) == 2
    assert "is a node and a service: say --node or --service" in capsys.readouterr().err


def test_waiting_for_a_service_follows_it(
    cluster: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wait", "--service", "web", "--passing", "2", "--timeout", "5"]) == 0
    assert capsys.readouterr().out == "web: 2 passing\n"
    assert main(["wait", "--service", "db", "--passing", "2", "--timeout", "0.1", "--json"]) == 4
    out, err = capsys.readouterr()
    assert json.loads(out)["missing"] == ["1 of 2 passing instances of db"]
    assert err == "gossipd: the time is up: 1 of 2 passing instances of db\n"
    assert main(["wait", "--service", "none", "--timeout", "0.1"]) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--service", "web", "--alive", "1"], "--service and --alive"),
        (["--passing", "1"], "--passing is of a service"),
        ([], "or --service NAME"),
    ],
)
def test_waits_that_make_no_sense(
    server: RpcThread, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["wait", *words]) == 2
    assert message in capsys.readouterr().err


def test_waiting_for_a_service_of_no_daemon_is_unreachable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--socket", str(tmp_path / "none.sock")]
    started = time.monotonic()
    assert main(["wait", "--service", "web", "--timeout", "0.2", *where]) == 3
    assert time.monotonic() - started < 5
    assert main(["wait", "--service", "web", *where]) == 3
    for words in (["services"], ["watch", "web"], ["run", "--service", "web", "--", "true"]):
        assert main([*words[:1], *where, *words[1:]]) == 3, words


def test_doubtful_instances_and_a_guard_are_told(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    show(server, replace(make_instance(owner="b"), owner_status="failed", is_doubtful=True))
    assert main(["service", "web"]) == 0
    out, err = capsys.readouterr()
    assert out.rstrip().endswith("node failed; doubtful")
    assert err == ""
    view = server.handle.service("web")
    guarded = replace(view, is_guarded=True, name="held")
    server.do(lambda: server.handle._views.update(held=guarded))
    assert main(["service", "held"]) == 0
    assert "lost at once that the fault may be here: 1 are kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["service", ""], ["db", "web"]),
        (["watch", "w"], ["web"]),
        (["impact", "d"], ["db"]),
        (["wait", "--service", ""], ["db", "web"]),
        (["run", "--needs", "d"], ["db"]),
        (["service", "web", "--near", ""], ["a", "b", "c"]),
        (["deregister", ""], ["mine"]),
        (["drain", "m"], ["mine"]),
        (["report", ""], ["service:mine"]),
        (["report", "service:mine", ""], []),
        (["maint", ""], ["on", "off"]),
        (["register", "--file", ""], ["FILES"]),
        (["template", ""], ["FILES"]),
    ],
)
def test_a_shell_is_offered_what_the_daemon_knows(
    cluster: RpcThread, line: list[str], offered: list[str]
) -> None:
    show(cluster, make_instance("$(reboot)"), make_instance("-x"), make_instance("a\nb"))
    assert main(["register", "mine", "--check", "ttl:30s"]) == 0
    *words, incomplete = line
    found = ShellComplete(click_group(), {}, "gossipd", "X").get_completions(words, incomplete)
    shown = ["FILES" if item.type == "file" else item.value for item in found]
    assert [word for word in shown if word != "mine" or "mine" in offered] == offered


def test_a_shell_is_offered_nothing_without_a_daemon(tmp_path: Path) -> None:
    words = ["service", "--socket", str(tmp_path / "none.sock")]
    assert ShellComplete(click_group(), {}, "gossipd", "X").get_completions(words, "") == []


@pytest.mark.parametrize(
    "words", [["services"], ["service", "web"], ["register", "web"], ["wait", "--service", "web"]]
)
def test_commands_load_nothing_heavy(cluster: RpcThread, words: list[str]) -> None:
    code = (
        "import sys; before = set(sys.modules);"
        f"from gossipd_cli.main import main; code = main({words!r});"
        "print(' '.join(set(sys.modules) - before)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    heavy = {
        "click", "trio", "anyio", "asyncio", "jinja2", "dataclasses", "typing", "re", "json",
        "logging", "subprocess", "ipaddress", "threading", "gossipd.node", "gossipd.catalog",
    }  # fmt: skip
    assert set(done.stdout.splitlines()[-1].split()) & heavy == set()
