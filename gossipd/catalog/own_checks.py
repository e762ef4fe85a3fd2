"""The checks of this node by id: which of them run, which wake us up, which follow others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gossipd.catalog.checks import Check, is_alias, is_run
from gossipd.catalog.effects import CatalogEffect, StartCheck, StopCheck
from gossipd.catalog.events import CatalogEvent
from gossipd.errors import UsageError
from gossipd.services.definition import CRITICAL, CheckDefinition
from gossipd.services.instance import worst
from gossipd.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gossipd.catalog.registration import Registration
    from gossipd.outbox import Outbox
    from gossipd.timers import Timers


class CheckDue(Value):
    """Timer: a provider may have been silent for too long, or a check critical for too long."""

    check: str


class OwnChecks:
    """All checks of this node, those of its services and its own.

    Args:
        timers: where ``CheckDue`` is set.
        outbox: for ``StartCheck`` and ``StopCheck``.
    """

    __slots__ = ("_by_id", "_outbox", "_timers", "aliases", "runs")

    def __init__(self, timers: Timers[Any], outbox: Outbox[CatalogEffect, CatalogEvent]) -> None:
        self._timers = timers
        self._outbox = outbox
        self._by_id: dict[str, Check] = {}
        self.aliases: dict[str, Check] = {}
        """Those that show how other services are."""
        self.runs = 0
        """How many of them the driver runs."""

    def get(self, id: str) -> Check | None:
        """Return the check of that id."""
        return self._by_id.get(id)

    def find(self, id: str) -> Check:
        """Return the check of that id.

        Raises:
            UsageError: there is none.
        """
        check = self._by_id.get(id)
        if check is None:
            raise UsageError(f"this node has no check of the id {id!r}")
        return check

    def begin(self, definition: CheckDefinition, service: str, now: float) -> Check:
        """Return what is known of the check if it is the same one, or a new one that runs."""
        known = self._by_id.get(definition.id)
        if known is not None:
            if known.definition == definition:
                return known
            self._drop(known, is_replaced=is_run(definition))
        check = self._by_id[definition.id] = Check(definition, service, now)
        if is_alias(definition):
            self.aliases[definition.id] = check
        if is_run(definition):
            self.runs += 1
            self._outbox.effects.append(StartCheck(definition, service))
        return check

    def end(self, check: Check) -> None:
        """Have the check run no more, and forget it."""
        self._drop(check, is_replaced=False)

    def arm(self, check: Check) -> None:
        """Make sure to be woken up when time alone changes something."""
        deadline = check.next_deadline()
        if deadline is None:
            return
        if check.armed_for is None or deadline < check.armed_for:
            check.armed_for = deadline
            self._timers.set(deadline, CheckDue(check.definition.id))

    def woken(self, id: str, now: float) -> Check | None:
        """Return the check for which a ``CheckDue`` came, if it is still there."""
        check = self._by_id.get(id)
        if check is not None and check.armed_for is not None and now >= check.armed_for:
            check.armed_for = None
        return check

    def _drop(self, check: Check, *, is_replaced: bool) -> None:
        id = check.definition.id
        del self._by_id[id]
        self.aliases.pop(id, None)
        if is_run(check.definition):
            self.runs -= 1
            if not is_replaced:
                self._outbox.effects.append(StopCheck(id))


def status_behind(target: str, services: Mapping[str, Registration]) -> str:
    """Return the worst of all that an alias of ``target`` follows, through other aliases too.

    Aliases that follow each other in a circle show what the others of them are.
    """
    wanted, statuses = [target], []
    for service in _each_once(wanted):
        entry = services.get(service)
        if entry is None or entry.reason_out:
            return CRITICAL
        for check in entry.checks:
            if is_alias(check.definition):
                wanted.append(check.definition.target)
            else:
                statuses.append(check.status)
    return worst(tuple(statuses))


def _each_once(wanted: list[str]) -> Iterator[str]:
    """Yield what is in ``wanted``, each once, those too that come while that goes on."""
    seen = set()
    for name in wanted:
        if name not in seen:
            seen.add(name)
            yield name
