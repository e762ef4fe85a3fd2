"""Nodes, services, members and the like as Consul's clients expect them (consul-http.md, 8).

Plain objects for JSON. Indexes inside of objects are milliseconds since 1970 of when
this agent learned of them: of the same kind as those of answers, and never 0.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import partial

from gossipd.coordinate import Coordinate
from gossipd.node.handle import NodeHandle
from gossipd.node.view import View
from gossipd.rest.consul.external import claimed_node, node_meta
from gossipd.rest.consul.nodes import family_of, id_of, is_id, node_id
from gossipd.rest.consul.shapes_checks import Checks
from gossipd.rest.topics import OWN, Topics, node_topic
from gossipd.serf.events import SerfMember, UserEventReceived
from gossipd.services.definition import WARNING, Service
from gossipd.services.instance import Instance
from gossipd.wire.serf_messages import MemberStatus

Json = dict[str, object]
PRESENT = (MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.FAILED)
"""Members that are nodes of the catalog; one that left is none."""
BUILD = "1.18.0:gossipd"
"""Level of Consul's API that is spoken here, and who speaks it."""
PROXY: Json = {"Mode": "", "MeshGateway": {}, "Expose": {}}


class Shapes:
    """Makes the objects.

    Args:
        handle: the node.
        topics: since when things are as they are.
        datacenter: of all nodes.
        offset: seconds between the node's clock and calendar time.
    """

    def __init__(self, handle: NodeHandle, topics: Topics, datacenter: str, offset: float) -> None:
        self._handle = handle
        self._topics = topics
        self.datacenter = datacenter
        self._offset = offset
        self._view: View | None = None
        self._members: dict[str, SerfMember] = {}
        self._nodes: dict[str, Json] = {}
        self.externals = topics.externals
        self.checks = Checks(
            handle, self.member, topics.externals, partial(topics.index, OWN), offset
        )

    # -- nodes --------------------------------------------------------------------

    def member(self, name: str) -> SerfMember | None:
        """Return the member of that name, if it is a node of the catalog."""
        view = self._handle.view()
        if view is not self._view:
            self._view = view
            self._members = {m.name: m for m in view.members if m.status in PRESENT}
            self._nodes.clear()
        return self._members.get(name)

    def node_names(self) -> list[str]:
        """Return the names of all nodes, sorted; those without an agent, too."""
        self.member("")
        self._topics.look()
        return sorted({*self._members, *self.externals.names()})

    def find_node(self, text: str) -> str | None:
        """Return the name of the node with that name or id."""
        self._topics.look()
        if self.is_node(text):
            return text
        if is_id(text):
            wanted = text.lower()
            return next((name for name in self.node_names() if node_id(name) == wanted), None)
        return None

    def is_node(self, name: str) -> bool:
        """Return whether there is a node of that name."""
        return self.member(name) is not None or name in self.externals

    def node(self, name: str, host: str = "") -> Json:
        """Return a Node; ``host`` is its address if the node is not known otherwise."""
        member = self.member(name)
        made = self._nodes.get(name)
        if made is not None:
            return made
        meta: dict[str, str] = {}
        if member is not None:
            host, meta = member.address.host, dict(member.tags)
        else:
            first = self.externals.first(name)
            if first is not None:
                host, meta = first.address, node_meta(first.service)
        known = self._topics.known(name)
        index = self._topics.index(node_topic(name)) if known is None else known.since
        tagged = {"lan": host, "wan": host}
        family = family_of(host)
        if family:
            tagged |= {f"lan_{family}": host, f"wan_{family}": host}
        made = {
            "ID": node_id(name),
            "Node": name,
            "Address": host,
            "Datacenter": self.datacenter,
            "TaggedAddresses": tagged,
            "Meta": meta,
            "CreateIndex": index,
            "ModifyIndex": index,
        }
        if member is not None:
            self._nodes[name] = made
        return made

    # -- services -----------------------------------------------------------------

    def index_of(self, instance: Instance) -> int:
        """Return since when this agent knows ``instance`` as it is."""
        return max(1, int((self._offset + instance.learned_at) * 1000))

    def service(self, instance: Instance) -> Json:
        """Return an AgentService as consumers get it: with the weights that are in force."""
        service, weights = self.externals.shown_service(instance.service), _weights_now(instance)
        return _service(service, weights) | {
            "Proxy": PROXY,
            "Connect": {},
            "PeerName": "",
            **_indexes(self.index_of(instance)),
        }

    def own_service(self, service: Service, index: int) -> Json:
        """Return an AgentService as its agent tells it: with the weights of its definition."""
        weights = _weights(service.weight, service.warning_weight)
        return _service(service, weights) | {
            **_indexes(index),
            "Datacenter": self.datacenter,
        }

    def beside(self, instance: Instance) -> tuple[object, ...]:
        """Return what an object of ``instance`` shows beside itself, its owner and what is
        suspected of it: whatever is not told of others' instances is empty."""
        made: tuple[object, ...] = ()
        if instance.owner == self._handle.view().name:
            made = (self._topics.index(OWN),)  # reasons and definitions that are not gossiped
        claimed = claimed_node(instance.service)
        if claimed is not None:
            index = self._topics.index(node_topic(claimed))
            node = self.member(claimed), self._topics.externals.first(claimed)
            made = (*made, self.externals.shown_node(instance), index, *node)
        return made

    def entry(self, instance: Instance) -> Json:
        """Return a ServiceEntry."""
        name = self.externals.shown_node(instance)
        return {
            "Node": self.node(name, instance.owner_address),
            "Service": self.service(instance),
            "Checks": self.checks.of_entry(instance, self.index_of(instance)),
        }

    def instance_checks(self, instance: Instance) -> list[Json]:
        """Return the HealthChecks of an instance, without those of its node."""
        return self.checks.of_instance(instance, self.index_of(instance))

    def catalog_service(self, instance: Instance) -> Json:
        """Return a CatalogService, which has the fields of node and service side by side."""
        node = self.node(self.externals.shown_node(instance), instance.owner_address)
        service = self.externals.shown_service(instance.service)
        return {
            "ID": node["ID"],
            "Node": node["Node"],
            "Address": node["Address"],
            "Datacenter": self.datacenter,
            "TaggedAddresses": node["TaggedAddresses"],
            "NodeMeta": node["Meta"],
            "ServiceKind": "",
            "ServiceID": service.id,
            "ServiceName": service.name,
            "ServiceTags": list(service.tags),
            "ServiceAddress": service.address,
            "ServiceTaggedAddresses": _tagged_addresses(service),
            "ServiceWeights": _weights_now(instance),
            "ServiceMeta": dict(service.meta),
            "ServicePort": service.port,
            "ServiceSocketPath": "",
            "ServiceEnableTagOverride": False,
            "ServiceProxy": PROXY,
            "ServiceConnect": {},
            **_indexes(self.index_of(instance)),
        }

    # -- the rest -----------------------------------------------------------------

    def agent_member(self, member: SerfMember) -> Json:
        """Return an AgentMember."""
        versions = member.versions
        tags = {"role": "node", **member.tags, "dc": self.datacenter, "id": node_id(member.name)}
        tags.setdefault("build", BUILD)
        return {
            "Name": member.name,
            "Addr": member.address.host,
            "Port": member.address.port,
            "Tags": tags,
            "Status": int(member.status),
            "ProtocolMin": versions.protocol_min,
            "ProtocolMax": versions.protocol_max,
            "ProtocolCur": versions.protocol,
            "DelegateMin": versions.delegate_min,
            "DelegateMax": versions.delegate_max,
            "DelegateCur": versions.delegate,
        }


