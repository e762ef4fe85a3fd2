"""The daemon around the node: sockets, streams, clock, signals, log (trio)."""
