"""Nodes that run no agent, written into the catalog (consul-http.md, 10.4).

This agent adopts what is written of them: it owns their services and gossips them.
A node that runs an agent is that agent's to describe, and one that another agent
keeps is written there, for two owners would contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.rest.consul.external import (
    as_written,
    claimed_node,
    external_check,
    external_id,
    external_meta,
    node_meta,
    services_of,
)
from gossipd.rest.consul.writes import commands
from gossipd.rest.consul.writes.bodies import Fields, read_body, refused, shown_json
from gossipd.rest.consul.writes.commands import own_service, refusing
from gossipd.rest.consul.writes.definitions import (
    made_service,
    place_table,
    read_meta,
    refuse_places,
)
from gossipd.rest.consul.writes.definitions_checks import read_notes, read_status
from gossipd.rest.consul.writes.service import with_checks_of
from gossipd.rest.desk import Desk
from gossipd.rest.values import WRITE, Refused, Reply, Request, Route
from gossipd.services.definition import CRITICAL, Service
from gossipd.services.instance import OWNER_FAILED
from gossipd.services.writing import write_service
from gossipd.value import Value, replace
from gossipd.wire.serf_messages import MemberStatus

YES = Reply(body=b"true")


class Written(Value):
    """A check as it was written; ``service`` is the id of what it is about, empty for the node."""

    id: str
    name: str
    service: str
    status: str
    notes: str
    output: str


async def register(request: Request, desk: Desk) -> Reply:
    """Take in a node without an agent, a service of it, and what checks say."""
    fields = read_body(request)
    node = _node_of(fields, desk)
    address = fields.text("Address")
    if not address and not fields.flag("SkipNodeUpdate"):
        raise refused("Must provide address")
    before = {service.id: service for service in services_of(node, _own(desk))}
    services = dict(before)
    meta = read_meta(fields, "NodeMeta", "Node")
    if not meta and before:
        meta = node_meta(next(iter(before.values())))
    about = fields.one("Service")
    if about:
        service = _service_of(about, node, address, meta)
        _refuse_other_keeper(desk, node, service)
        known = before.get(service.id)
        if known is None and own_service(desk, service.id) is not None:
            raise refused(f"ID: this agent has a service {shown_json(service.id)} of its own")
        services[service.id] = service if known is None else with_checks_of(known, service)
    elif not before:
        raise refused("Service: missing; a node without an agent is kept by its services")
    written = [_check_of(check, services, node) for check in _given_checks(fields)]
    for service in services.values():
        plain = as_written(service).meta
        service = replace(service, meta=external_meta(node, meta, plain))
        checks = [one for one in written if one.service in ("", service.id)]
        _register(desk, _with_checks(service, checks), before.get(service.id))
        for one in checks:
            _report(desk, f"{service.id}/{one.id}", one)
    return YES


async def deregister(request: Request, desk: Desk) -> Reply:
    """Take back a check, a service, or all of a node without an agent; also what is not there."""
    fields = read_body(request)
    node = _node_of(fields, desk)
    service, check = fields.text("ServiceID"), fields.text("CheckID")
    kept = services_of(node, _own(desk))
    if not kept:
        _refuse_elsewhere(desk, node)
    for one in kept:
        if service and one.id != external_id(node, service):
            continue
        with refusing():
            if not check:
                desk.handle.deregister_service(one.id)
            elif any(known.id == f"{one.id}/{check}" for known in one.checks):
                desk.handle.deregister_check(f"{one.id}/{check}")
    return YES


def _node_of(fields: Fields, desk: Desk) -> str:
    """Return which node is meant; one that runs an agent is not written here."""
    node = fields.text("Node")
    if not node:
        raise refused("Must provide node")
    refuse_places(fields)
    if fields.text("Datacenter") not in ("", desk.datacenter):
        raise refused("No path to datacenter", 500)
    left = (MemberStatus.LEFT, MemberStatus.NONE)
    if any(m.name == node and m.status not in left for m in desk.handle.view().members):
        raise refused(f"Node {shown_json(node)} runs an agent: use that node's agent", 403)
    return node


def _refuse_other_keeper(desk: Desk, node: str, service: Service) -> None:
    """Refuse a service that another agent keeps, as long as that one is there."""
    us = desk.handle.view().name
    for instance in desk.handle.service(service.name).instances:
        is_same = instance.service.id == service.id and claimed_node(instance.service) == node
        if is_same and instance.owner != us and instance.owner_status != OWNER_FAILED:
            raise _kept_by(node, instance.owner)


def _refuse_elsewhere(desk: Desk, node: str) -> None:
    """Refuse to take back what another agent keeps."""
    for summary in desk.handle.services():
        for instance in desk.handle.service(summary.name).instances:
            if claimed_node(instance.service) == node and instance.owner_status != OWNER_FAILED:
                raise _kept_by(node, instance.owner)


def _kept_by(node: str, owner: str) -> Refused:
    return refused(
        f"Node {shown_json(node)} is kept by agent {shown_json(owner)}: write there", 403
    )


def _own(desk: Desk) -> list[Service]:
    return [one.service for one in desk.handle.own_services().services]


def _service_of(fields: Fields, node: str, address: str, meta: Mapping[str, str]) -> Service:
    name = fields.text("Service") or fields.text("Name")
    if not name:
        raise refused("Service.Service: missing service name")
    refuse_places(fields)
    table = place_table(fields)
    id = external_id(node, fields.text("ID") or name)
    own = read_meta(fields, "Meta", "Service")
    table |= {"id": id, "name": name, "meta": external_meta(node, meta, own)}
    table.setdefault("address", address)
    if not table["address"]:
        del table["address"]
    return made_service(table)


def _given_checks(fields: Fields) -> list[Fields]:
    single = fields.one("Check")
    return [*([single] if single else []), *fields.many("Checks")]


def _check_of(fields: Fields, services: Mapping[str, Service], node: str) -> Written:
    name = fields.text("Name")
    id = fields.text("CheckID") or name
    if not id:
        raise refused("Missing check name")
    if fields.text("Node") not in ("", node):
        raise fields.refuse("Node", f"{shown_json(fields.text('Node'))} is another node")
    status = read_status(fields) or CRITICAL
    service = fields.text("ServiceID")
    if service and external_id(node, service) not in services:
        raise refused(f'ServiceID "{service}" does not exist', 404)
    return Written(
        id,
        name or id,
        external_id(node, service) if service else "",
        status,
        read_notes(fields),
        fields.text("Output"),
    )


def _with_checks(service: Service, written: list[Written]) -> Service:
    checks = {check.id: check for check in service.checks}
    for one in written:
        new = external_check(service.id, one.id, one.name, status=one.status, notes=one.notes)
        known = checks.get(new.id)
        # another status alone is a report: the check goes on
        if known is None or replace(known, status=new.status) != new:
            checks[new.id] = new
    return replace(service, checks=tuple(checks.values()))


def _register(desk: Desk, service: Service, known: Service | None) -> None:
    if service == known:
        return
    made = made_service(write_service(service))  # within the bounds of all providers
    commands.register(desk, made)


def _report(desk: Desk, id: str, written: Written) -> None:
    with refusing():
        desk.handle.report_check(id, written.status, written.output)


ROUTES = (
    Route(
        method="PUT",
        pattern="/v1/catalog/register",
        handler=register,
        level=WRITE,
        summary="Take in a service, or checks, of a node that runs no agent.",
    ),
    Route(
        method="PUT",
        pattern="/v1/catalog/deregister",
        handler=deregister,
        level=WRITE,
        summary="Take back a check, a service, or all of a node that runs no agent.",
    ),
)