def coordinate_shape(node: str, coordinate: Coordinate) -> Json:
    """Return a Coordinate of a node."""
    return {"Node": node, "Segment": "", "Partition": "", "Coord": point_shape(coordinate)}


def point_shape(coordinate: Coordinate) -> Json:
    """Return the point itself, in seconds."""
    return {
        "Vec": list(coordinate.vec),
        "Error": coordinate.error,
        "Adjustment": coordinate.adjustment,
        "Height": coordinate.height,
    }


def event_id(event: UserEventReceived) -> str:
    """Return the id of a user event, the same on every agent that got it."""
    payload = hashlib.sha256(event.payload or b"").hexdigest()
    return id_of(f"{event.ltime} {payload} {event.name}")


def event_shape(event: UserEventReceived) -> Json:
    """Return a UserEvent."""
    payload = event.payload
    return {
        "ID": event_id(event),
        "Name": event.name,
        "Payload": None if payload is None else base64.b64encode(payload).decode(),
        "NodeFilter": "",
        "ServiceFilter": "",
        "TagFilter": "",
        "Version": 1,
        "LTime": event.ltime,
    }


def content_hash(item: Json) -> str:
    """Return a digest of a definition, without its indexes."""
    plain = {key: value for key, value in item.items() if not key.endswith("Index")}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _service(service: Service, weights: Json) -> Json:
    return {
        "ID": service.id,
        "Service": service.name,
        "Tags": list(service.tags),
        "Address": service.address,
        "TaggedAddresses": _tagged_addresses(service),
        "Meta": dict(service.meta),
        "Port": service.port,
        "Weights": weights,
        "EnableTagOverride": False,
    }


def _tagged_addresses(service: Service) -> Json:
    family = family_of(service.address) if service.address else ""
    made: Json = {}
    if family:
        own = {"Address": service.address, "Port": service.port}
        made = {f"lan_{family}": own, f"wan_{family}": own}
    for label, (address, port) in service.tagged_addresses.items():
        made[label] = {"Address": address, "Port": port}
    return made


def _weights_now(instance: Instance) -> Json:
    service = instance.service
    if instance.is_draining:
        return _weights(0, 0)
    if instance.status == WARNING:
        return _weights(service.weight, instance.weight)
    return _weights(instance.weight, service.warning_weight)


def _weights(passing: int, warning: int) -> Json:
    return {"Passing": passing, "Warning": warning}


def _indexes(index: int) -> Json:
    return {"CreateIndex": index, "ModifyIndex": index}
