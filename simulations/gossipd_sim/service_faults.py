"""What programs do with services at their host's daemon: register, report, drain, take back.

Not faults, but written and applied as those are. A host that is down or has no
catalog at that moment goes without. Each instance has one check that a program
reports to (``providing.py``); ``count`` says how many instances a host has.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.services.definition import PASSING
from gossipd_sim.faults import ABSENT, EVICTED, FROZEN, GONE, UP, HostFault, Stage
from gossipd_sim.host import Host
from gossipd_sim.providing import (
    deregister,
    drain,
    flap,
    instance_ids,
    maintain,
    make_services,
    register,
    report,
    report_load,
)


class ServiceFault(HostFault, kw_only=True):
    """Base of those about the first ``count`` instances of ``service`` at each host.

    An empty ``service`` is the whole host, where that is meant (``is_of_hosts``).
    """

    service: str = ""
    count: int = 1

    is_of_hosts = False
    needs = frozenset({UP, FROZEN, GONE, ABSENT, EVICTED})

    @property
    def instances(self) -> list[str]:
        """Ids of the instances at one host."""
        return instance_ids(self.service, self.count)

    def describe(self) -> str:
        many = f" times {self.count}" if self.count > 1 else ""
        return f"{self.do} {self.service}{many} at {self.hosts}"


class Register(ServiceFault, kw_only=True):
    """Instances come up, or are registered anew with other ``meta``; ``lasts`` deregisters."""

    meta: Mapping[str, str] = {}

    do = "register"

    def befall(self, host: Host, stage: Stage) -> None:
        services = make_services(self.service, self.count, self.meta)
        host.command(register(host.provided, services))

    def undo(self, at: float) -> Deregister:
        return Deregister(at=at, hosts=self.hosts, service=self.service, count=self.count)


class Deregister(ServiceFault, kw_only=True):
    """Instances are taken back."""

    do = "deregister"

    def befall(self, host: Host, stage: Stage) -> None:
        host.command(deregister(host.provided, self.instances))


class Report(ServiceFault, kw_only=True):
    """The checks of the instances say ``status``; when it ``lasts``, passing after that."""

    status: str = PASSING
    output: str = ""

    do = "report"

    def befall(self, host: Host, stage: Stage) -> None:
        host.command(report(self.instances, self.status, self.output))

    def undo(self, at: float) -> Report:
        return Report(at=at, hosts=self.hosts, service=self.service, count=self.count)

    def describe(self) -> str:
        return f"{super().describe()}: {self.status}"


class Flap(ServiceFault, kw_only=True):
    """The checks say passing if they were critical and critical if not; repeat it to flap."""

    do = "flap"

    def befall(self, host: Host, stage: Stage) -> None:
        host.command(flap(self.instances))


class Load(ServiceFault, kw_only=True):
    """The instances say how busy they are, 0 idle to 1 full."""

    load: float

    do = "load"

    def befall(self, host: Host, stage: Stage) -> None:
        host.command(report_load(self.instances, self.load))

    def describe(self) -> str:
        return f"{super().describe()}: {self.load:g}"


class Maintenance(ServiceFault, kw_only=True):
    """Instances, or without ``service`` whole nodes, take no part; an empty ``reason`` ends it."""

    reason: str = "planned"

    do = "maintenance"
    is_of_hosts = True

    def befall(self, host: Host, stage: Stage) -> None:
        instances = self.instances if self.service else [""]
        host.command(maintain(instances, self.reason or None))

    def undo(self, at: float) -> Maintenance:
        return Maintenance(
            at=at, hosts=self.hosts, service=self.service, count=self.count, reason=""
        )

    def describe(self) -> str:
        what = self.service or "everything"
        return f"maintenance of {what} at {self.hosts}" + ("" if self.reason else " ends")


class Drain(ServiceFault, kw_only=True):
    """Instances, or without ``service`` whole nodes, are drained in ``seconds``; 0 calls it off."""

    seconds: float

    do = "drain"
    is_of_hosts = True

    def befall(self, host: Host, stage: Stage) -> None:
        instances = self.instances if self.service else [""]
        host.command(drain(host.provided, instances, self.seconds))

    def describe(self) -> str:
        return f"drain {self.service or 'everything'} at {self.hosts} in {self.seconds:g} s"


FAULTS_OF_SERVICES: tuple[type[ServiceFault], ...] = (
    Register,
    Deregister,
    Report,
    Flap,
    Load,
    Maintenance,
    Drain,
)
