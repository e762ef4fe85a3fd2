"""``Measures``: what a run is worth in numbers.

How soon a crash is noticed by the first and by all, how often somebody is
declared dead who is not, how long views differ from the truth after a change,
what each node sends by cause, how deep its queues get. It observes a run and
is asked once, at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gossipd.address import Address
from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed, MemberRefuted, MemberSuspected
from gossipd.wire.messages import Alive, Dead, PacketMessage, Suspect, UserPayload
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.agreement import Agreement
from gossipd_sim.catalog_traffic import catalog_kind
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host
from gossipd_sim.network import TCP, UDP, Datagram, Network, size_of
from gossipd_sim.numbers import mean, quantile
from gossipd_sim.truth import Change, Truth
from gossipd_sim.world import World

WELL_FOR = 60.0
"""Seconds without any trouble after which a host counts as healthy."""


class _Death:
    """One crash: who was there to notice it, and who did when."""

    __slots__ = ("at", "node", "noticed", "returned_at", "witnesses")

    def __init__(self, node: str, at: float, witnesses: list[tuple[str, int]]) -> None:
        self.node = node
        self.at = at
        self.witnesses = witnesses
        """Host and life of all that were connected to it when it crashed."""
        self.noticed: dict[tuple[str, int], float] = {}
        self.returned_at: float | None = None


class Measures:
    """Observes one run; ``on_messages`` is a hook of ``checkers/inspector.py``.

    Args:
        truth: the oracle; it must observe before.
        every: seconds between looks at views and queues.
    """

    def __init__(self, truth: Truth, network: Network, world: World, *, every: float = 1.0) -> None:
        self._truth = truth
        self._network = network
        self._world = world
        self._agreement = Agreement(truth)
        self._every = every
        self._next_look = 0.0
        self._turns_read = 0
        self._deaths: list[_Death] = []
        self._dead: dict[str, _Death] = {}
        self._suspicions = self._refuted = 0
        self._false = self._false_healthy = self._deaths_told = 0
        self._suspected_false = self._false_apart = 0
        self._apart: dict[str, float] = {}
        """By node: when it was last accused by somebody that it was cut off from."""
        self._causes: dict[str, Counter[str]] = {"packets": Counter(), "bytes": Counter()}
        self._packet_bytes = 0
        self._queues: dict[str, list[float]] = {"claims": [], "payloads": []}
        self._deepest: dict[str, int] = {"claims": 0, "payloads": 0}
        self._host_seconds = 0.0
        self._looked_at = 0.0

    # -- observing ---------------------------------------------------------------

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Count what is told of members."""
        match event:
            case MemberFailed(member=member):
                self._on_failed(host, member.name, now)
            case MemberSuspected(member=member):
                self._suspicions += 1
                machines = [one for one in self._truth.named(member.name) if one.is_up]
                self._suspected_false += bool(machines)
                if not all(self._truth.are_connected(host, machine) for machine in machines):
                    self._apart[member.name] = now
            case MemberRefuted():
                self._refuted += 1
            case _:
                pass

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Note the size of a datagram; what it holds is told next."""
        self._packet_bytes = size_of(data)

    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """Count a datagram under what it is sent for: its first message."""
        cause = _cause(messages)
        self._causes["packets"][cause] += 1
        self._causes["bytes"][cause] += self._packet_bytes

    def on_step(self, host: Host, now: float) -> None:
        """Look at all hosts from time to time."""
        if now >= self._next_look:
            if now:
                self._look(now)
            else:
                self._world.after(0.0, self._look, now)  # others are still about to boot
            self._next_look = now + self._every

    def on_fault(self, text: str, now: float) -> None:
        """See the crash as soon as it has happened."""
        self._world.after(0.0, self._read_turns)
        for node in self._apart:  # it may heal a split, after which old accusations come through
            self._apart[node] = now

    @property
    def bytes_by_cause(self) -> Mapping[str, int]:
        """Bytes of all datagrams sent so far, each under what its first message is; live."""
        return self._causes["bytes"]

    def values(self) -> dict[str, object]:
        """Return all numbers by name; times in seconds."""
        now = self._world.now
        self._look(now)
        firsts, fulls = self._detections(now)
        seconds = max(self._host_seconds, 1e-9)
        return {
            "detection": {
                "crashes": len(self._deaths),
                "first": _times(firsts),
                "full": _times(fulls),
            },
            "deaths": {
                "told": self._deaths_told,
                "false": self._false,
                "false_apart": self._false_apart,
                "false_healthy": self._false_healthy,
            },
            "suspicions": {
                "told": self._suspicions,
                "false": self._suspected_false,
                "refuted": self._refuted,
            },
            "stuck_leaving": self._stuck_leaving(),
            "agreement": self._agreement.values(now),
            "a_node_a_second": {
                "packets": {
                    cause: round(count / seconds, 4)
                    for cause, count in sorted(self._causes["packets"].items())
                },
                "bytes": {
                    cause: round(count / seconds, 2)
                    for cause, count in sorted(self._causes["bytes"].items())
                },
                "udp_packets": round(self._network.sent.total(UDP).packets / seconds, 4),
                "udp_bytes": round(self._network.sent.total(UDP).bytes / seconds, 2),
                "tcp_bytes": round(self._network.sent.total(TCP).bytes / seconds, 2),
            },
            "queues": {
                name: {"mean": round(mean(depths), 3), "max": self._deepest[name]}
                for name, depths in self._queues.items()
            },
        }

    # -- crashes and who noticed ---------------------------------------------------

    def _read_turns(self) -> None:
        turns = self._truth.turns
        for turn in turns[self._turns_read :]:
            self._agreement.disturbed(turn.at)
            if turn.change is Change.CRASHED:
                machine = self._truth.hosts[turn.host]
                witnesses = [
                    (host.name, host.life)
                    for host in self._truth.up()
                    if host is not machine and self._truth.are_connected(host, machine)
                ]
                death = self._dead[turn.node] = _Death(turn.node, turn.at, witnesses)
                self._deaths.append(death)
            elif turn.change is Change.UP:
                ended = self._dead.pop(turn.node, None)
                if ended is not None:
                    ended.returned_at = turn.at
        self._turns_read = len(turns)

    def _on_failed(self, host: Host, node: str, now: float) -> None:
        self._read_turns()
        self._deaths_told += 1
        machines = [one for one in self._truth.named(node) if one.is_up]
        death = self._dead.get(node)
        if death is not None:
            death.noticed.setdefault((host.name, host.life), now)
        elif machines and not any(machine.is_leaving for machine in machines):
            truth = self._truth
            connected = all(truth.are_connected(host, machine) for machine in machines)
            self._false += 1
            if not connected:
                self._false_apart += 1
                self._apart[node] = now
            elif now - self._apart.get(node, -WELL_FOR) >= WELL_FOR:
                self._false_healthy += all(
                    truth.is_healthy(one, now, WELL_FOR) for one in (host, *machines)
                )

    def _detections(self, now: float) -> tuple[list[float], list[float]]:
        """Return the seconds from each crash to the first and to the last that noticed.

        A crash counts as noticed by all when each witness that lived until the
        end, or until the crashed one returned, has noticed.
        """
        firsts, fulls = [], []
        for death in self._deaths:
            if not death.noticed:
                continue
            firsts.append(min(death.noticed.values()) - death.at)
            lasting = [
                (name, life)
                for name, life in death.witnesses
                if self._truth.hosts[name].is_up and self._truth.hosts[name].life == life
            ]
            if lasting and all(witness in death.noticed for witness in lasting):
                fulls.append(max(death.noticed[witness] for witness in lasting) - death.at)
        return firsts, fulls

    def _stuck_leaving(self) -> int:
        """Return how many views show somebody as leaving who is up and does not leave."""
        staying = [host.config.name for host in self._truth.up()]
        return sum(
            shown[name].status is MemberStatus.LEAVING
            for host in self._truth.up()
            if host.node is not None
            for shown in (insight.roster(host.node),)
            for name in staying
            if name in shown
        )

    # -- looking from time to time ---------------------------------------------------

    def _look(self, now: float) -> None:
        self._read_turns()
        up = self._truth.up()
        self._host_seconds += len(up) * (now - self._looked_at)
        self._looked_at = now
        self._agreement.look(now)
        for name, depth in (
            ("claims", insight.claims_queued),
            ("payloads", insight.payloads_queued),
        ):
            depths = [depth(host.node) for host in up if host.node is not None]
            if depths:
                self._queues[name].append(mean(depths))
                self._deepest[name] = max(self._deepest[name], *depths)


def _cause(messages: tuple[PacketMessage, ...]) -> str:
    if messages and catalog_kind(messages[0]):
        return "catalog"
    match messages[0] if messages else None:
        case Alive() | Suspect() | Dead() | UserPayload():
            return "gossip"
        case None:
            return "unreadable"
        case lead:
            return {"IndirectPing": "ping_req"}.get(
                type(lead).__name__, type(lead).__name__.lower()
            )


def _times(seconds: list[float]) -> dict[str, object]:
    """Return how many there are, with median, 99th percentile and greatest."""
    if not seconds:
        return {"count": 0}
    return {
        "count": len(seconds),
        "median": round(quantile(seconds, 0.5), 4),
        "p99": round(quantile(seconds, 0.99), 4),
        "max": round(max(seconds), 4),
    }
