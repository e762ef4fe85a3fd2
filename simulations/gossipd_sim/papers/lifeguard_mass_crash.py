"""Many members crash at once: what the health rules make of it (L6).

No figure was published. memberlist's code counts the nacks that a failed probe
misses, and its helpers nack so late that they miss a well prober's deadline: one probe
of a dead member makes a well one seem sick. The paper's rules count a failed probe
once, and nack in time. Here both are run on the same crashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from gossipd.config.model import NodeConfig, SwimConfig, WireConfig
from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed
from gossipd_sim.checkers import insight
from gossipd_sim.formed import Formed
from gossipd_sim.host import Host
from gossipd_sim.numbers import quantile
from gossipd_sim.observer import Watcher
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.lifeguard_threshold import PAPER, PART
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task
from gossipd_sim.selectors import host_names
from gossipd_sim.site import Site

RULES = {"code": False, "paper": True}
"""Health rules by name, and whether they are the paper's."""
AGENTS = {Effort.QUICK: 64, Effort.FULL: 300}
CRASHED = {Effort.QUICK: (1, 20), Effort.FULL: (1, 10, 30, 90)}
SETTLING = 5.0
LASTS = 30.0
"""Seconds after the crash for which detections are counted."""
LOOK_EVERY = 1.0
"""Seconds between looks at health scores."""
SCORES = 9
CODE_SCORE_MAX = 3
"""Score that dead members alone can bring a well one to: three nacks missed at health 0."""


class Crashes(Watcher):
    """Notes when each crashed member was first seen to fail, and the worst health of all."""

    def __init__(self, crashed: frozenset[str]) -> None:
        self._crashed = crashed
        self.first: dict[str, float] = {}
        self.worst = 0

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Note a failure."""
        if type(event) is MemberFailed and event.member.name in self._crashed:
            self.first.setdefault(event.member.name, now)

    def on_step(self, host: Host, now: float) -> None:
        """Look at the health of who made a step: a bad one may last a round trip only."""
        if host.node is not None:
            self.worst = max(self.worst, insight.health_score(host.node))


def _split(effort: Effort, seed: int) -> list[Task]:
    return [
        make_task(
            "L6",
            f"{rules} crashed={crashed}",
            seed,
            {"rules": rules, "agents": AGENTS[effort], "crashed": crashed},
            weight=AGENTS[effort] * (50 + crashed) / 1000.0,
            chance=f"mass crash {crashed}",
        )
        for crashed in CRASHED[effort]
        for rules in RULES
    ]


def run_mass_crash(task: Task) -> Sample:
    """Crash members at once; returns seconds to first detection and health scores."""
    site = Site(task.seed)
    swim = SwimConfig(paper_health=RULES[task.text("rules")])
    wire = WireConfig(compression=False)
    hosts = [
        site.add_host(name, NodeConfig(name=name, swim=swim, wire=wire))
        for name in host_names(task.count("agents"))
    ]
    formed = Formed((host.address, host.config) for host in hosts)
    for host in hosts:
        host.begins_with = formed
        host.boot()
    site.run(SETTLING)
    crashed = site.world.random("crash").sample(hosts, task.count("crashed"))
    seen = Crashes(frozenset(host.name for host in crashed))
    site.observers.append(seen)
    crashed_at = site.world.now
    for host in crashed:
        host.crash()
    scores = [0] * SCORES
    while site.world.now < crashed_at + LASTS:
        site.run(LOOK_EVERY)
        for host in hosts:
            if host.node is not None:
                scores[insight.health_score(host.node)] += 1
    return {
        "first": [at - crashed_at for at in seen.first.values()],
        "scores": [float(count) for count in scores],
        "worst": [float(seen.worst)],
    }


def _judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        rules, crashed = result.task.text("rules"), result.task.count("crashed")
        first = result.numbers("first")
        looks = sum(result.numbers("scores"))
        unwell = 100.0 * (looks - result.numbers("scores")[0]) / looks
        label = f"{crashed} crashed, rules of the {rules}"
        figures += [
            Figure(
                recipe="L6",
                quantity=f"first detection, median, {label}",
                published="–",
                source="not published",
                unit="s",
                measured=quantile(first, 0.5) if first else nan,
            ),
            Figure(
                recipe="L6",
                quantity=f"looks at a member that found its health above 0, {label}",
                published="–",
                source="not published",
                unit="%",
                measured=unwell,
            ),
        ]
        if rules == "code":
            figures.append(_worst(result, crashed, label))
    return Findings(
        how=(
            f"{AGENTS[effort]} agents with LAN defaults know each other; some crash at the same"
            f" moment. Detections by anybody and health scores (looked at every second, at all that"
            f" live) of the {LASTS:g} s after it; the same crashes under both rules."
        ),
        figures=tuple(figures),
        notes=(_histograms(results),),
    )


def _worst(result: Result, crashed: int, label: str) -> Figure:
    """Return the highest score, which is held against the source where one member crashed."""
    alone = crashed == 1
    return Figure(
        recipe="L6",
        quantity=f"highest health score, {label}",
        published=f"spikes to {CODE_SCORE_MAX}, never higher",
        source="memberlist's state.go, computed",
        low=CODE_SCORE_MAX if alone else float("-inf"),
        high=CODE_SCORE_MAX if alone else float("inf"),
        measured=result.number("worst"),
        note=""
        if alone
        else "not judged: helpers that crashed too, and are not known to be dead yet, owe their"
        " nacks even after the longer deadline of a prober in bad health",
    )


def _histograms(results: Sequence[Result]) -> str:
    """Return how often each health score was seen, as a table."""
    lines = [
        "Health scores, in percent of all looks:",
        "",
        "| | " + " | ".join(map(str, range(SCORES))) + " |",
        "|" + "---|" * (SCORES + 1),
    ]
    for result in results:
        counts = result.numbers("scores")
        shares = " | ".join(f"{100.0 * count / sum(counts):.2f}" for count in counts)
        task = result.task
        lines.append(f"| {task.count('crashed')} crashed, {task.text('rules')} | {shares} |")
    return "\n".join(lines)


RECIPES = (
    Recipe(
        name="L6",
        title="mass crash under the health rules of the code and of the paper",
        source=f"recipe of our own after {PAPER}, section IV-A, and memberlist's source",
        part=PART,
        split=_split,
        work=run_mass_crash,
        judge=_judge,
    ),
)
