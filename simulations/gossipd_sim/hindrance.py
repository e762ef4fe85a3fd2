"""What keeps a host from working well, in words."""

from __future__ import annotations

from gossipd_sim.host import Host


def hindrance_of(host: Host) -> str:
    """Return what hinders ``host``; empty when nothing does."""
    if host.is_frozen:
        return "frozen"
    parts = ["not reading its input"] if host.is_deaf else []
    if host.holds_back:
        parts.append("unable to send")
    if host.delay:
        parts.append(f"{host.delay:g} s late with everything")
    return " and ".join(parts)
