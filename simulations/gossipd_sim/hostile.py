"""Hostile packets: what somebody who is no member sends to members.

``noise``: random bytes behind a type byte that exists. ``cut``: the beginning
of a real message. ``forged``: a well-formed claim that a host is dead, in
plaintext; whoever has no key must be able to believe it, so it belongs into
scenarios with keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gossipd.address import Address
from gossipd.wire.codec import encode
from gossipd.wire.messages import Alive, Dead, IndirectPing, PacketMessage, Ping, Suspect, Versions
from gossipd_sim.faults import Fault, HostFault, Stage
from gossipd_sim.host import Host

NOISE, CUT, FORGED = "noise", "cut", "forged"
KINDS = (NOISE, CUT, FORGED)
STRANGER = Address(bytes((192, 0, 2, 66)), 6666)
"""Of the addresses that nobody has (RFC 5737)."""
LAST_TYPE = 16
NOISE_BYTES_MAX = 1500
PACKETS_MAX = 100_000
"""One fault sends no more to one host: all of them wait in the queue of the run."""


class HostilePackets(HostFault, kw_only=True):
    """A stranger sends ``rate`` packets a second to each of ``hosts``, while it ``lasts``."""

    rate: float = 10.0
    kinds: tuple[str, ...] = (NOISE, CUT)

    do = "hostile"

    def befall(self, host: Host, stage: Stage) -> None:
        random = stage.world.random(f"stranger to {host.name} at {self.at}")
        names = list(stage.hosts)
        count = max(1, round(self.lasts * self.rate))
        for turn in range(count):
            data = hostile_packet(random.choice(self.kinds), names, random)
            stage.network.inject(STRANGER, host.address, data, turn / self.rate)

    def undo(self, at: float) -> Fault | None:
        return None

    def describe(self) -> str:
        return f"hostile packets ({', '.join(self.kinds)}) to {self.hosts}"


def hostile_packet(kind: str, names: Sequence[str], random: Random) -> bytes:
    """Return one datagram of that ``kind`` about the hosts ``names``."""
    if kind == NOISE:
        head = bytes((random.randint(0, LAST_TYPE),))
        return head + random.randbytes(random.randint(0, NOISE_BYTES_MAX))
    if kind == CUT:
        whole = encode(_message(random.choice(names), random))
        return whole[: random.randrange(1, len(whole))]
    return encode(Dead(random.choice(names), 2**31, random.choice(names)))


def _message(name: str, random: Random) -> PacketMessage:
    messages: tuple[PacketMessage, ...] = (
        Ping(random.getrandbits(32), name, STRANGER, "stranger"),
        IndirectPing(random.getrandbits(32), STRANGER, name, True, STRANGER, "stranger"),
        Suspect(name, 1, "stranger"),
        Dead(name, 1, "stranger"),
        Alive(name, 1, STRANGER, random.randbytes(20), Versions()),
    )
    return random.choice(messages)
