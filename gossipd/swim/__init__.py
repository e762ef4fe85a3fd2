"""The failure detector and dissemination: SWIM with Lifeguard (gossip.md, sections 8-12)."""
