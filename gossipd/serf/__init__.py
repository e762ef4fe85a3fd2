"""Serf's membership on top of SWIM: tags, intents, statuses, forwarding (gossip.md, 14-18)."""
