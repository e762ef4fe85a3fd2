"""``Provider``: the services of this node, their checks, and what is said of them.

The only one who has ``OwnRecords`` write. Takes what operators, programs and
check runners say; rules are in the rooms beside: ``admission.py`` refuses and
warns, ``checks.py`` makes statuses of results, ``drains.py`` and ``loads.py`` say
what time does, ``telling.py`` when others are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from random import Random
from typing import TypeAlias

from gossipd.catalog.admission import (
    NODE_CHECKS_MAX,
    reason_of,
    refuse_checks,
    refuse_count,
    refuse_load,
    refuse_source,
    refuse_word,
    runs,
    warnings_about,
)
from gossipd.catalog.allowance import Allowance
from gossipd.catalog.checks import Check, is_run
from gossipd.catalog.drains import Drain, DrainDue, reason_without_drain
from gossipd.catalog.effects import CatalogEffect
from gossipd.catalog.events import CatalogEvent, CheckChanged, OwnServicesChanged, ServiceEnded
from gossipd.catalog.last_run import LastRun
from gossipd.catalog.loads import LoadMeter, is_load
from gossipd.catalog.own_checks import CheckDue, OwnChecks, status_behind
from gossipd.catalog.registration import OwnNode, Registration, sharing
from gossipd.catalog.telling import LoadDue, OutputDue, TellDue, Teller
from gossipd.errors import Unavailable, UsageError, WireError
from gossipd.services.definition import (
    CRITICAL,
    PASSING,
    STATUSES,
    TOO_OFTEN,
    CheckDefinition,
    Service,
)
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, FROM_CONNECTION, OwnServices
from gossipd.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gossipd.catalog.own_records import OwnRecords
    from gossipd.config.model import CatalogConfig
    from gossipd.outbox import Outbox
    from gossipd.timers import Timers


ProviderTimer: TypeAlias = CheckDue | DrainDue | TellDue | OutputDue | LoadDue


TRY_AGAIN_LEAST = 0.1
"""Seconds that whoever registered too much is told to wait at least."""


class Provider:
    """All that this node registers.

    Args:
        config: bounds and rates; read when they are needed.
        own: where what we say is written.
        timers: where ours are set; whoever owns them calls ``handle_timer``.
        outbox: for ``StartCheck``, ``StopCheck`` and events.
        random: the injected random stream.
    """

    def __init__(
        self,
        config: CatalogConfig,
        own: OwnRecords,
        timers: Timers[Any],
        outbox: Outbox[CatalogEffect, CatalogEvent],
        random: Random,
    ) -> None:
        self._config = config
        self._own = own
        self._timers = timers
        self._outbox = outbox
        self._entries: dict[str, Registration] = {}
        self._node = OwnNode(config.zone)
        self._checks = OwnChecks(timers, outbox)
        self._registrations = Allowance(config)
        self._teller = Teller(config, own, timers, random)
        self._last_run = LastRun()

    def own(self) -> OwnServices:
        """Return all that this node registers, sorted by id."""
        entries = sorted(self._entries.items())
        return OwnServices(
            node=self._node.state(),
            services=tuple(entry.own_service() for _, entry in entries),
        )

    # -- services ---------------------------------------------------------------

    def register(self, service: Service, source: str, now: float) -> tuple[str, ...]:
        """Register ``service``, or replace the one of its id; return warnings.

        Checks that stay as they were keep what is known of them, as do maintenance and
        load. A drain that runs is over: whoever registers anew means to be asked. Files say
        the same at each reload, so they end none.

        Raises:
            UsageError: its id or a check's is taken, or it is too much for this node.
            Unavailable: too many registrations in a short time.
        """
        warnings = self._take(service, source, now)
        if source != FROM_CONFIG and self._entries[service.id].drain is not None:
            self.drain(service.id, 0.0, now)
        return warnings

    def _take(self, service: Service, source: str, now: float) -> tuple[str, ...]:
        known = self._entries.get(service.id)
        if known is not None:
            refuse_source(service.id, known.source, source)
        self._refuse_too_many(service, known)
        refuse_count(service)
        refuse_checks(service.checks, service.id, source, self._checks.get)
        warnings = warnings_about(service, self._services())
        if known is not None and known.service == service:
            return warnings
        if source != FROM_CONFIG:
            self._refuse_too_often(now)
        self._own.withhold()  # readers are shown the service with its first state
        try:
            self._enter(self._say(service, now), source, known, now)
        finally:
            self._own.show(now)
        return warnings

    def deregister(self, service: str, now: float) -> None:
        """Take back the service of that id.

        Raises:
            UsageError: this node registers none of that id.
        """
        self._remove(self._entry(service), now)

    def _say(self, service: Service, now: float) -> Service:
        """Tell others what a service is, and return it.

        Raises:
            UsageError: it is too large, or cannot travel; nothing was changed.
        """
        if not service.id:
            raise UsageError("service '' has no id: a text that is not empty is accepted")
        try:
            self._own.put_service(service, now)
        except WireError as error:
            raise UsageError(f"service {service.id!r} cannot travel: {error.detail}") from error
        except UnicodeEncodeError as error:
            raise UsageError(f"service {service.id!r} has text that is not Unicode") from error
        told = self._own.records.items[service.id].service
        return service if told is None else sharing(service, told)

    def _services(self) -> Iterator[Service]:
        return (entry.service for entry in self._entries.values())

    def _refuse_too_many(self, service: Service, known: Registration | None) -> None:
        config = self._config
        if known is None and len(self._entries) >= config.records_max:
            raise UsageError(
                f"this node registers {len(self._entries)} services already: "
                f"more are not accepted (catalog.records_max)"
            )
        before = 0 if known is None else runs(known.service.checks)
        if self._checks.runs - before + runs(service.checks) > config.checks_max:
            raise UsageError(
                f"checks of service {service.id!r}: this node runs {self._checks.runs} already, "
                f"at most {config.checks_max} are accepted (catalog.checks_max)"
            )

    def _refuse_too_often(self, now: float) -> None:
        if not self._registrations.take(now):
            rate = self._config.changes_per_second
            wait = max(self._registrations.wait(now), TRY_AGAIN_LEAST)
            raise Unavailable(
                f"{TOO_OFTEN}: {rate:g} a second are accepted "
                f"(catalog.changes_per_second), try again in {wait:.1f} s"
            )

    def _enter(
        self, service: Service, source: str, known: Registration | None, now: float
    ) -> Registration:
        checks = [self._checks.begin(definition, service.id, now) for definition in service.checks]
        for check in () if known is None else known.checks:
            if self._checks.get(check.definition.id) is check and check not in checks:
                self._checks.end(check)
        if known is None:
            entry = self._entries[service.id] = Registration(service, source, checks)
            self._last_run.give_back(entry, now)
        else:
            entry = known
            entry.service, entry.checks = service, checks
        if not self._node.told.zone and self._node.zone:
            self._teller.tell_node(self._node, now)
        self._note_changed()
        self._follow_aliases(now)
        self._teller.begin(entry, now)
        for check in checks:
            self._checks.arm(check)
        return entry

    def _remove(self, entry: Registration, now: float) -> None:
        del self._entries[entry.id]
        for check in entry.checks:
            self._checks.end(check)
        if entry.drain_timer is not None:
            entry.drain_timer.cancel()
        self._teller.forget(entry)
        self._own.remove(entry.id, now)
        self._note_changed()
        self._follow_aliases(now)

    def _entry(self, service: str) -> Registration:
        entry = self._entries.get(service)
        if entry is None:
            raise UsageError(f"this node registers no service of the id {service!r}")
        return entry

    # -- checks -----------------------------------------------------------------

    def register_check(self, check: CheckDefinition, service: str, now: float) -> None:
        """Add a check to a service, or to the node if that is empty; replaces one of its id.

        Raises:
            UsageError: as ``register``, or this node registers no such service.
        """
        if service:
            entry = self._entry(service)
            others = tuple(c for c in entry.service.checks if c.id != check.id)
            self._take(replace(entry.service, checks=(*others, check)), entry.source, now)
            return
        refuse_checks((check,), "", FROM_CLIENT, self._checks.get)
        known = self._checks.get(check.id)
        if known is not None and known.definition == check:
            return
        if known is None and len(self._node.checks) >= NODE_CHECKS_MAX:
            raise UsageError(
                f"check {check.id!r}: this node has {NODE_CHECKS_MAX} checks of its own already, "
                "more are not accepted"
            )
        if is_run(check) and known is None and self._checks.runs >= self._config.checks_max:
            raise UsageError(
                f"check {check.id!r}: this node runs {self._checks.runs} already, "
                f"more are not accepted (catalog.checks_max)"
            )
        begun = self._checks.begin(check, "", now)
        self._node.checks = [c for c in self._node.checks if c is not known] + [begun]
        self._checks.arm(begun)
        self._note_changed()
        self._follow_aliases(now)
        self._teller.tell_node(self._node, now)

    def deregister_check(self, check: str, now: float) -> None:
        """Take a check back.

        Raises:
            UsageError: this node has none of that id.
        """
        known = self._checks.find(check)
        if known.service:
            entry = self._entries[known.service]
            kept = tuple(c for c in entry.service.checks if c.id != check)
            self.register(replace(entry.service, checks=kept), entry.source, now)
            return
        self._checks.end(known)
        self._node.checks.remove(known)
        self._note_changed()
        self._teller.tell_node(self._node, now)

    def report_check(
        self, check: str, status: str, output: str, load: float | None, now: float
    ) -> None:
        """Take the word of a provider for its check.

        Raises:
            UsageError: there is none of that id, or it is of another kind, or ``status`` or
                ``load`` is none.
        """
        known = self._checks.find(check)
        refuse_word(known.definition, status)
        if load is not None:
            self._take_load(known.service, load, now)
        before = known.status
        known.take_word(status, output, now)
        self._settle(known, before, now)

    def check_result(
        self, check: str, result: bool | str, output: str, load: float | None, now: float
    ) -> None:
        """Take what a run of a check found: a status, or whether it went well.

        Of a check that is gone meanwhile, or a load that is none, nothing is taken.
        """
        known = self._checks.get(check)
        if known is None or not is_run(known.definition):
            return
        if load is not None and is_load(load) and known.service:
            self._take_load(known.service, load, now)
        status = (PASSING if result else CRITICAL) if isinstance(result, bool) else result
        before = known.status
        known.take_result(status if status in STATUSES else CRITICAL, output, now)
        self._settle(known, before, now)

    def _settle(self, check: Check, before: str, now: float) -> None:
        """Do what follows from a result: tell, follow, wake up when time changes more."""
        if check.status != before:
            self._note_check(check, before)
            self._follow_aliases(now)
        self._tell_of(check.service, now)
        self._checks.arm(check)

    def _note_check(self, check: Check, before: str) -> None:
        self._outbox.events.append(
            CheckChanged(check.definition.id, check.service, before, check.status, check.output)
        )
        self._note_changed()

    def _tell_of(self, service: str, now: float) -> None:
        if service:
            self._teller.tell(self._entries[service], now)
        else:
            self._teller.tell_node(self._node, now)

    def _follow_aliases(self, now: float) -> None:
        """Let each alias show what the services are that it follows."""
        for alias in tuple(self._checks.aliases.values()):
            target = alias.definition.target
            status = status_behind(target, self._entries)
            before, word = alias.status, alias.output
            is_there = target in self._entries
            said = status if is_there else "not registered on this node"
            alias.take_word(status, f"service {target} is {said}", now)
            if alias.status != before:
                self._note_check(alias, before)
            is_news = (alias.status, alias.output) != (before, word)
            if is_news and (alias.service in self._entries or not alias.service):
                self._tell_of(alias.service, now)
            self._checks.arm(alias)

    # -- load, maintenance, drain -----------------------------------------------

    def report_load(self, service: str, load: float, now: float) -> None:
        """Take in how busy a service is, 0 idle to 1 full; its weight follows.

        Raises:
            UsageError: there is none of that id, or it is no such number.
        """
        self._entry(service)
        self._take_load(service, load, now)
        self._tell_of(service, now)

    def set_maintenance(self, service: str, reason: str | None, now: float) -> None:
        """Take a service (empty: the node) out of ``passing`` and say why; ``None`` ends it.

        Raises:
            UsageError: this node registers none of that id, or the reason is too long.
        """
        target = self._entry(service) if service else self._node
        target.maintenance = reason_of(reason)
        self._note_changed()
        self._follow_aliases(now)
        self._tell_of(service, now)

    def drain(self, service: str, seconds: float, now: float) -> None:
        """Drain a service, or the node if that is empty; 0 or less ends a drain that runs.

        Raises:
            UsageError: this node registers none of that id, or ``seconds`` is no number.
        """
        target = self._entry(service) if service else self._node
        if not isfinite(seconds):
            raise UsageError(f"seconds is {seconds}: a number of seconds is accepted")
        target.drain = Drain(now, seconds) if seconds > 0 else None
        self._note_changed()
        self._step_drain(service, target, now)

    def set_node_zone(self, zone: str, now: float) -> None:
        """Say where this node is, for services that do not say so themselves."""
        self._node.zone = zone
        self._teller.tell_node(self._node, now)

    def _take_load(self, service: str, load: float, now: float) -> None:
        refuse_load(load, service)
        entry = self._entries[service]
        if entry.meter is None:
            entry.meter = LoadMeter(load, now)
        else:
            entry.meter.report(load, now)

    def _step_drain(self, service: str, target: Registration | OwnNode, now: float) -> None:
        if target.drain_timer is not None:
            target.drain_timer.cancel()
        if target.drain is not None:
            target.drain = target.drain.at(now)
            deadline = target.drain.next_deadline(now)
            if deadline is not None:
                target.drain_timer = self._timers.set(deadline, DrainDue(service))
            elif isinstance(target, Registration):
                self._end(target, "drained", now)
                return
        self._follow_aliases(now)
        self._tell_of(service, now)

    def _end(self, entry: Registration, reason: str, now: float) -> None:
        self._outbox.events.append(ServiceEnded(entry.id, reason))
        self._remove(entry, now)

    # -- time and restarts ------------------------------------------------------

    def handle_timer(self, timer: ProviderTimer, now: float) -> None:
        """Do what a timer was set for, if that still holds."""
        match timer:
            case CheckDue(check=check):
                self._handle_check_due(check, now)
            case DrainDue(service=service):
                target = self._entries.get(service) if service else self._node
                if target is not None and target.drain is not None:
                    self._step_drain(service, target, now)
            case TellDue():
                self._teller.handle_tell_due(now)
            case OutputDue(service=""):
                self._node.is_output_armed = False
                self._teller.tell_node(self._node, now)
            case OutputDue(service=service) if service in self._entries:
                self._teller.handle_output_due(self._entries[service], now)
            case LoadDue(service=service) if service in self._entries:
                self._teller.handle_load_due(self._entries[service], now)

    def _handle_check_due(self, id: str, now: float) -> None:
        check = self._checks.woken(id, now)
        if check is None:
            return
        if check.is_given_up(now):
            entry = self._entries[check.service]
            after = check.definition.deregister_after
            self._end(entry, f"check {id} was critical for {after:g} s", now)
            return
        before = check.status
        check.expire(now)
        self._settle(check, before, now)

    def restore(self, saved: OwnServices, now: float) -> None:
        """Take up what the last run of this node left.

        Services of clients are registered again; of those of the configuration, maintenance
        and the last statuses are taken over when it registers them, or at once if it did.
        What was being drained does not come back. What is too much by now ends.
        """
        if not self._node.maintenance:
            self._node.maintenance = reason_without_drain(saved.node)
            if self._node.maintenance:
                self._teller.tell_node(self._node, now)
        for own in saved.services:
            if own.state.is_draining and own.source != FROM_CONFIG:
                continue
            if own.source != FROM_CONNECTION:
                self._last_run.keep(own)
            known = self._entries.get(own.service.id)
            if known is not None:
                self._last_run.give_back(known, now)
                self._follow_aliases(now)
                self._teller.tell(known, now)
                for check in known.checks:
                    self._checks.arm(check)
            elif own.source == FROM_CLIENT:
                self._restore_one(own.service, now)

    def _restore_one(self, service: Service, now: float) -> None:
        self._own.withhold()
        try:
            self._refuse_too_many(service, None)
            refuse_checks(service.checks, service.id, FROM_CLIENT, self._checks.get)
            self._enter(self._say(service, now), FROM_CLIENT, None, now)
        except UsageError as error:
            self._outbox.events.append(ServiceEnded(service.id, f"not restored: {error}"))
        finally:
            self._own.show(now)

    def _note_changed(self) -> None:
        events = self._outbox.events
        if not events or not isinstance(events[-1], OwnServicesChanged):
            events.append(OwnServicesChanged())
