"""``Directory``: finds nodes and services by what a question says, each in one look-up.

Tables are made when they are asked for and kept while the cluster's picture is the
same object. Those that go over all instances (who has this address, which nodes have
no agent) are made at most once a second: nobody can make us go over all of them with
every packet while something changes.
"""

from __future__ import annotations

from gossipd.dns.selection import ip_of
from gossipd.external_node import NODE_META, claimed_node
from gossipd.node.handle import NodeHandle
from gossipd.node.view import View
from gossipd.serf.events import SerfMember
from gossipd.services.instance import Instance, ServiceSummary, ServiceView
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus

REMADE_AFTER = 1.0
"""Seconds that tables over all instances are used at least."""
MAPPED = bytes(10) + b"\xff\xff"


class Node(Value):
    """A node as DNS shows it: one with an agent, or one that somebody registered."""

    name: str
    ip: bytes
    meta: tuple[tuple[str, str], ...] = ()


class Directory:
    """The tables over one handle."""

    def __init__(self, handle: NodeHandle) -> None:
        self._handle = handle
        self._view: View | None = None
        self._nodes: dict[str, SerfMember] = {}
        self._by_ip: dict[bytes, SerfMember] = {}
        self._summaries: tuple[ServiceSummary, ...] | None = None
        self._spellings: dict[str, str] = {}
        self._went_over: tuple[ServiceSummary, ...] | None = None
        self._went_at = 0.0
        self._external: dict[str, Node] = {}
        self._services_by_ip: dict[bytes, str] = {}

    def service(self, name: str) -> ServiceView:
        """Return the instances of a service, its name in lower case.

        If there is none of just this spelling, one with capitals is found.
        """
        view = self._handle.service(name)
        if view.instances:
            return view
        summaries = self._handle.services()
        if summaries is not self._summaries:
            self._summaries = summaries
            self._spellings = {
                one.name.lower(): one.name for one in summaries if one.name.lower() != one.name
            }
        spelling = self._spellings.get(name)
        return view if spelling is None else self._handle.service(spelling)

    def is_current(self, view: ServiceView) -> bool:
        """Return whether nothing of that service changed since, and it is still what a name in
        lower case means."""
        service, name = self._handle.service, view.name
        if service(name) is not view:
            return False
        plain = name.lower()
        return plain == name or not service(plain).instances

    def node(self, name: str) -> Node | None:
        """Return the node of that name in lower case, unless it left."""
        self._look()
        member = self._nodes.get(name)
        if member is not None:
            return _shown(member)
        self._go_over_services()
        return self._external.get(name)

    def node_of(self, instance: Instance) -> str:
        """Return the name of the node that readers are shown for ``instance``.

        It is another than its owner only if it has no agent, which would speak for itself.
        """
        self._look()
        node = claimed_node(instance.service.id, instance.service.meta)
        return node if node and node.lower() not in self._nodes else instance.owner

    def node_at(self, ip: bytes) -> str:
        """Return the name of the node with that address; empty if there is none."""
        self._look()
        member = self._by_ip.get(ip)
        return "" if member is None else member.name

    def service_at(self, ip: bytes) -> str:
        """Return the name of a service with that address; empty if there is none."""
        self._go_over_services()
        return self._services_by_ip.get(ip, "")

    def own(self) -> Node:
        """Return this node."""
        view = self._handle.view()
        member = next((m for m in view.members if m.name == view.name), None)
        if member is None:
            return Node(view.name, plain_ip(view.address.ip))
        return _shown(member)

    def _look(self) -> None:
        view = self._handle.view()
        if view is self._view:
            return
        self._view = view
        self._nodes, self._by_ip = {}, {}
        for member in view.members:
            if member.status is not MemberStatus.LEFT:
                self._nodes.setdefault(member.name.lower(), member)
                self._by_ip.setdefault(plain_ip(member.address.ip), member)

    def _go_over_services(self) -> None:
        summaries, now = self._handle.services(), self._handle.now()
        if summaries is self._went_over:
            return
        if self._went_over is not None and now - self._went_at < REMADE_AFTER:
            return
        self._went_over, self._went_at = summaries, now
        self._external, self._services_by_ip = {}, {}
        for summary in summaries:
            for instance in self._handle.service(summary.name).instances:
                self._note(instance)

    def _note(self, instance: Instance) -> None:
        service = instance.service
        ip = ip_of(service.address) if service.address else b""
        if not ip:
            return
        self._services_by_ip.setdefault(ip, service.name)
        name = claimed_node(service.id, service.meta)
        if name and name.lower() not in self._external:
            meta = tuple(
                (key.removeprefix(NODE_META), value)
                for key, value in service.meta.items()
                if key.startswith(NODE_META)
            )
            self._external[name.lower()] = Node(name, ip, meta)


def plain_ip(ip: bytes) -> bytes:
    """Return an address, IPv4 in mapped form as its 4 bytes."""
    return ip[12:] if len(ip) == 16 and ip.startswith(MAPPED) else ip


def _shown(member: SerfMember) -> Node:
    return Node(member.name, plain_ip(member.address.ip), tuple(member.tags.items()))
