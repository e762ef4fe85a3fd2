"""``Settings``: what a plan can recommend, and which are worth thinking about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import exp

from gossipd.config.model import PROFILES, SwimConfig
from gossipd.swim.scaling import retransmit_limit
from gossipd.value import Value, replace
from gossipd_sim.document import write_toml
from gossipd_sim.plan.wish import Wish

PROFILE_NAMES = ("lan", "wan", "local")
"""In this order among equals: the first is the daemon's default."""
GOSSIP_INTERVALS: dict[str, tuple[float, ...]] = {"lan": (0.2, 0.1), "wan": (0.5, 0.2)}
"""Seconds between gossip ticks that are tried, by the profile that is changed.

``local`` is taken as it is or not at all: it repeats each claim half as often,
and from some ten members on gossip that misses nobody is what pauses need.
"""
INTERVALS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
"""Seconds between probes that are tried. Below a tenth a daemon does little else."""
SUSPICION_MULTS = (3, 4, 5, 6, 7, 8, 10, 12, 16, 20)
MAX_TIMEOUT_MULTS = (6, 4, 2)
"""The default first: it protects the others from one sick accuser and hardly costs time."""
RETRANSMIT_MULT_MAX = 16
UNTOLD = 0.02
"""Members that a claim may miss in the mean; a refutation that misses one is a false positive."""
HELPERS_MAX = 8
HELPERS_FROM = 0.6
"""The share of a round after which helpers are asked at the latest."""
ROUND_TRIPS = 3.0
"""Round trips that a probe's timeout has to hold (SWIM section 3.1)."""
FALSE_SUSPICION = 0.001
"""Share of probes of the well that helpers are to let through."""


class Settings(Value, kw_only=True):
    """One profile with what it is to be changed in; names as in ``SwimConfig``."""

    profile: str
    probe_interval: float
    probe_timeout: float
    indirect_checks: int
    suspicion_mult: int
    suspicion_max_timeout_mult: int
    gossip_interval: float
    retransmit_mult: int

    @property
    def swim(self) -> SwimConfig:
        """All settings of the failure detector."""
        return replace(PROFILES[self.profile][0], **self.table)

    @property
    def table(self) -> dict[str, object]:
        """The table ``[swim]`` of a configuration file."""
        return {
            "probe_interval": self.probe_interval,
            "probe_timeout": self.probe_timeout,
            "indirect_checks": self.indirect_checks,
            "suspicion_mult": self.suspicion_mult,
            "suspicion_max_timeout_mult": self.suspicion_max_timeout_mult,
            "gossip_interval": self.gossip_interval,
            "retransmit_mult": self.retransmit_mult,
        }

    @property
    def is_a_profile(self) -> bool:
        """Whether they are a profile as it is."""
        return self.swim == PROFILES[self.profile][0]

    @property
    def probes_a_second(self) -> float:
        """What they cost: every member probes so often; gossip ticks count as much."""
        return 1.0 / self.probe_interval

    def toml(self) -> str:
        """Return the lines that a daemon's configuration file needs for them."""
        return write_toml({"profile": self.profile, "swim": self.table})


def profile_settings(profile: str) -> Settings:
    """Return a profile as it is."""
    swim = PROFILES[profile][0]
    return Settings(
        profile=profile,
        probe_interval=swim.probe_interval,
        probe_timeout=swim.probe_timeout,
        indirect_checks=swim.indirect_checks,
        suspicion_mult=swim.suspicion_mult,
        suspicion_max_timeout_mult=swim.suspicion_max_timeout_mult,
        gossip_interval=swim.gossip_interval,
        retransmit_mult=swim.retransmit_mult,
    )


def candidates(wish: Wish) -> Iterator[Settings]:
    """Return all settings that could be recommended for ``wish``, the profiles first.

    A probe's timeout keeps the share of the interval that the profile gives it, and
    holds some round trips. Helpers are as many as the losses ask for.
    """
    for profile in PROFILE_NAMES:
        if PROFILES[profile][0].probe_timeout >= ROUND_TRIPS * wish.rtt:
            yield profile_settings(profile)
    for profile, gossip_intervals in GOSSIP_INTERVALS.items():
        helpers = max(PROFILES[profile][0].indirect_checks, helpers_for(wish.loss))
        for interval in INTERVALS:
            timeout = _probe_timeout(profile, interval, wish.rtt)
            if timeout is None:
                continue
            repeats = _retransmit_mult(profile, wish, interval, helpers)
            for gossip, mult, max_mult in product(
                gossip_intervals, SUSPICION_MULTS, MAX_TIMEOUT_MULTS
            ):
                yield Settings(
                    profile=profile,
                    probe_interval=interval,
                    probe_timeout=timeout,
                    indirect_checks=helpers,
                    suspicion_mult=mult,
                    suspicion_max_timeout_mult=max_mult,
                    gossip_interval=gossip,
                    retransmit_mult=repeats,
                )


def untold(retransmit_mult: int, wish: Wish) -> float:
    """Return how many members one claim never reaches, if gossip alone carries it.

    Everybody repeats it as often as the retransmit limit says, so that each member
    gets it a Poisson-distributed number of times (Demers et al., PODC 1987,
    section 1.4: the residue is e to the minus traffic).
    """
    traffic = retransmit_limit(retransmit_mult, wish.nodes) * (1.0 - wish.loss)
    return wish.nodes * exp(-traffic * wish.nodes / (wish.nodes - 1))


def _retransmit_mult(profile: str, wish: Wish, interval: float, helpers: int) -> int:
    """Return how often to repeat claims so that a refutation misses hardly anybody.

    What losses make of probes counts too: the more often the well are suspected in
    an hour, the fewer of their refutations may miss somebody.
    """
    usual = PROFILES[profile][0].retransmit_mult
    if not (wish.pause or wish.loss):
        return usual
    suspected = 3600 / interval * failed_probe(wish.loss, helpers)
    allowed = UNTOLD / max(1.0, suspected)
    tried = range(usual, RETRANSMIT_MULT_MAX)
    return next((mult for mult in tried if untold(mult, wish) <= allowed), RETRANSMIT_MULT_MAX)


def _probe_timeout(profile: str, interval: float, rtt: float) -> float | None:
    """Return the timeout for direct acks; ``None`` if no time would be left for helpers."""
    swim = PROFILES[profile][0]
    share = swim.probe_timeout / swim.probe_interval
    timeout = round(max(interval * share, ROUND_TRIPS * rtt), 3)
    return timeout if timeout <= interval * max(share, HELPERS_FROM) else None


def failed_probe(loss: float, helpers: int) -> float:
    """Return how likely a probe of a live member fails over UDP (SWIM section 3.1).

    The round trip of the ping fails, and so does that of every helper, each of
    which needs four packets.
    """
    delivered = 1.0 - loss
    return float((1.0 - delivered**2) * (1.0 - delivered**4) ** helpers)


def helpers_for(loss: float) -> int:
    """Return how many helpers keep false suspicions at bay, at most ``HELPERS_MAX``."""
    return next(
        (
            helpers
            for helpers in range(1, HELPERS_MAX)
            if failed_probe(loss, helpers) <= FALSE_SUSPICION
        ),
        HELPERS_MAX,
    )
