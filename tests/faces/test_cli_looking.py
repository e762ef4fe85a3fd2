"""``gossipd top`` and ``gossipd debug bundle`` against a fake daemon."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.config.settings import HIDDEN, Setting
from gossipd.node.view import Suspicion
from gossipd.services.own import FROM_CLIENT
from gossipd.services.reading import read_service
from gossipd_cli.looking.keys import Keys
from gossipd_cli.looking.picture import Totals
from gossipd_cli.main import main
from support.cli_daemon import found_daemon
from support.fake_handle import make_member, make_view
from support.rpc_thread import RpcThread
from support.template_source import make_instance

QUICK = ("--interval", "1ms")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    with found_daemon(tmp_path, monkeypatch) as running:
        running.do(lambda: running.handle.show(make_instance("web", "a", needs=("db",))))
        yield running


def bundle(folder: Path) -> dict[str, str]:
    path = folder / "b.tar.gz"
    assert main(["debug", "bundle", "-o", str(path)]) == 0
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix("gossipd-debug/"): archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }


def test_top_prints_a_snapshot_as_json(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", "--json", *QUICK]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["node"] == "a"
    assert shown["counts"]["failed"] == 1
    assert [member["name"] for member in shown["members"]] == ["c", "a", "b"], "what is bad first"
    assert shown["members"][2]["rtt_ms"] == pytest.approx(8.0)
    assert shown["services"][0]["needs"] == ["db"]
    assert set(shown["rates"]) == {"packets_in", "packets_out", "bytes_in", "bytes_out"}


@pytest.mark.parametrize(("sort", "names"), [("name", ["a", "b", "c"]), ("rtt", ["b", "a", "c"])])
def test_top_sorts_members(
    server: RpcThread, capsys: pytest.CaptureFixture[str], sort: str, names: list[str]
) -> None:
    assert main(["top", "--json", "--sort", sort, *QUICK]) == 0
    assert [member["name"] for member in json.loads(capsys.readouterr().out)["members"]] == names


def test_top_without_a_terminal_prints_once(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", *QUICK]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    for word in ("gossipd at a", "2 alive", "1 failed", "✕ failed", "8.00 ms", "web", "1/1"):
        assert word in text


def test_top_shows_who_accuses_whom_and_nothing_that_moves_the_cursor(
    server: RpcThread, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "b\x1b[2J[red]"
    view = make_view(
        make_member("a"), make_member(evil), suspicions={evil: Suspicion("a", 2, 98.0, 104.0)}
    )
    server.do(lambda: setattr(server.handle, "current", view))
    assert main(["top", "--once", *QUICK]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "b\\x1b[2J[red]" in text
    assert "accused by a, 2 confirmed, 4.0 s to refute" in text


def test_top_says_how_it_is_used(server: RpcThread, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--sort", "age"]) == 2
    assert "status" in capsys.readouterr().err


def test_rates_are_of_the_time_between_and_never_negative() -> None:
    def stats(packets: int, received: int) -> dict[str, dict[str, str]]:
        return {
            "gossipd": {"bytes_received": str(received), "stream_bytes_received": "0"},
            "gossipd_packets_sent": {"ping": str(packets), "ack": "1"},
        }

    before, after = Totals(stats(10, 1000), 5.0), Totals(stats(30, 400), 7.0)
    rates = after.rates(before)
    assert rates["packets_out"] == 10.0
    assert rates["bytes_in"] == 0, "the daemon was started again"


def test_keys_come_one_by_one_and_the_terminal_is_mended() -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with Keys(theirs) as keys:
            assert keys.wait(0) == ""
            os.write(ours, b"N")
            assert keys.wait(5) == "n"
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_bundle_holds_what_a_bug_report_needs(server: RpcThread, tmp_path: Path) -> None:
    server.do(lambda: server.handle.log("INFO", "agent: hello"))
    files = bundle(tmp_path)
    assert {
        *("README.txt", "versions.json", "statistics.json", "members.json", "services.json"),
        *("own-services.json", "configuration.toml", "log.txt", "tasks.txt"),
        "process/descriptors.txt",
    } <= set(files)
    assert "agent: hello" in files["log.txt"]
    assert [member["name"] for member in json.loads(files["members.json"])] == ["a", "b", "c"]
    assert json.loads(files["services.json"])["services"][0]["name"] == "web"
    assert "socket:" in files["process/descriptors.txt"]
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600


def test_a_bundle_holds_no_secrets(server: RpcThread, tmp_path: Path) -> None:
    check = {
        "id": "c",
        "http": "http://10.0.0.1/health?key=sesam2",
        "headers": {"X-Anything": "sesam3"},
        "body": "sesam4",
    }
    script = {"id": "s", "script": ["check", "--pin", "sesam5"]}
    service = read_service(
        {
            "name": "pay",
            "port": 1,
            "checks": [check, script],
            "meta": {
                "db_password": "sesam6",
                "url": "amqp://u:sesam7@host/",
                "q": "https://h/?x=sesam1",
            },
        }
    )
    handle = server.handle

    def fill() -> None:
        handle.register_service(service, FROM_CLIENT)
        handle.event_handlers = {"user:deploy": "/bin/deploy --token sesam8"}
        handle.known_settings = (
            Setting("", "rpc_auth", HIDDEN, "default"),
            Setting("", "statsd_addr", "10.0.0.1:8125", "default"),
            Setting("", "event_handlers", ("member-join=/x sesam9",), "default"),
            Setting("tags", "api_token", "sesam10", "default"),
        )
        handle.log("INFO", "agent: handler said password=sesam11")
        handle.current = make_view(make_member("a", tags={"secret": "sesam12"}))

    server.do(fill)
    files = bundle(tmp_path)
    assert [name for name, text in files.items() if "sesam" in text] == []
    assert '"pay"' in files["own-services.json"]
    assert "10.0.0.1:8125" in files["configuration.toml"]
    assert "user:deploy" in files["statistics.json"]


def test_a_bundle_goes_over_no_file_and_says_so(
    server: RpcThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.tar.gz"
    path.write_text("mine")
    assert main(["debug", "bundle", "--output", str(path)]) == 1
    assert "File exists" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(["debug", "parcel"]) == 2
