"""``gossipd simulate plan``: wishes, formulas, rehearsals, the search and its answer."""

from __future__ import annotations

import json
import tomllib
from math import exp, inf, isclose

import pytest
from click.testing import CliRunner, Result

from gossipd.config.load import load_config
from gossipd.config.origin import ConfigFile
from gossipd.errors import UsageError
from gossipd.value import replace
from gossipd_cli.simulate import command
from gossipd_sim.plan.advice import advice_json, advice_text
from gossipd_sim.plan.forecast import forecast, probe_wait
from gossipd_sim.plan.measured import pooled, rate_below
from gossipd_sim.plan.rehearsal import (
    Rehearsal,
    Rehearsed,
    rehearsal_scenario,
    rehearse_settings,
)
from gossipd_sim.plan.search import Search, considered, ranked
from gossipd_sim.plan.settings import (
    Settings,
    candidates,
    failed_probe,
    profile_settings,
    untold,
)
from gossipd_sim.plan.wish import Wish, check_wish, duration_from, share_from

EASY = Wish(nodes=12, detect=20.0, pause=1.0, loss=0.01)
QUIET = Rehearsed(
    detections=(1.0, 2.0, 3.0),
    pauses=20,
    pauses_failed=0,
    others_failed=0,
    member_hours=1.0,
    packets=4.0,
    is_formed=True,
)


def search_with(wish: Wish, results: dict[float, Rehearsed], seeds: int = 3) -> Search:
    """Return a search that was told ``results`` by probe interval, or that all is late."""
    search = Search(wish, seeds)
    late = replace(QUIET, detections=(wish.detect + 1.0,) * 3)
    while (stage := search.next_stage()) is not None:
        assert stage.tasks
        for task in stage.tasks:
            search.take(task, results.get(task.settings.probe_interval, late))
    return search


# -- wishes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "share"), [("1%", 0.01), ("0.01", 0.01), (" 25 % ", 0.25), ("0", 0.0)]
)
def test_a_share_is_read_with_and_without_percent(text: str, share: float) -> None:
    assert isclose(share_from("--loss", text), share)


@pytest.mark.parametrize("text", ["", "-1%", "100%", "1", "7", "1%%", "nan", "one", "1% loss"])
def test_what_is_no_share_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(UsageError, match="--loss"):
        share_from("--loss", text)


@pytest.mark.parametrize("text", ["", "-3s", "3 parsecs", "inf", "nan", "s"])
def test_what_is_no_duration_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(UsageError, match="--pause"):
        duration_from("--pause", text)


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"nodes": 2}, "--nodes"),
        ({"nodes": 100_000}, "--nodes"),
        ({"detect": 0.0}, "--detect"),
        ({"pause": 601.0}, "--pause"),
        ({"loss": 0.6}, "--loss"),
        ({"rtt": 0.0}, "--rtt"),
    ],
)
def test_an_impossible_wish_is_refused(change: dict[str, float], option: str) -> None:
    with pytest.raises(UsageError, match=option):
        check_wish(replace(EASY, **change))


# -- formulas ---------------------------------------------------------------------


def test_false_suspicions_are_the_formula_of_swim() -> None:
    # papers.md 1.2 prints these with the factor e/(e-1)
    factor = exp(1) / (exp(1) - 1)
    assert failed_probe(0.01, 3) * factor == pytest.approx(1.93e-6, rel=0.01)
    assert failed_probe(0.1, 1) * factor == pytest.approx(1.03e-1, rel=0.01)


def test_the_wait_for_a_probe_is_almost_exponential() -> None:
    assert probe_wait(0.5, 1000, 1.0) == pytest.approx(0.693, rel=0.01)
    assert probe_wait(0.99, 1000, 1.0) == pytest.approx(4.6, rel=0.01)
    assert probe_wait(0.99, 8, 1.0) < 4.0


@pytest.mark.parametrize(
    ("nodes", "median", "p99"), [(32, 7.7, 11.3), (128, 10.2, 13.8), (1000, 13.7, 17.3)]
)
def test_the_defaults_are_forecast_as_the_model_of_the_papers_has_them(
    nodes: int, median: float, p99: float
) -> None:
    found = forecast(profile_settings("lan"), Wish(nodes=nodes, detect=20.0))
    assert median < found.median < median + 1.0  # theirs is the first, ours is everybody
    assert p99 < found.p99 < p99 + 1.0


