"""The label header in front of packets and dialed streams (gossip.md, section 5.1).

``f4``, length u8 (1..255), the label's bytes. It keeps clusters apart that
share a network; it is no secret.
"""

from __future__ import annotations

from typing import Final

from gossipd.errors import UsageError, WireError
from gossipd.wire.reasons import WRONG_LABEL

LABEL_TYPE: Final = 244
LABEL_BYTES_MAX: Final = 255
HEADER_BYTES: Final = 2


def make_label_header(label: bytes) -> bytes:
    """Return the header for ``label``; nothing for an empty one.

    Raises:
        UsageError: the label is longer than 255 bytes.
    """
    if not label:
        return b""
    if len(label) > LABEL_BYTES_MAX:
        raise UsageError(f"label is longer than {LABEL_BYTES_MAX} bytes")
    return bytes((LABEL_TYPE, len(label))) + label


def strip_label_untrusted(data: bytes, header: bytes) -> bytes:
    """Return a packet without its label header, which must be ``header`` exactly.

    Args:
        data: the packet.
        header: our own header; empty if no label is configured.

    Raises:
        WireError: the label is cut, missing or not ours.
    """
    if header:
        if data.startswith(header):
            return data[len(header) :]
        raise WireError(WRONG_LABEL, "the label is missing or not ours")
    if data[:1] == b"\xf4":
        raise WireError(WRONG_LABEL, "a label came, none is configured")
    return data
