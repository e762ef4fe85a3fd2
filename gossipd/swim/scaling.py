"""Formulas of cluster size: how often to send, how long to wait (gossip.md, sections 10 and 11).

Every node must get the same numbers from the same size, so rounding follows
the reference implementation: sizes are scaled in thousandths and suspicion
times are floored to a millisecond. Nothing here keeps state.
"""

from __future__ import annotations

from math import ceil, floor, log, log2, log10

from gossipd.config.model import SwimConfig

PUSH_PULL_FULL_RATE_NODES = 32
"""Up to this many nodes the push/pull interval is used as configured."""


def retransmit_limit(retransmit_mult: int, nodes: int, *, natural_log: bool = False) -> int:
    """Return how often one broadcast is sent in a cluster of ``nodes`` (section 11.1).

    Args:
        retransmit_mult: configured multiplier, > 0.
        nodes: table size, >= 0; includes this node and dead ones not yet removed.
        natural_log: scale as SWIM's authors did (SWIM section 5), not as memberlist.
    """
    return retransmit_mult * ceil(log(nodes + 1) if natural_log else log10(nodes + 1))


def suspicion_bounds(config: SwimConfig, nodes: int) -> tuple[int, float, float]:
    """Return confirmations wanted, lower and upper bound in seconds of a new suspicion.

    As section 10.1 has it, unless the configuration takes parts away.
    """
    if config.natural_log:
        low = config.suspicion_mult * ceil(log(nodes + 1)) * config.probe_interval
    else:
        low = suspicion_minimum(config.suspicion_mult, nodes, config.probe_interval)
    if not config.lha_suspicion:
        return 0, low, low
    mult = config.suspicion_confirmations + 2 if config.suspicion_confirmations else None
    wanted = confirmations_wanted(mult or config.suspicion_mult, nodes)
    return wanted, low, low * config.suspicion_max_timeout_mult


def suspicion_minimum(suspicion_mult: int, nodes: int, probe_interval: float) -> float:
    """Return the shortest time in seconds from suspicion to death (section 10.1)."""
    thousandths = int(max(1.0, log10(max(1, nodes))) * 1000)
    return suspicion_mult * thousandths * probe_interval / 1000


def confirmations_wanted(suspicion_mult: int, nodes: int) -> int:
    """Return how many further accusers bring a suspicion down to its minimum.

    0 where the cluster is too small to supply them: this node and the suspect
    cannot confirm.
    """
    wanted = suspicion_mult - 2
    return 0 if wanted < 1 or nodes - 2 < wanted else wanted


def suspicion_timeout(confirmations: int, wanted: int, low: float, high: float) -> float:
    """Return how long to wait before declaring a suspect dead.

    Decays logarithmically from ``high`` to ``low`` as independent accusers
    confirm (Lifeguard, LHA-Suspicion).

    Args:
        confirmations: accusers beyond the first, >= 0.
        wanted: confirmations that bring the timeout down to ``low``; 0 is ``low`` at once.
        low: lower bound in seconds.
        high: upper bound in seconds, >= ``low``.

    Returns:
        Seconds since the suspicion started, within [low, high].
    """
    if wanted < 1:
        return low
    share = log(confirmations + 1) / log(wanted + 1)
    return max(low, floor(1000 * (high - share * (high - low))) / 1000)


def push_pull_interval(interval: float, nodes: int) -> float:
    """Return the seconds between push/pulls, stretched for large clusters (section 11.3)."""
    if nodes <= PUSH_PULL_FULL_RATE_NODES:
        return interval
    return interval * (ceil(log2(nodes) - log2(PUSH_PULL_FULL_RATE_NODES)) + 1)
