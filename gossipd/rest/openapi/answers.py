"""Shapes of bodies and answers, for the description of the API (``document.py``).

What clients may rely on: the keys named as required are always there, and others may come.
"""

from __future__ import annotations

from typing import Any

from gossipd.rest.happening.words import KINDS, LEVELS
from gossipd.rest.values import JSON, Route
from gossipd.value import Value

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
YES_NO: Json = {"type": "boolean"}
TEXTS: Json = {"type": "array", "items": TEXT}
TEXT_MAP: Json = {"type": "object", "additionalProperties": TEXT}
ANY_OBJECT: Json = {"type": "object"}
STATUS: Json = {"type": "string", "enum": ["passing", "warning", "critical"]}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _map(item: Json) -> Json:
    return {"type": "object", "additionalProperties": item}


def _object(optional: Json | None = None, **required: Json) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


_INDEXES = {"CreateIndex": WHOLE, "ModifyIndex": WHOLE}

COMPONENTS: dict[str, Json] = {
    "Weights": _object(Passing=WHOLE, Warning=WHOLE),
    "Node": _object(
        ID=TEXT, Node=TEXT, Address=TEXT, Datacenter=TEXT, TaggedAddresses=TEXT_MAP,
        Meta=TEXT_MAP, **_INDEXES,
    ),
    "AgentService": _object(
        ID=TEXT, Service=TEXT, Tags=TEXTS, Address=TEXT, TaggedAddresses=ANY_OBJECT,
        Meta=TEXT_MAP, Port=WHOLE, Weights=_ref("Weights"), EnableTagOverride=YES_NO, **_INDEXES,
    ),
    "CatalogService": _object(
        ID=TEXT, Node=TEXT, Address=TEXT, Datacenter=TEXT, NodeMeta=TEXT_MAP, ServiceID=TEXT,
        ServiceName=TEXT, ServiceTags=TEXTS, ServiceAddress=TEXT, ServicePort=WHOLE,
        ServiceWeights=_ref("Weights"), ServiceMeta=TEXT_MAP, **_INDEXES,
    ),
    "HealthCheck": _object(
        Node=TEXT, CheckID=TEXT, Name=TEXT, Status=STATUS, Notes=TEXT, Output=TEXT,
        ServiceID=TEXT, ServiceName=TEXT, ServiceTags=TEXTS, Type=TEXT,
    ),
    "ServiceEntry": _object(
        Node=_ref("Node"), Service=_ref("AgentService"), Checks=_list(_ref("HealthCheck"))
    ),
    "AgentMember": _object(Name=TEXT, Addr=TEXT, Port=WHOLE, Tags=TEXT_MAP, Status=WHOLE),
    "Coordinate": _object(
        Node=TEXT,
        Coord=_object(Vec=_list(NUMBER), Error=NUMBER, Adjustment=NUMBER, Height=NUMBER),
    ),
    "UserEvent": _object(
        ID=TEXT, Name=TEXT, Payload=_or_null(TEXT), NodeFilter=TEXT, ServiceFilter=TEXT,
        TagFilter=TEXT, Version=WHOLE, LTime=WHOLE,
    ),
    "Health": _object(
        AggregatedStatus=TEXT, Service=_or_null(_ref("AgentService")),
        Checks=_or_null(_list(_ref("HealthCheck"))),
    ),
    "Suspicion": _object(
        accuser=TEXT, confirmations=WHOLE, accusers=TEXTS, since=NUMBER, deadline=NUMBER
    ),
    "Member": _object(
        {
            "ack": _object(at=NUMBER, rtt_ms=NUMBER),
            "incarnation": WHOLE, "since": NUMBER, "gone_since": NUMBER, "self": YES_NO,
            "suspicion": _ref("Suspicion"), "degraded": TEXT,
        },
        name=TEXT, address=TEXT, tags=TEXT_MAP, rtt_ms=_or_null(NUMBER),
        status={
            "type": "string", "enum": ["alive", "suspect", "leaving", "left", "failed", "none"]
        },
    ),
    "Instance": _object(
        {
            "tags": TEXTS, "meta": TEXT_MAP, "zone": TEXT, "maintenance": TEXT,
            "draining": YES_NO, "doubtful": YES_NO, "owner_status": TEXT, "load": NUMBER,
            "suspected_since": NUMBER,
        },
        node=TEXT, id=TEXT, address=TEXT, port=WHOLE, status=STATUS, weight=WHOLE,
        learned_at=NUMBER,
        checks=_list(_object(id=TEXT, name=TEXT, kind=TEXT, status=STATUS, output=TEXT)),
    ),
    "Service": _object(
        {"instances": _list(_ref("Instance"))},
        name=TEXT, passing=WHOLE, warning=WHOLE, critical=WHOLE, doubtful=WHOLE, guarded=YES_NO,
        tags=TEXTS, needs=TEXTS,
    ),
    "State": _object(
        node=_object(
            name=TEXT, address=TEXT, version=TEXT, datacenter=TEXT, now=NUMBER,
            health_score=WHOLE, members=_map(WHOLE), degraded=TEXT_MAP, guarded=TEXTS,
        ),
        members=_list(_ref("Member")), services=_list(_ref("Service")),
        instances=WHOLE, instances_shown=YES_NO,
    ),
    "Line": _object(
        {"node": TEXT, "service": TEXT, "why": TEXT, "detail": ANY_OBJECT},
        number=WHOLE, at=NUMBER, kind={"type": "string", "enum": list(KINDS)},
        level={"type": "string", "enum": list(LEVELS)}, text=TEXT,
    ),
    "Loss": _object(
        service=TEXT, lost=_list(_object(node=TEXT, id=TEXT, status=STATUS)),
        left_passing=WHOLE, empty=YES_NO, needed_by=TEXTS,
    ),
}  # fmt: skip

