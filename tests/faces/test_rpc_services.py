"""The local socket's commands about services: asking and registering."""

from __future__ import annotations

import itertools

import pytest
import trio
import trio.testing

from gossipd.coordinate import Coordinate
from gossipd.errors import UsageError
from gossipd.query.service_requests import SERVICE_COMMANDS
from gossipd.rpc import service_answers
from gossipd.rpc import services as rpc_services
from gossipd.rpc.service_answers import SERVICES_MAX, SPARE_MAX, Encoded
from gossipd.services.definition import CheckState
from gossipd.services.instance import ServiceSummary
from gossipd.services.own import FROM_CLIENT
from support.fake_handle import FakeHandle
from support.fake_services import make_instance
from support.rpc_service import LOG, Peer, serving


def shop() -> FakeHandle:
    handle = FakeHandle()
    handle.show(make_instance("a", tags=("v1",), meta={"k": "1"}, zone="x", learned_at=90.0))
    handle.show(make_instance("b", tags=("v1", "v2"), zone="y", status="critical"))
    handle.show(make_instance("c", tags=("v2",), zone="y", owner_status="suspect",
                              suspected_at=98.8, is_doubtful=True))  # fmt: skip
    handle.show(make_instance("c", "db"))
    return handle


async def instances(peer: Peer, **body: object) -> list[str]:
    error, answer = await peer.ask("service", {"Name": "web", **body}, has_body=True)
    assert error == ""
    return [one["Owner"] for one in answer["Instances"]]


def test_every_command_has_its_answer() -> None:
    assert set(rpc_services._COMMANDS) == set(SERVICE_COMMANDS)


async def test_services_are_summed_up() -> None:
    async with serving(shop()) as server:
        peer = await server.greet()
        error, body = await peer.ask("services", has_body=True)
        assert error == ""
        assert [one["Name"] for one in body["Services"]] == ["db", "web"]
        assert body["Services"][1] == {
            "Critical": 1, "Doubtful": 1, "Guarded": False, "Index": server.handle.index - 1,
            "Name": "web", "Needs": [], "Passing": 2, "Tags": ["v1", "v2"], "Warning": 0,
        }  # fmt: skip
        assert body["Index"] == server.handle.index
        again = await peer.ask("services", has_body=True)
        assert again == ("", body)


async def test_an_instance_is_told_with_its_standing_and_age() -> None:
    handle = FakeHandle()
    check = CheckState("service:web", "", "http", "warning", "429 busy")
    handle.show(
        make_instance(
            "b", "web", "web-1", port=8080, status="warning", checks=(check,), weight=3, load=0.5,
            epoch=7, version=9, learned_at=97.5, suspected_at=98.8, owner_status="suspect",
            is_doubtful=True, zone="x", needs=("db",),
        )
    )  # fmt: skip
    async with serving(handle) as server:
        peer = await server.greet()
        _, body = await peer.ask("service", {"Name": "web"}, has_body=True)
        assert (body["Index"], body["Guarded"]) == (handle.index, False)
        (one,) = body["Instances"]
        assert one.pop("SuspectedFor") == pytest.approx(1.2)
        assert one == {
            "Age": 2.5, "Address": "10.0.0.1", "Doubtful": True, "Epoch": 7,
            "Checks": [{"ID": "service:web", "Name": "", "Kind": "http", "Status": "warning",
                        "Output": "429 busy"}],
            "Load": 0.5, "Owner": "b", "OwnerAddress": "10.0.0.1",
            "OwnerStatus": "suspect", "Status": "warning", "Version": 9, "Weight": 3, "Zone": "x",
            "Service": {"id": "web-1", "name": "web", "port": 8080, "needs": ["db"]},
        }  # fmt: skip
        handle.clock = 101.0
        _, body = await peer.ask("service", {"Name": "web"}, has_body=True)
        assert body["Instances"][0]["Age"] == 3.5
        assert body["Instances"][0]["SuspectedFor"] == pytest.approx(2.2)


