"""Seeds behind SRV records, with a name server on loopback."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from gossipd.address import Address
from gossipd.agent.seeds.addresses import NO_PORT, Seed, parse_seed, resolve
from gossipd.agent.seeds.services import ServiceHost, ServiceLookUp, look_up_service
from gossipd.errors import Unavailable, UsageError
from support.dns_server import DnsServer

NAME = "_gossip._tcp.example.org"


@pytest.fixture
async def server(nursery: trio.Nursery) -> DnsServer:
    server = DnsServer()
    await nursery.start(server.run)
    return server


def asking(server: DnsServer) -> ServiceLookUp:
    return partial(look_up_service, make_resolver=server.resolver)


async def addresses(host: str, port: int) -> list[Address]:
    """Stand in for the system's resolver: ``hostN`` is 10.0.0.N."""
    await trio.lowlevel.checkpoint()
    if host == "hangs.example.org":
        await trio.sleep_forever()
    if not host.startswith("host"):
        raise OSError(f"no such host {host}")
    return [Address(bytes([10, 0, 0, int(host[4])]), port)]


async def test_hosts_and_ports_come_from_the_records_best_priority_first(server: DnsServer) -> None:
    server.records[NAME, "SRV"] = [
        "20 1 7000 host2.example.org.",
        "10 1 7946 host1.example.org.",
        "10 9 7947 host3.example.org.",
    ]
    assert await look_up_service(NAME, server.resolver) == [
        ServiceHost("host3.example.org", 7947),
        ServiceHost("host1.example.org", 7946),
        ServiceHost("host2.example.org", 7000),
    ]
    found = await resolve(parse_seed(NAME, 1), addresses, asking(server))
    assert [str(address) for address in found] == [
        "10.0.0.3:7947",
        "10.0.0.1:7946",
        "10.0.0.2:7000",
    ]


async def test_each_try_asks_anew(server: DnsServer) -> None:
    seed = parse_seed(NAME, 1)
    for number in (1, 2):
        server.records[NAME, "SRV"] = [f"0 0 7946 host{number}.example.org."]
        (found,) = await resolve(seed, addresses, asking(server))
        assert found.ip[-1] == number
    assert server.asked == [(NAME, "SRV")] * 2


async def test_a_service_that_nobody_offers_is_told_so(server: DnsServer) -> None:
    server.records[NAME, "SRV"] = ["0 0 0 ."]
    with pytest.raises(Unavailable, match="no host offers the service"):
        await resolve(parse_seed(NAME, 1), addresses, asking(server))
    with pytest.raises(
        Unavailable, match=r"lookup _x\._tcp\.nowhere\.org: The DNS query name does"
    ):
        await resolve(parse_seed("_x._tcp.nowhere.org", 1), addresses, asking(server))


async def test_a_host_that_cannot_be_resolved_takes_no_other_with_it(
    server: DnsServer,
) -> None:
    server.records[NAME, "SRV"] = [
        "0 0 7946 gone.example.org.",
        "1 0 7946 host5.example.org.",
    ]
    (found,) = await resolve(parse_seed(NAME, 1), addresses, asking(server))
    assert found.ip[-1] == 5
    server.records[NAME, "SRV"] = ["0 0 7946 gone.example.org."]
    with pytest.raises(Unavailable, match="lookup gone"):
        await resolve(parse_seed(NAME, 1), addresses, asking(server))


async def test_a_host_that_hangs_costs_its_time_out_and_holds_up_no_other(
    autojump_clock: object,
) -> None:
    async def services(name: str) -> list[ServiceHost]:
        await trio.lowlevel.checkpoint()
        return [ServiceHost("hangs.example.org", 1), ServiceHost("host5", 2)]

    (found,) = await resolve(Seed("", NAME, NO_PORT), addresses, services)
    assert found.port == 2
    assert trio.current_time() == pytest.approx(5.0)


async def test_a_name_server_that_hangs_costs_the_time_out(autojump_clock: object) -> None:
    async def silent(name: str) -> list[ServiceHost]:
        await trio.sleep_forever()

    with pytest.raises(Unavailable, match="no answer within 5s"):
        await resolve(Seed("", NAME, NO_PORT), addresses, silent)


def test_a_service_has_neither_node_name_nor_port() -> None:
    assert parse_seed("_x._UDP.example.org", 7) == Seed("", "_x._UDP.example.org", NO_PORT)
    for text in (f"{NAME}:7946", f"node/{NAME}"):
        with pytest.raises(UsageError, match="a service name brings its own hosts and ports"):
            parse_seed(text, 7)
    assert parse_seed("_odd", 7) == Seed("", "_odd", 7)
    assert parse_seed("a/_odd.tcp.x:9", 7) == Seed("a", "_odd.tcp.x", 9)
