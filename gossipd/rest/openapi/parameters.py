"""Which parameters a route takes, for the description of the API (``document.py``).

``NONE`` says of a route that it takes none; a route that is in no table is not described.
"""

from __future__ import annotations

from typing import Any

from gossipd.rest.happening.words import KINDS, LEVELS
from gossipd.rest.values import Route

Json = dict[str, Any]
FLAG_VALUES = ["", "true", "false", "1", "0"]


def _parameter(name: str, about: str, schema: Json, *, required: bool = False) -> Json:
    found: Json = {"name": name, "in": "query", "description": about, "schema": schema}
    if required:
        found["required"] = True
    if schema.get("enum") == FLAG_VALUES:
        found["allowEmptyValue"] = True
    return found


def _flag(name: str, about: str, *, required: bool = False) -> Json:
    values = FLAG_VALUES[1:] if required else FLAG_VALUES
    return _parameter(name, about, {"type": "string", "enum": values}, required=required)


def _text(name: str, about: str, **schema: Any) -> Json:
    return _parameter(name, about, {"type": "string", **schema})


def _number(name: str, about: str, low: int, high: int) -> Json:
    return _parameter(name, about, {"type": "integer", "minimum": low, "maximum": high})


def _texts(name: str, about: str) -> Json:
    items = {"type": "string"}
    return _parameter(name, about, {"type": "array", "items": items, "maxItems": 64})


PRETTY = _flag("pretty", "Indent the JSON.")
STALE = _flag("stale", "Taken: every answer is.")
CACHED = _flag("cached", "Taken, and noted in the answer's headers.")
FILTER = _text("filter", "An expression of Consul's filter language.", maxLength=4096)
PASSING = _flag("passing", "Only instances all of whose checks pass.")
TAGS = _texts("tag", "Only instances with this tag; repeated, with all of them.")
NODE_META = _texts("node-meta", "key:value; only nodes with it; repeated, with all of them.")
NEAR = _text("near", "Nearest first to this node, or to _agent.")
INDEX = _number("index", "Wait for another index than this one.", 0, 2**64 - 1)
WAIT = _text("wait", "How long at most, with a unit.", pattern=r"^[0-9]{1,3}(ms|s)$")
HASH = _text("hash", "Wait for another X-Consul-ContentHash than this one.")
REASON = _text("reason", "Why.", maxLength=200)

COMMON = (PRETTY, STALE, CACHED)
WAITING = (*COMMON, INDEX, WAIT)
LISTS = (*WAITING, FILTER, NODE_META, NEAR)
NONE: tuple[Json, ...] = ()