async def test_ages_are_written_where_they_stand_whatever_else_looks_like_their_key() -> None:
    handle = FakeHandle()
    for owner in "abc":
        handle.show(
            make_instance(owner, tags=("Age", "SuspectedFor"), meta={"Age": "Age"}, zone="Age",
                          learned_at=90.0, suspected_at=95.0)
        )  # fmt: skip
    async with serving(handle) as server:
        peer = await server.greet()
        for age in (10.0, 11.0):
            _, body = await peer.ask("service", {"Name": "web"}, has_body=True)
            for one in body["Instances"]:
                assert (one["Age"], one["SuspectedFor"]) == (age, age - 5)
                assert one["Service"]["tags"] == ["Age", "SuspectedFor"]
                assert one["Service"]["meta"] == {"Age": "Age"}
            handle.clock += 1


async def test_kept_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_answers, "ANSWERS_MAX", 3)
    async with serving(shop()) as server:
        peer = await server.greet()
        for number in range(10):
            assert await instances(peer, Tags=[f"t{number}"]) == []
            assert len(server.service.desk.encoded._answers) <= 3
        assert await instances(peer, Tags=["v1"]) == ["a", "b"]
        server.handle.hide("b", "web")
        assert await instances(peer, Tags=["v1"]) == ["a"]


async def test_an_answer_is_filtered() -> None:
    async with serving(shop()) as server:
        peer = await server.greet()
        assert await instances(peer) == ["a", "b", "c"]
        assert await instances(peer, Tags=["v1"]) == ["a", "b"]
        assert await instances(peer, Tags=["v1", "v2"]) == ["b"]
        assert await instances(peer, Meta={"k": "1"}) == ["a"]
        assert await instances(peer, Meta={"k": "2"}) == []
        assert await instances(peer, Zone="y") == ["b", "c"]
        assert await instances(peer, Passing=True) == ["a", "c"]
        assert await instances(peer, Name="nonsense") == []
        _, body = await peer.ask("services-of", {"Node": "c"}, has_body=True)
        assert [one["Service"]["name"] for one in body["Instances"]] == ["web", "db"]
        _, body = await peer.ask("services-of", {}, has_body=True)
        assert [one["Owner"] for one in body["Instances"]] == ["a"]


async def test_the_nearest_come_first() -> None:
    handle = shop()
    handle.coordinates = {
        "a": Coordinate(vec=(0.5,) * 8), "c": Coordinate(vec=(0.1,) * 8), "x": Coordinate(),
    }  # fmt: skip
    async with serving(handle) as server:
        peer = await server.greet()
        assert await instances(peer, Near="x") == ["c", "a", "b"]
        assert await instances(peer, Near="_agent") == ["a", "c", "b"]
        error, body = await peer.ask("service", {"Name": "web", "Near": "zz"}, has_body=True)
        assert error == "near: no network coordinate of 'zz' is known"
        assert body["Instances"] == []


async def test_more_instances_than_a_short_list_holds() -> None:
    handle = FakeHandle()
    for number in range(300):
        handle.show(make_instance(f"n{number:03}"))
    async with serving(handle) as server:
        peer = await server.greet()
        assert await instances(peer) == [f"n{number:03}" for number in range(300)]


def test_encoded_instances_that_are_gone_are_dropped() -> None:
    handle, encoded = FakeHandle(), Encoded()
    for number in range(3 * SPARE_MAX):
        handle.show(make_instance("a", "web", f"web-{number}"))
        view = handle.service("web")
        encoded.view_body(view, view.instances, 100.0)
        handle.hide("a", "web", f"web-{number}")
    encoded.tidy(handle.service("web"))
    assert len(encoded._services.get("web", ())) <= SPARE_MAX


def test_services_that_come_and_go_leave_a_bounded_number_of_encoded_ones() -> None:
    encoded = Encoded()
    first = make_instance("a", "job-0", learned_at=90.0)
    for number in range(SERVICES_MAX + 10):
        encoded.node_body((make_instance("a", f"job-{number}"),), 100.0)
    assert len(encoded._services) <= SERVICES_MAX
    assert encoded.instance(first, 100.0) == Encoded().instance(first, 100.0)


