"""What providers on a simulated host have its node do with services, as ``Host.command`` s.

Programs register, report and take back services at their own host's daemon. What
a host then has to provide is kept beside the node, so that checkers can ask
whether the node still knows: its programs, not its memory, say what is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gossipd.errors import Unavailable, UsageError
from gossipd.node.node import Node
from gossipd.services.definition import CRITICAL, PASSING, TTL, CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT
from gossipd_sim.joiner import Command

PORT_FIRST = 8000
SILENCE_MAX = 1e6
"""Seconds for which a check may hear nothing, longer than any run: programs report changes."""


class Provided:
    """What the programs of one host registered and did not take back, by id."""

    __slots__ = ("ending", "services")

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.ending: dict[str, Service] = {}
        """Those that drain: their node takes them back by itself in the end."""

    def forget(self) -> None:
        """Begin anew: the programs ended with a daemon that remembers nothing."""
        self.services.clear()
        self.ending.clear()


def instance_id(service: str, number: int) -> str:
    """Return the id of the instance of that number, from 1 on, of one host."""
    return f"{service}-{number}"


def instance_ids(service: str, count: int) -> list[str]:
    """Return the ids of the first ``count`` instances of one host."""
    return [instance_id(service, number) for number in range(1, count + 1)]


def check_id(instance: str) -> str:
    """Return the id of the one check of an instance."""
    return f"{instance}-alive"


def make_services(name: str, count: int, meta: Mapping[str, str]) -> list[Service]:
    """Return ``count`` instances, each with a check that passes until told otherwise."""
    return [
        Service(
            id=instance,
            name=name,
            port=PORT_FIRST + number,
            tags=("simulated",),
            meta=dict(meta),
            weight=10,
            checks=(
                CheckDefinition(
                    id=check_id(instance), name="alive", kind=TTL, ttl=SILENCE_MAX, status=PASSING
                ),
            ),
        )
        for number, instance in enumerate(instance_ids(name, count))
    ]


def register(provided: Provided, services: Iterable[Service]) -> Command:
    """Register ``services``, those that the node takes."""

    def put(node: Node, now: float) -> None:
        for service in services:
            try:
                node.register_service(service, FROM_CLIENT, now)
            except (Unavailable, UsageError):
                continue  # too many in a short time, or no catalog here
            provided.ending.pop(service.id, None)  # whoever registers anew means to stay
            provided.services[service.id] = service

    return put


def deregister(provided: Provided, instances: Iterable[str]) -> Command:
    """Take back the services of those ids."""

    def take(node: Node, now: float) -> None:
        for instance in instances:
            if _is_done(node.deregister_service, instance, now):
                provided.services.pop(instance, None)
                provided.ending.pop(instance, None)

    return take


def report(instances: Iterable[str], status: str, output: str) -> Command:
    """Say how the services of those ids are."""

    def tell(node: Node, now: float) -> None:
        for instance in instances:
            _is_done(node.report_check, check_id(instance), status, output, None, now)

    return tell


def flap(instances: Iterable[str]) -> Command:
    """Say of each of them the contrary of what was said last: it passes, or is critical."""

    def tell(node: Node, now: float) -> None:
        statuses = {
            own.service.id: own.checks[0].status
            for own in node.own_services().services
            if own.checks
        }
        for instance in instances:
            status = CRITICAL if statuses.get(instance) == PASSING else PASSING
            _is_done(node.report_check, check_id(instance), status, "", None, now)

    return tell


def report_load(instances: Iterable[str], load: float) -> Command:
    """Say how busy they are."""

    def tell(node: Node, now: float) -> None:
        for instance in instances:
            _is_done(node.report_load, instance, load, now)

    return tell


def maintain(instances: Iterable[str], reason: str | None) -> Command:
    """Take them out of passing, or no longer; the id of the whole node is empty."""

    def put(node: Node, now: float) -> None:
        for instance in instances:
            _is_done(node.set_maintenance, instance, reason, now)

    return put


def drain(provided: Provided, instances: Iterable[str], seconds: float) -> Command:
    """Drain them, until they are gone; the whole node, whose id is empty, keeps its own."""

    def put(node: Node, now: float) -> None:
        for instance in instances:
            if not _is_done(node.drain, instance, seconds, now):
                continue
            source, target = provided.services, provided.ending
            if seconds <= 0:
                source, target = target, source
            if instance in source:
                target[instance] = source.pop(instance)

    return put


def _is_done(verb: object, *args: object) -> bool:
    """Say whether the node took it; it refuses what it does not know, or has no catalog for."""
    assert callable(verb)
    try:
        verb(*args)
    except (Unavailable, UsageError):
        return False
    return True
