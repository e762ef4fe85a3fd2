"""SWIM messages as memberlist sends them (gossip.md, section 3).

One frozen value per message. Inside, the field's names are used; the names
on the wire (``SeqNo``, ``Addr``) end in ``codec.py``. Text keeps the bytes it
came from (``surrogateescape``). Sequence numbers and incarnations are u32.

    prober --Ping-----------------------> target
           <-------------------------Ack--
    prober --IndirectPing--> helper --Ping--> target
           <---Ack or Nack--        <--Ack---
    anyone --Alive, Suspect, Dead (claims)--> everyone, by gossip
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value


class NodeStatus(enum.IntEnum):
    """State of a node in the table and in push/pull (values as on the wire)."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Versions(Value):
    """The six version bytes: protocol and delegate (Serf), each min, max, in use."""

    protocol_min: int = 1
    protocol_max: int = 5
    protocol: int = 2
    delegate_min: int = 2
    delegate_max: int = 5
    delegate: int = 5


class Ping(Value):
    """Are you ``node``, and alive? Answer to ``source`` if given (section 3.1)."""

    seq: int
    node: str
    source: Address | None = None
    source_node: str = ""


class IndirectPing(Value):
    """Ping-req: please ping ``node`` at ``target`` for me (SWIM section 3.1)."""

    seq: int
    target: Address
    node: str
    wants_nack: bool = False
    source: Address | None = None
    source_node: str = ""


class Ack(Value):
    """Answer to the ping numbered ``seq``; ``payload`` is Serf's, ``None`` is nil."""

    seq: int
    payload: bytes | None = None


class Nack(Value):
    """I could not reach the target of your ping-req ``seq`` (Lifeguard, LHA-Probe)."""

    seq: int


class Suspect(Value):
    """Claim by ``accuser`` that ``node`` failed at ``incarnation`` (SWIM section 4.2)."""

    node: str
    incarnation: int
    accuser: str


class Alive(Value):
    """Claim that ``node`` is alive at ``incarnation``, with what it says of itself.

    ``versions`` is ``None`` when the peer sent none or not all six bytes.
    """

    node: str
    incarnation: int
    address: Address
    meta: bytes
    versions: Versions | None


class Dead(Value):
    """Claim that ``node`` failed, or left when ``accuser`` is ``node`` itself."""

    node: str
    incarnation: int
    accuser: str


class UserPayload(Value):
    """Bytes of the layer above (Serf's messages, section 14); first byte is their type."""

    payload: bytes


class ErrorReply(Value):
    """Answer on a stream that could not be understood."""

    text: str


class NodeState(Value):
    """One entry of a push/pull: what the sender's table says of a node."""

    node: str
    address: Address
    meta: bytes
    incarnation: int
    status: NodeStatus
    versions: Versions | None


class PushPull(Value):
    """A whole state exchanged over a stream (section 6.1)."""

    is_join: bool
    nodes: tuple[NodeState, ...]
    user_state: bytes = b""


Claim: TypeAlias = Alive | Suspect | Dead
PacketMessage: TypeAlias = Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead | UserPayload
StreamMessage: TypeAlias = Ping | Ack | PushPull | UserPayload | ErrorReply
