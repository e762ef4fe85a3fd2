"""When others are told how our services are: statuses at once, outputs lazily, loads damped.

Above ``changes_per_second`` changes of status wait a moment and are then told
together, the latest of each service only: a check that flaps costs the cluster
no more than that.
"""

from __future__ import annotations

from contextlib import suppress

from gossipd.catalog.allowance import Allowance
from gossipd.catalog.registration import (
    OwnNode,
    Registration,
    state_before_any,
    without_outputs,
)
from gossipd.errors import UsageError, WireError
from gossipd.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random
    from typing import Any

    from gossipd.catalog.own_records import OwnRecords
    from gossipd.config.model import CatalogConfig
    from gossipd.timers import Timers

TOGETHER = 10.0
"""Of what waits, so many are told at a time (or all that do)."""
SOON = 0.05
"""Seconds after which what waits is looked at again, at the earliest."""
SPREAD = 0.1
"""Of the interval between tellings of outputs, so much is left to chance."""
LOADS_LEAVE = 0.5
"""Changes of weight leave so much of what may be told at once to changes of status."""


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
        config: the rates; read when they are needed.
        own: where records of this node are written.
        timers: where ours are set.
        random: the injected random stream.
    """

    __slots__ = (
        "_allowance",
        "_config",
        "_is_tell_armed",
        "_own",
        "_random",
        "_timers",
        "_waiting",
        "_waiting_loads",
    )

    def __init__(
        self, config: CatalogConfig, own: OwnRecords, timers: Timers[Any], random: Random
    ) -> None:
        self._config = config
        self._own = own
        self._timers = timers
        self._random = random
        self._allowance = Allowance(config)
        self._waiting: dict[str, Registration] = {}
        self._waiting_loads: dict[str, Registration] = {}
        self._is_tell_armed = False

    # -- services ---------------------------------------------------------------

    def begin(self, entry: Registration, now: float) -> None:
        """Tell of a service that was just registered, whatever the rate."""
        if entry.told_state is None and entry.state() == state_before_any(entry.service):
            entry.told_state = entry.state()  # what everybody takes it for until told otherwise
        self.forget(entry)
        self._put_state(entry, now)
        self._tell_outputs(entry, now, at_once=True)

    def tell(self, entry: Registration, now: float) -> None:
        """Tell what changed of a service, now or when its time comes."""
        self._take_load(entry, now)
        if entry.state() == entry.told_state:
            self.forget(entry)
            self._tell_outputs(entry, now, at_once=False)
        elif not self._is_waiting(entry) and self._may_tell(entry, now):
            self._tell_now(entry, now)
        else:
            self._wait(entry, now)

    def forget(self, entry: Registration) -> None:
        """Nothing waits to be told of the service any more."""
        self._waiting.pop(entry.id, None)
        self._waiting_loads.pop(entry.id, None)

    def handle_tell_due(self, now: float) -> None:
        """Tell what waits, longest first, as much of it as may be told now."""
        self._is_tell_armed = False
        for waiting in (self._waiting, self._waiting_loads):
            for entry in tuple(waiting.values()):
                if not self._may_tell(entry, now):
                    break
                del waiting[entry.id]
                self._take_load(entry, now)
                self._tell_now(entry, now)
        if self._waiting or self._waiting_loads:
            self._arm_tell(now)

    def _is_waiting(self, entry: Registration) -> bool:
        return entry.id in self._waiting or (
            entry.id in self._waiting_loads and not _is_urgent(entry)
        )

    def _may_tell(self, entry: Registration, now: float) -> bool:
        """Say whether a change may be told now, and count it; loads leave room for statuses."""
        return self._allowance.take(now, share_kept=0.0 if _is_urgent(entry) else LOADS_LEAVE)

    def _wait(self, entry: Registration, now: float) -> None:
        if _is_urgent(entry):
            self._waiting_loads.pop(entry.id, None)
            self._waiting[entry.id] = entry
        elif entry.id not in self._waiting:
            self._waiting_loads[entry.id] = entry
        self._arm_tell(now)

    def _tell_now(self, entry: Registration, now: float) -> None:
        told = entry.told_state
        is_other = told is None or told.statuses != entry.state().statuses
        self._put_state(entry, now)
        self._tell_outputs(entry, now, at_once=is_other)

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
        if state == entry.told_state:
            return
        try:
            self._own.put_state(entry.id, state, now)
        except (UsageError, WireError):
            # all that this node may say is full: it is told when there is room again
            self._wait(entry, now)
        else:
            told = self._own.records.items[entry.id].state
            entry.told_state = told if told == state else state  # most are the very same

    def _take_load(self, entry: Registration, now: float) -> None:
        """Let what counts of the load become part of the state, if it is time and news."""
        meter = entry.meter
        if meter is None:
            return
        due_at = meter.told_at + self._config.load_interval
        if now >= due_at and meter.is_news(now):
            meter.tell(now)
            due_at = now + self._config.load_interval
        if not entry.is_load_armed and (meter.is_news(now) or meter.is_moving(now)):
            entry.is_load_armed = True
            self._timers.set(max(due_at, now + self._config.load_interval / 2), LoadDue(entry.id))

    def _tell_outputs(self, entry: Registration, now: float, *, at_once: bool) -> None:
        outputs = entry.outputs()
        if outputs == entry.told_outputs:
            return
        due_at = entry.outputs_told_at + self._config.output_interval
        if at_once or now >= due_at:
            entry.outputs_told_at = now
            with suppress(
                UsageError, WireError
            ):  # no room: as with what changes too often, a later one is
                self._own.put_outputs(entry.id, outputs, now)
                entry.told_outputs = outputs
        elif not entry.is_output_armed:
            entry.is_output_armed = True
            self._timers.set(self._spread(due_at), OutputDue(entry.id))

    def _spread(self, due_at: float) -> float:
        """Return a moment somewhat later, so that services begun together are not told together."""
        return due_at + SPREAD * self._config.output_interval * self._random.random()

    def _arm_tell(self, now: float) -> None:
        if not self._is_tell_armed:
            self._is_tell_armed = True
            share_kept = 0.0 if self._waiting else LOADS_LEAVE
            wanted = min(TOGETHER, float(len(self._waiting) or len(self._waiting_loads)))
            wait = self._allowance.wait(now, wanted, share_kept=share_kept)
            self._timers.set(now + max(wait, SOON), TellDue())

    # -- the node ---------------------------------------------------------------

    def tell_node(self, node: OwnNode, now: float) -> None:
        """Tell what changed of the node itself: its outputs lazily, all else at once."""
        state = node.state()
        if state == node.told:
            return
        due_at = node.told_at + self._config.output_interval
        if now < due_at and without_outputs(state) == without_outputs(node.told):
            if not node.is_output_armed:
                node.is_output_armed = True
                self._timers.set(self._spread(due_at), OutputDue(""))
            return
        node.told_at = now
        with suppress(UsageError, WireError):
            self._own.put_node(state, now)
            node.told = state


def _is_urgent(entry: Registration) -> bool:
    """Return whether more than weight and load changed since others were told."""
    state, told = entry.state(), entry.told_state
    if told is None:
        return True
    return (state.statuses, state.maintenance, state.is_draining) != (
        told.statuses,
        told.maintenance,
        told.is_draining,
    )
