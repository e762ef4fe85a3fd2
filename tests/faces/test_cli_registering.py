"""Registering many services by one command: at the daemon's pace, and what a refusal leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from gossipd.errors import Unavailable, UsageError
from gossipd.services.definition import TOO_OFTEN, Service
from gossipd_cli.main import main
from gossipd_cli.services import registering
from support.cli_daemon import found_daemon
from support.rpc_thread import RpcThread


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    with found_daemon(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def listed(tmp_path: Path) -> str:
    """Return a file of three services."""
    file = tmp_path / "many.json"
    file.write_text(json.dumps([{"name": "web", "id": f"web-{n}"} for n in range(3)]))
    return str(file)


class Clock:
    """Stands for the module ``time``."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def refuse_from(
    server: RpcThread, monkeypatch: pytest.MonkeyPatch, service: str, error: Exception, times: int
) -> None:
    """Let the daemon refuse ``service`` so many times."""
    handle = server.handle
    take = handle.register_service
    left = [error] * times

    def register(wanted: Service, source: str) -> tuple[str, ...]:
        if wanted.id == service and left:
            raise left.pop()
        return take(wanted, source)

    monkeypatch.setattr(handle, "register_service", register)


def ids(server: RpcThread) -> list[str]:
    return [cast("Service", command[1]).id for command in server.handle.commands]


def test_a_long_list_waits_until_the_daemon_takes_more(
    server: RpcThread,
    monkeypatch: pytest.MonkeyPatch,
    listed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    monkeypatch.setattr(registering, "time", clock)
    refuse_from(server, monkeypatch, "web-1", Unavailable(f"{TOO_OFTEN}: 50 a second"), 3)
    assert main(["register", "--file", listed]) == 0
    assert ids(server) == ["web-0", "web-1", "web-2"]
    assert capsys.readouterr().err == ""
    assert clock.now == pytest.approx(3 * registering.RETRY_SECONDS)


def test_a_list_does_not_wait_for_ever(
    server: RpcThread,
    monkeypatch: pytest.MonkeyPatch,
    listed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    monkeypatch.setattr(registering, "time", clock)
    refuse_from(server, monkeypatch, "web-0", Unavailable(f"{TOO_OFTEN}: 50 a second"), 1000)
    assert main(["register", "--file", listed]) == 1
    assert clock.now == pytest.approx(registering.PATIENCE_SECONDS, abs=0.2)
    assert capsys.readouterr().err.splitlines() == [
        "gossipd: 0 of 3 services are registered, web-0 is not:",
        f"gossipd: {TOO_OFTEN}: 50 a second",
    ]


def test_what_was_registered_before_a_refusal_is_told_also_as_json(
    server: RpcThread,
    monkeypatch: pytest.MonkeyPatch,
    listed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuse_from(server, monkeypatch, "web-2", UsageError("id: 'web-2' is taken"), 1)
    assert main(["register", "--file", listed, "--json"]) == 1
    out, err = capsys.readouterr()
    assert [one["id"] for one in json.loads(out)["registered"]] == ["web-0", "web-1"]
    assert err.splitlines() == [
        "gossipd: 2 of 3 services are registered, web-2 is not:",
        "gossipd: id: 'web-2' is taken",
    ]


def test_of_many_it_is_said_whose_a_warning_is(
    server: RpcThread, listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.handle.warnings = ("weight is 0",)
    assert main(["register", "--file", listed]) == 0
    assert capsys.readouterr().err.splitlines()[1] == "gossipd: warning: web-1: weight is 0"
