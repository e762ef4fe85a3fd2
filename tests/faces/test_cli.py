"""The command line against a fake daemon: output, exit codes, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from gossipd.errors import UsageError
from gossipd.node.view import Suspicion
from gossipd.wire.serf_messages import MemberStatus
from gossipd_cli.main import _MODULES, SUMMARIES, _command, click_group, main
from gossipd_cli.plain import parse_plain
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_thread import RpcThread, rpc_thread


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOSSIPD_SOCKET", "GOSSIPD_RPC_AUTH", "SERF_RPC_ADDR", "SERF_RPC_AUTH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    handle = FakeHandle(
        make_view(
            make_member("b", "127.0.0.2", tags={"role": "db"}, status=MemberStatus.FAILED),
            make_member("a", tags={"role": "web", "dc": "east"}),
        )
    )
    with rpc_thread(tmp_path, handle) as running:
        monkeypatch.setenv("GOSSIPD_SOCKET", running.path)
        yield running


def test_members_are_sorted_columns(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["members"]) == 0
    assert capsys.readouterr().out == (
        "a  127.0.0.1:7946  alive   dc=east,role=web\n"
        "b  127.0.0.2:7946  failed  role=db\n"
    )  # fmt: skip
    assert main(["members", "--status", "failed", "--detailed"]) == 0
    assert capsys.readouterr().out == (
        "b  127.0.0.2:7946  failed  role=db"
        "  Protocol Version: 5  Available Protocol Range: [2, 5]\n"
    )
    assert main(["members", "--tag", "role=web|db", "--tag=dc=.+", "--name=[ab]"]) == 0
    assert capsys.readouterr().out.startswith("a  ")
    assert main(["members", "--name", "nobody"]) == 0
    assert capsys.readouterr().out == ""


def test_members_as_json_are_serfs_form(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.current = make_view(
        make_member("a", tags={"k": "v"}), suspicions={"a": Suspicion("b", 1, 99.0, 103.5)}
    )
    assert main(["members", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "members": [
            {
                "name": "a",
                "addr": "127.0.0.1:7946",
                "port": 7946,
                "tags": {"k": "v"},
                "status": "alive",
                "protocol": {"max": 5, "min": 2, "version": 5},
                "suspected": {
                    "by": "b",
                    "confirmations": 1,
                    "for_seconds": 1.0,
                    "remaining_seconds": 3.5,
                },
            }
        ]
    }


def test_nobody_is_an_empty_list_and_no_failure(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["members", "--name", "nobody"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["members", "--name", "nobody", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"members": []}


def test_names_cannot_write_to_the_terminal(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.current = make_view(make_member("a\x1b[2J\udcff"))
    assert main(["members"]) == 0
    assert capsys.readouterr().out.startswith("a\\x1b[2J\\udcff  ")


def test_refusals_cannot_write_to_the_terminal(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.refusals["leave"] = UsageError("remote said \x1b[2J")
    assert main(["leave"]) == 1
    assert capsys.readouterr().err == "gossipd: remote said \\x1b[2J\n"


def test_join_reports_how_many_were_contacted(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.joinable = {"x"}
    assert main(["join", "x"]) == 0
    assert capsys.readouterr() == ("Successfully joined cluster by contacting 1 nodes.\n", "")
    assert main(["join", "--replay", "x", "y"]) == 0
    assert "1 of 2 addresses" in capsys.readouterr().err
    assert server.handle.calls[-1] == ("join", ("x", "y"), True)
    assert main(["join", "y"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "gossipd: 1 error occurred: Failed to join y: connection refused\n"


def test_leave_and_force_leave(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["force-leave", "b", "--prune"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["force-leave", "nobody"]) == 1
    assert capsys.readouterr().err == "gossipd: no member is named 'nobody'\n"
    server.handle.refusals["leave"] = UsageError("Leave already in progress")
    assert main(["leave"]) == 1
    assert capsys.readouterr().err == "gossipd: Leave already in progress\n"
    server.handle.refusals.clear()
    assert main(["leave"]) == 0
    assert capsys.readouterr().out == "Graceful leave complete\n"


def test_tags_are_shown_or_changed(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tags"]) == 0
    assert capsys.readouterr().out == "dc=east\nrole=web\n"
    assert main(["tags", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dc": "east", "role": "web"}
    assert main(["tags", "--set", "k=a=b", "--set=e=", "--delete", "dc"]) == 0
    assert capsys.readouterr().out == "Successfully updated agent tags\n"
    assert server.handle.calls[-1] == ("tags", {"k": "a=b", "e": ""}, ("dc",))
    assert main(["tags", "--set", "novalue"]) == 2
    assert "'novalue' is not key=value" in capsys.readouterr().err


def test_info_is_serfs_text_with_our_sections(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("agent:\n\tname = a\nevent_handlers:\ngossipd:\n\taddress = ")
    assert "\nserf:\n\tcoordinate_resets = 0\n\tencrypted = false\n" in text
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["serf"]["members"] == "2"


def test_reachability_fails_when_somebody_is_silent(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.acks = ["a"]
    assert main(["reachability", "--verbose", "--timeout", "500ms"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "Total members: 2, live members: 1\nStarting reachability test...\n\tAck from 'a'\n"
    )
    assert out.endswith("Successfully contacted all live nodes\n")
    server.handle.acks = []
    assert main(["reachability"]) == 1
    assert "1 of 1 live members did not answer: a" in capsys.readouterr().err
    assert main(["reachability", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["silent"] == ["a"]
    server.handle.acks = ["a", "a"]
    assert main(["reachability"]) == 1


def test_no_daemon_is_exit_code_3_and_a_bad_address_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.sock")
    for words in (["members", "--socket", missing], ["--socket", missing, "members"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("GOSSIPD_SOCKET", raising=False)
            assert main(words) == 3
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.count("\n") == 1
        assert missing in shown.err
    assert main(["members", "--socket", "host:notaport"]) == 2
    assert main(["members", "--socket", "a..b:1"]) == 3


def test_the_token_comes_from_option_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with rpc_thread(tmp_path, auth="s3cret") as server:
        address = f"127.0.0.1:{server.port}"
        assert main(["members", "--socket", address, "--rpc-auth", "s3cret"]) == 0
        assert main(["--rpc-auth", "s3cret", "--socket", address, "members"]) == 0
        assert main(["members", "--socket", address]) == 1
        assert "Authentication required: " in (told := capsys.readouterr().err)
        assert "--rpc-auth" in told
        monkeypatch.setenv("SERF_RPC_ADDR", address)
        monkeypatch.setenv("SERF_RPC_AUTH", "s3cret")
        assert main(["members"]) == 0
        monkeypatch.setenv("GOSSIPD_RPC_AUTH", "wrong")
        assert main(["members"]) == 1
        assert capsys.readouterr().err.endswith("gossipd: Invalid authentication token\n")


def test_keygen_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen"]) == 0
    assert len(capsys.readouterr().out) == 45
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("gossipd 0.")
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["serf_protocol"] == 5


def test_mistakes_are_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["members", "--nosuch"],
        ["nosuch"],
        ["join"],
        ["members", "extra"],
        ["reachability", "--timeout", "-1"],
        ["monitor", "--log-level", "loud"],
        ["completion", "tcsh"],
    ):
        assert main(words) == 2, words
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("gossipd: ")
        assert shown.err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(_MODULES))
def test_every_command_has_help_from_the_same_table(name: str) -> None:
    result = CliRunner().invoke(click_group(), [name, "--help"])
    assert result.exit_code == 0
    for option in _command(name).options:
        assert option.names[-1] in result.output


def test_the_group_lists_all_commands_without_loading_them() -> None:
    result = CliRunner().invoke(click_group(), ["--help"])
    assert result.exit_code == 0
    for name, summary in SUMMARIES.items():
        assert name in result.output
        assert summary in result.output


def test_click_gives_the_same_values_as_the_quick_parser(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--name", "a", "--tag", "dc=east", "--json"]
    assert main(["members", *words]) == 0
    quick = capsys.readouterr().out
    result = CliRunner().invoke(click_group(), ["members", *words])
    assert result.output == quick


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--nam", "x"], ["--name"], ["--json=1"], ["--tag", "x"], ["word"],
     ["--name", "--json"], ["--", "x"]],
)  # fmt: skip
def test_the_quick_parser_leaves_what_is_not_plain_to_click(words: list[str]) -> None:
    assert parse_plain(_command("members"), words) is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_us(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_GOSSIPD_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["keys", "i"], ["install"]),
        (["keys", "install", ""], []),
        (["agent", "--profile", "w"], ["wan"]),
        (["agent", "--log-level", "D"], ["DEBUG"]),
        (["monitor", "--log-level", "d"], ["debug"]),
        (["agent", "--config", ""], ["FILES"]),
        (["agent", "--data-dir", ""], ["FILES"]),
        (["config", "check", ""], ["FILES"]),
        (["config", "show", "--keyring-file", ""], ["FILES"]),
        (["event", "--payload-file", ""], ["FILES"]),
        (["members", "--socket", ""], ["FILES"]),
        (["members", "--st"], ["--status"]),
    ],
)
def test_a_shell_is_offered_words_and_files(line: list[str], offered: list[str]) -> None:
    *words, incomplete = line
    found = ShellComplete(click_group(), {}, "gossipd", "X").get_completions(words, incomplete)
    assert ["FILES" if item.type == "file" else item.value for item in found] == offered


def start_cli(*words: str, **extra: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    environ = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'cli'}"} | extra
    return subprocess.Popen(
        [sys.executable, *words],
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_members_call_loads_nothing_heavy(server: RpcThread) -> None:
    code = (
        "import sys; before = set(sys.modules);"  # an editable install loads some at start
        "from gossipd_cli.main import main; code = main(['members']);"
        "print(' '.join(set(sys.modules) - before), file=sys.stderr); sys.exit(code)"
    )
    with start_cli("-c", code) as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("a  127.0.0.1:7946")
    loaded = set(err.split())
    assert "gossipd.client.blocking" in loaded
    heavy = {
        "click", "trio", "anyio", "asyncio", "msgspec", "dataclasses", "typing", "re", "json",
        "rich", "logging", "subprocess", "ipaddress", "gossipd.node", "gossipd.query.pattern",
        "gossipd.services", "gossipd.query.service_requests", "gossipd.query.service_records",
    }  # fmt: skip
    assert loaded & heavy == set()


def run_members(server: RpcThread, redirect: str = "", **extra: str) -> tuple[int, str, str]:
    script = f'"{sys.executable}" -m gossipd_cli members {redirect}'
    words = ("-c", "import os, sys; os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])", script)
    with start_cli(*words, GOSSIPD_SOCKET=server.path, **extra) as process:
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_letters_that_the_locale_does_not_have_are_escaped(server: RpcThread) -> None:
    server.handle.current = make_view(make_member("\u0416"))
    code, out, err = run_members(server, PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert out.startswith("\\u0416  127.0.0.1:7946")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_one_line_and_exit_code_1(server: RpcThread) -> None:
    code, _, err = run_members(server, ">/dev/full")
    assert code == 1
    assert err == "gossipd: cannot write the output: No space left on device\n"


def test_a_closed_standard_output_is_no_crash(server: RpcThread) -> None:
    assert run_members(server, ">&-") == (0, "", "")
    assert run_members(server, ">&- 2>&- <&-") == (0, "", "")


def test_importing_the_package_loads_no_trio() -> None:
    code = (
        "import sys, gossipd; gossipd.Client; gossipd.GossipdError; gossipd.__version__;"
        "print(' '.join(sys.modules))"
    )
    with start_cli("-c", code) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert {"trio", "anyio", "msgspec", "click"} & set(out.split()) == set()


def test_monitor_and_watch_follow_until_interrupted(server: RpcThread) -> None:
    import signal

    from gossipd.serf.events import ChangeKind

    handle = server.handle
    handle.log("INFO", "2026/01/01 00:00:00 [INFO] agent: hello")
    with (
        start_cli("-m", "gossipd_cli", "monitor", "--json", GOSSIPD_SOCKET=server.path) as monitor,
        start_cli("-m", "gossipd_cli", "members", "--watch", GOSSIPD_SOCKET=server.path) as watch,
    ):
        assert monitor.stdout is not None
        assert watch.stdout is not None
        first = json.loads(monitor.stdout.readline())
        assert first == {"level": "INFO", "log": "2026/01/01 00:00:00 [INFO] agent: hello"}
        assert watch.stdout.readline().startswith("a  ")
        assert watch.stdout.readline().startswith("b  ")
        server.wait_for(lambda: len(handle.feeds) == 2)
        assert sorted(feed.coalesced for feed in handle.feeds) == [False, True]
        assert {feed.may_answer for feed in handle.feeds} == {None}
        server.do(lambda: handle.change(ChangeKind.LEAVE, make_member("b")))
        event = json.loads(monitor.stdout.readline())
        assert (event["event"], event["members"][0]["name"]) == ("member-leave", "b")
        assert watch.stdout.readline() == "\n"
        assert watch.stdout.readline().startswith("a  ")
        for process, code in ((monitor, 0), (watch, 0)):
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == code
