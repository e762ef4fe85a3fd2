"""``ServiceMeasures``: how soon everybody knows of a service, and what the catalog costs.

A change is what an owner shows of an instance of its own: it registered, changed
or took it back. Everybody is who has a catalog, was up, unhindered and connected to
the owner at that moment, and lived until the end. A newcomer is complete when it
shows as many instances as there are. Bytes are those of the catalog's own messages,
by kind: packets that begin with one, and streams that carry one.
"""

from __future__ import annotations

from collections import Counter
from math import inf

from gossipd.address import Address
from gossipd.catalog.events import ServiceChanged
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.services.instance import DOWN, UP, ServiceChange
from gossipd.wire.messages import PacketMessage
from gossipd_sim.catalog_traffic import STREAMED, catalog_kind
from gossipd_sim.host import Host
from gossipd_sim.network import Datagram, Network, size_of
from gossipd_sim.numbers import quantile
from gossipd_sim.truth import Truth
from gossipd_sim.world import World

LOOK_EVERY = 0.05
"""Seconds between two looks at a newcomer."""


class _News:
    """One change of an owner's, and who knows of it since when."""

    __slots__ = ("at", "epoch", "heard", "kind", "version", "waiting")

    def __init__(self, kind: str, at: float, epoch: int, version: int) -> None:
        self.kind = kind
        self.at = at
        self.epoch = epoch
        self.version = version
        self.waiting: dict[tuple[str, int], None] = {}
        """Host and life."""
        self.heard: dict[tuple[str, int], float] = {}


