"""The frame of ``gossipd simulate papers``: figures, the book, campaigns, the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf, nan
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Shown

from gossipd.value import replace
from gossipd_cli.simulate import command
from gossipd_sim.errors import ScenarioError
from gossipd_sim.papers import campaign as campaigns
from gossipd_sim.papers.book import book_text, section_json
from gossipd_sim.papers.campaign import Campaign
from gossipd_sim.papers.figure import Figure, number_text
from gossipd_sim.papers.keep import Keep
from gossipd_sim.papers.recipe import (
    Effort,
    Findings,
    Recipe,
    Result,
    Sample,
    Section,
    Task,
    make_task,
    section_of,
)
from gossipd_sim.papers.recipes import RECIPES, chosen

FIGURE = Figure(
    recipe="X1",
    quantity="mean wait",
    published="1.58",
    source="Nobody 2001 §3",
    unit="periods",
    low=1.5,
    high=1.7,
    measured=1.6,
)
BOOK = Path(__file__).parents[2] / "docs" / "papers.md"
calls: list[str] = []


def split(effort: Effort, seed: int) -> list[Task]:
    sizes = (1, 2) if effort is Effort.QUICK else (1, 2, 3)
    return [make_task("X1", f"n={n}", seed, {"n": n}, weight=n) for n in sizes]


def work(task: Task) -> Sample:
    calls.append(task.label)
    return {"value": [task.number("n") / 10], "seed": [task.seed]}


def judge(results: Sequence[Result], effort: Effort) -> Findings:
    total = sum(result.number("value") for result in results)
    figures = (replace(FIGURE, measured=total, low=0.0),)
    return Findings(how=f"{len(results)} sizes.", figures=figures)


X1 = Recipe(
    name="X1", title="A wait", source="Nobody 2001", part="Waits",
    split=split, work=work, judge=judge,
)  # fmt: skip


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "X1", X1)
    calls.clear()


def finish(campaign: Campaign) -> list[Section]:
    for _ in campaign.run(1):
        pass
    return campaign.sections()


# -- figures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "holds"), [(1.5, True), (1.7, True), (1.499, False), (1.71, False), (nan, False)]
)
def test_a_figure_holds_when_ours_is_in_the_band_ends_included(
    measured: float, holds: bool
) -> None:
    assert replace(FIGURE, measured=measured).holds is holds


def test_a_figure_without_a_band_is_recorded_and_not_judged() -> None:
    recorded = replace(FIGURE, low=-inf, high=inf)
    assert (recorded.is_judged, recorded.holds, recorded.band) == (False, True, "recorded")
    assert not replace(recorded, measured=nan).holds


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.58197, "1.582"), (2.0, "2"), (0.000123456, "0.0001235"), (339002, "339002"),
     (123456.7, "123457"), (inf, "inf")],
)  # fmt: skip
def test_numbers_have_four_digits_and_whole_ones_all(number: float, text: str) -> None:
    assert number_text(number) == text


# -- the book ---------------------------------------------------------------------


def test_the_book_shows_ours_beside_the_published_figure_with_band_and_source() -> None:
    results = [Result(task=task, sample=work(task)) for task in split(Effort.QUICK, 0)]
    book = book_text([section_of(X1, results, Effort.QUICK)], RECIPES, Effort.QUICK, 7)
    assert "## Waits\n\n### X1: A wait\n\nSource: Nobody 2001\n\n2 sizes.\n" in book
    assert "| mean wait | 1.58 | 0 to 1.7 | 0.3 periods | yes | Nobody 2001 §3 |" in book
    assert "quick sample with the root seed 7: 1 of 1 judged figures hold, 0 are recorded" in (
        " ".join(book.split())
    )


def test_the_book_marks_a_figure_that_does_not_hold_and_gives_the_reason() -> None:
    figure = replace(FIGURE, measured=2.0, note="the paper counts | otherwise")
    section = Section(recipe="X1", title="A wait", source="Nobody", how="Once.", figures=(figure,))
    book = book_text([section], RECIPES, Effort.FULL, 0)
    assert "| 2 periods | **NO** |" in book
    assert "- *mean wait*: the paper counts | otherwise" in book
    assert "0 of 1 judged figures hold" in book
    assert section_json(section)["holds"] is False


def test_figures_with_one_reason_share_its_line() -> None:
    figures = tuple(
        replace(FIGURE, quantity=quantity, measured=2.0, note="as above") for quantity in "ab"
    )
    section = Section(recipe="X1", title="A wait", source="N", how="Once.", figures=figures)
    assert "\n- *a*; *b*: as above\n" in book_text([section], RECIPES, Effort.FULL, 0)


# -- campaigns --------------------------------------------------------------------


def test_tasks_have_seeds_of_their_own_that_follow_from_the_root() -> None:
    first, again, other = (split(Effort.FULL, seed) for seed in (1, 1, 2))
    assert first == again
    assert len({task.seed for task in (*first, *other)}) == 6


def test_tasks_that_are_to_meet_the_same_fate_share_a_seed() -> None:
    plain, protected = (
        make_task("X1", label, 5, {}, chance="X1 run 3") for label in ("swim", "lifeguard")
    )
    assert plain.seed == protected.seed


def test_results_are_judged_in_the_order_of_tasks_though_the_longest_run_first() -> None:
    campaign = Campaign([X1], Effort.FULL, 0)
    assert [task.label for task in campaign.to_do] == ["n=3", "n=2", "n=1"]
    (section,) = finish(campaign)
    assert calls == ["n=3", "n=2", "n=1"]
    assert section.figures[0].measured == pytest.approx(0.6)
    assert campaign.unfinished == {}


def test_an_interrupted_campaign_keeps_what_was_done_and_goes_on_with_the_rest(
    tmp_path: Path,
) -> None:
    file = tmp_path / "kept.jsonl"
    cut_off = Campaign([X1], Effort.FULL, 0, Keep(file))
    running = cut_off.run(1)
    next(running)
    running.close()
    assert cut_off.unfinished == {"X1": (1, 3)}
    assert cut_off.sections() == []

    later = Campaign([X1], Effort.FULL, 0, Keep(file))
    assert [task.label for task in later.done] == ["n=3"]
    calls.clear()
    resumed = finish(later)
    assert calls == ["n=2", "n=1"]
    assert resumed == finish(Campaign([X1], Effort.FULL, 0))


def test_a_line_that_was_being_written_at_the_end_is_done_again(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    finish(Campaign([X1], Effort.QUICK, 0, Keep(file)))
    whole = file.read_text()
    file.write_text(whole[:-9])
    again = Campaign([X1], Effort.QUICK, 0, Keep(file))
    assert len(again.to_do) == 1
    finish(again)
    assert file.read_text() == whole


def test_kept_results_of_another_seed_version_or_code_are_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.jsonl"
    finish(Campaign([X1], Effort.QUICK, 0, Keep(file)))
    assert Campaign([X1], Effort.QUICK, 0, Keep(file)).to_do == []
    assert len(Campaign([X1], Effort.QUICK, 1, Keep(file)).to_do) == 2
    assert len(Campaign([replace(X1, version=2)], Effort.QUICK, 0, Keep(file)).to_do) == 2
    monkeypatch.setattr("gossipd_sim.papers.keep.code_fingerprint", lambda: "other")
    assert len(Campaign([X1], Effort.QUICK, 0, Keep(file)).to_do) == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [("hello\n", 1), ("hello", 1), ('{"format": "other"}\n', 1), ("[]\n", 1),
     ('{"format": "gossipd simulate papers 1"}\n{"key": "k", "sample": {"a": ["b"]}}\n', 2)],
)  # fmt: skip
def test_a_file_of_something_else_is_refused_with_its_line_and_left_alone(
    tmp_path: Path, text: str, line: int
) -> None:
    file = tmp_path / "mine"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=f"mine: line {line}: "):
        Keep(file)
    assert file.read_text() == text


@pytest.mark.parametrize("written", [0, 1, 20])
def test_a_file_that_was_cut_off_at_its_first_line_is_begun_again(
    tmp_path: Path, written: int
) -> None:
    file = tmp_path / "mine"
    Keep(file)
    begun = file.read_text()
    file.write_text(begun[:written])
    Keep(file)
    assert file.read_text() == begun


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        Keep(tmp_path)


def test_a_number_that_cannot_be_kept_is_a_defect_of_the_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RECIPES, "X1", replace(X1, work=lambda task: {"value": [inf]}))
    with pytest.raises(ValueError, match="X1 n=1: value is not finite"):
        campaigns.run_task(split(Effort.QUICK, 0)[0])


# -- the registry and the command ---------------------------------------------------


def test_every_recipe_has_tasks_of_both_efforts_with_labels_of_their_own() -> None:
    for recipe in chosen(()):
        for effort in Effort:
            tasks = recipe.split(effort, 0)
            assert tasks, recipe.name
            assert {task.recipe for task in tasks} == {recipe.name}
            assert len({task.label for task in tasks}) == len(tasks), recipe.name


def papers(*words: str) -> Shown:
    return CliRunner().invoke(command, ["papers", "--jobs", "1", *words])


def test_the_command_shows_ours_beside_theirs_and_ends_with_0() -> None:
    shown = papers("x1")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[1].split() == (
        ["X1", "mean", "wait", "1.58", "0", "to", "1.7", "0.3", "periods", "yes"]
    )


def test_the_command_ends_with_1_when_a_figure_is_out_of_its_band(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RECIPES, "X1", replace(X1, work=lambda task: {"value": [9]}))
    shown = papers("X1", "--json")
    assert shown.exit_code == 1
    found = json.loads(shown.stdout)
    assert (found["failing"], found["recipes"][0]["holds"]) == (1, False)
    assert "1 figures are out of their bands" in shown.stderr


def test_the_command_writes_the_same_book_each_time(tmp_path: Path) -> None:
    books = [tmp_path / name for name in ("a.md", "b.md")]
    for book in books:
        assert papers("X1", "--full", "--seed", "4", "--write", str(book)).exit_code == 0
    assert books[0].read_text() == books[1].read_text()
    assert "full sample with the root seed 4" in " ".join(books[0].read_text().split())


def test_an_interrupt_shows_what_is_finished_and_writes_no_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(task: Task) -> Sample:
        if task.label == "n=1":
            raise KeyboardInterrupt
        return work(task)

    monkeypatch.setitem(RECIPES, "X1", replace(X1, work=stopped))
    book = tmp_path / "book.md"
    shown = papers("X1", "--write", str(book), "--json")
    assert shown.exit_code == 130
    assert json.loads(shown.stdout)["unfinished"] == ["X1"]
    assert "unfinished: X1 (1 of 2 tasks)" in shown.stderr
    assert not book.exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["X2"], "no recipe is called 'X2'; known are "),
        (["X1", "--write", "/nowhere/at/all.md"], "--write /nowhere/at/all.md: there is no such"),
        (["X1", "--keep", "/nowhere/at/all"], "--keep /nowhere/at/all: there is no such folder"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    words: list[str], complaint: str
) -> None:
    shown = papers(*words)
    assert shown.exit_code == 2
    assert complaint in shown.stderr
    assert calls == []


# -- the book that is shipped ----------------------------------------------------------


def test_the_shipped_book_has_every_recipe_and_a_reason_for_each_figure_that_does_not_hold() -> (
    None
):
    book = BOOK.read_text(encoding="utf-8")
    assert "full sample" in " ".join(book.split())
    for recipe in chosen(()):
        if recipe is not X1:
            assert f"### {recipe.name}: {recipe.title}\n" in book, "run: make papers"
    lines = book.splitlines()
    reasons = [line for line in lines if line.startswith("- *")]
    for quantity in (line.split(" | ")[0].strip("| ") for line in lines if "**NO**" in line):
        assert any(f"*{quantity}*" in reason for reason in reasons), quantity
