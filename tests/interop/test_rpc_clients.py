"""Published clients of Serf's RPC against our server: the ``serf`` command and serfclient."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.coordinate import Coordinate
from gossipd.errors import UsageError
from gossipd.node.view import Suspicion
from gossipd.serf.events import ChangeKind, QueryAcked, QueryAnswered
from gossipd.serf.question import KeyReport, Question
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.rpc_thread import RpcThread, rpc_thread

TOKEN = "s3cret"

needs_serf = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RpcThread]:
    handle = FakeHandle(
        make_view(
            make_member("a", tags={"role": "web"}),
            make_member("b", "127.0.0.2", tags={"role": "db"}),
            make_member("c", "127.0.0.3", status=MemberStatus.FAILED),
            suspicions={"b": Suspicion("a", 1, 99.0, 104.0)},
        )
    )
    handle.acks = ["a", "b"]
    handle.joinable = {"127.0.0.42"}
    with rpc_thread(tmp_path, handle, auth=TOKEN) as running:
        yield running


def serf(server: RpcThread, command: str, *words: str, code: int = 0) -> str:
    """Run ``serf command`` against the server and return what it printed."""
    done = subprocess.run(
        ["serf", command, f"-rpc-addr=127.0.0.1:{server.port}", f"-rpc-auth={TOKEN}", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


class TestSerfCommand:
    pytestmark = needs_serf

    def test_members(self, server: RpcThread) -> None:
        assert [line.split() for line in serf(server, "members").splitlines()] == [
            ["a", "127.0.0.1:7946", "alive", "role=web"],
            ["b", "127.0.0.2:7946", "alive", "role=db"],
            ["c", "127.0.0.3:7946", "failed"],
        ]
        assert "Protocol Version: 5" in serf(server, "members", "-detailed", "-status=failed")
        filtered = serf(server, "members", "-format=json", "-tag", "role=web|x", "-name=a")
        assert [member["name"] for member in json.loads(filtered)["members"]] == ["a"]
        refused = serf(server, "members", "-name=(", code=1)
        assert "Failed to compile regex" in refused

    def test_info(self, server: RpcThread) -> None:
        text = serf(server, "info")
        assert "agent:\n\tname = a\n" in text
        assert "\n\tmembers = 3\n" in text
        assert json.loads(serf(server, "info", "-format=json"))["tags"] == {"role": "web"}

    def test_join(self, server: RpcThread) -> None:
        text = serf(server, "join", "127.0.0.42", "127.0.0.49")
        assert text == "Successfully joined cluster by contacting 1 nodes.\n"
        text = serf(server, "join", "127.0.0.49", code=1)
        assert text.startswith("Error joining the cluster: 1 error occurred:\n\t* Failed to join")

    def test_force_leave_tags_and_leave(self, server: RpcThread) -> None:
        assert serf(server, "force-leave", "-prune", "c") == ""
        text = serf(server, "tags", "-set", "k=v", "-delete", "role")
        assert text == "Successfully updated agent tags\n"
        assert serf(server, "leave") == "Graceful leave complete\n"
        assert server.handle.calls == [
            ("force-leave", "c", True),
            ("tags", {"k": "v"}, ("role",)),
            ("leave",),
        ]

    def test_reachability(self, server: RpcThread) -> None:
        text = serf(server, "reachability", "-verbose")
        assert text.startswith("Total members: 3, live members: 2\nStarting reachability test...")
        assert "\tAck from 'a'\n\tAck from 'b'\n" in text
        assert text.endswith("Successfully contacted all live nodes\n")
        server.handle.acks = ["a"]
        serf(server, "reachability", code=1)

    def test_monitor(self, server: RpcThread) -> None:
        handle = server.handle
        handle.log("INFO", "2026/01/01 00:00:00 [INFO] agent: hello")
        command = ["serf", "monitor", f"-rpc-addr=127.0.0.1:{server.port}", f"-rpc-auth={TOKEN}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as monitor:
            try:
                assert monitor.stdout is not None
                assert monitor.stdout.readline().endswith("[INFO] agent: hello\n")
                server.wait_for(lambda: bool(handle.feeds))
                server.do(lambda: handle.change(ChangeKind.JOIN, make_member("d")))
                lines = [monitor.stdout.readline() for _ in range(3)]
                assert any("member-join" in line for line in lines), lines
                monitor.send_signal(signal.SIGINT)
                assert monitor.wait(30) == 0
            finally:
                monitor.kill()

    def test_event(self, server: RpcThread) -> None:
        text = serf(server, "event", "deploy", "v1")
        assert text == "Event 'deploy' dispatched! Coalescing enabled: true\n"
        serf(server, "event", "-coalesce=false", "restart")
        assert server.handle.calls == [
            ("event", "deploy", b"v1", True, (), {}),
            ("event", "restart", None, False, (), {}),
        ]
        refusal = "user event exceeds configured limit of 512 bytes before encoding"
        server.handle.refusals["event"] = UsageError(refusal)
        assert refusal in serf(server, "event", "big", code=1)

    def test_query(self, server: RpcThread) -> None:
        server.handle.replies = [
            QueryAcked(1, "a"), QueryAnswered(1, "a", b"0.42\n"), QueryAnswered(1, "b", None),
        ]  # fmt: skip
        words = ("-node=a", "-tag", "role=w.", "-timeout=600ms", "-relay-factor=2", "load", "now")
        # Serf's command chooses at random what it prints first of what is there.
        assert sorted(serf(server, "query", *words).splitlines()) == [
            "Ack from 'a'", "Query 'load' dispatched", "Response from 'a': 0.42",
            "Response from 'b': ", "Total Acks: 1", "Total Responses: 2",
        ]  # fmt: skip
        question = Question(
            name="load", payload=b"now", nodes=("a",), tags={"role": "w."}, wants_acks=True,
            relay_factor=2, timeout=0.6,
        )  # fmt: skip
        assert server.handle.calls == [("ask", question)]
        found = json.loads(serf(server, "query", "-format=json", "load"))
        assert found == {"Acks": ["a"], "Responses": {"a": "0.42\n", "b": ""}}
        assert "cannot contain the '_serf_' prefix" in serf(server, "query", "_serf_x", code=1)

    def test_keys(self, server: RpcThread) -> None:
        key = "AAECAwQFBgcICQoLDA0ODw=="
        server.handle.key_report = KeyReport(2, 2, 0, {}, {key: 2}, {key: 2})
        assert f"{key}  [2/2]" in serf(server, "keys", "-list")
        for action, told in (("install", "installed"), ("use", "changed primary"), ("remove", "r")):
            assert f"Successfully {told}" in serf(server, "keys", f"-{action}", key)
        failed = {"b": "Removing the primary key is not allowed"}
        error = "1/2 nodes reported failure"
        server.handle.key_report = KeyReport(2, 2, 1, failed, {}, {}, error)
        text = serf(server, "keys", "-remove", key, code=1)
        assert failed["b"] in text
        assert f"Error removing key: {error}" in text
        assert "illegal base64 data at input byte 0" in serf(server, "keys", "-use=@", code=1)

    def test_rtt(self, server: RpcThread) -> None:
        server.handle.coordinates = {
            "a": Coordinate(vec=(0.003, *[0.0] * 7), height=0.001),
            "b": Coordinate(vec=(0.0, 0.004, *[0.0] * 6), height=0.002, adjustment=-0.0005),
        }
        assert serf(server, "rtt", "a", "b") == "Estimated a <-> b rtt: 7.500 ms\n"
        assert serf(server, "rtt", "b") == "Estimated b <-> a rtt: 7.500 ms\n"
        assert "Could not find a coordinate" in serf(server, "rtt", "a", "zz", code=1)


def test_serfclient_from_the_package_index(server: RpcThread) -> None:
    client_module = pytest.importorskip("serfclient.client")
    client = client_module.SerfClient("127.0.0.1", server.port, rpc_auth=TOKEN)
    members = client.members().body["Members"]
    assert [member["Name"] for member in members] == ["a", "b", "c"]
    filtered = client.members(name="a", status="alive", tags={"role": "web"}).body["Members"]
    assert [member["Tags"] for member in filtered] == [{"role": "web"}]
    assert client.join(["127.0.0.42"]).body == {"Num": 1}
    client.force_leave("c")
    assert client.stats().body["agent"] == {"name": "a"}
    client.event("deploy", b"\x00\xff", coalesce=False)
    client.event("deploy", None)
    assert server.handle.calls == [
        ("join", ("127.0.0.42",), False),
        ("force-leave", "c", False),
        ("event", "deploy", b"\x00\xff", False, (), {}),
        ("event", "deploy", None, True, (), {}),
    ]
    client.close()
