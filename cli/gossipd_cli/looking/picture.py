"""What ``gossipd top`` shows at one moment, taken over the local socket; no terminal here."""

from __future__ import annotations

import time

from gossipd.client.blocking import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gossipd.query.records import MemberRecord
    from gossipd.services.instance import ServiceSummary

RTTS_AT_ONCE = 50
"""Coordinates asked for in one picture; the others follow in the next ones."""
SORTS = ("status", "name", "rtt")
RANKS = {"failed": 0, "suspect": 1, "leaving": 2, "alive": 3, "left": 4}


class Totals:
    """Counters of the daemon at one moment, from its ``stats``."""

    __slots__ = ("at", "bytes_in", "bytes_out", "packets_in", "packets_out")

    def __init__(self, stats: dict[str, dict[str, str]], at: float) -> None:
        own = stats.get("gossipd", {})
        self.at = at
        self.bytes_in = _number(own, "bytes_received") + _number(own, "stream_bytes_received")
        self.bytes_out = _number(own, "bytes_sent") + _number(own, "stream_bytes_sent")
        self.packets_in = _sum(stats.get("gossipd_packets_received", {}))
        self.packets_out = _sum(stats.get("gossipd_packets_sent", {}))

    def rates(self, before: Totals) -> dict[str, float]:
        """Return what happened a second since ``before``."""
        seconds = max(self.at - before.at, 1e-3)
        return {
            name: round(max(0, getattr(self, name) - getattr(before, name)) / seconds, 1)
            for name in ("packets_in", "packets_out", "bytes_in", "bytes_out")
        }


def _number(section: dict[str, str], key: str) -> int:
    text = section.get(key, "0")
    return int(text) if text.isdigit() else 0


def _sum(section: dict[str, str]) -> int:
    return sum([int(text) for text in section.values() if text.isdigit()])


class Picture:
    """The cluster at one moment.

    Attributes:
        node: name of the daemon's own.
        health_score: 0 is good.
        members, services: as the daemon tells them.
        rtts: seconds to a member by name, of those that are known.
        rates: what happened a second since the last picture; empty in the first.
    """

    __slots__ = ("health_score", "members", "node", "rates", "rtts", "services", "stats")

    def __init__(
        self,
        stats: dict[str, dict[str, str]],
        members: Sequence[MemberRecord],
        services: Sequence[ServiceSummary],
        rtts: dict[str, float],
        rates: dict[str, float],
    ) -> None:
        self.stats = stats
        self.node = stats.get("agent", {}).get("name", "")
        self.health_score = _number(stats.get("serf", {}), "health_score")
        self.members = members
        self.services = services
        self.rtts = rtts
        self.rates = rates

    def counts(self) -> dict[str, int]:
        """Return how many members there are of each status."""
        found = dict.fromkeys(("alive", "suspect", "leaving", "left", "failed"), 0)
        for member in self.members:
            status = status_of(member)
            found[status] = found.get(status, 0) + 1
        return found

    def sorted_members(self, sort: str) -> list[MemberRecord]:
        """Return the members by ``sort``, one of ``SORTS``; what is bad first, by status."""
        if sort == "rtt":
            return sorted(self.members, key=lambda m: (-self.rtts.get(m.name, -1.0), m.name))
        if sort == "status":
            return sorted(self.members, key=lambda m: (RANKS.get(status_of(m), 9), m.name))
        return sorted(self.members, key=lambda m: m.name)

    def as_json(self, sort: str) -> dict[str, Any]:
        """Return the picture as JSON shows it."""
        return {
            "node": self.node,
            "health_score": self.health_score,
            "counts": self.counts(),
            "rates": self.rates,
            "members": [self._member(member) for member in self.sorted_members(sort)],
            "services": [
                {
                    "name": one.name,
                    "passing": one.passing,
                    "warning": one.warning,
                    "critical": one.critical,
                    "doubtful": one.doubtful,
                    "guarded": one.is_guarded,
                    "needs": list(one.needs),
                }
                for one in self.services
            ],
        }

    def _member(self, member: MemberRecord) -> dict[str, Any]:
        rtt = self.rtts.get(member.name)
        row: dict[str, Any] = {
            "name": member.name,
            "address": member.address,
            "status": status_of(member),
            "rtt_ms": None if rtt is None else round(rtt * 1000, 3),
            "tags": dict(member.tags),
        }
        suspicion = member.suspicion
        if suspicion is not None:
            row["suspicion"] = {
                "accuser": suspicion.accuser,
                "confirmations": suspicion.confirmations,
                "suspected_for": round(suspicion.suspected_for, 3),
                "remaining": round(suspicion.remaining, 3),
            }
        return row


def status_of(member: MemberRecord) -> str:
    """Return the status of a member as operators call it."""
    if member.status == "alive" and member.suspicion is not None:
        return "suspect"
    return member.status


class Photographer:
    """Takes one picture after another over one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._before: Totals | None = None
        self._rtts: dict[str, float] = {}
        self._next = 0

    def take(self) -> Picture:
        """Return how things are now; rates are since the last time."""
        client = self._client
        stats = client.stats()
        totals = Totals(stats, time.monotonic())
        rates = totals.rates(self._before) if self._before is not None else {}
        self._before = totals
        members = client.members()
        self._measure(stats.get("agent", {}).get("name", ""), members)
        return Picture(stats, members, client.services(), dict(self._rtts), rates)

    def _measure(self, us: str, members: Sequence[MemberRecord]) -> None:
        """Ask for the coordinates of some members, in turn."""
        here = self._client.coordinate(us)
        names = [m.name for m in members if m.name != us and m.status == "alive"]
        alive = frozenset(names)
        self._rtts = {name: rtt for name, rtt in self._rtts.items() if name in alive}
        if here is None or not names:
            return
        start = self._next % len(names)
        chosen = (names + names)[start : start + min(RTTS_AT_ONCE, len(names))]
        self._next = start + len(chosen)
        for name in chosen:
            there = self._client.coordinate(name)
            if there is not None:
                self._rtts[name] = here.rtt(there)
