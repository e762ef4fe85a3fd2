"""What filters may name: the fields of each kind of item, with their types (section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

TEXT: Final = "text"
NUMBER: Final = "number"
SWITCH: Final = "switch"
TEXTS: Final = "list of texts"
TEXT_MAP: Final = "map of texts"

Field: TypeAlias = "str | Record | Records | RecordMap"


class Record:
    """An object of known fields; compared by identity."""

    __slots__ = ("aliases", "fields")

    def __init__(
        self,
        fields: Mapping[str, Field],
        aliases: Mapping[tuple[str, ...], tuple[str, ...]] | None = None,
    ) -> None:
        self.fields = fields
        self.aliases = aliases or {}
        """Beginnings of selectors that mean another one, if more follows."""


class Records:
    """A list of records: a selector through it means any of them."""

    __slots__ = ("record",)

    def __init__(self, record: Record) -> None:
        self.record = record


class RecordMap:
    """Records by name."""

    __slots__ = ("record",)

    def __init__(self, record: Record) -> None:
        self.record = record


_INDEXES: dict[str, Field] = {"CreateIndex": NUMBER, "ModifyIndex": NUMBER}
_WEIGHTS = Record({"Passing": NUMBER, "Warning": NUMBER})
_ADDRESSES = RecordMap(Record({"Address": TEXT, "Port": NUMBER}))

NODE = Record(
    {
        "ID": TEXT, "Node": TEXT, "Address": TEXT, "Datacenter": TEXT,
        "TaggedAddresses": TEXT_MAP, "Meta": TEXT_MAP, **_INDEXES,
    }
)  # fmt: skip
AGENT_SERVICE = Record(
    {
        "ID": TEXT, "Service": TEXT, "Kind": TEXT, "Tags": TEXTS, "Address": TEXT,
        "TaggedAddresses": _ADDRESSES, "Meta": TEXT_MAP, "Port": NUMBER, "Weights": _WEIGHTS,
        "EnableTagOverride": SWITCH, "PeerName": TEXT, "Datacenter": TEXT, "SocketPath": TEXT,
        **_INDEXES,
    }
)  # fmt: skip
CHECK = Record(
    {
        "Node": TEXT, "CheckID": TEXT, "Name": TEXT, "Status": TEXT, "Notes": TEXT,
        "Output": TEXT, "ServiceID": TEXT, "ServiceName": TEXT, "ServiceTags": TEXTS,
        "Type": TEXT, "Interval": TEXT, "Timeout": TEXT, "ExposedPort": NUMBER, **_INDEXES,
    }
)  # fmt: skip
MEMBER = Record({"Name": TEXT, "Addr": TEXT, "Port": NUMBER, "Tags": TEXT_MAP, "Status": NUMBER})
ENTRY = Record({"Node": NODE, "Service": AGENT_SERVICE, "Checks": Records(CHECK)})
_FLAT: dict[str, Field] = {
    "ID": TEXT, "Node": TEXT, "Address": TEXT, "Datacenter": TEXT,
    "TaggedAddresses": TEXT_MAP, "NodeMeta": TEXT_MAP, "ServiceKind": TEXT, "ServiceID": TEXT,
    "ServiceName": TEXT, "ServiceTags": TEXTS, "ServiceAddress": TEXT,
    "ServiceTaggedAddresses": _ADDRESSES, "ServiceWeights": _WEIGHTS, "ServiceMeta": TEXT_MAP,
    "ServicePort": NUMBER, "ServiceSocketPath": TEXT, "ServiceEnableTagOverride": SWITCH,
    **_INDEXES,
}  # fmt: skip
_NODE_META: dict[tuple[str, ...], tuple[str, ...]] = {("Node", "Meta"): ("NodeMeta",)}
CATALOG_SERVICE = Record(_FLAT, _NODE_META)
SERVICE_LISTED = CATALOG_SERVICE
"""Of ``/catalog/services``, whose filter looks at instances."""
