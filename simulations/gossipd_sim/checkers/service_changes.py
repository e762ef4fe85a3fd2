"""A consumer that follows every service of every host is told each change once and in order.

The checker is that consumer: it keeps the set of instances of each service from
changes alone, and after each step it must be the set that the host shows. Indices
grow, who comes up was not there, who changes or goes was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.catalog.events import ServiceChanged
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.services.instance import DOWN, UP, Instance, ServiceChange
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster


class _Followed:
    """What a consumer knows of one service by now."""

    __slots__ = ("index", "instances")

    def __init__(self) -> None:
        self.index = 0
        self.instances: dict[tuple[str, str], Instance] = {}


class ServiceChanges:
    """Follows all services in each life of each host, from its first change on."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._hosts: dict[str, Host] = {}
        self._followed: dict[str, dict[str, _Followed]] = {}
        self._changed: dict[str, dict[str, None]] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew: a new process tells consumers that it has been away."""
        self._hosts[host.name] = host
        self._followed[host.name] = {}
        self._changed.pop(host.name, None)

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Note which services to look at."""
        if type(event) is ServiceChanged:
            self._changed.setdefault(host.name, {})[event.name] = None

    def on_step(self, host: Host, now: float) -> None:
        """Take in what changed."""
        changed = self._changed.pop(host.name, None)
        if changed is not None and host.node is not None:
            for name in changed:
                self._follow(host, host.node, name, now)

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Complain of what changed and was never told."""
        for host in self._hosts.values():
            if host.node is None:
                continue
            followed = self._followed.get(host.name, {})
            for name in (summary.name for summary in host.node.services()):
                shown = host.node.service(name).instances
                self._compare(host, name, followed.get(name, _Followed()), shown, now)

    def _follow(self, host: Host, node: Node, name: str, now: float) -> None:
        followed = self._followed[host.name].get(name)
        view = node.service(name)
        if followed is None:
            followed = self._followed[host.name][name] = _Followed()
            changes = None
        else:
            changes = node.service_changes(name, followed.index)
        if changes is None:
            followed.instances = {one.key: one for one in view.instances}
        else:
            for change in changes:
                self._apply(host, name, followed, change, now)
        if followed.index > view.index:
            text = f"the index of {name} fell from {followed.index} to {view.index}"
            self._complain(host.name, now, text)
        followed.index = view.index
        self._compare(host, name, followed, view.instances, now)

    def _apply(
        self, host: Host, name: str, followed: _Followed, change: ServiceChange, now: float
    ) -> None:
        key = change.instance.key
        if change.index <= followed.index:
            text = f"{change.kind} of {key} of {name} at {change.index} after {followed.index}"
            self._complain(host.name, now, text)
        followed.index = max(followed.index, change.index)
        if (key in followed.instances) is (change.kind == UP):
            was = "was there" if change.kind == UP else "was not there"
            self._complain(host.name, now, f"{change.kind} of {key} of {name} that {was}")
        if change.kind == DOWN:
            followed.instances.pop(key, None)
        else:
            followed.instances[key] = change.instance

    def _compare(
        self,
        host: Host,
        name: str,
        followed: _Followed,
        shown: tuple[Instance, ...],
        now: float,
    ) -> None:
        instances = {one.key: one for one in shown}
        if instances != followed.instances:
            keys = [*instances, *(key for key in followed.instances if key not in instances)]
            wrong = [key for key in keys if instances.get(key) != followed.instances.get(key)]
            text = f"who follows {name} knows otherwise than is shown: {wrong[:3]}"
            self._complain(host.name, now, text)
            followed.instances = instances