async def test_a_registration_is_read_and_made() -> None:
    async with serving() as server:
        handle = server.handle
        handle.warnings = ("'we_b' cannot be a name in DNS",)
        peer = await server.greet()
        service = {"name": "we_b", "port": 80, "check": {"http": "/health"}}
        error, body = await peer.ask("service-register", {"Service": service}, has_body=True)
        assert (error, body) == ("", {"Warnings": ["'we_b' cannot be a name in DNS"]})
        _, made, source = handle.commands[-1]
        assert source == FROM_CLIENT
        assert made.checks[0].target == "http://127.0.0.1:80/health"  # type: ignore[attr-defined]
        error, own = await peer.ask("own-services", has_body=True)
        assert error == ""
        assert own["Services"][0]["service"]["checks"][0]["id"] == "service:we_b"
        assert await peer.ask("service-deregister", {"ID": "we_b"}) == ""
        assert handle.own.services == ()


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("key", ["external-node", "external-node:rack"])
async def test_the_mark_of_nodes_without_an_agent_is_not_taken(key: str, is_held: bool) -> None:
    async with serving(shop()) as server:
        peer = await server.greet()
        service = {"name": "db", "id": "b/db", "meta": {key: "b"}}
        error = await peer.ask("service-register", {"Service": service, "Held": is_held})
        assert error == (
            f"meta.{key}: it marks nodes without an agent; those are written with "
            "PUT /v1/catalog/register"
        )
        assert server.handle.commands == []


async def test_a_registration_that_cannot_be_is_refused_with_the_field() -> None:
    async with serving() as server:
        peer = await server.greet()
        service = {"name": "web", "checks": [{"ttl": "soon"}]}
        error, body = await peer.ask("service-register", {"Service": service}, has_body=True)
        assert error.startswith("checks[0].ttl: 'soon' is not a duration")
        assert body == {"Warnings": []}
        error, _ = await peer.ask("service-register", {"Service": 7}, has_body=True)
        assert error == "bad request: Service is not a map"
        server.handle.refusal = UsageError("id: 'web' is taken by the configuration")
        error, _ = await peer.ask("service-register", {"Service": {"name": "web"}}, has_body=True)
        assert error == "id: 'web' is taken by the configuration"
        assert await peer.ask("service-deregister", {"ID": "x"}) != ""


async def test_what_a_provider_says_of_its_service_reaches_the_node() -> None:
    async with serving() as server:
        handle = server.handle
        peer = await server.greet()
        await peer.ask("service-register", {"Service": {"name": "web", "port": 80}}, has_body=True)
        handle.commands.clear()
        assert await peer.ask("check-register", {"Check": {"tcp": ":81"}, "Service": "web"}) == ""
        assert await peer.ask("check-register", {"Check": {"script": "df", "id": "disk"}}) == ""
        assert (await peer.ask("check-register", {"Check": {"script": "df"}})).startswith(
            "check.id: missing"
        )
        report = {"ID": "beat", "Status": "passing", "Output": "ok", "Load": 1}
        assert await peer.ask("check-report", report) == ""
        assert await peer.ask("service-load", {"ID": "web", "Load": 0.25}) == ""
        assert await peer.ask("service-maintenance", {"ID": "web", "On": True, "Reason": "r"}) == ""
        assert await peer.ask("service-maintenance", {"ID": "", "On": False}) == ""
        assert await peer.ask("service-drain", {"ID": "web", "Seconds": 10}) == ""
        assert await peer.ask("check-deregister", {"ID": "disk"}) == ""
        assert (await peer.ask("service-load", {"ID": "web", "Load": "x"})).startswith("bad req")
        infinite = await peer.ask("service-load", {"ID": "web", "Load": float("inf")})
        assert infinite == "bad request: Load is not a finite number"
        added, disk, *rest = handle.commands
        assert added[1].target == "127.0.0.1:81"  # type: ignore[attr-defined]
        assert disk[1].id == "disk"  # type: ignore[attr-defined]
        assert rest == [
            ("report", "beat", "passing", "ok", 1.0),
            ("load", "web", 0.25),
            ("maintenance", "web", "r"),
            ("maintenance", "", None),
            ("drain", "web", 10.0),
            ("deregister-check", "disk"),
        ]


async def test_a_check_without_an_id_replaces_no_other() -> None:
    async with serving() as server:
        peer = await server.greet()
        second = {"id": "service:web:2", "tcp": 2}
        service = {"name": "web", "port": 80, "checks": [second]}  # the first was taken back
        await peer.ask("service-register", {"Service": service}, has_body=True)
        assert await peer.ask("check-register", {"Check": {"tcp": 3}, "Service": "web"}) == ""
        assert server.handle.commands[-1][1].id == "service:web"  # type: ignore[attr-defined]
        service["checks"] = [second, {"id": "service:web", "tcp": 1}]
        await peer.ask("service-register", {"Service": service}, has_body=True)
        assert await peer.ask("check-register", {"Check": {"tcp": 3}, "Service": "web"}) == ""
        assert server.handle.commands[-1][1].id == "service:web:3"  # type: ignore[attr-defined]


