"""What the catalog asks of the node that holds it."""

from __future__ import annotations

from typing import TypeAlias

from gossipd.address import Address
from gossipd.services.definition import CheckDefinition
from gossipd.value import Value


class TellPeer(Value):
    """Send these messages, encoded, to a gossipd node by UDP, as few packets as they need."""

    to: Address
    payloads: tuple[bytes, ...]


class TellByStream(Value):
    """Send a message, encoded, to a gossipd node over a stream of its own."""

    to: Address
    payload: bytes


class AnnounceEpoch(Value):
    """Tell everybody, in our node meta, that our records are of ``epoch`` from now on."""

    epoch: int


class StartCheck(Value):
    """Run ``check`` again and again and report what it says; replaces one of the same id.

    Only kinds that the driver runs: http, tcp, script.
    """

    check: CheckDefinition
    service: str
    """Id; empty for a check of the node itself."""


class StopCheck(Value):
    """Run the check of that id no more, and end what runs of it."""

    check: str


CatalogEffect: TypeAlias = TellPeer | TellByStream | AnnounceEpoch | StartCheck | StopCheck