class ServiceMeasures:
    """Observes one run, with hooks of ``checkers/inspector.py``.

    Args:
        rest_from: when the cluster counts as at rest, in seconds.
    """

    def __init__(
        self, truth: Truth, network: Network, world: World, *, rest_from: float = inf
    ) -> None:
        self._truth = truth
        self._network = network
        self._world = world
        self._rest_from = rest_from
        self._rest_bytes: int | None = None
        self._rest_began = 0.0
        self._changed: dict[str, dict[str, None]] = {}
        self._indices: dict[str, dict[str, int]] = {}
        self._news: list[_News] = []
        self._open: dict[tuple[str, str], list[_News]] = {}
        self._joining: dict[str, tuple[float, float]] = {}
        """Hosts that came when there were services: since when, and when to look next."""
        self._joins: list[float] = []
        self._packets: Counter[str] = Counter()
        self._packet_bytes = 0

    def on_boot(self, host: Host, now: float) -> None:
        """Follow the new life from its first change on."""
        self._indices[host.name] = {}
        self._changed.pop(host.name, None)
        self._joining.pop(host.name, None)
        if host.config.catalog.enabled and self._registered() > 0:
            self._joining[host.name] = now, now

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Note which services to look at."""
        if type(event) is ServiceChanged:
            self._changed.setdefault(host.name, {})[event.name] = None

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Note the size of a datagram; what it holds is told next."""
        self._packet_bytes = size_of(data)

    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """Count a datagram that begins with a message of the catalog."""
        kind = catalog_kind(messages[0]) if messages else ""
        if kind:
            self._packets[kind] += self._packet_bytes

    def on_step(self, host: Host, now: float) -> None:
        """Take in what changed."""
        if now >= self._rest_from and self._rest_bytes is None:
            self._rest_bytes, self._rest_began = self._bytes(), now
        node = host.node
        if node is None:
            return
        changed = self._changed.pop(host.name, None)
        if changed is not None:
            self._take_in(host, node, changed, now)
        if host.name in self._joining:
            self._look_at_joiner(host, node, now)

    def _take_in(self, host: Host, node: Node, changed: dict[str, None], now: float) -> None:
        indices = self._indices[host.name]
        for name in changed:
            for change in self._changes(node, name, indices.get(name)):
                if change.instance.owner == host.config.name:
                    self._say(host, change, now)
                else:
                    self._hear(host, change, now)
            indices[name] = node.service(name).index

    def _look_at_joiner(self, host: Host, node: Node, now: float) -> None:
        began, next_look = self._joining[host.name]
        if now < next_look:
            return
        self._joining[host.name] = began, now + LOOK_EVERY
        if sum(summary.total for summary in node.services()) >= self._registered():
            self._joins.append(now - began)
            del self._joining[host.name]

    def _registered(self) -> int:
        """Return how many instances there are by the word of their owners."""
        return sum(
            len(host.node.own_services().services)
            for host in self._truth.up()
            if host.node is not None and host.config.catalog.enabled
        )

    def _changes(self, node: Node, name: str, index: int | None) -> tuple[ServiceChange, ...]:
        changes = None if index is None else node.service_changes(name, index)
        if changes is not None:
            return changes
        return tuple(
            ServiceChange(index=0, kind=UP, instance=one) for one in node.service(name).instances
        )

    def _say(self, owner: Host, change: ServiceChange, now: float) -> None:
        instance = change.instance
        news = _News(change.kind, now, instance.epoch, instance.version)
        for host in self._truth.up():
            if host is owner or host.is_hindered or not host.config.catalog.enabled:
                continue
            if self._truth.are_connected(owner, host):
                news.waiting[host.name, host.life] = None
        self._news.append(news)
        self._open.setdefault(instance.key, []).append(news)

    def _hear(self, host: Host, change: ServiceChange, now: float) -> None:
        instance, who = change.instance, (host.name, host.life)
        known = self._open.get(instance.key)
        if known is None:
            return
        for news in known:
            is_newer = (instance.epoch, instance.version) >= (news.epoch, news.version)
            if who in news.waiting and is_newer and (news.kind != DOWN or change.kind == DOWN):
                del news.waiting[who]
                news.heard[who] = now
        if not any(news.waiting for news in known):
            del self._open[instance.key]

    # -- at the end ----------------------------------------------------------------

    def values(self) -> dict[str, object]:
        """Return all numbers by name; nothing if no host has a catalog. Times in seconds."""
        hosts = [host for host in self._truth.hosts.values() if host.config.catalog.enabled]
        if not hosts:
            return {}
        found: dict[str, object] = {}
        for kind in (UP, "changed", DOWN):
            news = [one for one in self._news if one.kind == kind and (one.heard or one.waiting)]
            found[kind] = {
                "count": len(news),
                "unheard": sum(self._is_missed(one) for one in news),
                "first": _times([min(one.heard.values()) - one.at for one in news if one.heard]),
                "all": _times(
                    [
                        max(one.heard.values()) - one.at
                        for one in news
                        if one.heard and not self._is_missed(one)
                    ]
                ),
            }
        found["joined"] = {**_times(self._joins), "incomplete": len(self._joining)}
        found["bytes"] = dict(sorted(self._by_kind().items()))
        if self._rest_bytes is not None and self._world.now > self._rest_began:
            seconds = (self._world.now - self._rest_began) * len(self._truth.up())
            rate = (self._bytes() - self._rest_bytes) / max(seconds, 1e-9)
            found["rest_bytes_a_node_a_second"] = round(rate, 3)
        return {"services": found}

    def _is_missed(self, news: _News) -> bool:
        hosts = self._truth.hosts
        return any(hosts[name].is_up and hosts[name].life == life for name, life in news.waiting)

    def _by_kind(self) -> Counter[str]:
        counts = Counter({f"udp {kind}": count for kind, count in self._packets.items()})
        for host in self._truth.hosts:
            for kind, tally in self._network.sent[host].items():
                if kind.startswith(STREAMED):
                    counts[f"tcp {kind.removeprefix(STREAMED)}"] += tally.bytes
        return counts

    def _bytes(self) -> int:
        return sum(self._by_kind().values())


def _times(seconds: list[float]) -> dict[str, object]:
    if not seconds:
        return {"count": 0}
    return {
        "count": len(seconds),
        "median": round(quantile(seconds, 0.5), 4),
        "p99": round(quantile(seconds, 0.99), 4),
        "max": round(max(seconds), 4),
    }