_ENTRIES, _CHECKS = _list(_ref("ServiceEntry")), _list(_ref("HealthCheck"))

ANSWERS: dict[str, Json] = {
    "/v1/openapi.json": ANY_OBJECT,
    "/v1/catalog/datacenters": TEXTS,
    "/v1/catalog/nodes": _list(_ref("Node")),
    "/v1/catalog/services": _map(TEXTS),
    "/v1/catalog/service/{name}": _list(_ref("CatalogService")),
    "/v1/catalog/connect/{name}": _list(_ref("CatalogService")),
    "/v1/catalog/node/{node}": _or_null(
        _object(Node=_ref("Node"), Services=_map(_ref("AgentService")))
    ),
    "/v1/catalog/node-services/{node}": _or_null(
        _object(Node=_or_null(_ref("Node")), Services=_or_null(_list(_ref("AgentService"))))
    ),
    "/v1/health/service/{name}": _ENTRIES,
    "/v1/health/connect/{name}": _ENTRIES,
    "/v1/health/ingress/{name}": _ENTRIES,
    "/v1/health/checks/{name}": _CHECKS,
    "/v1/health/node/{node}": _CHECKS,
    "/v1/health/state/{state}": _CHECKS,
    "/v1/agent/self": _object(
        Config=_object(Datacenter=TEXT, NodeName=TEXT, NodeID=TEXT, Version=TEXT),
        Member=_or_null(_ref("AgentMember")), Meta=TEXT_MAP,
    ),
    "/v1/agent/members": _list(_ref("AgentMember")),
    "/v1/agent/version": _object(HumanVersion=TEXT, SHA=TEXT),
    "/v1/agent/host": _object(Memory=ANY_OBJECT, Host=ANY_OBJECT),
    "/v1/agent/services": _map(_ref("AgentService")),
    "/v1/agent/checks": _map(_ref("HealthCheck")),
    "/v1/agent/service/{id*}": _object(ID=TEXT, Service=TEXT, ContentHash=TEXT),
    "/v1/status/leader": TEXT,
    "/v1/status/peers": TEXTS,
    "/v1/coordinate/nodes": _list(_ref("Coordinate")),
    "/v1/coordinate/node/{node}": _list(_ref("Coordinate")),
    "/v1/coordinate/datacenters": _list(_object(Datacenter=TEXT, Coordinates=_list(ANY_OBJECT))),
    "/v1/event/list": _list(_ref("UserEvent")),
    "/v1/event/fire/{name}": _ref("UserEvent"),
    "/v1/sd/prometheus": _list(_object(targets=TEXTS, labels=TEXT_MAP)),
    "/v1/catalog/register": YES_NO,
    "/v1/catalog/deregister": YES_NO,
    "/v1/gossipd/state": _ref("State"),
    "/v1/gossipd/member/{name}": {
        "allOf": [
            _ref("Member"), _object(services=_list(_ref("Instance")), timeline=_list(_ref("Line")))
        ]
    },
    "/v1/gossipd/service/{name}": _ref("Service"),
    "/v1/gossipd/suspicion": _object(now=NUMBER, suspected=_list(_ref("Suspicion"))),
    "/v1/gossipd/age": _object(
        members=_list(_object(name=TEXT, status=TEXT)), services=_list(_object(name=TEXT)),
        catalog=_map(NUMBER),
    ),
    "/v1/gossipd/impact/{kind}/{name}": _object(losses=_list(_ref("Loss")), broken=TEXTS),
    "/v1/gossipd/timeline": _object(
        life=TEXT, began=NUMBER, oldest=WHOLE, newest=WHOLE, lines=_list(_ref("Line"))
    ),
}  # fmt: skip
"""The JSON of 200, by the pattern of the route."""

_GRAPH = _object(services=_list(_object(name=TEXT, registered=YES_NO)), missing=TEXTS)
_HEALTH_ONE, _HEALTH_ALL = _ref("Health"), _list(_ref("Health"))


