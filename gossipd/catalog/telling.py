"""When others are told how our services are: statuses at once, outputs lazily, loads damped.

Above ``changes_per_second`` changes of status wait a moment and are then told
together, the latest of each service only: a check that flaps costs the cluster
no more than that.
"""

from __future__ import annotations

from gossipd.catalog.allowance import Allowance
from gossipd.catalog.registration import OwnNode, Registration, without_outputs
from gossipd.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.catalog.seams import Clockwork, OwnRecords
    from gossipd.config.model import CatalogConfig

TOGETHER = 10.0
"""Of what waits, so many are told at a time (or all that do)."""


class TellDue(Value):
    """Timer: some of what was too much at once can be told."""


class OutputDue(Value):
    """Timer: outputs of a service (empty: of the node) that changed are to be told."""

    service: str


class LoadDue(Value):
    """Timer: look at what counts of a service's load again."""

    service: str


class Teller:
    """Hands what is to be told to ``own``, at its time.

    Args:
        config: the rates; ``reconfigure`` replaces it.
        own: where records of this node are written.
        timers: where ours are set.
    """

    __slots__ = ("_allowance", "_is_tell_armed", "_own", "_timers", "_waiting", "config")

    def __init__(self, config: CatalogConfig, own: OwnRecords, timers: Clockwork) -> None:
        self.config = config
        self._own = own
        self._timers = timers
        self._allowance = Allowance(config.changes_per_second, 0.0)
        self._waiting: dict[str, Registration] = {}
        self._is_tell_armed = False

    def reconfigure(self, config: CatalogConfig, now: float) -> None:
        """Go on with other rates."""
        if config.changes_per_second != self.config.changes_per_second:
            self._allowance = Allowance(config.changes_per_second, now)
        self.config = config

    # -- services ---------------------------------------------------------------

    def begin(self, entry: Registration, now: float) -> None:
        """Tell of a service that was just registered, whatever the rate."""
        self._put_state(entry, now)
        self._tell_outputs(entry, now, at_once=True)

    def tell(self, entry: Registration, now: float) -> None:
        """Tell what changed of a service, now or when its time comes."""
        self._take_load(entry, now)
        state, told = entry.state(), entry.told_state
        if state == told:
            self._waiting.pop(entry.id, None)
            self._tell_outputs(entry, now, at_once=False)
        elif entry.id not in self._waiting and self._allowance.take(now):
            self._put_state(entry, now)
            is_other = told is None or told.statuses != state.statuses
            self._tell_outputs(entry, now, at_once=is_other)
        else:
            self._waiting[entry.id] = entry
            self._arm_tell(now)

    def forget(self, entry: Registration) -> None:
        """A service is gone: what waits to be told of it is not."""
        self._waiting.pop(entry.id, None)

    def handle_tell_due(self, now: float) -> None:
        """Tell what waits, longest first, as much of it as may be told now."""
        self._is_tell_armed = False
        while self._waiting and self._allowance.take(now):
            entry = self._waiting.pop(next(iter(self._waiting)))
            self._take_load(entry, now)
            if entry.state() != entry.told_state:
                self._put_state(entry, now)
                self._tell_outputs(entry, now, at_once=True)
        if self._waiting:
            self._arm_tell(now)

    def handle_output_due(self, entry: Registration, now: float) -> None:
        """Tell the outputs of a service if they are other ones than those told."""
        entry.is_output_armed = False
        self._tell_outputs(entry, now, at_once=False)

    def handle_load_due(self, entry: Registration, now: float) -> None:
        """See how far the load came."""
        entry.is_load_armed = False
        self.tell(entry, now)

    def _put_state(self, entry: Registration, now: float) -> None:
        state = entry.state()
        if state != entry.told_state:
            entry.told_state = state
            self._own.put_state(entry.id, state, now)

    def _take_load(self, entry: Registration, now: float) -> None:
        """Let what counts of the load become part of the state, if it is time and news."""
        meter = entry.meter
        if meter is None:
            return
        due_at = meter.told_at + self.config.load_interval
        if now >= due_at and meter.is_news(now):
            meter.tell(now)
            due_at = now + self.config.load_interval
        if not entry.is_load_armed and (meter.is_news(now) or meter.is_moving(now)):
            entry.is_load_armed = True
            self._timers.set(max(due_at, now + self.config.load_interval / 2), LoadDue(entry.id))

    def _tell_outputs(self, entry: Registration, now: float, *, at_once: bool) -> None:
        outputs = entry.outputs()
        if outputs == entry.told_outputs:
            return
        due_at = entry.outputs_told_at + self.config.output_interval
        if at_once or now >= due_at:
            entry.told_outputs = outputs
            entry.outputs_told_at = now
            self._own.put_outputs(entry.id, outputs, now)
        elif not entry.is_output_armed:
            entry.is_output_armed = True
            self._timers.set(due_at, OutputDue(entry.id))

    def _arm_tell(self, now: float) -> None:
        if not self._is_tell_armed:
            self._is_tell_armed = True
            wanted = min(TOGETHER, float(len(self._waiting)))
            wait = max(self._allowance.wait(now, wanted), self.config.load_interval / 10)
            self._timers.set(now + wait, TellDue())

    # -- the node ---------------------------------------------------------------

    def tell_node(self, node: OwnNode, now: float) -> None:
        """Tell what changed of the node itself: its outputs lazily, all else at once."""
        state = node.state()
        if state == node.told:
            return
        due_at = node.told_at + self.config.output_interval
        if now < due_at and without_outputs(state) == without_outputs(node.told):
            if not node.is_output_armed:
                node.is_output_armed = True
                self._timers.set(due_at, OutputDue(""))
            return
        node.told = state
        node.told_at = now
        self._own.put_node(state, now)
