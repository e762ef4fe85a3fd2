"""One check: what results, words, silence and time make of it."""

from __future__ import annotations

import pytest

from gossipd.catalog.checks import Check, cut_output
from gossipd.services.definition import CheckDefinition


def check(now: float = 100.0, **fields: object) -> Check:
    return Check(CheckDefinition(id="c", **fields), "web", now)  # type: ignore[arg-type]


def results(running: Check, *found: str) -> list[str]:
    statuses = []
    for result in found:
        running.take_result(result, "", 101.0)
        statuses.append(running.status)
    return statuses


def test_it_is_critical_until_the_first_result_unless_defined_otherwise() -> None:
    assert check().status == "critical"
    assert check(status="passing").status == "passing"
    assert check(kind="held").status == "passing"


def test_without_thresholds_each_result_counts() -> None:
    found = ("passing", "warning", "critical", "warning", "passing", "critical")
    assert results(check(kind="http"), *found) == list(found)


def test_it_passes_after_so_many_good_results_in_a_row() -> None:
    running = check(kind="http", passes_needed=2)
    found = ("passing", "critical", "passing", "passing")
    assert results(running, *found) == ["critical", "critical", "critical", "passing"]


def test_failures_make_it_warning_and_then_critical() -> None:
    running = check(
        kind="http", status="passing", failures_before_warning=2, failures_before_critical=3
    )
    found = ("critical", "passing", "critical", "critical", "critical")
    assert results(running, *found) == ["passing", "passing", "passing", "warning", "critical"]


def test_a_warning_makes_a_critical_check_better_as_slowly_as_a_pass() -> None:
    running = check(kind="script", passes_needed=2)
    assert results(running, "warning", "warning", "passing") == ["critical", "warning", "warning"]


def test_failures_do_not_count_in_the_grace_after_the_registration() -> None:
    running = check(kind="http", status="passing", grace=10.0)
    assert not running.take_result("critical", "refused", 109.9)
    assert (running.status, running.output) == ("passing", "refused")
    assert running.take_result("critical", "refused", 110.0)


def test_silence_is_critical_and_says_so() -> None:
    running = check(kind="ttl", ttl=10.0)
    assert running.take_word("passing", "fine", 105.0)
    assert running.next_deadline() == 115.0
    assert not running.expire(114.9)
    assert running.expire(115.0)
    assert (running.status, running.output) == ("critical", "no word from the provider for 10 s")
    assert running.next_deadline() is None


def test_silence_is_no_failure_in_the_grace() -> None:
    running = check(kind="ttl", ttl=1.0, grace=20.0, status="passing")
    assert running.next_deadline() == 120.0
    assert not running.expire(119.0)
    assert running.expire(120.0)


def test_after_a_restart_it_keeps_its_status_for_a_whole_ttl() -> None:
    running = check(now=500.0, kind="ttl", ttl=10.0)
    running.take_over("passing", "fine", 500.0)
    assert (running.status, running.output, running.next_deadline()) == ("passing", "fine", 510.0)


def test_critical_for_so_long_gives_the_service_up() -> None:
    running = check(kind="http", deregister_after=30.0)
    assert running.next_deadline() == 130.0
    running.take_result("passing", "", 110.0)
    assert running.next_deadline() is None
    running.take_result("critical", "", 120.0)
    running.take_result("critical", "", 140.0)
    assert not running.is_given_up(149.9)
    assert running.is_given_up(150.0)


def test_the_grace_is_before_the_time_to_give_up() -> None:
    assert check(kind="http", grace=15.0, deregister_after=30.0).next_deadline() == 145.0


def test_a_check_of_the_node_never_gives_up() -> None:
    running = Check(CheckDefinition(id="c", kind="http", deregister_after=1.0), "", 0.0)
    assert running.next_deadline() is None


@pytest.mark.parametrize(
    ("text", "length"), [("x" * 5000, 4096), ("é" * 3000, 2048), ("€" * 2000, 1365), ("ok", 2)]
)
def test_output_is_cut_at_a_whole_character(text: str, length: int) -> None:
    cut = cut_output(text)
    assert len(cut) == length
    assert text.startswith(cut)


def test_output_that_is_no_text_is_made_one() -> None:
    cut_output("bad \udcff").encode()