def test_more_repeats_reach_more_members_and_losses_cost_some() -> None:
    wish = replace(EASY, loss=0.0)
    assert untold(8, wish) < untold(4, wish) / 10
    assert untold(4, replace(wish, loss=0.3)) > untold(4, wish)


def test_the_more_is_lost_the_more_often_candidates_repeat_claims() -> None:
    repeats = [
        max(one.retransmit_mult for one in candidates(replace(EASY, loss=loss)))
        for loss in (0.0, 0.1, 0.3)
    ]
    assert repeats == sorted(repeats)
    assert repeats[0] < repeats[-1]


def test_candidates_leave_a_probe_the_round_trips_that_it_needs() -> None:
    far = replace(EASY, rtt=0.3)
    tried = list(candidates(far))
    assert tried
    assert min(one.probe_timeout for one in tried) >= 0.9
    assert all(one.probe_timeout <= one.probe_interval for one in tried)


def test_every_candidate_is_a_configuration_that_the_daemon_takes() -> None:
    for one in ranked(considered(replace(EASY, loss=0.3))):
        config = load_config([ConfigFile("plan.toml", one.settings.toml())], {}, {}, node_name="a")
        assert config.node.swim == one.settings.swim


def test_profiles_as_they_are_come_first_where_they_will_do() -> None:
    assert ranked(considered(replace(EASY, detect=60.0)))[0].settings == profile_settings("lan")
    tight = ranked(considered(replace(EASY, detect=3.0)))[0].settings
    assert not tight.is_a_profile
    assert tight.probe_interval < 1.0


# -- rehearsals ---------------------------------------------------------------------


def tight_settings(**changes: object) -> Settings:
    return replace(
        profile_settings("lan"),
        probe_interval=0.5,
        probe_timeout=0.25,
        gossip_interval=0.1,
        **changes,
    )


def test_a_rehearsal_measures_what_formulas_expect_of_it() -> None:
    wish = replace(EASY, nodes=6, detect=4.0)
    settings = tight_settings(retransmit_mult=8)
    results = [rehearse_settings(Rehearsal(wish, settings, seed)) for seed in range(4)]
    for result in results:
        assert result.is_formed
        assert (result.pauses, result.pauses_failed, result.others_failed) == (20, 0, 0)
        assert len(result.detections) == 10
        assert 4.0 < result.packets < 20.0
    expected = forecast(settings, wish)
    median = pooled(results).detection(0.5)  # ten alone are off by 16 % now and then
    assert median == pytest.approx(expected.median, rel=0.15)


def test_equal_rehearsals_come_out_equal_and_seeds_differ() -> None:
    wish = replace(EASY, nodes=4, detect=4.0, pause=0.0)
    task = Rehearsal(wish, tight_settings(), 0)
    result = rehearse_settings(task)
    assert result == rehearse_settings(task)
    assert result != rehearse_settings(replace(task, seed=1))


def test_a_pause_longer_than_suspicions_last_is_a_false_positive_each_time() -> None:
    wish = replace(EASY, nodes=4, detect=3.0, pause=6.0)
    result = rehearse_settings(Rehearsal(wish, tight_settings(), 0))
    assert result.pauses_failed == result.pauses > 0
    assert not pooled([result]).keeps_quiet(wish)


def test_a_rehearsal_without_pauses_only_crashes() -> None:
    scenario = rehearsal_scenario(replace(EASY, pause=0.0), profile_settings("lan"))
    assert [fault.do for fault in scenario.faults] == ["crash"]


# -- what came of it ---------------------------------------------------------------


def test_false_positives_are_counted_against_pauses_and_hours() -> None:
    wish = replace(EASY, false_positives=0.05)
    one = pooled([QUIET, replace(QUIET, pauses_failed=1)])
    assert one.pause_rate == 1 / 40
    assert one.keeps_quiet(wish)
    assert not one.keeps_quiet(EASY)
    restless = pooled([replace(QUIET, others_failed=1, member_hours=2.0)])
    assert restless.hourly_rate == 0.5
    assert not restless.keeps_quiet(wish)


def test_a_crash_that_somebody_never_noticed_is_never_in_time() -> None:
    measured = pooled([replace(QUIET, detections=(1.0, inf))])
    assert not measured.is_in_time(replace(EASY, detect=600.0))


def test_nothing_seen_in_three_hundred_trials_is_below_one_percent() -> None:
    assert rate_below(300) == pytest.approx(0.01, rel=0.01)
    assert rate_below(0) == 1.0


