"""``Rolls``: the instances of a service that may be told, by tag and by zone.

A roll is called once for each state of a service: whoever invents tags would have us go
through all instances with each query.
"""

from __future__ import annotations

from gossipd.dns.selection import is_told
from gossipd.services.instance import Instance, ServiceView

KEPT = 256
"""Services whose roll is kept; what is kept longest goes first."""
_NOBODY: list[Instance] = []


class _Roll:
    """One service in one state."""

    __slots__ = ("all", "tags", "view", "zones")

    def __init__(self, view: ServiceView, *, only_passing: bool) -> None:
        self.view = view
        self.all = [one for one in view.instances if is_told(one, only_passing=only_passing)]
        self.tags: dict[str, list[Instance]] = {}
        self.zones: dict[str, list[Instance]] = {}
        for instance in self.all:
            if instance.zone:
                self.zones.setdefault(instance.zone.lower(), []).append(instance)
            for tag in {tag.lower() for tag in instance.service.tags}:
                self.tags.setdefault(tag, []).append(instance)


class Rolls:
    """Of all services that were asked for.

    Args:
        only_passing: leave out what warns.
    """

    def __init__(self, *, only_passing: bool) -> None:
        self._only_passing = only_passing
        self._rolls: dict[str, _Roll] = {}

    def instances(self, view: ServiceView, tag: str, zone: str) -> list[Instance]:
        """Return who may be told; ``tag`` and ``zone`` are in lower case, empty for any."""
        if not view.instances:
            return _NOBODY
        roll = self._rolls.get(view.name)
        if roll is None or roll.view is not view:
            if roll is None and len(self._rolls) >= KEPT:
                del self._rolls[next(iter(self._rolls))]
            roll = self._rolls[view.name] = _Roll(view, only_passing=self._only_passing)
        if not zone:
            return roll.tags.get(tag, _NOBODY) if tag else roll.all
        there = roll.zones.get(zone, _NOBODY)
        if not tag or not there:
            return there
        return [one for one in roll.tags.get(tag, _NOBODY) if one.zone.lower() == zone]