async def test_a_leave_drains_first_when_asked() -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.send({"Command": "leave", "Seq": 5, "Drain": 10})
        assert await peer.read() == {"Error": "", "Seq": 5}
        assert server.handle.calls == [("leave", 10.0)]


@pytest.mark.parametrize(
    ("auth", "is_refused"), [(None, True), ("s3cret", False)], ids=["open", "token"]
)
async def test_commands_of_strangers_are_not_run(auth: str | None, is_refused: bool) -> None:
    service = {"name": "web", "check": {"script": ["/bin/true"]}}
    async with serving(FakeHandle(), auth=auth) as server:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        stream = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        server.nursery.start_soon(server.service.serve_connection, await listener.accept())
        async with listener, stream:
            peer = Peer(stream)
            assert await peer.ask("handshake", {"Version": 1}) == ""
            if auth is not None:
                assert await peer.ask("auth", {"AuthKey": auth}) == ""
            error, _ = await peer.ask("service-register", {"Service": service}, has_body=True)
            assert ("checks[0].script: " in error) is is_refused
            check = {"script": "/bin/true", "id": "node-check"}
            error = await peer.ask("check-register", {"Check": check})
            assert ("check.script: " in error) is is_refused
            plain = {"Service": {"name": "db"}}
            error, _ = await peer.ask("service-register", plain, has_body=True)
            assert error == ""


async def test_the_local_socket_may_have_commands_run() -> None:
    async with serving(FakeHandle()) as server:
        peer = await server.greet()
        service = {"name": "web", "check": {"script": ["/bin/true"]}}
        assert (await peer.ask("service-register", {"Service": service}, has_body=True))[0] == ""


async def test_a_client_that_asks_without_waiting_lets_others_have_their_turn() -> None:
    class Counting(FakeHandle):
        asked = 0

        def services(self) -> tuple[ServiceSummary, ...]:
            self.asked += 1
            return ()

    handle, seen = Counting(), [0]
    async with serving(handle) as server, trio.open_nursery() as nursery:
        ours, theirs = trio.socket.socketpair()
        server.nursery.start_soon(server.service.serve_connection, trio.SocketStream(theirs))
        peer = Peer(trio.SocketStream(ours))
        assert await peer.ask("handshake", {"Version": 1}) == ""

        async def look() -> None:
            while handle.asked < 100:
                await trio.lowlevel.checkpoint()
                seen.append(handle.asked)

        nursery.start_soon(look)
        await peer.send(*[{"Command": "services", "Seq": number} for number in range(100)])
        with trio.fail_after(5):
            while handle.asked < 100:
                await trio.lowlevel.checkpoint()
        await peer.stream.aclose()
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 2


async def test_the_log_says_what_clients_change() -> None:
    async with serving() as server:
        peer = await server.greet()
        await peer.ask("service-register", {"Service": {"name": "db"}}, has_body=True)
        held = {"Service": {"id": "web-1", "name": "web"}, "Held": True}
        await peer.ask("service-register", held, has_body=True)
        await peer.ask("service-maintenance", {"ID": "db", "On": True, "Reason": "disk"})
        await peer.ask("service-maintenance", {"ID": "", "On": False})
        await peer.ask("service-drain", {"ID": "", "Seconds": 10})
        await peer.ask("service-drain", {"ID": "db", "Seconds": 0})
        await peer.ask("service-deregister", {"ID": "db"})
        assert (await peer.ask("service-deregister", {"ID": "db"})) != ""
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
    start = "agent.ipc: "
    told = [line.removeprefix(start) for level, line in LOG if level == "INFO"]
    assert [line for line in told if not line.startswith("Accepted")] == [
        "Registered db: local",
        "Registered web-1 for as long as it is connected: local",
        "Maintenance of db began (disk): local",
        "Maintenance of this node ended: local",
        "Drain of this node began (10 s): local",
        "Drain of db ended: local",
        "Deregistered db: local",
        "Deregistered web-1: local is gone",
    ]
