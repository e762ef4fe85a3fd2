"""The mass-loss guard: what is kept, when it lets go, and what it never hides."""

from __future__ import annotations

import pytest

from gossipd.catalog.events import GuardChanged, ServiceChanged
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import Service, ServiceState
from support.catalog_bench import CatalogBench

WEB = Service(id="web", name="web")
NINE = tuple("abcdefghi")


def bench_of(owners: tuple[str, ...], **config: float) -> CatalogBench:
    bench = CatalogBench(CatalogConfig(**config))  # type: ignore[arg-type]
    for owner in owners:
        bench.join(owner)
        bench.hear(owner, WEB)
    bench.outbox.take_events()
    return bench


def fail(bench: CatalogBench, *owners: str, at: float = 10.0) -> None:
    for owner in owners:
        bench.join(owner, at, status="failed")


def passing(bench: CatalogBench) -> str:
    return "".join(sorted(o for o, status in bench.statuses("web").items() if status == "passing"))


def doubtful(bench: CatalogBench) -> str:
    return "".join(one.owner for one in bench.view("web").instances if one.is_doubtful)


def test_one_failed_owner_is_critical() -> None:
    bench = bench_of(NINE)
    fail(bench, "a")
    assert bench.statuses("web")["a"] == "critical"
    assert bench.events(GuardChanged) == []


def test_more_than_the_share_lost_at_once_is_kept_and_doubtful() -> None:
    bench = bench_of(NINE)
    fail(bench, *"abcd")
    assert passing(bench) == "efghi"
    fail(bench, "e", at=20.0)
    assert (passing(bench), doubtful(bench)) == ("abcdefghi", "abcde")
    assert bench.view("web").is_guarded
    assert bench.shelves.summaries()[0].is_guarded
    assert bench.events(GuardChanged) == [GuardChanged("web", True, 5, 9)]
    assert {one.owner_status for one in bench.view("web").instances} == {"alive", "failed"}


def test_the_one_that_tips_it_never_looked_critical() -> None:
    bench = bench_of(tuple("abc"), guard_minimum=1, guard_share=0.3)
    index = bench.shelves.index
    fail(bench, "a")
    changes = bench.shelves.changes("web", index)
    assert changes is not None
    assert [(c.instance.status, c.instance.is_doubtful) for c in changes] == [("passing", True)]


def test_what_was_lost_slowly_is_believed() -> None:
    bench = bench_of(NINE, guard_window=30.0)
    for at, owner in enumerate(NINE):
        fail(bench, owner, at=100.0 + 40.0 * at)
    assert passing(bench) == ""
    assert not bench.view("web").is_guarded


def test_fewer_than_the_minimum_are_believed() -> None:
    bench = bench_of(tuple("ab"))
    fail(bench, "a", "b")
    assert passing(bench) == ""


def test_what_did_not_pass_was_not_lost() -> None:
    bench = bench_of(NINE)
    for owner in "abcdef":
        bench.hear(owner, WEB, ServiceState(maintenance="x"))
    fail(bench, *"abcdef")
    assert passing(bench) == "ghi"
    assert not bench.view("web").is_guarded


def test_it_lets_go_when_most_have_returned() -> None:
    bench = bench_of(NINE)
    fail(bench, *"abcdefg")
    bench.outbox.take_events()
    for owner in "abcd":
        bench.join(owner, 60.0)
        assert bench.view("web").is_guarded
    bench.join("e", 60.0)
    assert not bench.view("web").is_guarded
    assert passing(bench) == "abcdehi"
    assert bench.events(GuardChanged) == [GuardChanged("web", False, 2, 9)]


def test_it_lets_go_when_the_lost_have_left() -> None:
    bench = bench_of(tuple("abc"))
    fail(bench, *"abc")
    for owner in "abc":
        bench.part(owner, 20.0)
    assert bench.view("web").instances == ()
    assert not bench.view("web").is_guarded
    assert bench.events(GuardChanged)[-1] == GuardChanged("web", False, 0, 0)


