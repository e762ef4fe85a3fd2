"""What is usual of one member, and whether it has left that band (pure).

Three signs, each against the member's own past: the round trip of its direct acks, how
many of them do not come in time, how often it has to refute that it failed. A member
that always was slow is no news; one that became slow is, and mostly minutes before
anybody believes it dead.

Estimates are robust: one wild value moves them by a bounded step, and while a sign is
outside its band they learn ten times more slowly, so that a fault does not become usual
within the hour. A sign has to be judged from a minimum of samples, and comes back only
well inside its band (hysteresis). A member costs about 600 bytes.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, exp, log
from statistics import median

SAMPLES_MIN = 16
"""Probes of a member before anything is said of it."""
LEARN, LEARN_OUTSIDE = 0.03, 0.003
"""Share of a new sample in what is usual, inside the band and outside."""

RECENT = 5
"""Round trips whose median is compared: two wild ones among them say nothing."""
RTT_WIDTH = 6.0
"""Half a band, in mean deviations of the logarithm of the round trip."""
RTT_FACTOR = 2.0
"""A round trip below so many times the usual one is always inside."""
RTT_FLOOR = 0.005
"""Seconds above the usual that are always inside: of no concern to anybody."""
SPREAD_FIRST, SPREAD_MIN, RTT_WEIGHT = 0.25, 0.05, 4
"""Mean deviation that is taken for usual at first, the least that any link has, and for how many
round trips the first stands."""
STEP_MAX = 3.0
"""Deviations by which one sample counts at most."""

WINDOW = 16
"""Probes of which the missed ones are counted."""
MISSED_MIN = 3
LOSS_FIRST, LOSS_LEAST, LOSS_WEIGHT = 0.005, 0.002, 40
"""Share of acks missed that is taken for usual at first, and that any link may have beside; after
how many probes the first is halfway forgotten."""
LOSS_MARGIN = 1.5
"""The usual loss is only estimated, and may be so many times as high."""
LEARN_LOSS = 0.01
LEARN_POOL, POOL_WEIGHT = 0.003, 100
REFUTED_WITHIN = 300.0
"""Seconds in which refutations are counted."""
REFUTED_MIN, REFUTED_PER_ACCUSER = 3, 2
REFUTED_KEPT = 16
REFUTED_MEMORY = 3600.0
"""Seconds after which the usual rate of refutations has forgotten two thirds."""
CHANCE = 1e-6
"""Something that is less likely than this, by what is usual, is outside the band."""
RTT, LOSS, REFUTATIONS = "rtt", "loss", "refutations"
SIGNS = (RTT, LOSS, REFUTATIONS)


class RttBand:
    """Round trips of one member."""

    __slots__ = ("_count", "_recent", "_spread", "_usual", "is_outside")

    def __init__(self) -> None:
        self.is_outside = False
        self._count = 0
        self._usual = 0.0
        self._spread = SPREAD_FIRST
        self._recent: list[float] = []

    def add(self, rtt: float) -> None:
        """Take one round trip, in seconds."""
        value = log(max(rtt, 1e-6))
        self._count += 1
        if self._count == 1:
            self._usual = value
        if len(self._recent) < RECENT:
            self._recent.append(rtt)
        else:
            self._recent[self._count % RECENT] = rtt
        self._judge()
        rate = LEARN_OUTSIDE if self.is_outside else max(LEARN, 1 / (self._count + RTT_WEIGHT))
        step = STEP_MAX * self._spread
        deviation = min(max(value - self._usual, -step), step)
        self._usual += rate * deviation
        spread = self._spread + rate * (abs(deviation) - self._spread)
        self._spread = max(spread, SPREAD_MIN)

    def _judge(self) -> None:
        if self._count < SAMPLES_MIN:
            return
        now, usual = median(self._recent), exp(self._usual)
        width = max(RTT_WIDTH * self._spread, log(RTT_FACTOR))
        if self.is_outside:
            width /= 2
        is_above = now > usual * exp(width)
        floor = RTT_FLOOR / 2 if self.is_outside else RTT_FLOOR
        self.is_outside = is_above and now - usual > floor

    @property
    def reason(self) -> str:
        """Say how it is now, and how it usually is."""
        now, usual = 1000 * median(self._recent), 1000 * exp(self._usual)
        return f"round trip {_short(now)}ms, usually {_short(usual)}ms"


class UsualLoss:
    """The share of direct acks that this node usually misses, of all members together.

    Of one member too little is known to tell a link that loses three of a hundred from
    one that loses none; but members mostly share the network.
    """

    __slots__ = ("_count", "share")

    def __init__(self) -> None:
        self.share = LOSS_FIRST
        self._count = 0

    def learn(self, was_missed: int) -> None:
        """Take a probe of the past of a member that is inside its band."""
        self._count += 1
        rate = max(LEARN_POOL, 1 / (self._count + POOL_WEIGHT))
        self.share += rate * (was_missed - self.share)


class LossBand:
    """Direct acks of one member that did not come in time.

    Args:
        pool: what is usual of all members.
    """

    __slots__ = ("_count", "_pool", "_usual", "_window", "is_outside")

    def __init__(self, pool: UsualLoss) -> None:
        self.is_outside = False
        self._pool = pool
        self._count = 0
        self._usual = LOSS_FIRST
        self._window = 0
        """The last probes, one bit each, newest lowest; set if missed."""

    def add(self, *, is_missed: bool) -> None:
        """Take the end of one direct probe."""
        self._count += 1
        if self._count > WINDOW:
            # only what is past is usual: what is judged must not excuse itself
            was_missed = self._window >> (WINDOW - 1)
            rate = max(LEARN_LOSS, 1 / (self._count + LOSS_WEIGHT))
            if self.is_outside:
                rate = LEARN_OUTSIDE
            else:
                self._pool.learn(was_missed)
            self._usual += rate * (was_missed - self._usual)
        self._window = (self._window << 1 | is_missed) & ((1 << WINDOW) - 1)
        missed = self._window.bit_count()
        if (missed >= MISSED_MIN or self.is_outside) and self._count >= SAMPLES_MIN:
            usual = max(self._usual, self._pool.share)
            allowed = misses_allowed(round(LOSS_MARGIN * usual + LOSS_LEAST, 3))
            self.is_outside = missed > (allowed // 2 if self.is_outside else allowed)

    @property
    def reason(self) -> str:
        """Say how it is now, and how it usually is."""
        missed = self._window.bit_count()
        return f"{missed} of the last {WINDOW} acks missed, usually {100 * self._usual:.1f}%"


class RefutationBand:
    """How often one member had to refute that it failed; times in seconds, monotonic.

    Who accuses often may be the one at fault: of each accuser ``REFUTED_PER_ACCUSER`` count.
    """

    __slots__ = ("_at", "_folded_at", "_rate", "is_outside")

    def __init__(self) -> None:
        self.is_outside = False
        self._at: list[tuple[float, str]] = []
        """Of the last refutations, those within ``REFUTED_WITHIN``, with who accused."""
        self._rate = 0.0
        """Refutations a second that are usual; those that still count are not in it."""
        self._folded_at = 0.0

    def add(self, accuser: str, now: float) -> None:
        """Take a refutation of what ``accuser`` said."""
        self._at.append((now, accuser))
        if len(self._at) > REFUTED_KEPT:
            self._fold(self._at.pop(0)[0])
        self.look(now)

    def disbelieve(self, accuser: str) -> None:
        """Count nothing of what ``accuser`` said, which turned out to be the one at fault."""
        self._at = [(at, who) for at, who in self._at if who != accuser]

    def look(self, now: float) -> None:
        """Judge anew: time has passed."""
        while self._at and self._at[0][0] <= now - REFUTED_WITHIN:
            self._fold(self._at.pop(0)[0])
        refuted = self._counted
        if refuted >= REFUTED_MIN or self.is_outside:
            usual = self._rate * exp((self._folded_at - now) / REFUTED_MEMORY)
            allowed = refutations_allowed(round(usual * REFUTED_WITHIN, 1))
            self.is_outside = refuted > (allowed // 2 if self.is_outside else allowed)

    @property
    def _counted(self) -> int:
        by: dict[str, int] = {}
        for _, accuser in self._at:
            by[accuser] = by.get(accuser, 0) + 1
        return sum(min(count, REFUTED_PER_ACCUSER) for count in by.values())

    def _fold(self, at: float) -> None:
        self._rate *= exp((self._folded_at - at) / REFUTED_MEMORY)
        self._rate += 1 / REFUTED_MEMORY
        self._folded_at = at

    @property
    def reason(self) -> str:
        """Say how it is now."""
        return f"{self._counted} suspicions refuted within {REFUTED_WITHIN / 60:.0f}m"


class Band:
    """What is usual of one member, in all signs.

    Args:
        pool: what one node misses of all members.
    """

    __slots__ = ("_accuser", "_loss", "_refutations", "_rtt")

    def __init__(self, pool: UsualLoss) -> None:
        self._rtt = RttBand()
        self._loss = LossBand(pool)
        self._refutations: RefutationBand | None = None
        self._accuser: str | None = None
        """Who accused it, while it is suspected."""

    def acked(self, rtt: float, now: float) -> None:
        """A direct ack came after ``rtt`` seconds."""
        self._rtt.add(rtt)
        self._loss.add(is_missed=False)
        if self._refutations is not None:
            self._refutations.look(now)

    def missed(self) -> None:
        """A direct ack did not come in time.

        Of who is suspected that is no news: it says nothing before it has refuted.
        """
        if self._accuser is None:
            self._loss.add(is_missed=True)

    def suspected(self, accuser: str) -> None:
        """Somebody accuses it; nobody whose word counts, if ``accuser`` is empty."""
        self._accuser = accuser

    def disbelieve(self, accuser: str) -> None:
        """Count nothing of what ``accuser`` says or said, as long as it is not judged anew."""
        if self._accuser == accuser:
            self._accuser = ""
        if self._refutations is not None:
            self._refutations.disbelieve(accuser)

    def refuted(self, now: float) -> None:
        """It proved to be alive."""
        accuser, self._accuser = self._accuser, None
        if not accuser:
            return
        if self._refutations is None:
            self._refutations = RefutationBand()
        self._refutations.add(accuser, now)

    @property
    def signs(self) -> tuple[str, ...]:
        """In what it is outside of its band."""
        bands = (self._rtt, self._loss, self._refutations)
        outside = [band is not None and band.is_outside for band in bands]
        return tuple([sign for sign, is_out in zip(SIGNS, outside, strict=True) if is_out])

    @property
    def reason(self) -> str:
        """Say why it is degraded; empty if it is not."""
        bands = (self._rtt, self._loss, self._refutations)
        return "; ".join([band.reason for band in bands if band is not None and band.is_outside])


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 10 else f"{milliseconds:.2g}"


@lru_cache(256)
def misses_allowed(usual: float) -> int:
    """Return how many of ``WINDOW`` acks may be missed where a share of ``usual`` is."""
    above, most = 1.0, -1
    while above > CHANCE and most < WINDOW - 1:
        most += 1
        above -= comb(WINDOW, most) * usual**most * (1 - usual) ** (WINDOW - most)
    return max(most, MISSED_MIN - 1)


@lru_cache(256)
def refutations_allowed(usual: float) -> int:
    """Return how many refutations may be where ``usual`` are, on average (Poisson)."""
    above, most, term = 1.0, -1, exp(-usual)
    while above > CHANCE and most < REFUTED_KEPT - 1:
        most += 1
        above -= term
        term *= usual / (most + 1)
    return max(most, REFUTED_MIN - 1)
