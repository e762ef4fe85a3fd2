"""A fake daemon that the commands of the CLI find by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gossipd.coordinate import Coordinate
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_thread import RpcThread, rpc_thread


@contextmanager
def found_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    """Serve a cluster of three, of which ``c`` failed; the environment names the socket."""
    handle = FakeHandle(
        make_view(
            make_member("a", tags={"role": "web"}),
            make_member("b", "127.0.0.2", tags={"role": "db"}),
            make_member("c", "127.0.0.3", status=MemberStatus.FAILED),
        )
    )
    handle.coordinates = {
        "a": Coordinate(vec=(0.003, *[0.0] * 7), height=0.001),
        "b": Coordinate(vec=(0.0, 0.004, *[0.0] * 6), height=0.002),
    }
    for name in ("GOSSIPD_RPC_AUTH", "SERF_RPC_ADDR", "SERF_RPC_AUTH"):
        monkeypatch.delenv(name, raising=False)
    with rpc_thread(tmp_path, handle) as running:
        monkeypatch.setenv("GOSSIPD_SOCKET", running.path)
        yield running
