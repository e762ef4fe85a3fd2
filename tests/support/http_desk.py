"""Reads of the HTTP face without its transport: a desk, and a router of a few lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

import trio

from gossipd.config.faces import HttpConfig
from gossipd.coordinate import Coordinate
from gossipd.ledger import Ledger
from gossipd.rest.consul.reads import agent as reads_agent
from gossipd.rest.consul.reads import catalog as reads_catalog
from gossipd.rest.consul.reads import cluster as reads_cluster
from gossipd.rest.consul.reads import health as reads_health
from gossipd.rest.consul.reads import machine as reads_machine
from gossipd.rest.desk import Desk
from gossipd.rest.transport.holding import Held, without_condition
from gossipd.rest.values import Refused, Reply, Request, Route
from gossipd.services.definition import CheckDefinition, CheckState, Service, ServiceState
from gossipd.services.instance import Instance
from gossipd.services.own import OwnService, OwnServices
from support.fake_handle import FakeHandle, make_member, make_view

ROUTES: tuple[Route, ...] = (
    *reads_agent.ROUTES,
    *reads_catalog.ROUTES,
    *reads_cluster.ROUTES,
    *reads_health.ROUTES,
    *reads_machine.ROUTES,
)
DATACENTER = "north"
WALL = 1_700_000_000.0


class Clock:
    """Calendar time that tests set."""

    def __init__(self, seconds: float = WALL) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def make_desk(
    handle: FakeHandle, config: HttpConfig | None = None, wall: Clock | None = None
) -> Desk:
    """Return a desk for ``handle``."""
    return Desk(
        handle,
        config or HttpConfig(),
        datacenter=DATACENTER,
        ledger=Ledger(),
        log=lambda level, line: None,
        wall=wall or Clock(),
    )


def make_request(target: str, **more: object) -> Request:
    """Return the request for ``target``, a path and a query as they are sent."""
    path, query = urlsplit(target).path, urlsplit(target).query
    values: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name] = (*values.get(name, ()), value)
    return Request(method="GET", path=unquote(path), query=values, target=target, **more)  # type: ignore[arg-type]


async def ask(
    desk: Desk, target: str, *, routes: Sequence[Route] = ROUTES, **more: object
) -> Reply:
    """Return what is answered to GET ``target``; refusals as the transport sends them."""
    parts = urlsplit(target).path.split("/")
    for route in routes:
        names = names_in(route.pattern, parts)
        if names is None or route.method != "GET":
            continue
        try:
            reply = await _answer(route, make_request(target, names=names, **more), desk)
        except Refused as refused:
            return Reply(
                status=refused.status,
                body=refused.text.encode(),
                content_type="text/plain",
                headers=refused.headers,
            )
        assert isinstance(reply, Reply)
        return reply
    raise AssertionError(f"no route for {target}")


async def _answer(route: Route, request: Request, desk: Desk) -> object:
    """Ask a handler, again after each change that it waits for, as the transport does."""
    began, deadline = trio.current_time(), math.inf
    while True:
        try:
            return await route.handler(request, desk)
        except Held as held:
            deadline = min(deadline, began + held.seconds)
            news = trio.Event()
            held.watched.watch(held.keys, news)
            with trio.move_on_at(deadline) as scope:
                try:
                    await news.wait()
                finally:
                    held.watched.forget(held.keys, news)
            if scope.cancelled_caught:
                request = without_condition(request)


def names_in(pattern: str, parts: Iterable[str]) -> dict[str, str] | None:
    """Return the named parts of a path if it fits ``pattern``."""
    wanted, given = pattern.split("/"), list(parts)
    if wanted[-1].endswith("*}"):
        place = len(wanted) - 1
        given[place:] = ["/".join(given[place:])] if len(given) > place else []
    if len(wanted) != len(given):
        return None
    names = {}
    for part, value in zip(wanted, given, strict=True):
        if part.startswith("{"):
            names[part.strip("{*}")] = unquote(value)
        elif part != value:
            return None
    return names


def body_of(reply: Reply) -> object:
    """Return the object of a JSON body."""
    return json.loads(reply.body)


def index_of(reply: Reply) -> int:
    """Return the index of an answer."""
    return int(dict(reply.headers)["X-Consul-Index"])


def vector_handle() -> FakeHandle:
    """Return alder, birch and cedar as the recordings have them, asked at alder."""
    racks = {"alder": "r1", "birch": "r2", "cedar": "r2"}
    view = make_view(
        *(
            make_member(name, f"127.0.0.{61 + place}", 8301, tags={"rack": rack, "os": "linux"})
            for place, (name, rack) in enumerate(racks.items())
        ),
        name="alder",
    )
    handle = FakeHandle(view)
    for place, name in enumerate(racks):
        handle.coordinates[name] = Coordinate(vec=(0.001 * 2**place, *(0.0,) * 7), error=0.2)
    for instance in vector_instances():
        handle.show(instance)
    own = vector_instances()[0]
    handle.own = OwnServices(
        services=(
            OwnService(
                service=own.service, state=ServiceState(statuses=("passing",)), checks=own.checks
            ),
        )
    )
    return handle


def vector_instances() -> tuple[Instance, ...]:
    """Return the instances that the recordings begin with; web-a is alder's own."""
    return (
        _instance("alder", "web-a", "passing"),
        _instance("birch", "web-b", "warning"),
        _instance("birch", "mail-1", "passing"),
        _instance("cedar", "web-c", "critical"),
    )


def vector_service(id: str) -> Service:
    """Return one of the services of the recordings."""
    name, address, port, tags, meta, weight = {
        "web-a": ("web", "", 9001, ("http", "blue"), {"version": "2.1", "metrics_path": "/m"}, 10),
        "web-b": ("web", "127.0.0.71", 9002, ("http", "green"), {"version": "2.2"}, 5),
        "web-c": ("web", "127.0.0.72", 9003, ("http", "blue"), {"version": "2.1"}, 1),
        "mail-1": ("mail", "127.0.0.73", 2525, ("smtp",), {}, 1),
        "cache-1": ("cache", "", 6379, ("redis",), {}, 1),
    }[id]
    check = CheckDefinition(id=f"service:{id}", name=f"Service '{name}' check", kind="http")
    return Service(
        id=id, name=name, address=address, port=port, tags=tags, meta=meta, weight=weight,
        checks=(check,),
    )  # fmt: skip


def vector_instance(owner: str, id: str, status: str = "passing") -> Instance:
    """Return an instance as the recordings have it, with the one check in ``status``."""
    return _instance(owner, id, status)


def _instance(owner: str, id: str, status: str) -> Instance:
    service = vector_service(id)
    check = service.checks[0]
    place = ("alder", "birch", "cedar").index(owner)
    return Instance(
        owner=owner,
        owner_address=f"127.0.0.{61 + place}",
        service=service,
        status=status,
        checks=(CheckState(check.id, check.name, "http", status, f"HTTP GET: {status}"),),
        weight=1 if status == "warning" else service.weight,
    )
