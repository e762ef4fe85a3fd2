"""Vivaldi (Dabek, Cox, Kaashoek, Morris, SIGCOMM 2004): recipe V1.

The daemon's own ``Vivaldi`` at each of some hundred nodes that measure a made-up
network: the length of the way in a plane, and the height of both ends above it.
Once a second each node measures one other by chance. No packet is sent: the
recipe is about the coordinates, not about what carries them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import dist, inf, sqrt
from random import Random

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance
from gossipd.coordinates.vivaldi import Vivaldi, VivaldiSettings
from gossipd_sim.numbers import mean, quantile
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task
from gossipd_sim.world import split_seed

SAMPLES = 300
PLANE = 0.1
"""Seconds of round trip from one side of the plane to the other."""
HEIGHT = 0.01
"""Mean of the exponential heights, in seconds."""
JITTER = 0.05
AWAY = 100.0
"""Seconds from the origin at which the cluster starts that gravity is to pull back."""
PAIRS = 4000
"""Pairs at which the errors are looked at."""
LOOK_EVERY = 10
"""Samples between looks at errors and centroid."""
GOOD = 0.15
"""Relative error below which coordinates count as found."""

_WORLDS: dict[str, dict[str, float]] = {
    "heights and jitter": {"height": HEIGHT, "jitter": JITTER},
    "embeddable": {"height": 0.0, "jitter": 0.0},
    "far away": {"height": HEIGHT, "jitter": JITTER, "away": AWAY},
    "far away, no gravity": {"height": HEIGHT, "jitter": JITTER, "away": AWAY, "gravity": 0.0},
}


class Network:
    """Nodes in a made-up network that find their coordinates.

    Args:
        nodes: how many.
        seed: the root of all chance.
        height: mean height in seconds, 0 for none.
        jitter: each measurement is off by up to this share.
        away: seconds from the origin at which all start.
        gravity: whether there is any.
    """

    def __init__(
        self, nodes: int, seed: int, height: float, jitter: float, away: float, gravity: bool
    ) -> None:
        places = Random(split_seed(seed, "places"))
        self._places = [(places.uniform(0, PLANE), places.uniform(0, PLANE)) for _ in range(nodes)]
        self._heights = [places.expovariate(1 / height) if height else 0.0 for _ in range(nodes)]
        self._jitter = jitter
        self._random = Random(split_seed(seed, "samples"))
        settings = VivaldiSettings() if gravity else VivaldiSettings(gravity_rho=inf)
        start = Coordinate(vec=(away, *(0.0,) * (settings.dimensions - 1)))
        self._nodes = [
            Vivaldi(Random(split_seed(seed, f"node {index}")), settings, start)
            for index in range(nodes)
        ]
        pairs = Random(split_seed(seed, "pairs"))
        self._pairs = [_pair(pairs, nodes) for _ in range(PAIRS)]

    def measure_once(self) -> None:
        """Let every node measure one other."""
        for own, node in enumerate(self._nodes):
            other = _other(self._random, len(self._nodes), own)
            off = self._random.uniform(1 - self._jitter, 1 + self._jitter)
            node.update(str(other), self._nodes[other].coordinate, self.rtt(own, other) * off)

    def rtt(self, a: int, b: int) -> float:
        """Return the true round trip in seconds."""
        return dist(self._places[a], self._places[b]) + self._heights[a] + self._heights[b]

    def mean_rtt(self) -> float:
        """Return the mean true round trip in seconds."""
        return mean([self.rtt(a, b) for a, b in self._pairs])

    def errors(self) -> list[float]:
        """Return how far the estimates are from the truth, relative to it."""
        found = []
        for a, b in self._pairs:
            true = self.rtt(a, b)
            estimate = distance(self._nodes[a].coordinate, self._nodes[b].coordinate)
            found.append(abs(estimate - true) / true)
        return found

    def centroid(self) -> float:
        """Return how far the middle of all nodes is from the origin, in seconds."""
        squares = 0.0
        for axis in zip(*[node.coordinate.vec for node in self._nodes], strict=True):
            squares += mean(axis) ** 2
        return sqrt(squares)


def _pair(random: Random, nodes: int) -> tuple[int, int]:
    first = random.randrange(nodes)
    return first, _other(random, nodes, first)


def _other(random: Random, nodes: int, own: int) -> int:
    other = random.randrange(nodes - 1)
    return other + (other >= own)


def gravity_law(away: float, samples: float) -> float:
    """Return how far from the origin gravity has let a cluster that began ``away`` (seconds).

    Each sample pulls by the square of g / rho, so g(t) = 1 / (1/g(0) + t/rho^2).
    """
    return 1 / (1 / away + samples / VivaldiSettings().gravity_rho ** 2)


def split(effort: Effort, seed: int) -> list[Task]:
    """Return one task for each made-up network and repetition."""
    nodes, repeats = (64, 1) if effort is Effort.QUICK else (512, 3)
    return [
        make_task("V1", f"{world} {turn}", seed, {"nodes": nodes, "world": world}, weight=nodes)
        for world in _WORLDS
        for turn in range(1 if "away" in _WORLDS[world] else repeats)
    ]


def work(task: Task) -> Sample:
    """Measure for ``SAMPLES`` seconds and look at errors and centroid on the way."""
    world = _WORLDS[task.text("world")]
    network = Network(
        task.count("nodes"),
        task.seed,
        world["height"],
        world["jitter"],
        world.get("away", 0.0),
        gravity=bool(world.get("gravity", 1.0)),
    )
    medians: list[float] = []
    centroids: list[float] = []
    for sample in range(1, SAMPLES + 1):
        network.measure_once()
        if sample % LOOK_EVERY == 0:
            medians.append(quantile(network.errors(), 0.5))
            centroids.append(network.centroid())
    return {
        "medians": medians,
        "centroids": centroids,
        "p90": [quantile(network.errors(), 0.9)],
        "mean_rtt": [network.mean_rtt()],
    }


def judge(results: Sequence[Result], effort: Effort) -> Findings:
    """Put errors and drift beside the paper's and the recipe's."""
    by_world: dict[str, list[Result]] = {}
    for result in results:
        by_world.setdefault(result.task.text("world"), []).append(result)
    nodes, repeats = results[0].task.count("nodes"), len(by_world["embeddable"])
    return Findings(
        how=(
            f"{nodes} nodes, {repeats} networks, {SAMPLES} samples a node at one a second. Round"
            f" trips: the way in a square of {PLANE * 1000:g} ms, and two exponential heights of"
            f" {HEIGHT * 1000:g} ms in the mean; each measurement is off by up to"
            f" {JITTER:.0%}. The embeddable network has neither heights nor jitter. Errors are"
            f" those of {PAIRS} pairs against the true round trip."
        ),
        figures=(*_errors(by_world), *_drift(by_world)),
        notes=(
            "The paper's 11 % are for measured round trips of the Internet, which lie in no space"
            " at all; a made-up network that does lie in one has to do better, and does.",
        ),
    )


def _errors(by_world: Mapping[str, Sequence[Result]]) -> list[Figure]:
    rough, plain = by_world["heights and jitter"], by_world["embeddable"]
    return [
        Figure(
            recipe="V1",
            quantity="median relative error, heights and jitter",
            published="11 % on Internet round trips",
            source="SIGCOMM 2004, abstract",
            unit="%",
            high=15.0,
            measured=100 * mean([result.numbers("medians")[-1] for result in rough]),
        ),
        Figure(
            recipe="V1",
            quantity="90th percentile of it",
            published="none",
            source="–",
            unit="%",
            measured=100 * mean([result.number("p90") for result in rough]),
        ),
        Figure(
            recipe="V1",
            quantity="median relative error, embeddable",
            published="none; 12 % is asked for",
            source="recipe V1",
            unit="%",
            high=12.0,
            measured=100 * mean([result.numbers("medians")[-1] for result in plain]),
        ),
        Figure(
            recipe="V1",
            quantity=f"until the median is below {GOOD:.0%}",
            published="tens of seconds",
            source="from memory of SIGCOMM 2004",
            unit="s",
            measured=mean([_found_after(result) for result in rough]),
            note=f"Looked at every {LOOK_EVERY} s; all nodes begin at once and know nothing.",
        ),
    ]


def _drift(by_world: Mapping[str, Sequence[Result]]) -> list[Figure]:
    near = by_world["heights and jitter"]
    law = gravity_law(AWAY, SAMPLES)
    drift = [max(result.numbers("centroids")) / result.number("mean_rtt") for result in near]
    return [
        Figure(
            recipe="V1",
            quantity="greatest distance of the centroid from the origin, in mean round trips",
            published="bounded",
            source="recipe V1",
            high=1.0,
            measured=max(drift),
        ),
        Figure(
            recipe="V1",
            quantity=f"centroid {SAMPLES} s after a start {AWAY:g} s away",
            published=f"{law:.2f} s",
            source="computed: 1/(1/g + t/rho²), rho = 150",
            unit="s",
            low=0.95 * law,
            high=1.05 * law,
            measured=by_world["far away"][0].numbers("centroids")[-1],
        ),
        Figure(
            recipe="V1",
            quantity="the same without gravity",
            published=f"{AWAY:g} s",
            source="computed: springs do not move their own middle",
            unit="s",
            low=0.99 * AWAY,
            high=1.01 * AWAY,
            measured=by_world["far away, no gravity"][0].numbers("centroids")[-1],
        ),
    ]


def _found_after(result: Result) -> float:
    """Return the seconds until the median error was good for the first time; all if never."""
    medians = result.numbers("medians")
    looks = next((look for look, error in enumerate(medians) if error < GOOD), len(medians) - 1)
    return float((looks + 1) * LOOK_EVERY)


RECIPES = (
    Recipe(
        name="V1",
        title="Vivaldi: the error of estimates, and the drift of all",
        source="Dabek, Cox, Kaashoek, Morris: Vivaldi, SIGCOMM 2004",
        part="Network coordinates",
        split=split,
        work=work,
        judge=judge,
    ),
)