def test_what_is_lost_while_it_holds_is_kept_too() -> None:
    bench = bench_of(NINE)
    fail(bench, *"abcde")
    fail(bench, "f", at=500.0)
    assert passing(bench) == "abcdefghi"


@pytest.mark.parametrize("status", ["maintenance", "gone", "left"])
def test_what_is_certain_is_not_hidden(status: str) -> None:
    bench = bench_of(NINE)
    fail(bench, *"abcdef")
    if status == "maintenance":
        bench.hear("a", WEB, ServiceState(maintenance="said before it was lost"))
        assert bench.statuses("web")["a"] == "critical"
    elif status == "gone":
        bench.hear_gone("a", "web")
        assert "a" not in bench.statuses("web")
    else:
        bench.part("a")
        assert "a" not in bench.statuses("web")
    assert passing(bench) == "bcdefghi"


def test_a_guard_of_one_service_is_none_of_another() -> None:
    bench = bench_of(NINE)
    for owner in "abcdefghi":
        bench.hear(owner, Service(id="all", name="all"))
    for owner in "xyzuvw":
        bench.join(owner)
        bench.hear(owner, WEB)
    fail(bench, *"abcde")
    assert bench.view("all").is_guarded
    assert not bench.view("web").is_guarded
    assert bench.statuses("web")["a"] == "critical"


def test_who_was_already_failed_when_we_came_is_critical() -> None:
    bench = CatalogBench()
    for owner in NINE:
        bench.join(owner, status="failed")
        bench.hear(owner, WEB)
    assert passing(bench) == ""


def test_the_share_of_all_is_never_exceeded() -> None:
    bench = bench_of(NINE, guard_share=1.0)
    fail(bench, *NINE)
    assert passing(bench) == ""


def test_new_instances_elsewhere_make_it_let_go() -> None:
    bench = bench_of(tuple("abcd"))
    fail(bench, *"abc")
    for number in range(12):
        assert bench.view("web").is_guarded == (number < 8)
        bench.join(f"n{number}")
        bench.hear(f"n{number}", WEB)
    assert bench.statuses("web")["a"] == "critical"


def test_one_node_that_had_all_of_a_service_has_died() -> None:
    bench = bench_of(tuple("bc"))
    bench.join("a")
    for number in range(9):
        bench.hear("a", Service(id=f"web-{number}", name="web"))
    fail(bench, "a")
    assert not bench.view("web").is_guarded
    assert passing(bench) == "bc"
    fail(bench, "b", at=12.0)
    assert bench.view("web").is_guarded
    assert {one.is_usable for one in bench.view("web").instances} == {True}


def test_exactly_the_share_is_believed() -> None:
    bench = bench_of(tuple("abcdef"))
    fail(bench, *"abc")
    assert passing(bench) == "def"


def test_an_owner_that_comes_and_goes_while_it_holds_is_kept_each_time() -> None:
    bench = bench_of(NINE)
    fail(bench, *"abcdefg")
    for at in range(20, 30):
        bench.join("a", float(at))
        fail(bench, "a", at=at + 0.5)
        assert (passing(bench), doubtful(bench)) == ("abcdefghi", "abcdefg")


def test_what_registers_during_the_split_counts_against_the_guard() -> None:
    bench = bench_of(NINE)
    fail(bench, *"cdefghi")
    for number in range(19):
        assert bench.view("web").is_guarded
        bench.hear("a", Service(id=f"new-{number}", name="web"))
    assert not bench.view("web").is_guarded
    assert bench.statuses("web")["c"] == "critical"


def test_turned_off_by_a_reload_it_lets_go_at_once() -> None:
    bench = bench_of(NINE)
    fail(bench, *"abcdef")
    bench.outbox.take_events()
    index = bench.shelves.index
    bench.config.take_over(CatalogConfig(guard_share=1.0))
    bench.shelves.guard_changed(20.0)
    assert passing(bench) == "ghi"
    assert bench.shelves.index == index + 6
    told = bench.outbox.take_events()
    assert GuardChanged("web", False, 6, 9) in told
    assert ServiceChanged("web", bench.shelves.index) in told
