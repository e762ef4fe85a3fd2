"""Registrations and checks that connections of the local socket hold, and what goes with them."""

from __future__ import annotations

import trio
import trio.testing

from gossipd.rpc import services as rpc_services
from gossipd.rpc.server import Limits
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CONFIG, FROM_CONNECTION
from support.rpc_service import Peer, serving


async def hold(peer: Peer, service_id: str = "web") -> None:
    service = {"id": service_id, "name": "web"}
    error, _ = await peer.ask("service-register", {"Service": service, "Held": True}, has_body=True)
    assert error == ""


async def test_what_a_connection_holds_goes_with_it() -> None:
    async with serving() as server:
        handle = server.handle
        peer, other = await server.greet(), await server.greet()
        await hold(peer, "web-1")
        await hold(peer, "web-2")
        await hold(other, "web-3")
        assert handle.commands[0][2] == FROM_CONNECTION
        assert await peer.ask("service-deregister", {"ID": "web-2"}) == ""
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert [one.service.id for one in handle.own.services] == ["web-3"]


async def test_a_service_that_several_hold_lives_as_long_as_one_of_them() -> None:
    for order in ((0, 1), (1, 0)):
        async with serving() as server:
            handle = server.handle
            peers = [await server.greet(), await server.greet()]
            for peer in peers:
                await hold(peer)
            await peers[order[0]].stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert len(handle.own.services) == 1
            await peers[order[1]].stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert not handle.own.services


async def test_a_service_is_not_drained_for_one_of_several_that_hold_it() -> None:
    async with serving() as server:
        drains = server.handle.commands
        one, other = await server.greet(), await server.greet()
        await hold(one)
        await hold(other)
        drain = {"ID": "web", "Seconds": 5}
        error = await other.ask("service-drain", {**drain, "Unshared": True})
        assert error == f"service id 'web' {rpc_services.HELD_BY_OTHERS}"
        assert [command[0] for command in drains] == ["register", "register"]
        await one.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert await other.ask("service-drain", {**drain, "Unshared": True}) == ""
        await hold(await server.greet())
        assert await other.ask("service-drain", drain) == ""
        assert [command for command in drains if command[0] == "drain"] == 2 * [
            ("drain", "web", 5.0)
        ]


async def test_a_held_id_is_not_taken_by_another_service() -> None:
    async with serving() as server:
        first, second = await server.greet(), await server.greet()
        body: dict[str, object] = {"Service": {"name": "web", "port": 8080}, "Held": True}
        assert await first.ask("service-register", body, has_body=True) == ("", {"Warnings": []})
        other = {"Service": {"name": "web", "port": 8081}, "Held": True}
        error, _ = await second.ask("service-register", other, has_body=True)
        assert error == (
            "service id 'web' is held by another connection that is still open, "
            "and its port is another one: take another id"
        )
        assert (await first.ask("service-register", other, has_body=True))[0] == ""  # its own
        (own,) = server.handle.own.services
        assert own.service.port == 8081
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (await second.ask("service-register", body, has_body=True))[0] == ""


async def test_what_ended_by_itself_is_not_taken_back_from_who_has_its_id_now() -> None:
    async with serving(limits=Limits(held_max=1)) as server:
        handle = server.handle
        peer, other = await server.greet(), await server.greet()
        await hold(peer, "web")
        handle.deregister_service("web")  # drained to its end, say
        await hold(peer, "db")  # and it does not count any more
        handle.deregister_service("db")
        handle.register_service(Service(id="db", name="db"), FROM_CONFIG)
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert [one.source for one in handle.own.services] == [FROM_CONFIG]
        await hold(other, "web")
        handle.deregister_service("web")
        different = {"Service": {"id": "web", "name": "x"}, "Held": True}
        late = await server.greet()
        assert (await late.ask("service-register", different, has_body=True))[0] == ""


async def test_a_held_check_is_its_last_reporters() -> None:
    async with serving() as server:
        before, after = await server.greet(), await server.greet()
        report = {"ID": "alive", "Status": "passing", "Hold": True}
        assert await before.ask("check-report", report) == ""
        assert await after.ask("check-report", report) == ""
        told = len(server.handle.commands)
        await before.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.handle.commands) == told
        await after.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert server.handle.commands[-1][:3] == ("report", "alive", "critical")


async def test_a_service_is_taken_back_only_by_who_held_it_last() -> None:
    async with serving() as server:
        handle = server.handle
        before, after = await server.greet(), await server.greet()
        await hold(before)
        await hold(after)
        await before.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert len(handle.own.services) == 1
        await after.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not handle.own.services


async def test_a_service_registered_for_good_outlives_who_held_it() -> None:
    async with serving() as server:
        before, after = await server.greet(), await server.greet()
        await hold(before)
        await after.ask("service-register", {"Service": {"name": "web"}}, has_body=True)
        await before.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.handle.own.services) == 1


async def test_a_held_check_is_critical_when_its_connection_ends() -> None:
    async with serving() as server:
        peer = await server.greet()
        held = {"ID": "alive", "Status": "passing", "Hold": True}
        assert await peer.ask("check-report", held) == ""
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert server.handle.commands[-1] == (
            "report", "alive", "critical", "the connection that held it ended", None,
        )  # fmt: skip


async def test_a_connection_holds_a_bounded_number() -> None:
    async with serving(limits=Limits(held_max=2)) as server:
        peer = await server.greet()
        await hold(peer, "a")
        await hold(peer, "b")
        await hold(peer, "b")
        service = {"id": "c", "name": "web"}
        error, _ = await peer.ask(
            "service-register", {"Service": service, "Held": True}, has_body=True
        )
        assert error == "too many registrations held by this connection"
        assert len(server.handle.own.services) == 2
