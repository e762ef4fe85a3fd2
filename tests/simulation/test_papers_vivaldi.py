"""Recipe V1: coordinates converge on a made-up network, and gravity holds them."""

from __future__ import annotations

from gossipd_sim.papers.campaign import Campaign
from gossipd_sim.papers.recipe import Effort, Section
from gossipd_sim.papers.recipes import RECIPES, chosen
from gossipd_sim.papers.vivaldi import Network, gravity_law


def quick_section() -> Section:
    campaign = Campaign(chosen(["V1"]), Effort.QUICK, seed=0)
    for _ in campaign.run(jobs=1):
        pass
    (section,) = campaign.sections()
    return section


def test_v1_errors_and_drift_are_within_the_published_bands() -> None:
    section = quick_section()
    assert section.failing == ()
    judged = [figure.quantity for figure in section.figures if figure.is_judged]
    assert len(judged) == 5


def test_v1_asks_512_nodes_when_there_is_time() -> None:
    tasks = RECIPES["V1"].split(Effort.FULL, 0)
    assert {task.count("nodes") for task in tasks} == {512}


def test_coordinates_know_nothing_before_the_first_sample_and_more_after_each_hundred() -> None:
    network = Network(32, 1, height=0.01, jitter=0.05, away=0.0, gravity=True)
    medians = []
    for _ in range(3):
        errors = sorted(network.errors())
        medians.append(errors[len(errors) // 2])
        for _ in range(100):
            network.measure_once()
    assert medians[0] > 0.9
    assert medians[0] > 5 * medians[1] > 5 * medians[2]


def test_the_same_seed_gives_the_same_errors() -> None:
    first, again, other = (
        Network(12, seed, height=0.01, jitter=0.05, away=0.0, gravity=True) for seed in (1, 1, 2)
    )
    for network in (first, again, other):
        for _ in range(20):
            network.measure_once()
    assert first.errors() == again.errors() != other.errors()


def test_gravity_lets_nobody_stay_away() -> None:
    assert gravity_law(100.0, 0) == 100.0
    assert gravity_law(1e9, 300) < 75.1
