"""Published clients of Serf's RPC against our server: the ``serf`` command and serfclient."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.node.view import Suspicion
from gossipd.serf.events import ChangeKind
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

    def test_commands_of_later_versions_end_with_an_honest_error(self, server: RpcThread) -> None:
        assert "does not send user events" in serf(server, "event", "x", code=1)
        assert "does not send queries" in serf(server, "query", "load", code=1)
        assert "does not manage keys" in serf(server, "keys", "-list", code=1)
        assert "Could not find a coordinate" in serf(server, "rtt", "a", "b", code=1)


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
    assert server.handle.calls == [
        ("join", ("127.0.0.42",), False),
        ("force-leave", "c", False),
    ]
    client.close()
