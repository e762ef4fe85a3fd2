"""The socket file: made with its folder, replaced when stale, refused when served."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from gossipd.agent.socket_file import SocketFile, listen_tcp
from gossipd.errors import ConfigError


def test_the_file_is_made_with_its_folders_for_owner_and_group_only(tmp_path: Path) -> None:
    path = tmp_path / "run" / "gossipd" / "s.sock"
    file = SocketFile(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
    file.listener.close()
    file.remove()
    assert not path.exists()


def test_the_file_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    dead = SocketFile(path)
    dead.listener.close()
    file = SocketFile(path)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(path)
    file.listener.close()


def test_a_served_socket_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    live = SocketFile(path)
    with pytest.raises(ConfigError, match="is served by a running daemon"):
        SocketFile(path)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(path)
    live.listener.close()


def test_a_file_that_is_no_socket_is_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ConfigError, match="exists and is not a socket"):
        SocketFile(str(path))
    assert path.read_text() == "data"


def test_a_successors_file_is_not_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    first = SocketFile(path)
    first.listener.close()
    second = SocketFile(path)
    first.remove()
    assert os.path.exists(path)
    second.listener.close()


def test_a_path_that_is_too_long_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot listen on socket"):
        SocketFile(str(tmp_path / ("x" * 200)))


def test_an_rpc_address_in_use_is_refused_in_one_line() -> None:
    first = listen_tcp("rpc_addr", "127.0.0.1:0", 7373)
    port = first.getsockname()[1]
    with pytest.raises(ConfigError) as caught:
        listen_tcp("rpc_addr", f"127.0.0.1:{port}", 7373)
    first.close()
    assert str(caught.value) == f"cannot bind rpc_addr 127.0.0.1:{port}: address already in use"