# -- the search -----------------------------------------------------------------------


def test_the_search_recommends_what_holds_with_all_seeds() -> None:
    search = search_with(EASY, {1.0: QUIET})
    found = search.recommended()
    assert found is not None
    assert found.settings == profile_settings("lan")
    assert search.is_complete(found)
    assert "yes: the profile lan as it is will do" in advice_text(search)


def test_who_held_in_the_screening_alone_is_not_recommended() -> None:
    search = Search(EASY, 3)
    while (stage := search.next_stage()) is not None:
        for task in stage.tasks:
            is_good = task.seed < 2
            search.take(task, QUIET if is_good else replace(QUIET, pauses_failed=1))
    assert search.recommended() is None
    assert advice_json(search)["met"] is False


def test_a_wish_that_nothing_meets_is_answered_with_the_nearest_and_by_how_much() -> None:
    wish = replace(EASY, detect=2.0, pause=1.5)
    near = replace(QUIET, detections=(2.5,) * 3)
    search = search_with(wish, {ranked(considered(wish))[1].settings.probe_interval: near})
    found = search.nearest()
    assert found is not None
    assert search.is_complete(found)
    assert found.settings.probe_interval == ranked(considered(wish))[1].settings.probe_interval
    text = advice_text(search)
    assert "known within 2.50 s, 0.50 s too late" in text
    assert "NOT met" in text


def test_the_nearest_to_an_impossible_wish_bears_the_pause() -> None:
    wish = replace(EASY, detect=2.0, pause=5.0)
    for one in Search(wish, 3).ranking:
        assert one.forecast.pause > wish.pause or one.forecast.margin > -0.4
    assert all(one.forecast.pause > wish.pause for one in Search(wish, 3).ranking[-4:])


def test_a_pause_as_long_as_the_wish_is_said_to_be_no_different_from_a_crash() -> None:
    search = search_with(replace(EASY, detect=3.0, pause=4.0), {})
    assert "nothing can tell them apart within 3 s" in advice_text(search)
    assert search.recommended() is None


def test_nothing_done_is_nothing_said() -> None:
    search = Search(EASY, 3)
    assert "nothing was rehearsed" in advice_text(search, is_cut_off=True)
    assert advice_json(search, is_cut_off=True)["nearest"] is None


# -- the command -----------------------------------------------------------------------


def run(*args: str) -> Result:
    return CliRunner().invoke(command, ["plan", *args])


def test_the_command_prints_settings_that_the_daemon_takes() -> None:
    shown = run("--nodes", "4", "--detect", "20s", "--runs", "2", "--jobs", "1", "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["met"] is True
    toml = found["recommended"]["toml"]
    assert tomllib.loads(toml)["profile"] == "lan"
    load_config([ConfigFile("plan.toml", toml)], {}, {}, node_name="a")
    assert found["recommended"]["measured"]["detection_p99"] < 20
    again = run("--nodes", "4", "--detect", "20s", "--runs", "2", "--jobs", "2", "--json")
    assert again.stdout == shown.stdout


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("--nodes", "10", "--detect", "5s", "--loss", "120%"), "--loss"),
        (("--nodes", "10", "--detect", "5s", "--pause=-3s"), "--pause"),
        (("--nodes", "10", "--detect", "5 parsecs"), "--detect"),
        (("--nodes", "1", "--detect", "5s"), "--nodes"),
        (("--nodes", "10"), "--detect"),
        (("--nodes", "10", "--detect", "5s", "--runs", "0"), "--runs"),
    ],
)
def test_the_command_refuses_what_cannot_be(args: tuple[str, ...], complaint: str) -> None:
    shown = run(*args)
    assert shown.exit_code == 2
    assert complaint in shown.stderr


def test_ctrl_c_keeps_what_was_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Rehearsal] = []

    def once(task: Rehearsal) -> Rehearsed:
        if done:
            raise KeyboardInterrupt
        done.append(task)
        return QUIET

    monkeypatch.setattr("gossipd_sim.plan.rehearsal.rehearse_settings", once)
    shown = run("--nodes", "10", "--detect", "30s", "--jobs", "1")
    assert shown.exit_code == 130
    assert "interrupted after 1 rehearsals" in shown.stderr
    assert "cut off before anything was proven" in shown.stdout
    assert "NOT proven" in shown.stdout
