"""``Client`` against a server with a fake node, over a real unix socket and TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.client.blocking import Client
from gossipd.client.connection import DaemonUnreachable, RequestRefused
from gossipd.client.endpoint import default_socket_path, find_auth, find_endpoint, parse_endpoint
from gossipd.client.link import Kept, NoAnswer
from gossipd.errors import UsageError, WireError
from gossipd.node.view import Suspicion
from gossipd.query.framing import encode
from gossipd.query.records import read_event_untrusted, read_log_untrusted
from gossipd.serf.events import ChangeKind
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_thread import RpcThread, rpc_thread


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RpcThread]:
    handle = FakeHandle(
        make_view(
            make_member("b", "::1", tags={"role": "db"}),
            make_member("a", tags={"role": "web"}),
            suspicions={"b": Suspicion("a", 2, 90.0, 130.0)},
        )
    )
    with rpc_thread(tmp_path, handle) as running:
        yield running


def test_members_come_typed_and_sorted_over_both_kinds_of_socket(server: RpcThread) -> None:
    for where in (server.path, f"127.0.0.1:{server.port}"):
        with Client(where) as client:
            a, b = client.members()
            assert (a.name, a.address, a.status) == ("a", "127.0.0.1:7946", "alive")
            assert a.suspicion is None
            assert (a.delegate, a.protocol) == ((5, 5, 2), (2, 5, 1))
            assert (b.address, b.tags) == ("[::1]:7946", {"role": "db"})
            assert b.suspicion is not None
            assert (b.suspicion.accuser, b.suspicion.suspected_for) == ("a", 10.0)
            assert [m.name for m in client.members_filtered(tags={"role": "w.*"})] == ["a"]


def test_commands_reach_the_node(server: RpcThread) -> None:
    server.handle.joinable = {"10.0.0.1"}
    with Client(server.path) as client:
        assert client.join(["10.0.0.1", "10.0.0.2"], replay=True) == 1
        client.force_leave("x", prune=True)
        client.set_tags({"k": "v"}, delete=["d"])
        assert client.tags() == {"role": "web"}
        assert client.stats()["agent"] == {"name": "a"}
        client.leave()
        with pytest.raises(DaemonUnreachable):
            client.members()
    assert server.handle.calls == [
        ("join", ("10.0.0.1", "10.0.0.2"), True),
        ("force-leave", "x", True),
        ("tags", {"k": "v"}, ("d",)),
        ("leave",),
    ]


def test_refusals_are_raised_and_the_connection_stays_usable(server: RpcThread) -> None:
    with Client(server.path) as client:
        with pytest.raises(RequestRefused) as caught:
            client.join(["10.0.0.1"])
        assert "Failed to join 10.0.0.1" in caught.value.error
        assert caught.value.body == {"Num": 0}
        with pytest.raises(RequestRefused):
            client.members_filtered(name="(")
        assert len(client.members()) == 2


def test_events_and_log_lines_come_between_answers(server: RpcThread) -> None:
    handle = server.handle
    handle.log("INFO", "2026/01/01 00:00:00 [INFO] agent: hello")
    with Client(server.path) as client:
        events, lines = client.stream("member-join"), client.monitor("info")
        server.do(lambda: handle.change(ChangeKind.JOIN, make_member("c")))
        assert next(lines).level == "INFO"
        event = next(events)
        assert (event.kind, event.members[0].name) == ("member-join", "c")
        server.do(lambda: handle.change(ChangeKind.JOIN, make_member("d")))
        server.wait_for(lambda: True)
        assert [m.name for m in client.members()] == ["a", "b", "c", "d"]
        assert next(events).members[0].name == "d"


def test_reachability_yields_acks_and_ends(server: RpcThread) -> None:
    server.handle.acks = ["a", "b"]
    with Client(server.path) as client:
        assert list(client.reachability()) == ["a", "b"]
        assert list(client.reachability(1.5)) == ["a", "b"]
        assert len(client.members()) == 2


def test_a_token_is_shown_and_a_wrong_one_refused(tmp_path: Path) -> None:
    with rpc_thread(tmp_path, auth="s3cret") as server:
        with Client(server.path, auth="s3cret") as client:
            assert len(client.members()) == 1
        with pytest.raises(RequestRefused, match="Invalid authentication token"):
            Client(server.path, auth="nope")
        with Client(server.path) as client:
            with pytest.raises(RequestRefused, match="Authentication required"):
                client.members()
            with pytest.raises(RequestRefused, match="Authentication required"):
                client.stats()


def test_nobody_at_the_socket_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable) as caught:
        Client(str(tmp_path / "none.sock"))
    assert str(tmp_path / "none.sock") in str(caught.value)
    assert "gossipd agent" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_closed_client_says_so_in_our_own_error(server: RpcThread) -> None:
    client = Client(server.path)
    client.close()
    with pytest.raises(DaemonUnreachable):
        client.members()


def test_a_daemon_that_freezes_within_a_reachability_test_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "frozen.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                for seq in (1, 2):
                    accepted.recv(1000)
                    accepted.sendall(encode({"Error": "", "Seq": seq}))
                accepted.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        with Client(path, timeout=0.2) as client, pytest.raises(NoAnswer):
            list(client.reachability(0.1))
        thread.join()


@pytest.mark.parametrize(
    ("reply", "error"),
    [(b"\xc1", WireError), (b"\x01", WireError), (b"", DaemonUnreachable), (None, NoAnswer)],
)
def test_what_is_no_daemon_is_noticed(
    tmp_path: Path, reply: bytes | None, error: type[Exception]
) -> None:
    path = str(tmp_path / "odd.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(1000)
                if reply is None:
                    accepted.recv(1000)
                else:
                    accepted.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(error):
            Client(path, timeout=0.05 if reply is None else 10)
        thread.join()


def test_the_default_socket_follows_the_environment() -> None:
    assert default_socket_path({}, 0) == "/run/gossipd/gossipd.sock"
    assert default_socket_path({"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == "/run/user/7/gossipd.sock"
    assert default_socket_path({"HOME": "/home/x"}, 7) == "/home/x/.gossipd/gossipd.sock"
    environ = {"SERF_RPC_ADDR": "10.0.0.1:99"}
    assert str(find_endpoint(None, environ, 0)) == "10.0.0.1:99"
    environ["GOSSIPD_SOCKET"] = "/tmp/g.sock"
    assert str(find_endpoint(None, environ, 0)) == "/tmp/g.sock"
    assert str(find_endpoint("[::1]:5", environ, 0)) == "[::1]:5"
    assert str(find_endpoint(None, {}, 0)) == "/run/gossipd/gossipd.sock"
    assert find_auth(None, {"SERF_RPC_AUTH": "s"}) == "s"
    assert find_auth("t", {"GOSSIPD_RPC_AUTH": "g", "SERF_RPC_AUTH": "s"}) == "t"
    assert find_auth(None, {"GOSSIPD_RPC_AUTH": "g", "SERF_RPC_AUTH": "s"}) == "g"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:g.sock", "g.sock"),
        ("./g.sock", "./g.sock"),
        ("g.sock", "g.sock"),
        ("host:", "host:7373"),
        (":7000", "127.0.0.1:7000"),
        ("[::1]", "[::1]:7373"),
    ],
)
def test_endpoints_in_other_spellings(text: str, expected: str) -> None:
    assert str(parse_endpoint(text)) == expected


@pytest.mark.parametrize("text", ["host:x", "host:0", "host:70000", "unix:", "a:b:c"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(text)


def test_records_that_were_not_read_in_time_leave_a_gap_where_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gossipd.client.link.RECORDS_MAX", 3)
    kept = Kept()
    assert kept.take() is None
    for number in range(5):
        kept.put({"Event": str(number)})
    gap = (kept.take() or ("none",))[0]
    assert read_event_untrusted(gap).kind == "gap"
    assert read_event_untrusted(gap).lost == read_log_untrusted(gap).lost == 2
    assert [kept.take() for _ in range(4)] == [*(({"Event": n},) for n in "234"), None]
    for number in range(5):
        kept.put({"Event": str(number)})
    assert kept.clear() == 5
    assert kept.take() is None
