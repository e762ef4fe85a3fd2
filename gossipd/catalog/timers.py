"""What wakes the catalog; what its provider arms beside is in ``provider.py``."""

from __future__ import annotations

from typing import Any, TypeAlias

from gossipd.value import Value


class SpreadTick(Value):
    """Gossip what waits."""


class GapDue(Value):
    """Ask for what is missing of an owner, for the ``attempt``-th time, counted from 0."""

    owner: str
    epoch: int
    attempt: int


class ReunionDue(Value):
    """Compare all with ``peer``, who was lost and has returned."""

    peer: str


class RefutationDue(Value):
    """Begin a new epoch, which was put off because the last one is so young."""


class RepetitionOver(Value):
    """Show of ``owner``, who began an epoch to say everything again, only what it said since."""

    owner: str


class ExpiryTick(Value):
    """Look for tombstones that are old enough to be forgotten."""


CatalogTimer: TypeAlias = Any
"""One of the above, or one of the provider's."""
