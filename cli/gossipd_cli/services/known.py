"""What a watcher knows of a service, and which changes that makes for whoever it tells.

Sans-IO. A watch begins with the whole set and may get it again (after a loss,
after the daemon's restart); here each difference becomes one change, so
nothing is told twice and nothing is left out. A daemon that has just come back
does not know the cluster yet: what is missing then counts as gone only when it
did not return within ``patience`` seconds.
"""

from __future__ import annotations

from gossipd.services.instance import CHANGED, DOWN, UP, ServiceChange, ServiceReset
from gossipd.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gossipd.services.instance import Instance

RETURN_SECONDS = 5.0
"""How long a daemon that has come back may take to find the others again."""


class Known:
    """The instances that a consumer was told of.

    Args:
        is_wanted: which of them the consumer cares for; one that no longer is wanted is
            ``down`` for it.
    """

    def __init__(self, is_wanted: Callable[[Instance], bool] = lambda _: True) -> None:
        self.instances: dict[tuple[str, str], Instance] = {}
        self.index = 0
        self._is_wanted = is_wanted
        self._missing: dict[tuple[str, str], float] = {}

    def take(
        self, record: ServiceReset | ServiceChange, now: float, patience: float = 0.0
    ) -> list[ServiceChange]:
        """Take in what the daemon told; return what is to be passed on.

        Args:
            record: in the order in which it came.
            now: seconds on any steady clock.
            patience: for how long what a whole set does not contain is not yet gone.
        """
        if isinstance(record, ServiceReset):
            return self._reset(record, now, patience)
        self.index = record.index
        if record.kind == DOWN:
            return self._lose(record.instance, record.index)
        return self._see(record.instance, record.index)

    def overdue(self, now: float) -> list[ServiceChange]:
        """Return the changes of those that have been missing for too long."""
        late = [key for key, deadline in self._missing.items() if deadline <= now]
        return [change for key in late for change in self._lose(self.instances[key], self.index)]

    def next_deadline(self) -> float | None:
        """Return when ``overdue`` may have something; ``None`` for never."""
        return min(self._missing.values(), default=None)

    def _reset(self, record: ServiceReset, now: float, patience: float) -> list[ServiceChange]:
        view = record.view
        self.index = view.index
        changes = []
        for instance in view.instances:
            changes += self._see(instance, view.index)
        present = {instance.key for instance in view.instances}
        for key in [key for key in self.instances if key not in present]:
            if patience > 0:
                self._missing.setdefault(key, now + patience)
            else:
                changes += self._lose(self.instances[key], view.index)
        return changes

    def _see(self, instance: Instance, index: int) -> list[ServiceChange]:
        key = instance.key
        if not self._is_wanted(instance):
            return self._lose(instance, index)
        self._missing.pop(key, None)
        before = self.instances.get(key)
        self.instances[key] = instance
        if before is None:
            return [ServiceChange(index=index, kind=UP, instance=instance)]
        if _told(before) == _told(instance):
            return []
        return [ServiceChange(index=index, kind=CHANGED, instance=instance)]

    def _lose(self, instance: Instance, index: int) -> list[ServiceChange]:
        self._missing.pop(instance.key, None)
        if self.instances.pop(instance.key, None) is None:
            return []
        return [ServiceChange(index=index, kind=DOWN, instance=instance)]


def newest_of_each(changes: Sequence[ServiceChange]) -> list[ServiceChange]:
    """Return the last change of each instance, in the order of these."""
    newest: dict[tuple[str, str], ServiceChange] = {}
    for change in changes:
        newest.pop(change.instance.key, None)
        newest[change.instance.key] = change
    return list(newest.values())


def _told(instance: Instance) -> Instance:
    """Return the instance without what says only when and how we heard of it."""
    is_suspected = None if instance.suspected_at is None else 0.0
    return replace(instance, learned_at=0.0, epoch=0, version=0, suspected_at=is_suspected)
