"""Network coordinates: round-trip times estimated without measuring (gossip.md, section 19)."""
