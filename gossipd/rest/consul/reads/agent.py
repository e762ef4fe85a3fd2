"""GET /v1/agent/...: this agent, what it registers and how that is (section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.rest.consul.filtering.fields import AGENT_SERVICE, CHECK, MEMBER
from gossipd.rest.consul.filtering.language import Filter
from gossipd.rest.consul.nodes import node_id
from gossipd.rest.consul.reads.blocking import hold_of, hold_while
from gossipd.rest.consul.reads.questions import question_of
from gossipd.rest.consul.reads.reading import json_reply
from gossipd.rest.consul.shapes import BUILD, Json, content_hash, point_shape
from gossipd.rest.consul.shapes_checks import aggregate
from gossipd.rest.topics import OWN
from gossipd.rest.values import TEXT, Refused, Reply, Request, Route
from gossipd.services.definition import NodeState
from gossipd.services.own import OwnService
from gossipd.version import __version__

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

API_LEVEL = BUILD.partition(":")[0]
NO_DATE = "0001-01-01T00:00:00Z"
"""How Go writes that a date is not known."""
CODES = {"passing": 200, "warning": 429, "critical": 503, "maintenance": 503}
"""For those who look at nothing but the status code."""
WORST_LAST = ("passing", "warning", "critical", "maintenance")


async def self(request: Request, desk: Desk) -> Reply:
    """Answer who this agent is."""
    question_of(request, desk)
    view, shapes = desk.handle.view(), desk.reading.shapes
    own = _own(desk)
    name = view.name
    member = next((each for each in view.members if each.name == name), None)
    coordinate = desk.handle.coordinate(name)
    checks = sum(len(each.checks) for each in own) + len(desk.handle.own_services().node.checks)
    return json_reply(
        {
            "Config": {
                "Datacenter": desk.datacenter,
                "PrimaryDatacenter": desk.datacenter,
                "NodeName": name,
                "NodeID": node_id(name),
                "Revision": "gossipd",
                "Server": False,
                "Version": API_LEVEL,
                "VersionMetadata": f"gossipd {__version__}",
                "BuildDate": NO_DATE,
            },
            "Coord": None if coordinate is None else point_shape(coordinate),
            "Member": None if member is None else shapes.agent_member(member),
            "Meta": dict(view.own_tags()),
            "Stats": {
                "agent": {"services": str(len(own)), "checks": str(checks)},
                "gossip": {"members": str(len(view.members))},
            },
            "DebugConfig": {},
            "xDS": {"Ports": {}},
        }
    )


async def members(request: Request, desk: Desk) -> Reply:
    """Answer all members, with those that failed and left."""
    question = question_of(request, desk)
    chosen_by = Filter(question.expression, MEMBER)
    shapes = desk.reading.shapes
    return json_reply(chosen_by.of(map(shapes.agent_member, desk.handle.view().members)))


async def version(request: Request, desk: Desk) -> Reply:
    """Answer the level of the API, and who speaks it."""
    return json_reply(
        {
            "HumanVersion": API_LEVEL,
            "SHA": f"gossipd-{__version__}",
            "BuildDate": NO_DATE,
            "FIPS": "",
        }
    )


async def services(request: Request, desk: Desk) -> Reply:
    """Answer what this agent registers, by id."""
    question = question_of(request, desk)
    since = _Since(desk)
    items = Filter(question.expression, AGENT_SERVICE).of(
        _service(each, since) for each in _own(desk)
    )
    return json_reply({str(item["ID"]): item for item in items})


async def service(request: Request, desk: Desk) -> Reply:
    """Answer one service of this agent; can be held by the digest of its definition."""
    id, hold, reading = request.names["id"], hold_of(request), desk.reading
    question_of(request, desk)
    if not id:
        raise Refused(400, "Missing service ID")

    def digest() -> str:
        found = _find(id, desk)
        return "" if found is None else content_hash(_service(found, _Since(desk)))

    if hold.digest:
        hold_while(
            lambda: digest() == hold.digest, reading.topics, (OWN,), hold.wait, reading.random
        )
    found = _find(id, desk)
    if found is None:
        raise Refused(404, _cut(f"unknown service ID: {id}"))
    item = _service(found, _Since(desk))
    now = content_hash(item)
    return json_reply(item | {"ContentHash": now}, (("X-Consul-ContentHash", now),))


async def checks(request: Request, desk: Desk) -> Reply:
    """Answer the checks of this agent, by id."""
    question = question_of(request, desk)
    shapes, since = desk.reading.shapes, _Since(desk)
    made = shapes.checks.of_own_node(_now_index(desk))
    for own in _own(desk):
        made += shapes.checks.of_own(own, since.of(own))
    chosen = Filter(question.expression, CHECK).of(made)
    return json_reply({str(check["CheckID"]): check for check in chosen})


async def health_by_id(request: Request, desk: Desk) -> Reply:
    """Answer how one service of this agent is, by the status code as well."""
    id = request.names["id"]
    question_of(request, desk)
    if not id:
        raise Refused(400, "Missing serviceID")
    found = _find(id, desk)
    if found is None:
        text = _cut(f"ServiceId {id} not found")
        return _health(request, 404, text, _health_item("critical", None, None))
    item = _health_of(found, _Since(desk), desk.handle.own_services().node)
    status = str(item["AggregatedStatus"])
    return _health(request, CODES[status], status, item)


async def health_by_name(request: Request, desk: Desk) -> Reply:
    """Answer how the services of that name are; the worst counts for the code."""
    name = request.names["name"]
    question_of(request, desk)
    if not name:
        raise Refused(400, "Missing service Name")
    found = [own for own in _own(desk) if own.service.name == name]
    if not found:
        return _health(request, 404, _cut(f"ServiceName {name} Not Found"), [])
    since, node = _Since(desk), desk.handle.own_services().node
    items = [_health_of(own, since, node) for own in found]
    status = max((str(item["AggregatedStatus"]) for item in items), key=WORST_LAST.index)
    return _health(request, CODES[status], status, items)


def _health(request: Request, code: int, text: str, item: object) -> Reply:
    accepted = request.headers.get("accept", "")
    if request.first("format") == "text" or (
        not request.first("format") and accepted.startswith("text/plain")
    ):
        return Reply(status=code, body=text.encode(), content_type=TEXT)
    return json_reply(item, status=code)


def _health_of(own: OwnService, since: _Since, node: NodeState) -> Json:
    checks, index = since.desk.reading.shapes.checks, since.of(own)
    made = checks.of_own_node(index, node) + checks.of_own(own, index)
    return _health_item(aggregate(made), _service(own, since), made)


def _health_item(status: str, service: Json | None, checks: list[Json] | None) -> Json:
    return {"AggregatedStatus": status, "Service": service, "Checks": checks}


def _own(desk: Desk) -> list[OwnService]:
    """Return what this agent registers of its own, not for nodes without an agent."""
    desk.reading.topics.look()
    node_of = desk.reading.shapes.externals.node_of
    return [own for own in desk.handle.own_services().services if node_of(own.service) is None]


def _find(id: str, desk: Desk) -> OwnService | None:
    return next((own for own in _own(desk) if own.service.id == id), None)


def _service(own: OwnService, since: _Since) -> Json:
    return since.desk.reading.shapes.own_service(own.service, since.of(own))


class _Since:
    """Since when this agent knows its own services as they are, each name gone over once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._by_name: dict[str, dict[str, int]] = {}

    def of(self, own: OwnService) -> int:
        name = own.service.name
        known = self._by_name.get(name)
        if known is None:
            us, index_of = self.desk.handle.view().name, self.desk.reading.shapes.index_of
            known = self._by_name[name] = {
                instance.service.id: index_of(instance)
                for instance in self.desk.handle.service(name).instances
                if instance.owner == us
            }
        index = known.get(own.service.id)
        return _now_index(self.desk) if index is None else index


