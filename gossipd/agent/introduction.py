"""What an agent says of itself at start, as Serf's agent does (agent.md, section 2)."""

from __future__ import annotations

from ipaddress import ip_address

from gossipd.agent.log.logbook import Logbook
from gossipd.agent.machine import Surroundings
from gossipd.config.agent_model import AgentConfig


def introduce(config: AgentConfig, machine: Surroundings, log: Logbook) -> None:
    """Print who we are, and log the warnings of the start."""
    node = config.node
    facts = [("Node name", f"'{node.name}'"), ("Bind addr", f"'{machine.bound}'")]
    if machine.advertised != machine.bound:
        facts.append(("Advertise addr", f"'{machine.advertised}'"))
    if machine.socket_path:
        facts.append(("Socket", f"'{machine.socket_path}'"))
    if machine.rpc_address is not None:
        facts.append(("RPC addr", f"'{machine.rpc_address}'"))
    if machine.http_address is not None:
        facts.append(("HTTP addr", f"'{machine.http_address}'"))
    if machine.dns_address is not None:
        facts.append(("DNS addr", f"'{machine.dns_address}'"))
    facts += [
        ("Encrypted", str(bool(node.keys)).lower()),
        ("Snapshot", str(bool(config.snapshot_path)).lower()),
        ("Profile", config.profile),
        ("Message Compression Enabled", str(node.wire.compression).lower()),
    ]
    if config.discover:
        facts.append(("mDNS cluster", config.discover))
    log.show("==> gossipd agent running!")
    for name, value in facts:
        log.show(f"{name:>31}: {value}")
    if config.rejoin_after_leave and not config.snapshot_path:
        log.say("WARN", "agent: 'RejoinAfterLeave' enabled without snapshot file")
    for warning in config.warnings:
        log.say("WARN", f"agent: {warning}")
    _warn_of_name(node.name, machine, log)
    if not node.keys and ip_address(machine.advertised.ip).is_global:
        log.say("WARN", "memberlist: Binding to public address without encryption!")


def _warn_of_name(name: str, machine: Surroundings, log: Logbook) -> None:
    """Say what HTTP and DNS make of a name that they cannot show as it is."""
    by_http, by_dns = machine.http_address is not None, machine.dns_address is not None
    if not by_http and not by_dns:
        return
    from gossipd.agent.naming import warning_of_name  # only with such a face

    if warning := warning_of_name(name, by_http=by_http, by_dns=by_dns):
        log.say("WARN", f"agent: {warning}")
