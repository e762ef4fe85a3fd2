"""memberlist and Serf on the wire: bytes to messages and back (gossip.md, sections 2-7, 14)."""
