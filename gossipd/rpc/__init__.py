"""The local socket's server: answers Serf's RPC from a node's view."""
