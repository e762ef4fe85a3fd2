"""The captured byte vectors of real nodes, and what they say as our own messages.

``expected_messages`` builds messages from an entry's ``decoded`` alone, so a
comparison with what our layers read from its bytes checks every field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gossipd.address import Address
from gossipd.wire import messages as swim
from gossipd.wire import serf_messages as serf

FOLDER = Path(__file__).parent.parent / "interop" / "vectors" / "gossip"

CAPTURED_FILES = (
    "encryption_v0.json",
    "tcp_compressed.json",
    "tcp_encrypted.json",
    "tcp_label.json",
    "tcp_plain.json",
    "udp_compressed.json",
    "udp_encrypted.json",
    "udp_label.json",
    "udp_name_is_ip.json",
    "udp_plain.json",
)


def load(file: str) -> list[dict[str, Any]]:
    """Return the entries of one vector file; each is told its ``file``."""
    entries: list[dict[str, Any]] = json.loads((FOLDER / file).read_text())
    return [{**entry, "file": file} for entry in entries]


def captured() -> list[dict[str, Any]]:
    """Return every entry with bytes that real nodes sent."""
    return [entry for file in CAPTURED_FILES for entry in load(file) if entry["bytes_hex"]]


def layers_of(decoded: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the wrappings of an entry by name, outermost first."""
    layers = {}
    while "layer" in decoded and decoded["layer"] != "compound":
        layers[decoded["layer"]] = decoded
        decoded = decoded["inner"]
    return layers


def leaves_of(decoded: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages inside all wrappings, in order."""
    if "layer" not in decoded:
        return [decoded]
    inner = decoded["parts"] if "parts" in decoded else [decoded["inner"]]
    return [leaf for part in inner for leaf in leaves_of(part)]


def raw(value: dict[str, Any] | None) -> bytes | None:
    """Return a byte string of a vector."""
    return None if value is None else bytes.fromhex(value["hex"])


def _ip(value: dict[str, Any] | None) -> bytes:
    return raw(value) or b""


def _versions(value: dict[str, Any] | None) -> swim.Versions | None:
    listed = raw(value)
    return None if listed is None else swim.Versions(*listed)


def swim_message(leaf: dict[str, Any]) -> Any:
    """Return the SWIM message an entry describes; user messages hold their payload's bytes."""
    fields = leaf.get("fields", {})
    match leaf["type"]:
        case "ping":
            source = Address(_ip(fields["SourceAddr"]), fields["SourcePort"])
            return swim.Ping(fields["SeqNo"], fields["Node"], source, fields["SourceNode"])
        case "indirectPing":
            return swim.IndirectPing(
                fields["SeqNo"],
                Address(_ip(fields["Target"]), fields["Port"]),
                fields["Node"],
                fields["Nack"],
                Address(_ip(fields["SourceAddr"]), fields["SourcePort"]),
                fields["SourceNode"],
            )
        case "ackResp":
            return swim.Ack(fields["SeqNo"], raw(fields["Payload"]))
        case "nackResp":
            return swim.Nack(fields["SeqNo"])
        case "suspect":
            return swim.Suspect(fields["Node"], fields["Incarnation"], fields["From"])
        case "dead":
            return swim.Dead(fields["Node"], fields["Incarnation"], fields["From"])
        case "alive":
            return swim.Alive(
                fields["Node"],
                fields["Incarnation"],
                Address(_ip(fields["Addr"]), fields["Port"]),
                raw(fields["Meta"]) or b"",
                _versions(fields["Vsn"]),
            )
        case "pushPull":
            return (leaf["header"]["Join"], tuple(_node_state(node) for node in leaf["nodes"]))
    raise AssertionError(leaf["type"])


def _node_state(fields: dict[str, Any]) -> swim.NodeState:
    return swim.NodeState(
        fields["Name"],
        Address(_ip(fields["Addr"]), fields["Port"]),
        raw(fields["Meta"]) or b"",
        fields["Incarnation"],
        swim.NodeStatus(fields["State"]),
        _versions(fields["Vsn"]),
    )


def serf_message(leaf: dict[str, Any], encoded: bytes) -> Any:
    """Return the Serf message an entry describes; ``encoded`` gives a relay's wrapped bytes."""
    fields = leaf["fields"]
    match leaf["type"]:
        case "leave":
            return serf.LeaveIntent(fields["LTime"], fields["Node"], fields["Prune"])
        case "join":
            return serf.JoinIntent(fields["LTime"], fields["Node"])
        case "userEvent":
            return serf.UserEvent(
                fields["LTime"], fields["Name"], raw(fields["Payload"]), fields["CC"]
            )
        case "query":
            return serf.Query(
                fields["LTime"],
                fields["ID"],
                Address(_ip(fields["Addr"]), fields["Port"]),
                fields["SourceNode"],
                tuple(raw(item) or b"" for item in fields["Filters"] or ()),
                fields["Flags"],
                fields["RelayFactor"],
                fields["Timeout"],
                fields["Name"],
                raw(fields["Payload"]),
            )
        case "queryResponse":
            return serf.QueryResponse(
                fields["LTime"],
                fields["ID"],
                fields["From"],
                fields["Flags"],
                raw(fields["Payload"]),
            )
        case "relay":
            destination = fields["DestAddr"]
            return serf.Relay(
                Address(_ip(destination["IP"]), destination["Port"]), fields["DestName"], encoded
            )
    raise AssertionError(leaf["type"])


def serf_state(leaf: dict[str, Any]) -> serf.SerfPushPull:
    """Return the user state an entry describes."""
    fields = leaf["fields"]
    slots: list[serf.EventSlot | None] = [None] * fields["Events"]["length"]
    for item in fields["Events"]["non_null"]:
        slots[item["slot"]] = serf.EventSlot(
            item["LTime"],
            tuple(
                serf.BufferedEvent(event["Name"], raw(event["Payload"])) for event in item["Events"]
            ),
        )
    return serf.SerfPushPull(
        fields["LTime"],
        fields["StatusLTimes"],
        tuple(fields["LeftMembers"]),
        fields["EventLTime"],
        tuple(slots),
        fields["QueryLTime"],
    )
