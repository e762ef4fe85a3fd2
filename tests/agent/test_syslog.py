"""The copy of the log that syslog gets: levels, one that does not read, one that is gone."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from functools import partial
from pathlib import Path

import pytest

from gossipd.agent.log import syslog as syslog_room
from gossipd.agent.log.logbook import Logbook, open_log
from gossipd.agent.log.syslog import RECONNECT_PAUSE, Syslog
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from support.logs import Lines


def test_syslog_gets_a_copy_at_the_level_of_the_output(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    clock = [time.mktime((2026, 11, 2, 7, 10, 30, 0, 0, -1))]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.setblocking(False)
        syslog = Syslog("local3", path, lambda: clock[0])
        log = Logbook("us", "INFO", None, syslog=syslog)
        log.say("DEBUG", "agent: no")
        log.say("WARN", "agent: a\nb")
        log.say("INFO", "agent: yes")
        log.close_syslog()
        log.say("ERR", "agent: too late")
        pid = os.getpid()
        assert server.recv(4096).decode() == (
            f"<{19 * 8 + 4}>Nov  2 07:10:30 gossipd[{pid}]: [WARN] agent: a\\nb"
        )
        assert server.recv(4096).startswith(b"<%d>" % (19 * 8 + 5))
        with pytest.raises(BlockingIOError):
            server.recv(4096)


def test_a_syslog_that_does_not_read_costs_lines_and_no_time(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.setblocking(False)
        syslog = Syslog("LOCAL0", path)
        assert syslog.problem == ""
        for number in range(5000):
            syslog.write("INFO", f"{number}" + "x" * 5000)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while server.recv(4096):
                taken += 1
        assert 0 < taken < 5000
        syslog.write("INFO", "again")
        assert server.recv(4096).endswith(
            f"[WARN] agent: {5000 - taken} log lines lost by syslog".encode()
        )
        assert server.recv(4096).endswith(b"again")
        syslog.close()


def test_a_syslog_that_listens_on_a_stream_gets_whole_lines(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    clock = [1000.0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(2)
        syslog = Syslog("LOCAL0", path, lambda: clock[0])
        assert syslog.problem == ""
        for number in range(2000):
            syslog.write("INFO", f"{number}" + "x" * 1900)
        reader, _ = server.accept()
        got = bytearray()
        with reader:
            reader.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while data := reader.recv(65536):
                    got += data
            syslog.write("INFO", "again")
            got += reader.recv(65536)
        *lines, rest = bytes(got).split(b"\0")
        taken = len(lines) - 2
        assert 0 < taken < 2000
        assert not rest
        assert all(line.startswith(b"<133>") for line in lines[:taken])
        assert all(line.endswith(b"x" * 1900) for line in lines[:taken])
        assert lines[-2].endswith(f"[WARN] agent: {2000 - taken} log lines lost by syslog".encode())
        assert lines[-1].endswith(b"again")
        syslog.write("INFO", "its reader is gone, another one takes it")
        reader, _ = server.accept()
        with reader:
            assert reader.recv(4096).endswith(b"another one takes it\0")
        syslog.close()


def test_a_syslog_that_is_gone_is_warned_of_once_and_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    clock = [1000.0]
    syslog = Syslog("LOCAL0", path, lambda: clock[0])
    assert syslog.problem == f"{path}: no such file or directory"
    syslog.write("INFO", "one")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        syslog.write("INFO", "two: too soon to try again")
        clock[0] += RECONNECT_PAUSE
        syslog.write("INFO", "three")
        assert server.recv(4096).endswith(b"2 log lines lost by syslog")
        assert server.recv(4096).endswith(b"three")
    os.unlink(path)
    syslog.write("INFO", "four")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:  # it was restarted
        server.bind(path)
        clock[0] += RECONNECT_PAUSE
        syslog.write("INFO", "five")
        assert server.recv(4096).endswith(b"1 log lines lost by syslog")
        assert server.recv(4096).endswith(b"five")
    syslog.close()


def test_an_absent_syslog_is_one_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    absent = str(tmp_path / "none")
    monkeypatch.setattr(syslog_room, "Syslog", partial(Syslog, path=absent))
    lines = Lines()
    config = AgentConfig(node=NodeConfig(name="us"), enable_syslog=True)
    log = open_log(config, lines)
    log.release()
    log.say("INFO", "agent: x")
    assert lines.texts[0].endswith(
        f"[WARN] agent: syslog gets no copy of the log: {absent}: no such file or directory"
    )
    assert len(lines.texts) == 2
    log.close_syslog()
