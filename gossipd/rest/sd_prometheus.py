"""``GET /v1/sd/prometheus``: members and services as Prometheus' http_sd wants them.

One group for each instance, or for each member with ``?members``. What is known of it
becomes labels that begin with ``__meta_gossipd_``; relabelling makes of them what the
operator likes. Nothing is left out unless it is asked for: a target that fails is to be
seen failing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gossipd.config.faces import DEFAULT_HTTP_PORT
from gossipd.rest.consul.reads.kept import are_the_same
from gossipd.rest.own.json_pieces import list_pieces
from gossipd.rest.query import flag
from gossipd.rest.values import Refused, Reply, Request, Route
from gossipd.services.definition import PASSING
from gossipd.wire.serf_messages import MemberStatus

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk
    from gossipd.serf.events import SerfMember
    from gossipd.services.instance import Instance

META = "__meta_gossipd_"
PARAMETERS = ("members", "passing", "port", "service", "tag")
"""What makes answers different."""
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
Group = dict[str, object]


async def list_targets(request: Request, desk: Desk) -> Reply:
    """Answer with the targets that the query means, as groups of one."""
    handle, kept, fragments = desk.handle, desk.reading.kept, desk.reading.fragments
    port = _port_of(request)
    is_passing, is_of_members = flag(request, "passing"), flag(request, "members")
    asked = {name: request.query[name] for name in PARAMETERS if name in request.query}
    question = "sd", tuple(asked.items())
    desk.reading.topics.look()  # it knows which nodes have no agent

    def state() -> tuple[object, ...]:
        fragments.view()
        return fragments.views, handle.degraded() if is_of_members else handle.services()

    before = state()
    reply = kept.find(question, before)
    if reply is not None:
        return reply
    if is_of_members:
        degraded = handle.degraded()
        members = _members(desk, is_passing=is_passing)
        groups = (_of_member(one, desk.datacenter, port, degraded) for one in members)
    else:
        tags = frozenset(request.query.get("tag", ()))
        wanted = frozenset(request.query.get("service", ()))
        instances = _instances(desk, wanted, tags, is_passing=is_passing)
        groups = (_of_instance(one, desk, port) for one in instances)
    reply = Reply(body=b"".join([piece async for piece in list_pieces(groups)]))
    if are_the_same(before, state()):  # others had their turns, and changes are for the next
        kept.keep(question, before, reply)
    return reply


def _port_of(request: Request) -> int | None:
    text = request.first("port")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise Refused(400, "Invalid value for ?port: write 1 to 65535")
    return int(text)


def _members(desk: Desk, *, is_passing: bool) -> Iterator[SerfMember]:
    alive = MemberStatus.ALIVE
    for member in desk.handle.view().members:
        if member.status is alive or (not is_passing and member.status is not MemberStatus.LEFT):
            yield member


def _instances(
    desk: Desk, services: frozenset[str], tags: frozenset[str], *, is_passing: bool
) -> Iterator[Instance]:
    for summary in desk.handle.services():
        if services and summary.name not in services:
            continue
        for instance in desk.handle.service(summary.name).instances:
            if is_passing and instance.status != PASSING:
                continue
            if tags.issubset(instance.service.tags):
                yield instance


def _of_member(
    member: SerfMember, datacenter: str, port: int | None, degraded: Mapping[str, str]
) -> Group:
    host = member.address.host
    labels = {
        "member": member.name,
        "address": host,
        "port": str(member.address.port),
        "status": member.status.name.lower(),
        "datacenter": datacenter,
        "degraded": degraded.get(member.name, ""),
        **_labels_of("tag", member.tags),
    }
    return _group(_target(host, port or DEFAULT_HTTP_PORT), labels)


def _of_instance(instance: Instance, desk: Desk, port: int | None) -> Group:
    externals = desk.reading.shapes.externals
    service = externals.shown_service(instance.service)
    node, host = externals.shown_node(instance), instance.address
    is_ours = node == instance.owner  # no agent knows the tags of other nodes
    member = desk.reading.shapes.member(node) if is_ours else None
    labels = {
        "service": service.name,
        "service_id": service.id,
        "address": host,
        "port": str(service.port),
        "status": instance.status,
        "tags": f",{','.join(service.tags)}," if service.tags else "",
        "node": node,
        "node_address": instance.owner_address if is_ours else host,
        "node_status": instance.owner_status,
        "doubtful": "true" if instance.is_doubtful else "false",
        "draining": "true" if instance.is_draining else "false",
        "maintenance": instance.maintenance,
        "weight": str(instance.weight),
        "zone": instance.zone,
        "datacenter": desk.datacenter,
        **_labels_of("service_meta", service.meta),
        **_labels_of("node_tag", {} if member is None else member.tags),
    }
    return _group(_target(host, port or service.port), labels)


def _group(target: str, labels: Mapping[str, str]) -> Group:
    return {
        "targets": [target],
        "labels": {META + name: value for name, value in labels.items() if value},
    }


def _labels_of(kind: str, pairs: Mapping[str, str]) -> dict[str, str]:
    """Return labels of ``pairs``, whose keys anybody may have chosen."""
    return {f"{kind}_{_NO_LABEL.sub('_', key)}": value for key, value in pairs.items()}


def _target(host: str, port: int) -> str:
    """Return an address; without a port Prometheus takes that of the scheme, :0 is nobody's."""
    bracketed = f"[{host}]" if ":" in host else host
    return f"{bracketed}:{port}" if port else bracketed


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/v1/sd/prometheus",
        handler=list_targets,
        summary="Targets for Prometheus' http_sd: instances of services, or members.",
    ),
)
