"""What owners really said of their services: everything that checkers of others hold against it."""

from __future__ import annotations

from typing import TypeAlias

from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.instance import Instance
from gossipd.value import replace
from gossipd_sim.checkers import insight
from gossipd_sim.host import Host

Content: TypeAlias = tuple[object, ...]


def told_of(service: Service) -> Service:
    """Return what travels of a definition: of checks only what names them."""
    checks = tuple(
        CheckDefinition(id=check.id, name=check.name, kind=check.kind) for check in service.checks
    )
    return replace(service, checks=checks)


def content_of(instance: Instance) -> Content:
    """Return what only its owner says of an instance, its node and its membership apart."""
    service = told_of(instance.service)
    own = instance.checks[: len(service.checks)]
    statuses = tuple(check.status for check in own)
    return service, statuses, instance.load


class Said:
    """What each owner ever said, by epoch and version."""

    def __init__(self) -> None:
        self._contents: dict[tuple[str, int, str], dict[int, Content]] = {}
        self._newest: dict[tuple[str, int], int] = {}

    def note(self, owner: Host) -> None:
        """Take down what ``owner`` says now."""
        if owner.node is None:
            return
        name = owner.config.name
        life = (name, insight.catalog_epoch(owner.node))
        newest = insight.catalog_floor(owner.node, name)
        self._newest[life] = max(self._newest.get(life, 0), newest)
        for instance in owner.node.services_of(name):
            told = self._contents.setdefault((*life, instance.service.id), {})
            told.setdefault(instance.version, content_of(instance))

    def contradiction(self, instance: Instance, *, is_whole: bool) -> str:
        """Return how ``instance`` differs from what its owner said; empty if it does not.

        ``is_whole``: all that its owner said up to that version is known where it is shown.
        Otherwise a part may be of an older version than the other, as what is between them is
        still on its way.
        """
        owner, epoch, version = instance.owner, instance.epoch, instance.version
        told = self._contents.get((owner, epoch, instance.service.id))
        if told is None:
            return "its owner never said so"
        content = content_of(instance)
        exact = told.get(version)
        if exact == content:
            return ""
        if exact is not None and is_whole:
            return f"its owner said otherwise: {_difference(exact, content)}"
        # several changes of one moment: only the last was taken down
        if version > self._newest.get((owner, epoch), 0):
            return f"its owner has come to version {self._newest[owner, epoch]} only"
        if all(content[0] != known[0] for known in told.values()):
            return "its owner never defined it so"
        return ""


def _difference(said: Content, shown: Content) -> str:
    names = ("definition", "statuses", "load")
    parts = zip(names, said, shown, strict=True)
    return "; ".join(f"{name} {one} and not {other}" for name, one, other in parts if one != other)