def _now_index(desk: Desk) -> int:
    return desk.reading.topics.index(OWN)


def _cut(text: str) -> str:
    """Return an error text that every client shows, with an id of any length in it."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    raw = plain.encode("ascii", "backslashreplace")
    return raw.decode() if len(raw) < 80 else raw[:76].decode() + "..."


ROUTES: tuple[Route, ...] = (
    Route(method="GET", pattern="/v1/agent/self", handler=self, summary="Who this agent is"),
    Route(method="GET", pattern="/v1/agent/members", handler=members, summary="All members"),
    Route(
        method="GET", pattern="/v1/agent/version", handler=version,
        summary="Level of the API, and who speaks it",
    ),
    Route(
        method="GET", pattern="/v1/agent/services", handler=services,
        summary="What this agent registers, by id",
    ),
    Route(
        method="GET", pattern="/v1/agent/service/{id*}", handler=service, waits=True,
        summary="One service of this agent",
    ),
    Route(
        method="GET", pattern="/v1/agent/checks", handler=checks,
        summary="Checks of this agent, by id",
    ),
    Route(
        method="GET", pattern="/v1/agent/health/service/id/{id*}", handler=health_by_id,
        summary="How one service of this agent is",
    ),
    Route(
        method="GET", pattern="/v1/agent/health/service/name/{name}", handler=health_by_name,
        summary="How the services of a name are, on this agent",
    ),
)  # fmt: skip
