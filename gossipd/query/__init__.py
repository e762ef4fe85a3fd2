"""The protocol of the local socket: Serf's RPC, bytes <-> requests and records."""
