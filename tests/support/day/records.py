"""What services and nodes are, in the words of the test, and the JSON that clients must get.

Written from Consul's description alone and sharing no code with the daemon. Indexes inside
of objects are left out (they are looked at apart), and so are outputs that are told late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
ALIVE, LEAVING, FAILED, GONE = "alive", "leaving", "failed", "gone"
"""How a node stands."""
LIVENESS = "serfHealth"
OF_PEERS = ":up"
"""So end the ids of checks that peers register."""
VERDICTS = {ALIVE: "passing", LEAVING: "warning", FAILED: "critical"}


@dataclass(frozen=True)
class Check:
    """One check of a service, as it stands."""

    id: str
    name: str
    status: str
    output: str


@dataclass(frozen=True)
class Record:
    """One instance, as its provider has it."""

    id: str
    name: str
    port: int
    address: str = ""
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    checks: tuple[Check, ...] = ()
    maintenance: str = ""


@dataclass(frozen=True)
class Host:
    """A node: where it is and what it says of itself."""

    name: str
    address: str
    meta: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Sight:
    """An instance together with its node: one of the ways in which it may be seen."""

    host: Host
    standing: str
    record: Record

    @property
    def statuses(self) -> list[str]:
        """What all checks that count for it say."""
        out = ["critical"] if self.record.maintenance else []
        return [VERDICTS[self.standing], *out, *(check.status for check in self.record.checks)]

    @property
    def is_passing(self) -> bool:
        """Whether clients may use it."""
        return all(status == "passing" for status in self.statuses)


@dataclass(frozen=True)
class Choice:
    """What a client wants of the instances of a service; ``rule`` is what ``expression`` says."""

    passing: bool = False
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    """Of nodes."""
    expression: str = ""
    rule: Callable[[Sight], bool] | None = None

    def takes(self, sight: Sight) -> bool:
        """Return whether it is among them."""
        record = sight.record
        return (
            (sight.is_passing or not self.passing)
            and set(self.tags) <= set(record.tags)
            and set(self.meta) <= set(sight.host.meta)
            and (self.rule is None or self.rule(sight))
        )


def node(host: Host) -> Json:
    """Return a Node; its id is looked at apart."""
    lan = {"lan": host.address, "wan": host.address}
    return {
        "Node": host.name,
        "Address": host.address,
        "Datacenter": "dc1",
        "TaggedAddresses": lan | {"lan_ipv4": host.address, "wan_ipv4": host.address},
        "Meta": dict(host.meta),
    }


def _tagged(record: Record) -> Json:
    if not record.address:
        return {}
    one = {"Address": record.address, "Port": record.port}
    return {"lan_ipv4": one, "wan_ipv4": one}


def own_service(record: Record) -> Json:
    """Return an AgentService as the agent of the instance tells it."""
    return {
        "ID": record.id,
        "Service": record.name,
        "Tags": list(record.tags),
        "Address": record.address,
        "TaggedAddresses": _tagged(record),
        "Meta": dict(record.meta),
        "Port": record.port,
        "Weights": {"Passing": 1, "Warning": 1},
        "EnableTagOverride": False,
    }


def service(record: Record) -> Json:
    """Return an AgentService as consumers get it."""
    proxy = {"Mode": "", "MeshGateway": {}, "Expose": {}}
    return own_service(record) | {"Proxy": proxy, "Connect": {}, "PeerName": ""}


def catalog_service(sight: Sight) -> Json:
    """Return a CatalogService."""
    record, of_node = sight.record, node(sight.host)
    return {
        "Node": of_node["Node"],
        "Address": of_node["Address"],
        "Datacenter": "dc1",
        "TaggedAddresses": of_node["TaggedAddresses"],
        "NodeMeta": of_node["Meta"],
        "ServiceKind": "",
        "ServiceID": record.id,
        "ServiceName": record.name,
        "ServiceTags": list(record.tags),
        "ServiceAddress": record.address,
        "ServiceTaggedAddresses": _tagged(record),
        "ServiceWeights": {"Passing": 1, "Warning": 1},
        "ServiceMeta": dict(record.meta),
        "ServicePort": record.port,
        "ServiceSocketPath": "",
        "ServiceEnableTagOverride": False,
        "ServiceProxy": {"Mode": "", "MeshGateway": {}, "Expose": {}},
        "ServiceConnect": {},
    }


def entry(sight: Sight) -> Json:
    """Return a ServiceEntry."""
    liveness = node_check(sight.host.name, sight.standing)
    return {
        "Node": node(sight.host),
        "Service": service(sight.record),
        "Checks": [liveness, *checks(sight.host.name, sight.record)],
    }


def is_told_late(check: str) -> bool:
    """Return whether the output of a check is not looked at.

    Gossip's verdict says what is doubted, and what a peer's check says is told when there is
    time: neither wakes anybody.
    """
    return check == LIVENESS or check.endswith(OF_PEERS)


def node_check(name: str, standing: str) -> Json:
    """Return what gossip says of a node, as a HealthCheck without its output."""
    return _check(name, LIVENESS, "gossip liveness", VERDICTS[standing], "", "")


def checks(name: str, record: Record) -> list[Json]:
    """Return the HealthChecks of an instance alone; ``name`` is its node."""
    about = record.id, record.name, list(record.tags)
    made = []
    if record.maintenance:
        id, title = f"_service_maintenance:{record.id}", "Service Maintenance Mode"
        made.append(_check(name, id, title, "critical", record.maintenance, "maintenance", about))
    for one in record.checks:
        made.append(_check(name, one.id, one.name, one.status, one.output, "ttl", about))
    return made


def _check(
    node_name: str,
    id: str,
    title: str,
    status: str,
    output: str,
    kind: str,
    about: tuple[str, str, list[str]] = ("", "", []),
) -> Json:
    said = {} if is_told_late(id) else {"Output": output}
    return said | {
        "Node": node_name,
        "CheckID": id,
        "Name": title,
        "Status": status,
        "Notes": "",
        "ServiceID": about[0],
        "ServiceName": about[1],
        "ServiceTags": about[2],
        "Type": kind,
        "Interval": "",
        "Timeout": "",
        "ExposedPort": 0,
        "Definition": {},
    }
