"""One machine, sans-IO: bytes and ``now`` in; effects, events and a view out."""
