"""How long a link takes: laws of latency, in seconds one way."""

from __future__ import annotations

from math import exp, log
from random import Random
from typing import TypeAlias

from gossipd.value import Value


class Constant(Value):
    """Always ``seconds``."""

    seconds: float

    def sample(self, random: Random) -> float:
        """Return the latency of one packet, in seconds."""
        return self.seconds


class Uniform(Value):
    """Anything from ``low`` to ``high`` seconds, equally likely."""

    low: float
    high: float

    def sample(self, random: Random) -> float:
        """Return the latency of one packet, in seconds."""
        return self.low + (self.high - self.low) * random.random()


class LogNormal(Value):
    """Half of the packets take less than ``median`` seconds; a few take much longer.

    ``sigma`` is the spread of the logarithm: with 0.5, one of 100 takes more
    than three times the median.
    """

    median: float
    sigma: float

    def sample(self, random: Random) -> float:
        """Return the latency of one packet, in seconds."""
        return exp(log(self.median) + self.sigma * random.gauss(0.0, 1.0))


Latency: TypeAlias = Constant | Uniform | LogNormal
