"""A kept registration that others take back: made again, unless it was drained."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from gossipd.client import following, keeping
from gossipd.client.blocking import Client
from gossipd.client.connection import DaemonUnreachable, RequestRefused
from gossipd.errors import GossipdError
from support.fake_services import make_instance
from support.rpc_thread import RpcThread, rpc_thread

SECONDS = 20.0
Told = queue.Queue[tuple[bool, GossipdError | None]]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RpcThread]:
    monkeypatch.setattr(following, "RETRY_FIRST", 0.001)
    with rpc_thread(tmp_path) as running:
        yield running


@contextmanager
def kept(server: RpcThread) -> Iterator[tuple[keeping.KeptRegistration, Told]]:
    """Return a registration of ``web`` that follows its service, and what it tells."""
    told: Told = queue.Queue()
    table = {"name": "web", "port": 1}
    keeper = keeping.KeptRegistration(lambda: Client(server.path), table, notices_loss=True)
    keeper.on_change = lambda: told.put((keeper.is_registered, keeper.trouble))
    server.wait_for(lambda: server.handle.watchers_of("web") == 1)
    yield keeper, told
    keeper.release()


def ids(server: RpcThread) -> list[str]:
    return [one.service.id for one in server.handle.own.services]


def test_what_somebody_else_deregisters_is_registered_again(server: RpcThread) -> None:
    with kept(server) as (_, told):
        for _ in range(2):
            with Client(server.path) as client:
                client.deregister("web")
            is_registered, trouble = told.get(timeout=SECONDS)
            assert not is_registered
            assert isinstance(trouble, keeping.TakenBack)
            assert not trouble.is_drained
            assert told.get(timeout=SECONDS) == (True, None)
            server.wait_for(lambda: server.handle.watchers_of("web") == 1)
            assert ids(server) == ["web"]
    server.wait_for(lambda: not ids(server))
    assert told.empty()


def test_what_was_drained_stays_away(server: RpcThread) -> None:
    handle = server.handle
    with kept(server) as (keeper, told):
        draining = make_instance("a", "web", port=1, weight=0, is_draining=True)
        server.do(lambda: handle.show(draining))
        server.do(lambda: handle.deregister_service("web"))
        is_registered, trouble = told.get(timeout=SECONDS)
        assert not is_registered
        assert isinstance(trouble, keeping.TakenBack)
        assert trouble.is_drained
        keeper._thread.join(SECONDS)
        assert not keeper._thread.is_alive()
    assert (ids(server), told.empty()) == ([], True)


def test_what_happens_to_others_of_its_name_and_id_is_no_loss(server: RpcThread) -> None:
    handle = server.handle
    with kept(server) as (_, told):
        for owner, key in (("b", "web"), ("a", "web-2")):
            server.do(lambda owner=owner, key=key: handle.show(make_instance(owner, "web", key)))  # type: ignore[misc]
            server.do(lambda owner=owner, key=key: handle.hide(owner, "web", key))  # type: ignore[misc]
        server.do(lambda: handle.show(make_instance("a", "web", status="critical")))
        server.do(lambda: handle.show_together("web", [make_instance("a", "web")]))
        server.do(lambda: handle.deregister_service("web"))  # the only one that counts
        assert not told.get(timeout=SECONDS)[0]
        assert told.get(timeout=SECONDS) == (True, None)


def test_a_daemon_that_goes_away_is_no_loss_either(server: RpcThread) -> None:
    with kept(server) as (_, told):
        server.stop()
        is_registered, trouble = told.get(timeout=SECONDS)
        assert not is_registered
        assert isinstance(trouble, DaemonUnreachable)


def test_where_nobody_may_watch_the_end_of_the_daemon_is_waited_for() -> None:
    gone, told = threading.Event(), threading.Event()
    client = Mock(spec=Client)
    client.register.return_value.warnings = ()
    client.services_of.return_value = [make_instance()]
    client.watch.side_effect = RequestRefused("too many watches on this connection")
    client.wait_for_end.side_effect = gone.wait
    keeper = keeping.KeptRegistration(lambda: client, {"name": "web"}, notices_loss=True)
    keeper.on_change = told.set
    assert keeper.is_registered
    gone.set()
    assert told.wait(SECONDS)
    keeper.release()
    client.wait_for_end.assert_called()
