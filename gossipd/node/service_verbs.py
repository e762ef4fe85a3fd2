"""The node's verbs about services: what providers command, and what consumers read.

A base of ``Node`` and nothing else: the verbs belong to the node, as its drivers see it,
but there are too many of them for one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.errors import UsageError
from gossipd.node.carriage import Carriage

if TYPE_CHECKING:
    from gossipd.catalog.catalog import Catalog
    from gossipd.config.model import CatalogConfig
    from gossipd.services.definition import CheckDefinition, Service
    from gossipd.services.instance import Instance, ServiceChange, ServiceSummary, ServiceView
    from gossipd.services.own import OwnServices


class ServiceVerbs:
    """What a node can be told and asked about services."""

    _carriage: Carriage

    def _settle(self, now: float) -> None:
        raise NotImplementedError

    def _catalog(self, now: float) -> Catalog:
        if not self._carriage.is_enabled:
            raise UsageError("this node has no catalog of services: catalog.enabled is false")
        return self._carriage.open(now)

    # -- what providers command -------------------------------------------------

    def register_service(self, service: Service, source: str, now: float) -> tuple[str, ...]:
        """Register ``service``, or replace the one of its id; returns warnings.

        Raises:
            UsageError: too large, or too many; its id or a check's is taken by another source.
            Unavailable: too many registrations in a short time.
        """
        warnings = self._catalog(now).provider.register(service, source, now)
        self._settle(now)
        return warnings

    def deregister_service(self, service: str, now: float) -> None:
        """Take back the service of that id.

        Raises:
            UsageError: this node registers none of that id.
        """
        self._catalog(now).provider.deregister(service, now)
        self._settle(now)

    def register_check(self, check: CheckDefinition, service: str, now: float) -> None:
        """Add a check to the service of that id, or (empty) to the node itself.

        Raises:
            UsageError, Unavailable: as for a service.
        """
        self._catalog(now).provider.register_check(check, service, now)
        self._settle(now)

    def deregister_check(self, check: str, now: float) -> None:
        """Take a check back.

        Raises:
            UsageError: there is none of that id.
        """
        self._catalog(now).provider.deregister_check(check, now)
        self._settle(now)

    def report_check(
        self, check: str, status: str, output: str, load: float | None, now: float
    ) -> None:
        """Take the word of a provider for its ``ttl`` or ``held`` check.

        Raises:
            UsageError: there is none of that id, or it is of another kind.
        """
        self._catalog(now).provider.report_check(check, status, output, load, now)
        self._settle(now)

    def check_result(
        self, check: str, status: str, output: str, load: float | None, now: float
    ) -> None:
        """Take one result of a check that the driver runs; of one that is gone it is ignored."""
        self._catalog(now).provider.check_result(check, status, output, load, now)
        self._settle(now)

    def report_load(self, service: str, load: float, now: float) -> None:
        """Take in how busy a service of this node is, 0 idle to 1 full.

        Raises:
            UsageError: there is none of that id, or it is no such number.
        """
        self._catalog(now).provider.report_load(service, load, now)
        self._settle(now)

    def set_maintenance(self, service: str, reason: str | None, now: float) -> None:
        """Take a service (empty: the node) out of ``passing`` and say why; ``None`` ends it.

        Raises:
            UsageError: this node registers none of that id.
        """
        self._catalog(now).provider.set_maintenance(service, reason, now)
        self._settle(now)

    def drain(self, service: str, seconds: float, now: float) -> None:
        """Give consumers of a service (empty: of all) time to turn away; 0 ends a drain.

        Raises:
            UsageError: this node registers none of that id.
        """
        self._catalog(now).provider.drain(service, seconds, now)
        self._settle(now)

    def restore_services(self, own: OwnServices, now: float) -> None:
        """Register again what a former life registered, with its last state."""
        self._catalog(now).provider.restore(own, now)
        self._settle(now)

    def reconfigure_catalog(self, catalog: CatalogConfig, now: float) -> None:
        """Go by other limits and another zone from now on; whether there is a catalog stays."""
        self._carriage.reconfigure(catalog, now)
        self._settle(now)

    def set_node_zone(self, zone: str, now: float) -> None:
        """Say where this node is."""
        self._catalog(now).provider.set_node_zone(zone, now)
        self._settle(now)

    # -- what consumers read ----------------------------------------------------

    def expect_services(self, now: float) -> bool:
        """Make ready for the first word of a service, a small step at a time.

        Returns:
            Whether more steps are left; whoever does not take them is only told later.
        """
        has_more = self._carriage.prepare(now)
        self._settle(now)
        return has_more

    @property
    def service_index(self) -> int:
        """Index of the newest change of any service, as this node counts them."""
        return self._carriage.index

    @property
    def catalog_epoch(self) -> int:
        """Which life of this node its records are of: it grows when we refute a forgery."""
        return self._carriage.epoch

    def service(self, name: str) -> ServiceView:
        """Return all instances of one service; the same object until one of them changes."""
        catalog = self._carriage.catalog
        if catalog is None:
            from gossipd.services.instance import ServiceView

            return ServiceView(name=name, index=self._carriage.index)
        return catalog.shelves.service(name)

    def services(self) -> tuple[ServiceSummary, ...]:
        """Return a line for each service by name; the same object until one changes."""
        catalog = self._carriage.catalog
        return () if catalog is None else catalog.shelves.summaries()

    def services_of(self, node: str) -> tuple[Instance, ...]:
        """Return the instances that ``node`` registered, sorted by id."""
        catalog = self._carriage.catalog
        return () if catalog is None else catalog.shelves.of_owner(node)

    def service_changes(self, name: str, index: int) -> tuple[ServiceChange, ...] | None:
        """Return the changes of a service after ``index``; ``None`` if that is not known."""
        catalog = self._carriage.catalog
        if catalog is None:
            return () if index == self._carriage.index else None
        return catalog.shelves.changes(name, index)

    def service_levels(self) -> dict[str, int]:
        """Return how much is held and waits, by name; empty while there is no catalog.

        Counts of what happened (syncs, wishes, bytes by cause) are among
        ``statistics().happened``, and what was refused among ``dropped``.
        """
        catalog = self._carriage.catalog
        if catalog is None:
            return {}
        replica = catalog.replica
        return {
            "catalog-owners": sum(records.floor > 0 for records in replica.owners.values()),
            "catalog-records": replica.records_count,
            "catalog-record-bytes": replica.bytes,
            "catalog-missing": sum(records.missing for records in replica.owners.values()),
            "catalog-queue": catalog.queue_depth,
            "catalog-peers": catalog.owners.peers,
        }

    def own_services(self) -> OwnServices:
        """Return what this node registers."""
        catalog = self._carriage.catalog
        if catalog is None:
            from gossipd.services.own import OwnServices

            return OwnServices()
        return catalog.provider.own()
