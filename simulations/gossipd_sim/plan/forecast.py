"""``forecast``: what formulas expect of settings, to know which are worth a rehearsal.

Detection everywhere is a chain: the wait for somebody to probe the victim, the
round that fails, the suspicion, and the gossip that tells everybody. A pause is
survived if the member is back, and its refutation everywhere, before the
earliest accuser gives up on it.

Sources: the wait is that of random phases and round-robin (SWIM sections 3.1
and 4.3); the suspicion is Lifeguard's (section IV-B), with confirmations as
the next probers come along; bounds and confirmations are those of the daemon.
"""

from __future__ import annotations

from math import log

from gossipd.swim.scaling import (
    confirmations_wanted,
    suspicion_minimum,
    suspicion_timeout,
)
from gossipd.value import Value
from gossipd_sim.plan.settings import UNTOLD, Settings, untold
from gossipd_sim.plan.wish import Wish

LATE = 0.99
"""The share of crashes that a wish is about."""


class Forecast(Value, kw_only=True):
    """Seconds: ``median`` and ``p99`` of detection everywhere, and the longest ``pause`` to bear.

    ``margin``: how much room both leave to the wish, as a share of what is
    asked; negative where one of them misses it.
    """

    median: float
    p99: float
    pause: float
    margin: float


def forecast(settings: Settings, wish: Wish) -> Forecast:
    """Return what is expected of ``settings`` in the cluster that ``wish`` describes."""
    swim = settings.swim
    interval = swim.probe_interval
    spread = gossip_time(settings, wish)
    low = suspicion_minimum(swim.suspicion_mult, wish.nodes, interval)
    suspicion = _suspicion_time(settings, wish, low, spread)
    rest = interval + suspicion + spread / 2
    median = probe_wait(0.5, wish.nodes, interval) + rest
    p99 = probe_wait(LATE, wish.nodes, interval) + rest
    pause = interval + low - spread - swim.gossip_interval
    room = (wish.detect - p99) / wish.detect
    if wish.pause:
        room = min(room, (pause - wish.pause) / wish.pause)
        allowed = max(UNTOLD, wish.false_positives)
        room -= max(0.0, untold(settings.retransmit_mult, wish) - allowed)
    return Forecast(median=median, p99=p99, pause=pause, margin=room)


def probe_wait(share: float, nodes: int, interval: float) -> float:
    """Return the seconds within which ``share`` of crashed members are first probed.

    All others probe in turn, each in a phase of its own: within t none of n - 1
    comes along with probability (1 - t / ((n - 1) * interval)) ** (n - 1).
    """
    others = nodes - 1
    return float(others * interval * (1.0 - (1.0 - share) ** (1.0 / others)))


def gossip_time(settings: Settings, wish: Wish) -> float:
    """Return the seconds until gossip has told everybody: each tick so many more tell others."""
    swim = settings.swim
    told = 1.0 + swim.gossip_nodes * (1.0 - wish.loss)
    return swim.gossip_interval * log(wish.nodes) / log(told) + wish.rtt


def _suspicion_time(settings: Settings, wish: Wish, low: float, spread: float) -> float:
    """Return how long a suspicion lasts while others confirm it, one a probe interval."""
    swim = settings.swim
    wanted = confirmations_wanted(swim.suspicion_mult, wish.nodes)
    high = low * swim.suspicion_max_timeout_mult
    best = high if wanted else low
    for confirmations in range(1, wanted + 1):
        heard = confirmations * swim.probe_interval + spread / 2
        timeout = suspicion_timeout(confirmations, wanted, low, high)
        best = min(best, max(heard, timeout))
    return best
