"""``NoInstance``: there is nobody left to ask."""

from __future__ import annotations

from gossipd.errors import Unavailable


class NoInstance(Unavailable):
    """No instance can be asked now; the message says of which service, and why not."""