TABLE: dict[str, tuple[Json, ...]] = {
    "/": NONE,
    "/ui": NONE,
    "/v1/openapi.json": (PRETTY,),
    "/metrics": NONE,
    "/v1/catalog/datacenters": COMMON,
    "/v1/catalog/nodes": LISTS,
    "/v1/catalog/services": (*WAITING, FILTER, NODE_META),
    "/v1/catalog/service/{name}": (*LISTS, TAGS),
    "/v1/catalog/connect/{name}": (*LISTS, TAGS),
    "/v1/catalog/node/{node}": (*WAITING, FILTER),
    "/v1/catalog/node-services/{node}": (*WAITING, FILTER),
    "/v1/health/service/{name}": (*LISTS, TAGS, PASSING),
    "/v1/health/connect/{name}": (*LISTS, TAGS, PASSING),
    "/v1/health/ingress/{name}": (*LISTS, TAGS, PASSING),
    "/v1/health/checks/{name}": LISTS,
    "/v1/health/node/{node}": (*WAITING, FILTER),
    "/v1/health/state/{state}": LISTS,
    "/v1/agent/self": COMMON,
    "/v1/agent/members": (*COMMON, FILTER),
    "/v1/agent/version": (PRETTY,),
    "/v1/agent/host": (PRETTY,),
    "/v1/agent/metrics": (
        PRETTY,
        _text("format", "prometheus: as /metrics.", enum=["", "prometheus"]),
    ),
    "/v1/agent/services": (*COMMON, FILTER),
    "/v1/agent/checks": (*COMMON, FILTER),
    "/v1/agent/service/{id*}": (*COMMON, HASH, WAIT),
    "/v1/agent/health/service/id/{id*}": (
        *COMMON,
        _text("format", "text: the word alone.", enum=["text", "json"]),
    ),
    "/v1/agent/health/service/name/{name}": (
        *COMMON,
        _text("format", "text: the word alone.", enum=["text", "json"]),
    ),
    "/v1/status/leader": COMMON,
    "/v1/status/peers": COMMON,
    "/v1/coordinate/nodes": WAITING,
    "/v1/coordinate/node/{node}": WAITING,
    "/v1/coordinate/datacenters": COMMON,
    "/v1/event/list": (*WAITING, _text("name", "Only events of this name.")),
    "/v1/sd/prometheus": (
        _flag("members", "Members instead of instances."),
        _flag("passing", "Only what is well."),
        _texts("service", "Only instances of these services."),
        TAGS,
        _number("port", "Instead of their own.", 1, 65535),
    ),
    "/v1/agent/service/register": (
        _flag("replace-existing-checks", "Checks that are not in the body go."),
    ),
    "/v1/agent/service/deregister/{id*}": NONE,
    "/v1/agent/service/maintenance/{id*}": (
        _flag("enable", "Begin or end it.", required=True),
        REASON,
    ),
    "/v1/agent/maintenance": (_flag("enable", "Begin or end it.", required=True), REASON),
    "/v1/agent/check/register": NONE,
    "/v1/agent/check/deregister/{id*}": NONE,
    "/v1/agent/check/pass/{id*}": (_text("note", "The check's output."),),
    "/v1/agent/check/warn/{id*}": (_text("note", "The check's output."),),
    "/v1/agent/check/fail/{id*}": (_text("note", "The check's output."),),
    "/v1/agent/check/update/{id*}": NONE,
    "/v1/agent/join/{address}": (_flag("wan", "Refused: there is one pool."),),
    "/v1/agent/force-leave/{node}": (_flag("prune", "Forget it, too."),),
    "/v1/agent/leave": NONE,
    "/v1/agent/reload": NONE,
    "/v1/catalog/register": NONE,
    "/v1/catalog/deregister": NONE,
    "/v1/event/fire/{name}": (
        _text("node", "RE2: only nodes whose name it matches."),
        _text("service", "RE2: only nodes with such a service."),
        _text("tag", "RE2: and such a tag; needs service."),
    ),
    "/v1/gossipd/state": (
        PRETTY,
        _text("instances", "all: also if they are very many.", enum=["all"]),
    ),
    "/v1/gossipd/member/{name}": (PRETTY,),
    "/v1/gossipd/service/{name}": (PRETTY,),
    "/v1/gossipd/suspicion": (PRETTY,),
    "/v1/gossipd/age": (PRETTY,),
    "/v1/gossipd/graph": (
        PRETTY,
        _text("format", "dot: for Graphviz.", enum=["json", "dot"]),
    ),
    "/v1/gossipd/impact/{kind}/{name}": (PRETTY,),
    "/v1/gossipd/timeline": (
        PRETTY,
        _number("after", "Only lines above this number.", 0, 2**52),
        _number("limit", "The last so many.", 1, 1024),
        _text("kind", "Only lines of this kind; several with commas.", enum=list(KINDS)),
        _text("level", "Only lines of this level; several with commas.", enum=list(LEVELS)),
        _text("node", "Only lines about this node."),
        _text("service", "Only lines about this service."),
    ),
    "/v1/gossipd/events": (
        _flag("state", "Begin with the whole state, and follow it."),
        _number("backlog", "Begin with the last so many lines.", 0, 1024),
        _text("last-event-id", "Go on behind this event.", pattern=r"^[0-9]{1,12}-[0-9]{1,12}$"),
    ),
}
"""By the pattern of the route."""

ALWAYS: dict[tuple[str, str], Json] = {
    ("/v1/health/state/{state}", "state"): {
        "type": "string",
        "enum": ["any", "passing", "warning", "critical"],
    },
    ("/v1/gossipd/impact/{kind}/{name}", "kind"): {"type": "string", "enum": ["node", "service"]},
}
"""Parts of paths that are not any text, by pattern and name."""

_ONLY_OURS = ("/v1/catalog/", "/v1/health/", "/v1/agent/services", "/v1/agent/checks")


def parameters_of(route: Route, datacenter: str) -> list[Json]:
    """Return the parameters of a route, but for those of its path."""
    found = list(TABLE.get(route.pattern, ()))
    if route.method == "GET" and route.pattern.startswith(_ONLY_OURS):
        found.append(_text("dc", "Only ours can be asked.", enum=[datacenter]))
    return found


def is_described(route: Route) -> bool:
    """Return whether somebody said which parameters a route takes."""
    return route.pattern in TABLE
