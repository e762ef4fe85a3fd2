"""``Tap``: told what becomes of every single datagram and stream, for those who must know.

Observers are told what is sent; measures count what is lost. Only who wants
to follow one message through the network needs both ends of each way, so
there is room for one such listener, and nothing is asked when there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gossipd.address import Address
from gossipd.node.effects import OpenStream

if TYPE_CHECKING:
    from gossipd_sim.network import Datagram


class Tap(Protocol):
    """Told at once and in order; it changes nothing. Hosts are named.

    A datagram is the very object that observers were given when it was sent.
    """

    def datagram_lost(self, sender: str, to: Address, data: Datagram, cause: str) -> None:
        """It will not arrive as it was sent: ``Network.lost`` has the causes, and ``corrupt``."""

    def datagram_arrived(self, sender: str, to: Address, data: Datagram) -> None:
        """It is at its host and is handed over next; ``sender`` is empty for one from nowhere."""

    def stream_dialled(self, host: str, effect: OpenStream) -> None:
        """A host begins to connect."""

    def stream_carried(self, source: str, target: str, dialler: str, stream: int) -> None:
        """Bytes of the ``stream`` that ``dialler`` opened are at ``target``, handed over next."""

    def stream_failed(self, host: str, stream: int, reason: str) -> None:
        """A stream of ``host`` is gone."""
