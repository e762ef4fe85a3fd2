"""``Laws``: what a link does to what is sent over it, in one direction."""

from __future__ import annotations

from gossipd.errors import UsageError
from gossipd.value import Value
from gossipd_sim.latency import Latency, Uniform

TCP_OK, TCP_RESET, TCP_HANG, TCP_OFF = "ok", "reset", "hang", "off"
TCP_LAWS = (TCP_OK, TCP_RESET, TCP_HANG, TCP_OFF)

LAN = Uniform(0.0002, 0.0008)


class Laws(Value, kw_only=True):
    """What happens on the way from one host to another; probabilities are 0..1 a packet.

    Losses are those of packets: streams repeat what was lost, and are slower for it.
    """

    latency: Latency = LAN
    loss: float = 0.0
    """Probability that a packet is lost by itself."""
    burst_loss: float = 0.0
    """Probability that a burst begins with this packet; all packets of a burst are lost."""
    burst_seconds: float = 0.5
    """Mean length of a burst, exponentially distributed."""
    duplicate: float = 0.0
    """Probability that a second copy arrives, with a latency of its own."""
    reorder: float = 0.0
    """Probability that a packet is held up, so that later ones overtake it."""
    reorder_seconds: float = 0.05
    """Longest that such a packet is held up."""
    corrupt: float = 0.0
    """Probability that one bit of a packet is turned over."""
    mtu: int = 65507
    """Longest datagram that passes, in bytes."""
    udp: bool = True
    """Whether datagrams pass at all."""
    tcp: str = TCP_OK
    """``ok``; ``reset``: refused, and open streams break; ``hang``: opens, then nothing
    moves; ``off``: connecting gets no answer, and nothing moves."""

    @property
    def is_plain(self) -> bool:
        """Whether datagrams up to ``mtu`` all arrive, once, unchanged and in their time."""
        return self.udp and not (
            self.loss or self.burst_loss or self.duplicate or self.reorder or self.corrupt
        )


def check_laws(laws: Laws) -> None:
    """Refuse laws that mean nothing.

    Raises:
        UsageError: names the law, what it holds and what would be accepted.
    """
    for name in ("loss", "burst_loss", "duplicate", "reorder", "corrupt"):
        value: float = getattr(laws, name)
        if not 0 <= value <= 1:
            raise UsageError(f"{name} is {value:g}: a probability is within 0..1")
    for name in ("burst_seconds", "reorder_seconds"):
        value = getattr(laws, name)
        if not value >= 0:
            raise UsageError(f"{name} is {value:g}: it must not be negative")
    if laws.mtu < 1:
        raise UsageError(f"mtu is {laws.mtu}: it must be above 0")
    if laws.tcp not in TCP_LAWS:
        raise UsageError(f"tcp is {laws.tcp!r}: it is one of {', '.join(TCP_LAWS)}")