def _text(kind: str = "text/plain") -> Json:
    return {kind: {"schema": TEXT}}


def _answer(text: str, content: Json | None = None) -> Json:
    return {"description": text, **({"content": content} if content else {})}


def _health(shape: Json) -> Json:
    content = {JSON: {"schema": shape}, "text/plain": {"schema": TEXT}}
    words = {"200": "Passing.", "404": "Unknown.", "429": "Warning.", "503": "Critical."}
    return {status: _answer(text, content) for status, text in words.items()}


_OPENMETRICS = "application/openmetrics-text"
OTHERS: dict[str, Json] = {
    "/": {"200": _answer("The program's name.", _text())},
    "/ui": {
        "200": _answer("The page.", _text("text/html")),
        "304": _answer("The browser has it."),
        "307": _answer("It is at /ui/."),
        "404": _answer("It is turned off.", _text()),
    },
    "/metrics": {
        "200": _answer(
            "All metrics.", {_OPENMETRICS: {"schema": TEXT}, "text/plain": {"schema": TEXT}}
        )
    },
    "/v1/agent/metrics": {
        "200": _answer(
            "What was measured.",
            {
                JSON: {"schema": _object(Gauges=_list(ANY_OBJECT), Counters=_list(ANY_OBJECT))},
                "text/plain": {"schema": TEXT},
                _OPENMETRICS: {"schema": TEXT},
            },
        )
    },
    "/v1/gossipd/graph": {
        "200": _answer(
            "The graph.", {JSON: {"schema": _GRAPH}, "text/vnd.graphviz": {"schema": TEXT}}
        )
    },
    "/v1/gossipd/events": {
        "200": _answer("Server-sent events.", {"text/event-stream": {"schema": TEXT}})
    },
    "/v1/agent/health/service/id/{id*}": _health(_HEALTH_ONE),
    "/v1/agent/health/service/name/{name}": _health(_HEALTH_ALL),
}
"""Answers that are not JSON of 200 alone."""

_TEXT_CONTENT = _text()
_TOO_OFTEN = _answer("Too many registrations in a short time.", _TEXT_CONTENT)
_TOO_LONG = _answer("The body is too long.", _TEXT_CONTENT)
_REFUSED = "Refused:"


def answers_of(route: Route) -> Json:
    """Return the answers of a route by status, but for the errors that all have."""
    if route.summary.startswith(_REFUSED):
        status = "401" if "ACL" in route.summary else "501"
        return {status: _answer("Not offered.", _TEXT_CONTENT)}
    if route.pattern in OTHERS:
        return OTHERS[route.pattern]
    shape = ANSWERS.get(route.pattern)
    found = {"200": _answer("Done." if shape is None else "The answer.", None)}
    if shape is not None:
        found["200"] = _answer("The answer.", {JSON: {"schema": shape}})
    if route.method == "PUT":
        found |= {"413": _TOO_LONG, "429": _TOO_OFTEN}
    else:
        found["501"] = _answer("Not offered: it needs consensus.", _TEXT_CONTENT)
    return found


class Body(Value):
    """What a route wants to be sent."""

    content: Json
    is_needed: bool = True


_CHECK = {
    "ID": TEXT, "Name": TEXT, "CheckID": TEXT, "TTL": TEXT, "HTTP": TEXT, "TCP": TEXT,
    "Interval": TEXT, "Timeout": TEXT, "Status": STATUS, "Notes": TEXT, "Header": _map(TEXTS),
    "DeregisterCriticalServiceAfter": TEXT, "ServiceID": TEXT,
}  # fmt: skip
_SERVICE = {
    "ID": TEXT, "Tags": TEXTS, "Address": TEXT, "Port": {"type": "integer", "minimum": 0,
    "maximum": 65535}, "Meta": TEXT_MAP, "Weights": _ref("Weights"),
    "EnableTagOverride": YES_NO, "Check": {"type": "object", "properties": _CHECK},
    "Checks": _list({"type": "object", "properties": _CHECK}),
}  # fmt: skip


def _json_body(schema: Json) -> Body:
    return Body({JSON: {"schema": schema}})


BODIES: dict[str, Body] = {
    "/v1/agent/service/register": _json_body(_object(_SERVICE, Name=TEXT)),
    "/v1/agent/check/register": _json_body(_object(_CHECK, Name=TEXT)),
    "/v1/agent/check/update/{id*}": _json_body(_object({"Output": TEXT}, Status=STATUS)),
    "/v1/catalog/register": _json_body(
        _object({"Service": ANY_OBJECT, "Check": ANY_OBJECT}, Node=TEXT, Address=TEXT)
    ),
    "/v1/catalog/deregister": _json_body(_object({"ServiceID": TEXT, "CheckID": TEXT}, Node=TEXT)),
    "/v1/event/fire/{name}": Body({"application/octet-stream": {"schema": TEXT}}, False),
}
"""By the pattern of the route."""
