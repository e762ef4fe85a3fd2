"""What the last run of this node knew of its services, until somebody registers them again."""

from __future__ import annotations

from gossipd.catalog.drains import reason_without_drain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.catalog.registration import Registration
    from gossipd.services.own import OwnService


class LastRun:
    """Services by id, each given back once."""

    __slots__ = ("_services",)

    def __init__(self) -> None:
        self._services: dict[str, OwnService] = {}

    def keep(self, own: OwnService) -> None:
        """Remember what was known of a service."""
        self._services[own.service.id] = own

    def give_back(self, entry: Registration, now: float) -> None:
        """Let a service go on with its maintenance, and with the statuses of checks that stayed."""
        own = self._services.pop(entry.id, None)
        if own is None:
            return
        entry.maintenance = reason_without_drain(own.state)
        before = {check.id: check for check in own.service.checks}
        states = {check.id: check for check in own.checks}
        for check in entry.checks:
            state = states.get(check.definition.id)
            if state is not None and before.get(check.definition.id) == check.definition:
                check.take_over(state.status, state.output, now)
