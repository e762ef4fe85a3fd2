"""Which instances of a service a consumer asks for, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from gossipd.services.instance import Instance
from gossipd.value import Value

Distance = Callable[[str], float | None]
"""Seconds of round trip to a node by its name; ``None`` if that is not known."""


class Selection(Value, kw_only=True):
    """What instances must have to be told; empty asks for nothing.

    ``tags`` and ``meta`` are all to be there; ``is_passing`` keeps those that pass only.
    """

    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = {}
    zone: str = ""
    is_passing: bool = False

    def has(self, instance: Instance) -> bool:
        """Return whether ``instance`` is asked for."""
        service = instance.service
        return (
            (not self.is_passing or instance.is_usable)
            and (not self.zone or instance.zone == self.zone)
            and all(tag in service.tags for tag in self.tags)
            and all(service.meta.get(key) == value for key, value in self.meta.items())
        )


EVERYTHING = Selection()


def select(
    instances: tuple[Instance, ...], selection: Selection = EVERYTHING
) -> tuple[Instance, ...]:
    """Return those of ``instances`` that are asked for, in their order.

    Of everything it is the same tuple, so that whoever keeps something with it finds it again.
    """
    if selection == EVERYTHING:
        return instances
    return tuple([instance for instance in instances if selection.has(instance)])


def nearest_first(instances: Iterable[Instance], distance: Distance) -> tuple[Instance, ...]:
    """Return ``instances`` by the distance of their owners, unknown ones last.

    Those that are equally far stay in their order. Each owner is looked up once.
    """
    apart: dict[str, float] = {}
    listed = list(instances)
    for instance in listed:
        if instance.owner not in apart:
            far = distance(instance.owner)
            # coordinates are the word of peers: what is no distance has no place in an order
            apart[instance.owner] = far if far is not None and far >= 0 else inf
    listed.sort(key=lambda instance: apart[instance.owner])
    return tuple(listed)
